"""A second count of everything, in plain Python, from the definitions alone.

It shares no code with flowaudit, so that a fault there cannot hide here: it has a parser of its
own, walks its own lists and sorts its own tops. Events are dictionaries of schema-1 fields with
`seq`; a log becomes such dictionaries.
"""

import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from itertools import pairwise

PAUSE = 1_800_000_000
LOGIN = 60_000_000
NOT_PAGES = """
css js mjs map png jpg jpeg gif ico svg webp bmp xbm woff woff2 ttf eot otf mp3 mp4 mpg mpeg avi wav
au webm pdf zip gz tgz bz2 rpm deb jar swf xml txt
""".split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

LINE = re.compile(
    r"(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4})"
    r":(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d) (?P<sign>[+-])(?P<zh>\d\d)(?P<zm>\d\d)\]"
    r' "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
    r'(?P<rest> "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<ua>(?:[^"\\]|\\.)*)")?',
    re.ASCII | re.DOTALL,
)

DENIED = {
    401: "login-required",
    403: "forbidden",
    405: "method",
    407: "login-required",
    423: "locked",
    451: "legal",
    501: "method",
}


def outcome_of(status):
    if status in DENIED:
        return "denied", DENIED[status]
    if status == 429:
        return "throttled", "rate-limit"
    if status in (404, 410):
        return "missing", "not-found"
    if status == 499:
        return "aborted", "client-left"
    if 400 <= status < 500:
        reasons = {413: "too-large", 414: "too-large", 431: "too-large", 422: "validation"}
        return "invalid", reasons.get(status, "bad-request")
    return ("ok", None) if 100 <= status < 400 else ("error", "status")


def read_log(data, combined=True):
    """Events of the lines of a log, and the numbers of its malformed lines."""
    raw = data.split(b"\n")
    if raw[-1] == b"":
        raw.pop()
    events, malformed = [], []
    for number, line in enumerate(raw, 1):
        line = line[:-1] if line.endswith(b"\r") else line
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        found = LINE.fullmatch(text)
        if found is None or (found["rest"] is not None) != combined:
            malformed.append(number)
            continue
        events.append(_event(found, len(events)))
    return events, malformed


def _event(found, seq):
    offset = timedelta(hours=int(found["zh"]), minutes=int(found["zm"]))
    zone = timezone(offset if found["sign"] == "+" else -offset)
    when = datetime(
        int(found["year"]),
        MONTHS.index(found["month"]) + 1,
        int(found["day"]),
        int(found["h"]),
        int(found["m"]),
        int(found["s"]),
        tzinfo=zone,
    )
    status = int(found["status"])
    outcome, reason = outcome_of(status)
    event = {
        "seq": seq,
        "kind": "request",
        "ts": int(when.timestamp()) * 1_000_000,
        "client": found["client"],
        "status": status,
        "outcome": outcome,
    }
    if reason:
        event["reason"] = reason
    request = re.fullmatch(r"([A-Z]{3,10}) (\S+)(?: HTTP/\d+\.\d+)?", found["request"], re.ASCII)
    if request:
        event["method"] = request[1]
        target = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", request[2])
        path = re.split(r"[?#]", target)[0]
        if target != request[2] and not path:
            path = "/"
        if path:
            event["path"] = path
    if found["user"] not in ("-", ""):
        event["actor"] = found["user"]
    if found["ua"] not in ("-", "", None):
        event["ua"] = found["ua"]
    return event


def is_counted(event):
    return event["kind"] == "request" and event.get("action") not in ("received", "finished")


def is_page(event):
    if not is_counted(event) or event.get("method") != "GET":
        return False
    if event.get("status") not in (200, 304):
        return False
    if "nav" in event:
        return event["nav"] == "page"
    path = event.get("path", event.get("route"))
    if path is None:
        return False
    _name, dot, extension = path.split("/")[-1].rpartition(".")
    return not dot or extension.lower() not in NOT_PAGES


def step(event, by):
    return event.get("path") if by == "path" else event.get("route", event.get("path"))


def visitors(events):
    """seq → visitor (a tuple whose first item is what it is known by), or `None`."""
    ordered = sorted(events, key=lambda e: (e["ts"], e["seq"]))
    owners = defaultdict(list)
    for event in ordered:
        if event["kind"] == "auth" and event.get("action") == "login" and "actor" in event:
            names = {event.get("session"), event.get("data", {}).get("previous_session")}
            for session in names - {None}:
                owners[session].append((event["ts"], event["seq"], event["actor"]))
    found = {}
    for event in ordered:
        place, session = (event["ts"], event["seq"]), event.get("session")
        if "actor" in event:
            who = ("actor", event["actor"])
        elif session in owners:
            before = [actor for ts, seq, actor in owners[session] if (ts, seq) <= place]
            who = ("actor", before[-1] if before else owners[session][0][2])
        elif session is not None:
            who = ("session", session)
        elif "visitor" in event:
            who = ("visitor", event["visitor"])
        elif "client" in event:
            who = ("net", event["client"], event.get("ua"))
        else:
            who = None
        found[event["seq"]] = who
    return found


