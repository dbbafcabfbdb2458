"""Two verifiers that share no code, and packs whose operator signs whatever he likes: one verdict.

A pack is made from the formats with something odd in it, and everything else made to fit.
"""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowaudit.proofs.note import MAX_NOTE_BYTES, VerifierKey

from .forging import (
    NEW_KEY,
    OLD_KEY,
    ORIGIN,
    SALT,
    TOKEN,
    Forged,
    erasure,
    event,
    rotation,
    token_of,
)
from .two import Files, judged

Change = Callable[[Forged], Callable[[Files], Any] | None]
"""Makes something odd in what a pack is made of; or gives what does so in its files."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packs")


def made(change: Change) -> Files:
    forged = Forged()
    afterwards = change(forged)
    files = forged.files()
    if afterwards is not None:
        afterwards(files)
    return forged.sealed(files)


@pytest.mark.parametrize("key", [None, OLD_KEY, NEW_KEY], ids=["no key", "old key", "new key"])
def test_a_pack_made_from_the_formats_alone_holds(
    alone: ModuleType, folder: Path, key: VerifierKey | None
) -> None:
    found = judged(made(lambda forged: None), alone, folder, key)
    assert found is not None
    assert (found["ok"], found["problems"]) == (True, [])
    assert (found["erased"], found["identified"], found["witnesses"]) == (1, 1, 1)
    assert found["trusted"] == (key is not None)


def core(seq: int, value: Any) -> Change:
    return lambda forged: forged.cores.__setitem__(seq, value)


def rest(seq: int, **value: Any) -> Change:
    return lambda forged: forged.rest.update({seq: value})


def zeros(forged: Forged) -> None:
    """An entry that never had a personal part, said to have lost one."""
    forged.rest[4] = {"sealed": "00" * 32}


def person(identity: str) -> Change:
    """Whoever it is, the token is made of exactly these characters."""
    opening = {"token": token_of(SALT, identity), "salt": SALT.hex(), "identity": identity}
    return lambda forged: setattr(forged, "people", [opening])


def below(name: str, line: str, number: int = 1) -> Change:
    """More lines below a note."""
    more = f"{line}\n".encode() * number
    return lambda forged: lambda files: files.update({name: files[name] + more})


def said(name: str, old: str, new: str) -> Change:
    """A text of a file replaced by another."""

    def change(files: Files) -> None:
        assert old.encode() in files[name]
        files[name] = files[name].replace(old.encode(), new.encode(), 1)

    return lambda forged: lambda files: change(files)


def raw(text: str) -> Change:
    """A place where the statement says something that is no JSON."""

    def change(forged: Forged) -> None:
        forged.statement["odd"] = "ODD"
        forged.encode = lambda value: json.dumps(value).replace('"ODD"', text)

    return change


def key_file(text: str) -> Change:
    return lambda forged: lambda files: files.update({"trail.pub": text.encode()})


SEEN = "witnesses/5.0.checkpoint"
LINE = "\u2014 somebody AAAAAAAA"
CASES: dict[str, tuple[Change, bool | None]] = {
    "a commitment of zeros": (zeros, False),
    "a commitment in capitals": (rest(4, sealed="AB" * 32), True),
    "a commitment too short": (rest(4, sealed="ab" * 31), False),
    "a salt too short": (rest(1, personal="{}", salt="ab" * 15), False),
    "an erasure from behind": (core(5, erasure(6, [[4, 4], [9, 2]])), True),
    "an erasure of three": (core(5, erasure(6, [[4, 4], [1, 2, 3]])), True),
    "an erasure of no pair": (core(5, erasure(6, [[4, 4], 7, None])), True),
    "an erasure of somebody else": (core(4, event(5, actor="b" * 52)), False),
    "an erasure of an entry that names nobody": (core(4, event(5)), False),
    "an erasure of an entry that names a number": (core(4, event(5, actor=5)), False),
    "an erasure of what acted for them": (core(4, event(5, actor="b" * 52, via=TOKEN)), True),
    "an erasure of an entry about an account": (core(4, event(5, kind="auth")), True),
    "an erasure of its own entry": (core(4, erasure(5, [[4, 4]])), False),
    "an erasure of no person": (
        core(5, event(6, kind="ops", action="erase", facts={"erases": {"seqs": [[4, 4]]}})), False,
    ),
    "an erasure of no list": (core(5, erasure(6, {"4": 4})), False),
    "an erasure of fractions": (core(5, erasure(6, [[3.5, 4.5]])), False),
    "an erasure of truths": (core(5, erasure(6, [[True, 4]])), False),
    "an erasure of huge numbers": (core(5, erasure(6, [[-(10**30), 10**30]])), True),
    "facts that are a list": (core(5, event(6, kind="ops", action="erase", facts=[])), False),
    "a core that is a list": (core(2, []), False),
    "a core that is a text": (core(2, "x"), False),
    "a kind that is a number": (core(2, event(3, kind=7)), False),
    "a key event's facts that are a text": (
        core(2, event(3, kind="ops", action="key", facts="x")), True,
    ),
    "a rotation that is a revocation too": (core(6, rotation(7, revoked=str(OLD_KEY))), True),
    "a rotation to no key": (core(6, rotation(7, created="x")), True),
    "a rotation to itself in capitals": (
        core(6, rotation(7, created="+".join(part.upper() if at == 1 else part
             for at, part in enumerate(str(OLD_KEY).split("+", 2))))), True,
    ),
    "a key that signs after it was retired": (
        core(2, rotation(3, created=str(OLD_KEY), retired=str(NEW_KEY))), False,
    ),
    "a key that signs after it was revoked": (
        core(2, rotation(3, created=str(OLD_KEY), retired=None, revoked=str(NEW_KEY))), False,
    ),
    "a key that signs once more when it is retired": (
        core(7, rotation(8, created=str(OLD_KEY), retired=str(NEW_KEY))), True,
    ),
    "a key that signs once more when it is revoked": (
        core(7, rotation(8, created=str(OLD_KEY), revoked=str(NEW_KEY))), False,
    ),
    "an identity with NUL": (person("a\0b"), False),
    "an identity of another form": (person("e\u0301"), False),
    "an identity of 1000 characters": (person("a" * 1_000), True),
    "an identity too long": (person("a" * 1_001), False),
    "people that are no list": (lambda forged: setattr(forged, "people", {}), False),
    "people that are no openings": (lambda forged: setattr(forged, "people", [1]), False),
    "people that are no JSON": (said("people.json", "[", "<"), False),
    "not a number": (raw("NaN"), False),
    "infinity": (raw("-Infinity"), False),
    "half a pair": (raw('"\\ud800"'), False),
    "the other half": (raw('"\\udc00"'), False),
    "a number of 5000 digits": (raw("9" * 5_000), False),
    "a number out of reach": (raw("1e999"), False),
    "a statement on two lines": (raw("[\n]"), False),
    "a statement that is a list": (said("statement", "{", "[{"), False),
    "a statement of another kind": (said("statement", "flowaudit/s", "flowaudit/S"), False),
    "a checkpoint of other lines": (said("checkpoint", "\n8\n", "\n8\nx\n"), None),
    "a manifest without its files": (lambda forged: forged.manifest.update(files=None), False),
    "a manifest of a place that is a text": (
        lambda forged: forged.manifest.update(seqs=["1"]), False,
    ),
    "a key file without a name": (
        key_file(str(VerifierKey("", NEW_KEY.public))), None,
    ),
    "a key that is zero": (
        key_file(str(VerifierKey(ORIGIN, (1).to_bytes(32, "little")))), None,
    ),
    "a witness of another trail": (said(SEEN, ORIGIN, "flowaudit/x"), False),
    "a witness of a huge size": (said(SEEN, "\n5\n", "\n9999999999999999999\n"), False),
    "a witness without its proof": (
        lambda forged: lambda files: files.pop("witnesses/5.0.proof"), False,
    ),
    "a witness with a hash too short": (
        lambda forged: lambda files: files.update({"witnesses/5.0.proof": b"AAAA\n"}), False,
    ),
    "a proof of 200 hashes": (
        lambda forged: lambda files: files.update(
            {"witnesses/5.0.proof": (base64.b64encode(bytes(32)) + b"\n") * 200}), False,
    ),
    "a hash too short": (said("proofs/2.tlog-proof", "index 2\n", "index 2\nAAAA\n"), False),
    "extra data": (said("proofs/2.tlog-proof", "index", "extra AAAA\nindex"), True),
    "extra data that are none": (said("proofs/2.tlog-proof", "index", "extra ?\nindex"), False),
    "a place with a zero before it": (said("proofs/2.tlog-proof", "index 2", "index 02"), False),
    "an empty line in a key's proof": (said("keys/6.tlog-proof", "index 6", "\nindex 6"), True),
}  # fmt: skip


@pytest.mark.parametrize(("change", "holds"), CASES.values(), ids=CASES.keys())
def test_both_say_the_same_of_what_is_odd(
    alone: ModuleType, folder: Path, change: Change, holds: bool | None
) -> None:
    files = made(change)
    for key in (None, OLD_KEY):
        judged(files, alone, folder, key)
    found = judged(files, alone, folder, NEW_KEY)
    assert (None if found is None else found["ok"]) == holds


NOTES = ["checkpoint", "statement", "proofs/2.tlog-proof", "keys/6.tlog-proof", SEEN]
"""Of these the manifest alone is made anew behind a test's back."""

