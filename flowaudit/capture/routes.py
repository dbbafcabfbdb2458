"""Route templates, what a route's parameters name, and which of them are secrets."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from ..event import member
from ..policy.named import is_secret_name
from ..policy.redact import mask
from .targets import Target

__all__ = ["hide_secrets", "resource_of", "route_template"]

MAX_ID: Final = 200
"""Characters of a resource's id; a longer value is no id."""

MIN_PART: Final = 4
"""Characters of a secret that is also looked for inside a segment; a shorter one must be all."""

MASKED: Final = "[masked:value]"

_MARK: Final = re.compile(r"\[masked:[a-z]+\]")
_PARAMETER: Final = re.compile(r"\{([^{}:]+)(?::[^{}]*)?\}")


def route_template(prefix: str, template: str) -> str:
    """One template for a route inside mounts: `/api` and `/items/{id}` make `/api/items/{id}`."""
    return f"{prefix.rstrip('/')}/{template.lstrip('/')}" if prefix else template


def resource_of(
    template: str | None, parameters: Mapping[str, object]
) -> tuple[str | None, str | None]:
    """What kind of thing a request touched, and which: (resource, id), both `None` if neither.

    It is the template's last parameter that has a value, under the name of the segment before
    it: `/patients/{pid}/records/{id}` with `id` 17 makes `("records", "17")`. A value that is
    a path of its own, as of a catch-all route, is no id. What looks like a secret is masked, and
    so is what its name says to be one.
    """
    if template is None or not parameters:
        return None, None
    for name, kind in _named(template):
        value = parameters.get(name)
        if value is not None:
            text = str(value)
            if text and name in _secrets(template):
                return kind, _marked(mask(text))
            if not text or "/" in text or len(text) > MAX_ID:
                return None, None
            return kind, text if text.isdigit() and len(text) < 12 else mask(text)
    return None, None


def hide_secrets(target: Target, template: str | None, parameters: Mapping[str, object]) -> Target:
    """The target with the values masked that its route names as secrets: `/reset/{token}`."""
    names = _secrets(template) if template is not None and parameters else ()
    values = [str(parameters[name]) for name in names if parameters.get(name) is not None]
    if not values:
        return target
    parts = {part for value in values for part in value.split("/") if part}
    kept, sent = target.path.split("/"), target.raw.split("/")
    if len(kept) != len(sent):  # what was masked or cut went over a slash
        sent = kept
    path = "/".join(
        _marked(segment) if _holds(unquote(raw), parts) else segment
        for segment, raw in zip(kept, sent, strict=True)
    )
    return replace(target, path=path, path_member=member("path", path))


def _marked(text: str) -> str:
    """The mark that stands for all of a secret: the one it has, if nothing stands beside it."""
    return text if _MARK.fullmatch(text) else MASKED


def _holds(segment: str, parts: set[str]) -> bool:
    return segment in parts or any(len(part) >= MIN_PART and part in segment for part in parts)


@lru_cache(maxsize=4_096)
def _secrets(template: str) -> tuple[str, ...]:
    """Parameters of a template whose names say that their values are secrets."""
    return tuple(name for name in _PARAMETER.findall(template) if is_secret_name(name))


@lru_cache(maxsize=4_096)
def _named(template: str) -> tuple[tuple[str, str], ...]:
    """Parameters of a template from the last to the first, each with the kind that it names."""
    found, kind = [], ""
    for segment in template.split("/"):
        names = _PARAMETER.findall(segment)
        found += [(name, kind or name) for name in names]
        if not names and segment:
            kind = segment
    return tuple(reversed(found))