def journeys(events):
    """Every journey: its visitor's events in order."""
    who = visitors(events)
    walks = defaultdict(list)
    for event in sorted(events, key=lambda e: (e["ts"], e["seq"])):
        if is_counted(event) and who[event["seq"]] is not None:
            walks[who[event["seq"]]].append(event)
    made = []
    for walk in walks.values():
        made.append([walk[0]])
        for before, event in pairwise(walk):
            if event["ts"] - before["ts"] > PAUSE:
                made.append([])
            made[-1].append(event)
    return made


def top(counter, n=10):
    """Count descending, key ascending; what has no key comes last among equals."""

    def order(item):
        key, count = item
        parts = key if isinstance(key, tuple) else (key,)
        return (-count, [(part is None, part or "") for part in parts])

    return [[key, count] for key, count in sorted(counter.items(), key=order)[:n]]


def flows(events, by="route", n=10):
    """What `flowaudit flows --format json` has to say."""
    counted = [event for event in events if is_counted(event)]
    walks = journeys(events)
    pages = [[step(event, by) for event in walk if is_page(event)] for walk in walks]
    seen = [walk for walk in pages if walk]
    moves = Counter(pair for walk in seen for pair in pairwise(walk))
    away = Counter({pair: count for pair, count in moves.items() if pair[0] != pair[1]})
    same = moves - away
    times = [event["ts"] for event in counted]
    who = visitors(events)
    return {
        "events": len(counted),
        "visitors": len({who[event["seq"]] for event in counted} - {None}),
        "sessions": len(walks),
        "sessions_with_page": len(seen),
        "pages": sum(map(is_page, counted)),
        "bounces": sum(len(walk) == 1 for walk in seen),
        "first_ts": min(times, default=None),
        "last_ts": max(times, default=None),
        "entry": top(Counter(walk[0] for walk in seen), n),
        "exit": top(Counter(walk[-1] for walk in seen), n),
        "pages_top": top(Counter(step(event, by) for event in counted if is_page(event)), n),
        "transitions": [[*pair, count] for pair, count in top(away, n)],
        "self_transitions": [[*pair, count] for pair, count in top(same, n)],
        "transitions_total": away.total(),
        "self_transitions_total": same.total(),
        "pages_per_session": {
            str(k): v for k, v in sorted(Counter(len(walk) for walk in pages).items())
        },
    }


def funnel(events, steps, by="route"):
    """What `flowaudit funnel --format json` has to say."""
    reached, times = [0] * len(steps), [[] for _ in steps]
    for walk in journeys(events):
        at = 0
        before = None
        for event in walk:
            if at < len(steps) and event.get("outcome") == "ok" and step(event, by) == steps[at]:
                reached[at] += 1
                if before is not None:
                    times[at].append(event["ts"] - before)
                before = event["ts"]
                at += 1
    return {
        "steps": list(steps),
        "reached": reached,
        "drop_off": [a - b for a, b in pairwise([*reached, reached[-1]])],
        "median_us": [sorted(t)[(len(t) - 1) // 2] if t else 0 for t in times],
    }


def denied(events, login_path=None, n=10):
    """What `flowaudit denied --format json` has to say."""
    who = visitors(events)
    refused = [
        (event, event.get("reason"))
        for event in events
        if (is_counted(event) and event.get("outcome") in ("denied", "hidden"))
        or (
            event["kind"] == "websocket"
            and event.get("action") == "refuse"
            and event.get("outcome", "denied") in ("denied", "hidden")
        )
    ]
    if login_path:
        known = {event["seq"] for event, _ in refused}
        walks = defaultdict(list)
        for event in sorted(events, key=lambda e: (e["ts"], e["seq"])):
            if is_counted(event) and who[event["seq"]] is not None:
                walks[who[event["seq"]]].append(event)
        for walk in walks.values():
            for event, after in pairwise(walk):
                if (
                    event["seq"] not in known
                    and event.get("status") in (301, 302, 303, 307)
                    and after["ts"] - event["ts"] <= LOGIN
                    and after.get("path", "").startswith(login_path)
                ):
                    refused.append((event, "login-required"))
    hours = Counter(event["ts"] // 3_600_000_000 * 3_600_000_000 for event, _ in refused)
    return {
        "total": len(refused),
        "by_client": top(Counter(event.get("client") for event, _ in refused), n),
        "by_actor": top(Counter(event.get("actor") for event, _ in refused), n),
        "by_route": top(Counter(step(event, "route") for event, _ in refused), n),
        "by_reason": top(Counter(reason for _, reason in refused), n),
        "per_hour": [[hour, count] for hour, count in sorted(hours.items())],
    }