LINES = {
    "of somebody": (LINE, 1, True),
    "90": (LINE, 90, True),
    "100": (LINE, 100, False),
    "a long one": (f"\u2014 somebody {'A' * 60_000}", 1, True),
    "too long a one": (f"\u2014 somebody {'A' * 80_000}", 1, False),
    "a word": ("x", 1, False),
    "another dash": ("- somebody AAAA", 1, False),
    "no signature": ("\u2014 somebody", 1, False),
    "an empty one": ("\u2014 somebody ", 1, False),
    "a space in the name": ("\u2014 some\u00a0body AAAA", 1, False),
    "a plus in the name": ("\u2014 some+body AAAA", 1, False),
    "no base64": ("\u2014 somebody ????", 1, False),
    "bits to spare": ("\u2014 somebody AAB=", 1, False),
    "padding alone": ("\u2014 somebody ====", 1, False),
    "an empty line": ("", 1, False),
    "a control character": ("\u2014 somebody\x1b AAAA", 1, False),
}


@pytest.mark.parametrize("name", NOTES)
@pytest.mark.parametrize(("line", "number", "is_note"), LINES.values(), ids=LINES.keys())
def test_both_read_the_same_notes(
    alone: ModuleType, folder: Path, name: str, line: str, number: int, is_note: bool
) -> None:
    """A checkpoint that is none leaves nothing to verify; another note that is none is told."""
    found = judged(made(below(name, line, number)), alone, folder, OLD_KEY)
    is_long = name == "statement" and len(line) > MAX_NOTE_BYTES
    if is_note or is_long:
        assert found is not None
        assert found["ok"], found["problems"]
    else:
        assert found is None if name == "checkpoint" else found is not None and not found["ok"]


