"""Imports go one way, and the write side and the read side meet only in the trail."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOG = ["spool", "trail", "witnesses", "verification", "recording"]
CORE = ["errors", "_version", "oplog", "settings", "event", "proofs", "policy", "vault", *LOG]
WRITE = ["capture", "changes", "outbound", "environment"]
READ = ["archive", "journeys", "review", "story", "export", "report", "evidence"]
TOP = ["viewer", "coverage", "cli"]
BELOW = {
    name: set(order[: order.index(name)])
    for order in (CORE + WRITE, CORE + READ, CORE + WRITE + READ + TOP)
    for name in (order if order[-1] != "cli" else TOP)
}
FRONT_DOORS = {"flowaudit", "flowaudit.__main__", "flowaudit.testing"}
FILES = sorted(p for d in ("flowaudit", "adapters") for p in (ROOT / d).rglob("*.py"))
FRAMEWORKS = {"django", "flask", "fastapi"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(p for p in parts if p not in ("adapters", "__init__"))


def imported(path: Path) -> Iterator[str]:
    module = module_name(path).split(".")
    package = module if path.name == "__init__.py" else module[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            if name == "flowaudit":
                yield from (f"{name}.{a.name}" for a in node.names)
            else:
                yield name


def may_import(importer: str, target: str) -> bool:
    if not target.startswith("flowaudit"):
        return True
    if target.startswith("flowaudit_"):
        return target.split(".")[0] == importer.split(".")[0]
    if importer.startswith("flowaudit_") or importer in FRONT_DOORS:
        return True
    mine, theirs = importer.split(".")[1], [*target.split("."), ""][1]
    return mine == theirs or theirs in BELOW[mine]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_go_down(path: Path) -> None:
    bad = [name for name in imported(path) if not may_import(module_name(path), name)]
    assert not bad, f"{module_name(path)} must not import {bad}"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_core_imports_no_web_framework(path: Path) -> None:
    if not module_name(path).startswith("flowaudit_"):
        assert not {name.split(".")[0] for name in imported(path)} & FRAMEWORKS


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("flowaudit.trail.sqlite", "flowaudit.capture.audit"),
        ("flowaudit.capture.audit", "flowaudit.journeys"),
        ("flowaudit.journeys.engine", "flowaudit.capture"),
        ("flowaudit.policy.redact", "flowaudit.trail"),
        ("flowaudit.trail.sqlite", "flowaudit_flask"),
        ("flowaudit_flask.middleware", "flowaudit_django"),
    ],
)
def test_a_planted_fault_is_found(importer: str, target: str) -> None:
    assert not may_import(importer, target)


def modules_behind(path: Path) -> Iterator[str]:
    """The modules that a file imports, a name of its own package being one where it is a file."""
    module = module_name(path).split(".")
    package = module if path.name == "__init__.py" else module[:-1]
    yield from imported(path)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module is None:
            yield from (".".join([*package, alias.name]) for alias in node.names)


def test_no_imports_run_in_a_circle() -> None:
    names = {module_name(path) for path in FILES if path.name != "__init__.py"}
    graph = {
        module_name(path): set(modules_behind(path)) & names
        for path in FILES
        if module_name(path) in names
    }
    assert sum(map(len, graph.values())) > 200
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError that names it
    assert order.index("flowaudit_django.accounts") < order.index("flowaudit_django.signals")


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    import sys

    names = {path.stem for path in FILES} - {"__init__", "__main__"}
    assert not names & set(sys.stdlib_module_names)


def test_packages_are_two_levels_deep() -> None:
    allowed = {"rules", "templates", "static", "management"}
    for path in FILES:
        inside = path.relative_to(ROOT).parts[1:-1]
        assert len(inside) <= 1 or allowed & set(inside), path
