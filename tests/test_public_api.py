"""What modules offer is what `__all__` says, sorted, and documented."""

import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    for base in (ROOT, ROOT / "adapters")
    for path in base.glob("flowaudit*/**/*.py")
    if path.name != "__main__.py" and "templates" not in path.parts  # they run elsewhere
)
NEEDS_DJANGO_PROJECT = {"flowaudit_django.apps"}


@pytest.mark.parametrize("name", [m for m in MODULES if m not in NEEDS_DJANGO_PROJECT])
def test_all_is_complete_sorted_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    names = getattr(module, "__all__", [])
    assert names == sorted(names, key=lambda n: (not n.isupper(), not n[0].isupper(), n)) or (
        sorted(names) == sorted(set(names))
    )
    for public in names:
        thing = getattr(module, public)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{name}.{public} has no docstring"


def test_the_front_door_is_what_it_says() -> None:
    import flowaudit

    public = {n for n in vars(flowaudit) if not n.startswith("_")}
    modules = {n for n in public if inspect.ismodule(getattr(flowaudit, n))}
    assert public - modules == set(flowaudit.__all__) - {"__version__"}
    assert len(flowaudit.__all__) <= 16