P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
WEAK = [(y | sign << 255).to_bytes(32, "little")
        for y in (0, 1, P - 1, P, P + 1, 2) for sign in (0, 1)]  # fmt: skip
"""Points of small order, points in another encoding, and what is no point."""

ODD = st.sampled_from(
    [
        *(str(VerifierKey(ORIGIN, point)) for point in WEAK[:4]),
        None, True, False, 0, -1, 4, 8, 2**63, 10**50, 0.5, 4.0, "", "x", "\u202e\x1b[31m", "\x7f",
        "\ud800", "00" * 32, "ops", "key", "erase", ORIGIN, str(NEW_KEY), str(OLD_KEY), TOKEN,
        [], {}, [4, 4], [[4, 4]], [[8, 0]], {"seqs": [[0, 8]]}, float("nan"), float("inf"),
    ]
)  # fmt: skip
"""Values that mean something somewhere in a pack, and some that do not anywhere."""


def with_another_value(value: Any, draw: Callable[[Any], Any]) -> Any:
    """The same JSON with one value somewhere in it replaced, taken out or put to it."""
    names = sorted(value) if isinstance(value, dict) else range(len(value or ())) \
        if isinstance(value, list) else []  # fmt: skip
    if not names or draw(st.integers(0, 4)) == 0:
        return draw(ODD)
    at = draw(st.sampled_from(list(names)))
    changed = dict(value) if isinstance(value, dict) else list(value)
    how = draw(st.sampled_from(["deeper", "deeper", "deeper", "out", "twice"]))
    if how == "out":
        del changed[at]
    elif how == "twice" and isinstance(changed, list):
        changed.insert(at, changed[at])
    else:
        changed[at] = with_another_value(changed[at], draw)
    return changed


