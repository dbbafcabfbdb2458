"""Route templates, and the resource that their parameters name."""

import pytest

from flowaudit.capture.routes import resource_of, route_template


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
