"""What the simulated people send: one connection to the portal, and browsers that share it."""

import http.client
import random
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

__all__ = ["Answer", "Browser", "Time", "Wire"]

TIMEOUT_S: Final = 30.0
MOST_REDIRECTS: Final = 5

_TOKEN: Final = re.compile(r'name="token" value="([^"]+)"')
_SIGNED_IN: Final = 'href="/account">My page'
_LINK: Final = re.compile(r'href="(/[^"]*)"')


class Time:
    """Simulated time: it stands still unless somebody moves it."""

    def __init__(self, start: float) -> None:
        self.now = start

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    path: str
    body: str
    location: str | None
    cookie: str | None

    @property
    def token(self) -> str:
        """The form's token, if the page has a form."""
        found = _TOKEN.search(self.body)
        return found.group(1) if found else ""

    @property
    def links(self) -> list[str]:
        """Paths that the page links to."""
        return _LINK.findall(self.body)


class Wire:
    """One keep-alive connection over loopback; everybody's requests go through it in turn."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.requests = 0
        self._connection: http.client.HTTPConnection | None = None

    def connect(self, port: int) -> None:
        """From now on talk to the server at this port."""
        self.close()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, method: str, path: str, headers: dict[str, str], body: str | None) -> Answer:
        """One request, and its answer."""
        if self._connection is None:
            raise RuntimeError("connect first")
        self.requests += 1
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        cookie = (response.getheader("Set-Cookie") or "").partition(";")[0].partition("=")[2]
        return Answer(response.status, path, text, response.getheader("Location"), cookie or None)


class Browser:
    """A browser: its address, cookie, cache and referer.

    Args:
        wire: the connection.
        address: where its requests seem to come from.
        agent: its User-Agent.
        rng: for the small delays of a network.
        is_tool: a script, which sends no Sec-Fetch headers and loads no styles.
    """

    def __init__(
        self, wire: Wire, address: str, agent: str, rng: random.Random, *, is_tool: bool = False
    ) -> None:
        self.wire, self.address, self.agent, self.rng = wire, address, agent, rng
        self.is_tool = is_tool
        self.cookie: str | None = None
        self.has_assets = False
        self.has_icon = False
        self.is_signed_in = False
        self.at: str | None = None

    def open(self, path: str, *, is_linked: bool = True) -> Answer:
        """Go to a page, over redirects, with what belongs to it."""
        if not is_linked:
            self.at = None
        return self._shown(self._send("GET", path, "document"))

    def post(self, path: str, fields: dict[str, str]) -> Answer:
        """Send a form, and go where it leads."""
        return self._shown(self._send("POST", path, "document", urlencode(fields)))

    def fetch(self, path: str) -> Answer:
        """A request of the page's script."""
        return self._send("GET", path, "empty")

    def forget(self, *, cookies: bool) -> None:
        """Close the window; the cache is asked again next time."""
        self.has_assets = False
        self.at = None
        if cookies:
            self.cookie, self.is_signed_in = None, False

    def _shown(self, answer: Answer) -> Answer:
        for _ in range(MOST_REDIRECTS):
            if answer.location is None or not 300 <= answer.status < 400:
                break
            answer = self._send("GET", urljoin(answer.path, answer.location), "document")
        self.at = answer.path
        self.is_signed_in = _SIGNED_IN in answer.body
        if not self.is_tool:
            self._load_assets()
        return answer

    def _load_assets(self) -> None:
        if not self.has_assets:
            self._send("GET", "/static/style.css", "style")
            self._send("GET", "/static/clinic.js", "script")
            self.has_assets = True
        if not self.has_icon:
            self._send("GET", "/favicon.ico", "image")
            self.has_icon = True
        if self.is_signed_in:
            self.fetch("/api/unread")

    def _send(self, method: str, path: str, what: str, body: str | None = None) -> Answer:
        self.wire.time.now += self.rng.uniform(0.02, 0.2)
        answer = self.wire.send(method, path, self._headers(what, body), body)
        self.cookie = answer.cookie or self.cookie
        return answer

    def _headers(self, what: str, body: str | None) -> dict[str, str]:
        headers = {"X-Forwarded-For": self.address, "User-Agent": self.agent, "Accept": "*/*"}
        if not self.is_tool:
            headers["Sec-Fetch-Dest"] = what
            if what == "document":
                headers["Accept"] = "text/html,application/xhtml+xml"
            if self.at is not None:
                headers["Referer"] = f"http://clinic.example{urlsplit(self.at).path}"
        if self.cookie is not None:
            headers["Cookie"] = f"clinic_session={self.cookie}"
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return headers
