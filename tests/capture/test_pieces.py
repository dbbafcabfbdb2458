"""The text that a request's event is put together of is the canonical one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.capture.facts import Facts, Said
from flowaudit.capture.heads import ASGI_NAMES, Heads
from flowaudit.capture.pieces import request_pieces
from flowaudit.capture.targets import Targets
from flowaudit.event import (
    Core,
    Personal,
    Pieces,
    clean_map,
    clean_text,
    cut,
    decode_core,
    decode_personal,
    encode_core,
    encode_personal,
    member,
)
from flowaudit.policy.classify import Verdict
from flowaudit.policy.proxies import Proxies

texts = st.text(max_size=40).map(lambda text: clean_text(text, 200) or None)
names = st.none() | texts
counts = st.none() | st.integers(0, 2**53 - 1)
headers = st.dictionaries(
    st.sampled_from(["accept", "user_agent", "host", "origin", "hx_request", "method_override"]),
    st.binary(max_size=30),
)


@st.composite
def requests(draw: Any) -> tuple[Facts, Pieces]:
    facts = Facts(draw(st.integers(0, 2**53 - 1)), draw(st.sampled_from(["GET", "M-SEARCH", ""])))
    facts.kind = draw(st.sampled_from(["request", "websocket", "note"]))
    given = {getattr(ASGI_NAMES, name): value for name, value in draw(headers).items()}
    facts.visitor = Heads(Proxies(0)).look(
        given.get, ASGI_NAMES, draw(st.sampled_from(["", "::1"]))
    )
    facts.target = Targets().look(draw(st.binary(max_size=40)), draw(st.booleans()))
    facts.action, facts.status = draw(st.sampled_from([None, "accept"])), draw(counts)
    facts.bytes_in, facts.bytes_out = draw(counts) or 0, draw(counts) or 0
    facts.route, facts.resource, facts.resource_id = draw(names), draw(names), draw(names)
    facts.roles = draw(st.none() | st.lists(texts.filter(bool), min_size=1))
    facts.request_id = draw(st.none() | st.just("abc-1") | st.binary(max_size=20))
    facts.traceparent = draw(st.none() | st.just(f"00-{'a' * 32}-{'b' * 16}-01"))
    if draw(st.booleans()):
        said = facts.said_ = Said()
        said.flow, said.step, said.resource = draw(names), draw(names), draw(names)
        said.privileged, said.rows = draw(st.none() | st.booleans()), draw(counts)
        said.data = clean_map(draw(st.dictionaries(texts, texts | st.integers()))) or None
    event = request_pieces(
        facts,
        Verdict(draw(st.sampled_from(["ok", "denied"])), draw(names)),
        draw(st.sampled_from([None, "a" * 52])),
        "user",
        draw(st.sampled_from([None, "s" * 32])),
        draw(st.sampled_from([None, "b" * 52])),
        facts.visitor.flags_member,
        draw(names),
        member("referer", draw(names)),
    )
    return facts, event


def whole(event: Pieces, n: int, source: str) -> tuple[bytes, bytes]:
    before_n, after_n, after_source, personal = event
    return f"{before_n}{n}{after_n}{source}{after_source}".encode(), personal.encode()


@given(requests(), st.integers(1, 2**53 - 1))
def test_the_text_is_what_the_encoder_would_write(made: tuple[Facts, Pieces], n: int) -> None:
    facts, event = made
    data, personal = whole(event, n, "x" * 26)
    core = decode_core(data)
    assert encode_core(core) == data
    assert (core.n, core.source, core.v, core.ts) == (n, "x" * 26, 1, facts.ts)
    assert (core.route, core.status, core.roles) == (facts.route, facts.status, facts.roles)
    assert core.kind == facts.kind
    if personal:
        assert encode_personal(decode_personal(personal)) == personal


@pytest.mark.parametrize(
    "core",
    [
        Core(kind="note"),
        Core(kind="ops", facts={"n": 0, "source": "", "z": {"n": 0, "source": ""}}),
        Core(kind="request", route='"n":0,', roles=['"n":0,"source":""'], status=200),
        Core(kind="gap", facts={"source": "a" * 26, "first": 1}),
    ],
)
def test_an_event_is_cut_where_its_own_number_and_source_go(core: Core) -> None:
    data, personal = whole(cut(core, Personal(path="/x")), 7, "s" * 26)
    read = decode_core(data)
    assert encode_core(read) == data
    assert (read.n, read.source, read.v) == (7, "s" * 26, 1)
    assert (read.facts, read.route, read.roles) == (core.facts, core.route, core.roles)
    assert personal == b'{"path":"/x"}'
