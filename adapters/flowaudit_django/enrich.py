"""What Django knows of a request once it is answered: route, resource, actor, session, cause."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from flowaudit import Actor, FlowAudit
from flowaudit.capture.facts import Facts
from flowaudit.capture.mounts import below
from flowaudit.capture.routes import hide_secrets, resource_of, route_template

from .people import actor_of
from .project import ActorOption
from .refusals import cause_of
from .routes import template_of

__all__ = ["enrich"]

_STATIC: Final = frozenset(["django.contrib.staticfiles.views", "django.views.static"])
"""Where the views are that serve files: a file of the site is nobody's resource."""

_SIGNED_COOKIES: Final = "django.contrib.sessions.backends.signed_cookies"


def enrich(
    request: HttpRequest,
    response: HttpResponseBase | None,
    facts: Facts,
    audit: FlowAudit,
    actor: ActorOption | None = None,
) -> None:
    """Tell a request's facts what Django and the app have found out about it.

    It asks no database, loads no user and opens no session.
    """
    match = request.resolver_match
    if match is not None:
        if facts.route is None:
            facts.route = route_template(_mount(request, facts), template_of(match.route))
        facts.target = hide_secrets(facts.target, facts.route, match.kwargs)
        is_file = getattr(match.func, "__module__", None) in _STATIC
        if match.kwargs and facts.resource is None and not is_file:
            facts.resource, facts.resource_id = resource_of(facts.route, match.kwargs)
    facts.act(_who(request, facts, audit, actor))
    _session(request, facts)
    if response is not None:
        facts.status = response.status_code
        facts.location = response.headers.get("Location")
        facts.cause = facts.cause or cause_of(request, response, facts)


def _mount(request: HttpRequest, facts: Facts) -> str:
    """Where this project is mounted in another app, as far as Django's own prefix is not another:
    one that is set, or that Apache's rewriting left.
    """
    meta = request.META
    if settings.FORCE_SCRIPT_NAME or "SCRIPT_URL" in meta or "REDIRECT_URL" in meta:
        return ""
    return below(facts, meta.get("SCRIPT_NAME"))


def _who(
    request: HttpRequest, facts: Facts, audit: FlowAudit, actor: ActorOption | None
) -> str | Actor | None:
    """Who acts, by the project's own function; else whom the app has loaded."""
    if actor is not None:
        try:
            told = actor(request)
            if told is not None:
                return told
        except Exception as error:  # the project's fault must not cost it the rest of the event
            audit.note_failure(error)
    return actor_of(request) if facts.user is None else None


def _session(request: HttpRequest, facts: Facts) -> None:
    """The session that a request came with, and the one that its answer gives."""
    before = None
    if "HTTP_COOKIE" in request.META:
        before = request.COOKIES.get(settings.SESSION_COOKIE_NAME) or None
    if settings.SESSION_ENGINE == _SIGNED_COOKIES:
        # such a session has no id: its content, the same while nothing changes in it, tells two
        # browsers of one user apart; for people who are not signed in it may be the same for many
        if before is not None and facts.identity is not None:
            facts.session = facts.session or before.rsplit(":", 2)[0]
        return
    facts.session = facts.session or before
    session = vars(request).get("session")
    after = getattr(session, "session_key", None)
    if after and after != before and getattr(session, "modified", False):
        facts.new_session = facts.new_session or after
