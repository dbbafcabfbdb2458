"""Route templates, and the resource that a route's parameters name, for every framework."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from ..policy.redact import mask

__all__ = ["resource_of", "route_template"]

MAX_ID: Final = 200
"""Characters of a resource's id; a longer value is no id."""

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
    a path of its own, as of a catch-all route, is no id. What looks like a secret is masked.
    """
    if template is None or not parameters:
        return None, None
    for name, kind in _named(template):
        value = parameters.get(name)
        if value is not None:
            text = str(value)
            if not text or "/" in text or len(text) > MAX_ID:
                return None, None
            return kind, text if text.isdigit() and len(text) < 12 else mask(text)
    return None, None


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
