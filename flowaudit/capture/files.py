"""The server's own way to send a file: what its `wsgi.file_wrapper` made must come back to it.

Where it is a class, such a file is known by its type. uWSGI's and mod_wsgi's is a function, which
may return anything: uWSGI returns the file that it was given, and sends it by `sendfile` if it gets
that very object back.
"""

from typing import Any, Final

__all__ = ["FILE_WRAPPER", "is_servers_file", "remember_files"]

FILE_WRAPPER: Final = "wsgi.file_wrapper"


class _Remembering:
    """A `wsgi.file_wrapper` that is no class, with a memory of what it made for one request."""

    __slots__ = ("_made", "_wrapper")

    def __init__(self, wrapper: Any) -> None:
        self._wrapper = wrapper
        self._made: list[Any] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the server's own."""
        made = self._wrapper(*args, **kwargs)
        self._made.append(made)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapper, name)

    def has_made(self, body: object) -> bool:
        """Whether an app's iterable is one of those, and not only equal to it."""
        return any(body is each for each in self._made)


def remember_files(environ: dict[str, Any]) -> None:
    """Have what the server's file wrapper makes remembered, unless it is known by its type."""
    wrapper = environ[FILE_WRAPPER]
    if callable(wrapper) and not isinstance(wrapper, (type, _Remembering)):
        environ[FILE_WRAPPER] = _Remembering(wrapper)


def is_servers_file(environ: dict[str, Any], body: object) -> bool:
    """Whether an app's iterable was made by the server's own file wrapper."""
    wrapper = environ.get(FILE_WRAPPER)
    if isinstance(wrapper, _Remembering):
        return wrapper.has_made(body)
    return isinstance(wrapper, type) and isinstance(body, wrapper)
