"""Entries come back out of columns byte for byte, whatever is in them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.archive.columns import CORE_KINDS, PERSONAL_KINDS, table_of
from flowaudit.archive.parquet import ArchiveFile, FileFacts, leaves_of, range_roots, to_parquet
from flowaudit.event import Core, Entry, Personal, encode_core, encode_personal
from flowaudit.proofs.merkle import frontier_root, tree_root

MAX_INT = 2**53 - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', "\\", "\x00\x1f\x7f", "\u2028<script>", "é\U0001f600", '","n":2', "{}", ""]
)
INT = st.integers(-MAX_INT, MAX_INT)
KEY = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=5)
MAP = st.recursive(
    TEXT | INT | st.booleans(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(KEY, v),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "int": INT,
    "bool": st.booleans(),
    "texts": st.lists(TEXT, max_size=3),
    "json": st.dictionaries(KEY, MAP, min_size=1, max_size=3),
}


def parts(kinds: dict[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={n: VALUES[k] for n, k in kinds.items()})


CANONICAL = st.tuples(
    parts(CORE_KINDS).map(lambda f: encode_core(Core(**f))),
    st.none() | parts(PERSONAL_KINDS).map(lambda f: encode_personal(Personal(**f)) or b"{}"),
)
ODD_PART = st.binary(max_size=40) | st.sampled_from(
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"n": 1}',
        b'{"ts":1,"n":1}',
        b'{"n":1,"n":2}',
        b'{"n":9223372036854775808}',
        b'{"n":1.0}',
        b'{"more":1}',
        b'{"kind":null}',
        b'{"kind":"\\u0061"}',
        b'{"kind":"\\ud800"}',
        b'{"kind":"\xff"}',
        b'{"facts":{ "a" : 1.5 }}',
        b'{"facts":[1]}',
        b'{"data":null}',
        b'{"flags":[]}',
        b'{"flags":["a",null]}',
        b'{"kind":"' + b"a" * 100_000 + b'"}',
        b"[" * 5_000,
    ]
)
ODD = st.tuples(ODD_PART, st.none() | ODD_PART)


def entries_of(pairs: list[tuple[bytes, bytes | None]], erased: bool = False) -> list[Entry]:
    made = []
    for seq, (core, personal) in enumerate(pairs, 512):
        sealed = b"\x07" * 32 if erased and seq % 2 else None
        has = personal is not None and sealed is None
        made.append(
            Entry(
                seq=seq,
                core=core,
                personal=personal if has else None,
                salt=bytes([seq % 256]) * 16 if has else None,
                sealed=sealed,
            )
        )
    return made


def through_a_file(entries: list[Entry]) -> list[Entry]:
    facts = FileFacts(
        format=1,
        origin="flowaudit/x",
        first=entries[0].seq,
        last=entries[-1].seq,
        first_ts=0,
        last_ts=0,
        subtrees=[],
        checkpoint="",
    )
    return ArchiveFile(to_parquet(table_of(entries), facts), "f").entries()


@given(st.lists(CANONICAL, min_size=1, max_size=8), st.booleans())
def test_canonical_entries_come_back_from_their_fields_alone(
    pairs: list[tuple[bytes, bytes | None]], erased: bool
) -> None:
    entries = entries_of(pairs, erased)
    table = table_of(entries)
    assert table["raw_core"].null_count == table["raw_personal"].null_count == len(entries)
    assert through_a_file(entries) == entries


@given(st.lists(CANONICAL | ODD, min_size=1, max_size=8))
def test_odd_entries_come_back_as_they_are(pairs: list[tuple[bytes, bytes | None]]) -> None:
    entries = entries_of(pairs)
    assert through_a_file(entries) == entries


def test_every_field_has_a_column_of_its_own_type() -> None:
    core = Core(**{name: _sample(kind) for name, kind in CORE_KINDS.items()})
    personal = Personal(**{name: _sample(kind) for name, kind in PERSONAL_KINDS.items()})
    [entry] = entries_of([(encode_core(core), encode_personal(personal))])
    [row] = table_of([entry]).to_pylist()
    assert row.pop("raw_core") is row.pop("raw_personal") is row.pop("sealed") is None
    for name in ("facts", "data"):
        row[name] = msgspec.json.decode(row[name])
    for part in (core, personal):
        assert {name: row[name] for name in part.__struct_fields__} == msgspec.structs.asdict(part)
    assert set(row) == {"seq", "salt", *CORE_KINDS, *PERSONAL_KINDS}


def _sample(kind: str) -> Any:
    return {"text": 'a"ü', "int": 7, "bool": False, "texts": ["a", "b"], "json": {"k": [1]}}[kind]


@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 768), (256, 768), (512, 1024), (768, 1)])
def test_subtrees_make_up_a_range(first: int, count: int) -> None:
    leaves = leaves_of(entries_of([(b"%d" % n, None) for n in range(first + count)]))
    roots = range_roots(first, leaves[first:])
    at = first
    for root in roots:
        # each is complete, aligned, and the largest that fits there
        width = next(
            w
            for w in (1 << k for k in range(20, -1, -1))
            if at % w == 0 and at + w <= first + count
        )
        assert root == tree_root(leaves[at : at + width])
        at += width
    assert at == first + count
    if first == 0:
        assert frontier_root(roots) == tree_root(leaves)
