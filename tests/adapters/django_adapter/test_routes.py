"""Django's ways of writing a route, and the template that each gives."""

import pytest

from flowaudit_django.routes import template_of

ROUTES = {
    "": "/",
    "open": "/open",
    "invoices/<int:pk>": "/invoices/{pk}",
    "<slug>/edit/": "/{slug}/edit/",
    "shop/<path:rest>": "/shop/{rest}",
    "^year/(?P<year>[0-9]{4})/$": "/year/{year}/",
    r"api/^users/(?P<pk>[^/.]+)/$": "/api/users/{pk}/",
    r"api/^users/(?P<pk>[^/.]+)\.(?P<format>[a-z0-9]+)/?$": "/api/users/{pk}.{format}/",
    r"^a/(?:page-(?P<n>\d+)/)?$": "/a/page-{n}/",
    r"^(\w+)/(?P<kind>(a|b)+)/\Z": "/{arg}/{kind}/",
    r"^x/(?P<c>[)(]+)/(?!never)y$": "/x/{c}/y",
    r"^v1\.0/things/(?P<id>\d{1,3}(?:-\d+)?)$": "/v1.0/things/{id}",
    "^broken/(?P<id>": "/broken/{id}",
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_gives_a_template(route: str) -> None:
    assert template_of(route) == ROUTES[route]
