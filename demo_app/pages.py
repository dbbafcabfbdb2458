"""The clinic's HTML, as plain as it can be."""

from collections.abc import Iterable
from html import escape
from typing import Final

__all__ = ["SCRIPT", "STYLE", "form", "layout", "links"]

STYLE: Final = "body{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}"
SCRIPT: Final = "document.documentElement.dataset.ready='yes';"


def layout(title: str, body: str, who: str | None) -> str:
    """A whole page."""
    signed_in = (
        f'{escape(who)} · <a href="/account">My page</a>' if who else '<a href="/login">Sign in</a>'
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        '</title><link rel="stylesheet" href="/static/style.css">'
        '<script src="/static/clinic.js" defer></script></head><body>'
        f'<header><a href="/">Lakeside Clinic</a> · <a href="/doctors">Doctors</a> · '
        f'<a href="/book">Book</a> · {signed_in}</header>'
        f"<h1>{escape(title)}</h1>{body}</body></html>"
    )


def links(targets: Iterable[tuple[str, str]]) -> str:
    """A list of links."""
    items = (f'<li><a href="{escape(to)}">{escape(text)}</a></li>' for to, text in targets)
    return f"<ul>{''.join(items)}</ul>"


def form(action: str, fields: Iterable[tuple[str, str]], token: str, button: str) -> str:
    """A form with named fields and their labels."""
    inputs = (
        f"<p><label>{escape(label)} <input name={escape(name)!r}></label></p>"
        for name, label in fields
    )
    return (
        f'<form method="post" action="{escape(action)}">{"".join(inputs)}'
        f'<input type="hidden" name="token" value="{escape(token)}">'
        f"<button>{escape(button)}</button></form>"
    )
