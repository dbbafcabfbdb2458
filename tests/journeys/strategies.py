"""Streams of events that hit ties, boundaries and every way to know a visitor."""

from hypothesis import strategies as st

SECOND = 1_000_000
PAUSE = 1_800 * SECOND

ROUTES = ["/a", "/b", "/c/{id}", "/login"]
PATHS = ["/a", "/b.css", "/c/1", "/c/2", "/login/now", "/é", "/b.", "/x.PNG"]

gaps = st.sampled_from(
    [0, 0, 0, 1, SECOND, 20 * SECOND, 60 * SECOND, 60 * SECOND + 1, PAUSE, PAUSE + 1]
)


identities = st.sampled_from(
    [
        {"session": "s1", "client": "192.0.2.1", "ua": "x/1"},
        {"session": "s1", "client": "192.0.2.1", "ua": "x/1"},
        {"session": "s2"},
        {"actor": "ann", "session": "s1"},
        {"actor": "bob", "client": "192.0.2.1"},
        {"visitor": "v1", "client": "192.0.2.1", "ua": "x/1"},
        {"client": "192.0.2.1", "ua": "x/1"},
        {"client": "192.0.2.1", "ua": "y/2"},
        {"client": "2001:db8::1"},
        {},
    ]
)
targets = st.sampled_from(
    [
        *({"method": "GET", "route": route, "path": "/c/1", "nav": "page"} for route in ROUTES),
        *({"method": "GET", "path": path} for path in PATHS),
        {"method": "POST", "route": "/a", "path": "/login/now"},
        {"method": "GET", "route": "/a", "nav": "api"},
        {"method": "GET", "nav": "page"},
        {},
    ]
)
results = st.sampled_from(
    [
        *[{"status": 200, "outcome": "ok"}] * 6,
        {"status": 304, "outcome": "ok"},
        {"status": 200},
        *({"status": status, "outcome": "ok"} for status in (301, 302, 303, 307, 308)),
        {"status": 302, "outcome": "denied", "reason": "csrf"},
        {"status": 403, "outcome": "denied", "reason": "forbidden"},
        {"status": 404, "outcome": "hidden"},
        {"status": 200, "outcome": "ok", "action": "received"},
        {"outcome": "ok", "action": "finished"},
    ]
)
requests = st.builds(
    lambda *parts: {"kind": "request"} | parts[0] | parts[1] | parts[2],
    identities,
    targets,
    results,
)
others = st.sampled_from(
    [
        *(
            {"kind": "auth", "action": "login", "actor": actor, "session": session}
            for actor in ("ann", "bob")
            for session in ("s1", "s2")
        ),
        {"kind": "auth", "action": "login", "actor": "ann", "session": "s2", "data": {"x": 1}},
        {
            "kind": "auth",
            "action": "login",
            "actor": "bob",
            "session": "s2",
            "data": {"previous_session": "s1"},
        },
        {"kind": "auth", "action": "login", "session": "s1"},
        {"kind": "auth", "action": "login-failed", "actor": "bob", "session": "s1"},
        {"kind": "auth", "action": "logout", "actor": "ann", "session": "s1"},
        {"kind": "websocket", "action": "refuse", "client": "192.0.2.1", "outcome": "denied"},
        {"kind": "websocket", "action": "refuse", "client": "192.0.2.1"},
        {"kind": "websocket", "action": "refuse", "outcome": "throttled"},
        {"kind": "websocket", "action": "accept", "outcome": "denied"},
    ]
)


@st.composite
def event_streams(draw):
    """Events in the order of the trail, which is not the order of their times."""
    size = draw(st.sampled_from([0, 3, 25, 50]))
    kinds = st.one_of(requests, requests, requests, requests, requests, others)
    events, ts = [], 1_445_742_685 * SECOND
    for event in draw(st.lists(kinds, min_size=size, max_size=size + 10)):
        ts += draw(gaps)
        events.append({**event, "ts": ts})
    if draw(st.booleans()):
        draw(st.randoms(use_true_random=False)).shuffle(events)
    return [{**event, "seq": seq} for seq, event in enumerate(events)]
