"""The code in the docs: it compiles, its names are real, and pages of frameworks run."""

import ast
import builtins
import importlib
import json
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from .test_docs import PAGES, ROOT

YOURS = {
    "BASE_DIR",
    "User",
    "app",
    "audit",
    "form",
    "get_client",
    "get_current_user",
    "message",
    "queue",
}
"""Names that stand for what a reader's app has already."""

NOT_HERE = {"datasette", "flask_appbuilder", "httpbin", "somewhere"}
"""Modules that examples import and the tests do not have."""

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[Any]:
    """Each block of a language in the docs, with its place as id."""
    found_blocks = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in FENCE.finditer(text):
            if found[1] == language:
                line = text[: found.start()].count("\n") + 1
                place = f"{page.relative_to(ROOT)}:{line}"
                found_blocks.append(pytest.param(found[2], id=place))
    return found_blocks


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_of_python_compiles(code: str) -> None:
    compile(code, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_of_python_has_no_name_from_nowhere(code: str) -> None:
    bound = YOURS | set(dir(builtins))
    used = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    assert used <= bound, used - bound


@pytest.mark.parametrize("code", blocks("python"))
def test_what_a_block_of_python_imports_is_there(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            named = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [(str(node.module), alias.name) for alias in node.names]
        else:
            continue
        for module, name in named:
            top = module.partition(".")[0]
            if top in NOT_HERE:
                continue
            if top in ("celery", "django", "fastapi", "flask") and find_spec(top) is None:
                pytest.skip(f"no {top}")
            found = importlib.import_module(module)
            assert name is None or hasattr(found, name), f"{module} has no {name}"


@pytest.mark.parametrize("page", ["fastapi", "flask"])
def test_a_frameworks_page_runs_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    framework = pytest.importorskip(page)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "app": framework.Flask("shop") if page == "flask" else framework.FastAPI(),
        "User": SimpleNamespace,
        "get_current_user": lambda: SimpleNamespace(id=1),
        "get_client": lambda: SimpleNamespace(name="billing"),
    }
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    codes = [found[2] for found in FENCE.finditer(text) if found[1] == "python"]
    assert len(codes) >= 2
    try:
        for code in codes:
            exec(compile(code, f"{page}.md", "exec"), names)
    finally:
        if "audit" in names:
            names["audit"].close()


@pytest.mark.parametrize("text", blocks("toml"))
def test_a_block_of_toml_is_toml(text: str) -> None:
    assert tomllib.loads(text)


@pytest.mark.parametrize("text", blocks("json"))
def test_a_block_of_json_is_json(text: str) -> None:
    assert json.loads(text if text.startswith("{") else f"{{{text}}}")
