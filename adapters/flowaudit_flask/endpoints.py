"""What a Flask app answers to, for `flowaudit coverage`."""

from typing import Any

from flask import Flask
from werkzeug.routing import BuildError, Rule

from flowaudit.coverage.endpoint import Endpoint, Inner, Listing, Place
from flowaudit.coverage.samples import first_file, sample_of

from .middleware import template_of

__all__ = ["endpoints"]


def endpoints(app: object, place: Place) -> Listing | None:
    """Routes, static servers and error handlers; `None` of another app."""
    if not isinstance(app, Flask):
        return None
    found = Listing()
    for rule in app.url_map.iter_rules():
        found.endpoints.append(_endpoint(app, place, rule))
    found.add_errors(place, _handled(app))
    found.inner.append(Inner(app.wsgi_app, place))  # what is put around it may have mounts
    return found


def _endpoint(app: Flask, place: Place, rule: Rule) -> Endpoint:
    folder = _static_folder(app, rule)
    template = template_of(rule.rule)[0]
    methods = tuple(sorted(rule.methods or ()))
    file = first_file([folder]) if folder is not None else None
    domain, sample = _samples(rule, file) or (None, None)
    here = place.at_host(_host(app, rule, domain))
    if rule.websocket:
        why = "a websocket rule of Werkzeug has no server that this command could be"
        return here.endpoint("websocket", template, None, why_not=why)
    if folder is None:
        return here.endpoint("route", template, sample, methods)
    return here.endpoint("static", template, sample, methods)


def _static_folder(app: Flask, rule: Rule) -> str | None:
    """The folder of a rule that serves files, of the app or of one of its blueprints."""
    owner, _, name = rule.endpoint.rpartition(".")
    scaffold: Any = app.blueprints.get(owner) if owner else app
    if name != "static" or scaffold is None or "filename" not in rule.arguments:
        return None
    folder: str | None = scaffold.static_folder
    return folder


def _samples(rule: Rule, file: str | None) -> tuple[str, str] | None:
    """A host (or subdomain) and a path that a rule takes."""
    values: dict[str, Any] = dict(rule.defaults or {})
    for name, converter in getattr(rule, "_converters", {}).items():
        sample = file if name == "filename" and file is not None else sample_of(converter)
        if sample is None:
            return None
        try:
            values[name] = converter.to_python(sample)
        except ValueError:
            return None
    try:
        return rule.build(values)
    except (BuildError, ValueError, TypeError):
        return None


def _host(app: Flask, rule: Rule, domain: str | None) -> str | None:
    """The host that a rule wants, by host matching or its subdomain of SERVER_NAME; its template
    where none could be made up.
    """
    is_matched = rule.map is not None and rule.map.host_matching
    template = (rule.host if is_matched else rule.subdomain) or ""
    wanted = domain if domain is not None else template_of(template)[0]
    if is_matched:
        return wanted or None
    server = app.config.get("SERVER_NAME")
    if not server:
        return None
    return f"{wanted}.{server}" if wanted else str(server)


def _handled(app: Flask) -> list[str]:
    """What the app and its blueprints have error handlers for."""
    names = set()
    for by_code in app.error_handler_spec.values():
        for code, by_class in by_code.items():
            if code is not None and by_class:
                names.add(str(code))
            else:
                names |= {kind.__name__ for kind in by_class}
    return sorted(names)
