"""Streams of events that hit ties, boundaries and every way to know a visitor."""

from hypothesis import strategies as st

SECOND = 1_000_000
PAUSE = 1_800 * SECOND

ROUTES = ["/a", "/b", "/c/{id}", "/login"]
PATHS = ["/a", "/b.css", "/c/1", "/c/2", "/login/now", "/é", "/b.", "/x.PNG"]

gaps = st.sampled_from(
    [0, 0, 1, SECOND, 60 * SECOND, 60 * SECOND + 1, PAUSE - 1, PAUSE, PAUSE + 1, 4 * PAUSE]
)


def optional(strategy):
    return st.one_of(st.none(), strategy)


requests = st.fixed_dictionaries(
    {
        "kind": st.just("request"),
        "status": st.sampled_from([200, 200, 200, 304, 301, 302, 303, 307, 308, 401, 403, 404]),
        "outcome": st.sampled_from(["ok", "ok", "ok", "denied", "hidden", "missing"]),
    },
    optional={
        "action": st.sampled_from(["received", "finished"]),
        "method": st.sampled_from(["GET", "GET", "GET", "POST"]),
        "route": st.sampled_from(ROUTES),
        "path": st.sampled_from(PATHS),
        "nav": st.sampled_from(["page", "page", "api", "asset"]),
        "actor": st.sampled_from(["ann", "bob"]),
        "session": st.sampled_from(["s1", "s2"]),
        "visitor": st.sampled_from(["v1"]),
        "client": st.sampled_from(["192.0.2.1", "2001:db8::1"]),
        "ua": st.sampled_from(["x/1", "y/2"]),
        "reason": st.sampled_from(["forbidden", "csrf"]),
    },
)
sign_ins = st.fixed_dictionaries(
    {
        "kind": st.just("auth"),
        "action": st.sampled_from(["login", "login", "login", "login-failed", "logout"]),
        "session": st.sampled_from(["s1", "s2"]),
    },
    optional={
        "actor": st.sampled_from(["ann", "bob"]),
        "data": st.sampled_from([{"previous_session": "s1"}, {"previous_session": "s2"}, {"x": 1}]),
    },
)
sockets = st.fixed_dictionaries(
    {
        "kind": st.just("websocket"),
        "action": st.sampled_from(["accept", "refuse"]),
        "client": st.just("192.0.2.1"),
    },
    optional={"outcome": st.sampled_from(["denied", "ok", "throttled"])},
)


@st.composite
def event_streams(draw, max_size=40):
    """Events in the order of the trail, which is not the order of their times."""
    kinds = st.one_of(requests, requests, requests, requests, sign_ins, sockets)
    events, ts = [], 1_445_742_685 * SECOND
    for event in draw(st.lists(kinds, max_size=max_size)):
        ts += draw(gaps)
        events.append({**event, "ts": ts})
    shuffled = draw(st.permutations(events)) if draw(st.booleans()) else events
    return [{**event, "seq": seq} for seq, event in enumerate(shuffled)]