SPLICES = [
    "", "\n", "\n\n", " ", "\x00", "\x7f", "\u00a0", "\u2028", "=", "A", "0", "+", LINE + "\n",
    "\u2014 ", "index ", "extra AAAA\n", "NaN", "1e5", "}", "[", '"', "\\ud800", f"{NEW_KEY}\n",
]  # fmt: skip


def spliced(data: bytes, draw: Callable[[Any], Any]) -> bytes:
    """A text with something put into it, mostly near a break, and perhaps something cut out."""
    text = data.decode("utf-8", "replace")
    breaks = [at for at, char in enumerate(text) if char in '\n "'] or [0]
    at = draw(st.sampled_from(breaks) | st.integers(0, len(text)))
    cut = draw(st.sampled_from([0, 0, 1, 2, 10]))
    put = draw(st.sampled_from(SPLICES))
    return (text[:at] + put + text[at + cut :]).encode("utf-8", "replace")


def signed_oddly(data: bytes, draw: Callable[[Any], Any]) -> bytes:
    """A note whose last signature is another: one that the equation may even allow."""
    head, _, last = data.decode("utf-8", "replace").rstrip("\n").rpartition(" ")
    blob = base64.b64decode(last)
    r, s = blob[-64:-32], int.from_bytes(blob[-32:], "little")
    made = draw(
        st.sampled_from([r + (s + L).to_bytes(32, "little"), r + bytes(32), blob[-64:-1], b"",
                         blob[-64:] + b"\0", *(weak + blob[-32:] for weak in WEAK)])
    )  # fmt: skip
    return f"{head} {base64.b64encode(blob[:-64] + made).decode()}\n".encode()


def oddly(forged: Forged, draw: Callable[[Any], Any]) -> Callable[[Files], Any] | None:
    """One odd thing somewhere in a pack: by this table, in a value, or in a file's text."""
    how = draw(
        st.sampled_from(["case", "line", "core", "rest", "people", "said", "text", "swap", "key"])
    )
    if how == "case":
        return draw(st.sampled_from(list(CASES.values())))[0](forged)
    if how == "line":
        line, number, _ = draw(st.sampled_from(list(LINES.values())))
        return below(draw(st.sampled_from(NOTES)), line, number)(forged)
    if how == "key":
        name = draw(st.sampled_from(NOTES))
        return lambda files: files.update({name: signed_oddly(files[name], draw)})
    if how == "core":
        seq = draw(st.integers(0, len(forged.cores) - 1))
        forged.cores[seq] = with_another_value(forged.cores[seq], draw)
    elif how == "rest":
        seq = draw(st.sampled_from([1, 2, 4, 5]))
        changed = with_another_value(forged.rest.get(seq, {"sealed": "ab" * 32}), draw)
        forged.rest[seq] = changed if isinstance(changed, dict) else {"sealed": changed}
    elif how == "people":
        forged.people = with_another_value(forged.people, draw)
    elif how == "said":
        part = draw(st.sampled_from([forged.statement, forged.manifest]))
        name = draw(st.sampled_from(["trail", "size", "root", "verified", "seqs", "files"]))
        part[name] = draw(ODD)
    elif how == "text":
        name = draw(st.sampled_from([*NOTES, "events.jsonl", "people.json", "trail.pub",
                                     "witnesses/5.0.proof", "proofs/4.tlog-proof"]))  # fmt: skip
        return lambda files: files.update({name: spliced(files[name], draw)})
    else:
        one, two = (draw(st.sampled_from([*NOTES, "proofs/4.tlog-proof"])) for _ in "ab")
        return lambda files: files.update({one: files[two], two: files[one]})
    return None


@settings(
    max_examples=5_000 if os.environ.get("FLOWAUDIT_SOAK") else 150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_both_say_the_same_of_whatever_is_signed(
    alone: ModuleType, folder: Path, data: st.DataObject
) -> None:
    forged = Forged()
    changes = [oddly(forged, data.draw) for _ in range(data.draw(st.integers(1, 2)))]
    try:
        files = forged.files()
        for change in changes:
            if change is not None:
                change(files)
        sealed = forged.sealed(files)
    except (AssertionError, KeyError, ValueError):
        return  # the second change finds no more what it is about
    judged(sealed, alone, folder, data.draw(st.sampled_from([None, OLD_KEY, NEW_KEY])))
