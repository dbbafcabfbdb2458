"""Elements of SVG as text; every value is escaped here and nowhere else."""

from html import escape

from markupsafe import Markup

__all__ = ["element", "number"]


def element(tag: str, *inside: str, **attributes: "str | float | None") -> Markup:
    """An element. `Markup` inside stays as it is, other text is escaped.

    Attribute names are written with `_` for `-`, and with a last `_` where Python has the word.
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    content = "".join(
        part if isinstance(part, Markup) else escape(part, quote=False) for part in inside
    )
    return Markup(f"<{tag}{shown}>{content}</{tag}>")  # noqa: S704 - all of it is escaped above


def number(value: float) -> str:
    """A length: one decimal is finer than a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
