"""What kind of request it is for a person's way through the app: the field `nav`."""

from typing import Final

__all__ = ["NOT_A_PAGE", "has_page_extension", "navigation"]

NOT_A_PAGE: Final = frozenset(
    "css js mjs map png jpg jpeg gif ico svg webp bmp xbm woff woff2 ttf eot otf mp3 mp4 mpg mpeg"
    " avi wav au webm pdf zip gz tgz bz2 rpm deb jar swf xml txt".split()
)
"""Extensions of the last path segment that are never a page (`definitions.md`, page)."""


def has_page_extension(path: str) -> bool:
    """Whether a path could be a page: its last segment has none of `NOT_A_PAGE`."""
    _name, dot, extension = path[path.rfind("/") + 1 :].rpartition(".")
    return not dot or extension.lower() not in NOT_A_PAGE


def navigation(path: str, *, purpose: str, hx_request: str, fetch_dest: str, accept: str) -> str:
    """`page`, `partial`, `api`, `asset` or `prefetch`, by the request's own headers.

    Args:
        path: the target without its query.
        purpose: `Sec-Purpose` or `Purpose`; all header values are empty where absent.
        hx_request: `HX-Request`.
        fetch_dest: `Sec-Fetch-Dest` (W3C Fetch Metadata).
        accept: `Accept`.
    """
    if purpose:
        return "prefetch"
    if hx_request:
        return "partial"
    if fetch_dest:
        return {"document": "page", "empty": "api"}.get(fetch_dest, "asset")
    if "text/html" in accept:
        return "page"
    return "api" if has_page_extension(path) else "asset"
