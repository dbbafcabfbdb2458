"""Only the sign-in page of this host, or a declared address, turns a redirect into a refusal."""

import pytest

from flowaudit.policy.login_pages import LoginPages

PATHS = ["/signin", "/login"]
SSO = ["/signin", "https://sso.example/realm/"]


@pytest.mark.parametrize(
    ("declared", "location", "is_refusal"),
    [
        pytest.param(PATHS, "/signin?next=/a", True, id="path"),
        pytest.param(PATHS, "https://shop.example/signin", True, id="this-host"),
        pytest.param(PATHS, "HTTPS://Shop.Example/login", True, id="this-host-in-capitals"),
        pytest.param(PATHS, "//shop.example:8443/signin", True, id="this-host-another-port"),
        pytest.param(PATHS, "/elsewhere?x=//shop.example/signin", False, id="elsewhere"),
        pytest.param(PATHS, "//evil.example/signin", False, id="scheme-relative"),
        pytest.param(PATHS, "//evil/signin", False, id="bare-host"),
        pytest.param(PATHS, "https://other.example/signin", False, id="other-host"),
        pytest.param(PATHS, "https://shop.example@evil.example/signin", False, id="user-info"),
        pytest.param(PATHS, "/\\evil.example/signin", False, id="backslash"),
        pytest.param(PATHS, "https://evil.example\\@shop.example/signin", False, id="backslash-at"),
        pytest.param(PATHS, "https://shop.example.evil.example/signin", False, id="longer-host"),
        pytest.param(PATHS, "ftp://shop.example/signin", False, id="another-scheme"),
        pytest.param(PATHS, "https://shop.example", False, id="no-path"),
        pytest.param(SSO, "https://sso.example/realm/auth?x=1", True, id="declared-address"),
        pytest.param(SSO, "https://sso.example:443/realm/auth", True, id="declared-usual-port"),
        pytest.param(SSO, "//sso.example/realm/auth", True, id="declared-scheme-relative"),
        pytest.param(SSO, "https://sso.example/other", False, id="another-path-there"),
        pytest.param(SSO, "https://sso.example/signin", False, id="a-path-of-this-host-there"),
        pytest.param(SSO, "https://sso.example.evil/realm/", False, id="declared-as-prefix"),
        pytest.param(["https://shop.example/in"], "/in?next=a", True, id="own-address-as-path"),
        pytest.param([], "/signin", False, id="nothing-declared"),
    ],
)
def test_where_a_redirect_leads(declared: list[str], location: str, is_refusal: bool) -> None:
    assert LoginPages(declared).is_led_to(location, "shop.example", "/a") is is_refusal


@pytest.mark.parametrize("declared", [["/login"], ["https://shop.example/login"]])
def test_a_redirect_of_the_sign_in_page_to_itself(declared: list[str]) -> None:
    assert not LoginPages(declared).is_led_to("/login?again", "shop.example", "/login")


def test_without_a_host_only_a_path_is_here() -> None:
    pages = LoginPages(PATHS)
    assert pages.is_led_to("/login", None, "/a")
    assert not pages.is_led_to("https://shop.example/login", None, "/a")
