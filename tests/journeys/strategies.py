"""Streams of events that hit ties, boundaries and every way to know a visitor.

Hypothesis draws the size and a seed, the rest follows evenly from the seed: left to itself it
prefers short and repetitive streams, in which nothing ever lies on a boundary.
"""

from hypothesis import strategies as st

SECOND = 1_000_000
PAUSE = 1_800 * SECOND
GAPS = [0, 0, 0, 1, SECOND, 20 * SECOND, 60 * SECOND, 60 * SECOND + 1, PAUSE, PAUSE + 1]

ROUTES = ["/a", "/b", "/c/{id}", "/login"]
PATHS = ["/a", "/c/1", "/b.css", "/login/now", "/é", "/b.", "/x.PNG", "/d.e/f"]

IDENTITIES = [
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
TARGETS = [
    *({"method": "GET", "route": route, "path": "/c/1", "nav": "page"} for route in ROUTES),
    *({"method": "GET", "path": path} for path in PATHS),
    {"method": "POST", "route": "/a", "path": "/login/now"},
    {"method": "GET", "route": "/a", "nav": "api"},
    {"method": "GET", "nav": "page"},
    {},
]
RESULTS = [
    *[{"status": 200, "outcome": "ok"}] * 8,
    {"status": 304, "outcome": "ok"},
    {"status": 200},
    *({"status": status, "outcome": "ok"} for status in (301, 302, 303, 307, 308)),
    {"status": 302, "outcome": "denied", "reason": "csrf"},
    {"status": 403, "outcome": "denied", "reason": "forbidden"},
    {"status": 404, "outcome": "hidden"},
    {"status": 200, "outcome": "ok", "action": "received"},
    {"outcome": "ok", "action": "finished"},
]
OTHERS = [
    *(
        {"kind": "auth", "action": "login", "actor": actor, "session": session}
        for actor in ("ann", "bob")
        for session in ("s1", "s2")
    ),
    *(
        {"kind": "auth", "action": "login", "actor": actor, "session": "s2", "data": data}
        for actor in ("ann", "bob")
        for data in ({"previous_session": "s1"}, {"x": 1})
    ),
    {"kind": "auth", "action": "login", "session": "s1"},
    {"kind": "auth", "action": "login-failed", "actor": "bob", "session": "s1"},
    {"kind": "auth", "action": "logout", "actor": "ann", "session": "s1"},
    {"kind": "websocket", "action": "refuse", "client": "192.0.2.1", "outcome": "denied"},
    {"kind": "websocket", "action": "refuse", "client": "192.0.2.1"},
    {"kind": "websocket", "action": "refuse", "outcome": "throttled"},
    {"kind": "websocket", "action": "accept", "outcome": "denied"},
]


@st.composite
def event_streams(draw):
    """Events in the order of the trail, which need not be the order of their times."""
    size = draw(st.integers(0, 80))
    random = draw(st.randoms(use_true_random=True))
    identities = random.sample(IDENTITIES, random.randint(1, len(IDENTITIES)))
    events, ts = [], 1_445_742_685 * SECOND
    for _ in range(size):
        event = {"kind": "request"}
        if random.random() < 0.12:
            event = random.choice(OTHERS)
        else:
            for part in (identities, TARGETS, RESULTS):
                event = event | random.choice(part)
        ts += random.choice(GAPS)
        events.append({**event, "ts": ts})
    if draw(st.booleans()):
        random.shuffle(events)
    return [{**event, "seq": seq} for seq, event in enumerate(events)]
