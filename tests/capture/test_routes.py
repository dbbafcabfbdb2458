"""Route templates, and the resource that their parameters name."""

import pytest

from flowaudit.capture.routes import hide_secrets, resource_of, route_template
from flowaudit.capture.targets import Targets


@pytest.mark.parametrize(
    ("template", "parameters", "expected"),
    [
        ("/items/{id}", {"id": 7}, ("items", "7")),
        ("/items/{id:int}", {"id": 7}, ("items", "7")),
        ("/patients/{pid}/records/{id}", {"pid": 3, "id": 17}, ("records", "17")),
        ("/patients/{pid}/records/{id}/edit", {"pid": 3, "id": 17}, ("records", "17")),
        ("/patients/{pid}/records/{id}", {"pid": 3}, ("patients", "3")),
        ("/{slug}", {"slug": "about"}, ("slug", "about")),
        ("/items/{id}", {}, (None, None)),
        ("/items", {"id": 7}, (None, None)),
        (None, {"id": 7}, (None, None)),
        ("/files/{path}", {"path": "a/b/c"}, (None, None)),
        ("/items/{id}", {"id": ""}, (None, None)),
        ("/items/{id}", {"id": "x" * 201}, (None, None)),
        ("/users/{mail}", {"mail": "ann@example.org"}, ("users", "[masked:email]")),
        ("/auth/{user}/{passwd}", {"user": "ann", "passwd": "pw"}, ("auth", "[masked:value]")),
        ("/reset/{reset_token}", {"reset_token": "k3v9"}, ("reset", "[masked:value]")),
        ("/reset/{token}", {"token": "ann@example.org"}, ("reset", "[masked:email]")),
        ("/reset/{token}", {"token": "me:ann@example.org"}, ("reset", "[masked:value]")),
        ("/pinned/{pinned}", {"pinned": "7"}, ("pinned", "7")),
        ("/cards/{no}", {"no": 4111111111111111}, ("cards", "[masked:card]")),
    ],
)
def test_a_routes_parameters_name_what_was_touched(
    template: str | None, parameters: dict[str, object], expected: tuple[str | None, str | None]
) -> None:
    assert resource_of(template, parameters) == expected


@pytest.mark.parametrize(
    ("prefix", "template", "expected"),
    [
        ("", "/items/{id}", "/items/{id}"),
        ("/api", "/items", "/api/items"),
        ("/api/", "items", "/api/items"),
    ],
)
def test_a_template_inside_mounts_has_their_prefix(
    prefix: str, template: str, expected: str
) -> None:
    assert route_template(prefix, template) == expected


@pytest.mark.parametrize(
    ("raw", "template", "parameters", "path"),
    [
        ("/auth/ann/pw", "/auth/{u}/{passwd}", {"u": "ann", "passwd": "pw"}, "/auth/ann/*"),
        ("/reset/k3%20v9/", "/reset/{token}/", {"token": "k3 v9"}, "/reset/*/"),
        ("/get/a/bc", "/get/{secret:path}", {"secret": "a/bc"}, "/get/*/*"),
        ("/f-k3v9.txt", "/f-{api_key}.txt", {"api_key": "k3v9"}, "/*"),
        ("/t/k:4111111111111111", "/t/{pin}", {"pin": "k:4111111111111111"}, "/t/*"),
        ("/items/7", "/items/{id}", {"id": 7}, "/items/7"),
        ("/reset/k3v9", "/reset/{token}", {}, "/reset/k3v9"),
        ("/reset/k3v9", None, {"token": "k3v9"}, "/reset/k3v9"),
    ],
    ids=[
        "password",
        "encoded",
        "catch-all",
        "part-of-a-segment",
        "half-masked",
        "no-secret",
        "none",
        "no-route",
    ],
)
def test_what_a_route_names_as_a_secret_is_masked_in_the_path(
    raw: str, template: str | None, parameters: dict[str, object], path: str
) -> None:
    target = hide_secrets(Targets().look(raw), template, parameters)
    assert target.path == path.replace("*", "[masked:value]")
    assert target.path in target.path_member
    assert target.raw == raw
