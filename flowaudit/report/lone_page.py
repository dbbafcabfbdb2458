"""Pages that need nothing else: no network, no library, no second file.

Their policy allows no source at all but their own style and script, named by their hashes.
"""

import base64
import hashlib
import importlib.resources
from typing import TYPE_CHECKING

from ..errors import MissingExtraError
from .words import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["asset", "content_policy", "markup", "page_environment"]


def page_environment(package: str) -> "Environment":
    """The templates of a package. Raises `MissingExtraError` without Jinja."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingExtraError("jinja2", "analysis") from error
    return jinja2.Environment(
        autoescape=True,
        finalize=_harmless,
        loader=jinja2.PackageLoader(package),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def asset(package: str, name: str) -> str:
    """A file beside the templates of a package."""
    folder = importlib.resources.files(package).joinpath("templates")
    return folder.joinpath(name).read_text("utf-8").strip()


def markup(text: str) -> "Markup":
    """Text of our own that is HTML already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own files


def content_policy(*texts: str) -> str:
    """The content security policy: nothing from anywhere, but a style and perhaps a script."""
    style, *scripts = [f"'{_hash(text)}'" for text in texts]
    script = f" script-src {scripts[0]};" if scripts else ""
    return f"default-src 'none'; style-src {style};{script} base-uri 'none'; form-action 'none'"


def _harmless(value: object) -> object:
    """What a template prints: text from clients with what would act in it made visible."""
    return printable(value) if type(value) is str else value


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
