"""Evidence packs: what is in them, and that two verifiers which share no code say the same."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flowaudit
from flowaudit import FlowAudit
from flowaudit.archive.moving import archive_trail
from flowaudit.archive.places import open_place
from flowaudit.cli import main
from flowaudit.errors import ProofError
from flowaudit.evidence.opened import PackVerification, verify_pack
from flowaudit.evidence.signed import SignedStatement, sign_statement
from flowaudit.proofs.checkpoint import sign_checkpoint
from flowaudit.proofs.note import Note, VerifierKey, signature_line
from flowaudit.trail.keys import load_verifier_key, read_key
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.sqlite import Trail
from flowaudit.vault.tokens import Vault
from flowaudit.witnesses.publishing import Publisher

Said = pytest.CaptureFixture[str]
ANN, BOB = "user:ann", "user:bob"
FAR = 2**52
NASTY = "<script>alert(1)</script>\u202e{{ 7 * 7 }}"


def act(audit: FlowAudit, who: str, what: str) -> None:
    with audit.job(NASTY, actor=who):
        flowaudit.note(what=what)


@pytest.fixture
def written(audit: FlowAudit, trail: Path) -> Path:
    for number in range(10):
        act(audit, ANN if number % 2 else BOB, f"secret of {number}")
    audit.record("auth", "grant", target=ANN, role="nurse")
    audit.close()
    return trail


@pytest.fixture
def key(written: Path, tmp_path: Path) -> Path:
    """The copy that an auditor was given on the first day."""
    copy = tmp_path / "auditor.pub"
    copy.write_bytes(TrailPaths.of(written).public_key.read_bytes())
    return copy


def make(trail: Path, *argv: str, name: str = "case.zip") -> Path:
    pack = trail.with_name(name)
    assert main(["evidence", "--trail", str(trail), "-o", str(pack), *argv]) == 0
    return pack


def stand_alone(pack: Path, *argv: str, verifier: Path | None = None) -> tuple[int, str]:
    """What the pack's own verifier says, in a Python that finds no other package."""
    script = verifier or unpack_verifier(pack)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(pack), *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=pack.parent,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def unpack_verifier(pack: Path) -> Path:
    script = pack.with_suffix(".verify.py")
    with zipfile.ZipFile(pack) as file:
        script.write_bytes(file.read("verify.py"))
    return script


def both(pack: Path, key: Path | None = None, *witnesses: Path) -> PackVerification:
    """What both say, once it is the same."""
    trusted = VerifierKey.parse(key.read_text("utf-8")) if key else None
    keys = tuple(VerifierKey.parse(path.read_text("utf-8")) for path in witnesses)
    ours = verify_pack(pack, key=trusted, witnesses=keys)
    given = [word for path in witnesses for word in ("--witness", str(path))]
    status, said = stand_alone(pack, "--json", *(["--key", str(key)] if key else []), *given)
    theirs = json.loads(said)
    mine = json.loads(json.dumps(ours.as_json()))
    assert {p["seq"] for p in theirs.pop("problems")} == {p["seq"] for p in mine.pop("problems")}
    assert theirs == mine
    assert status == (0 if ours.ok else 1)
    return ours


def files_of(pack: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pack) as file:
        return {name: file.read(name) for name in file.namelist()}


def repacked(pack: Path, files: dict[str, bytes], name: str = "changed.zip") -> Path:
    changed = pack.with_name(name)
    with zipfile.ZipFile(changed, "w") as file:
        for each, data in files.items():
            file.writestr(each, data)
    return changed


def test_a_persons_events_are_proved_and_the_person_named(
    written: Path, key: Path, capsys: Said
) -> None:
    pack = make(written, "--actor", ANN, "--reason", "case 7")
    assert "6 events with their proofs" in capsys.readouterr().out
    found = both(pack, key)
    assert (found.ok, found.trusted, found.erased) == (True, True, 0)
    assert found.events == 7  # the key's own event beside them
    people = json.loads(files_of(pack)["people.json"])
    assert ANN in {each["identity"] for each in people}
    assert BOB not in {each["identity"] for each in people}
    assert found.identified == len(people)
    assert main(["verify", str(pack), "--key", str(key)]) == 0
    assert "each proved" in capsys.readouterr().out
    status, said = stand_alone(pack)
    assert status == 0
    assert "as the pack itself says" in said


def test_the_pack_runs_by_itself(written: Path) -> None:
    pack = make(written, "--seq", "0-3")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(pack)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "The pack holds" in done.stdout


@pytest.mark.parametrize(
    ("argv", "what"),
    [(["--key"], "--key wants a file"), (["--nope"], "there is no option --nope")],
    ids=["no value", "unknown"],
)
def test_a_wrong_call_of_the_stand_alone_verifier_is_said(
    written: Path, argv: list[str], what: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(make(written, "--seq", "0")), *argv],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"not verified: {what}\n")


def test_unpacked_into_a_folder_it_is_checked_there(written: Path, tmp_path: Path) -> None:
    pack = make(written, "--seq", "0-3")
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(pack) as file:
        file.extractall(folder)
    status, said = stand_alone(folder, verifier=folder / "verify.py")
    assert (status, said.splitlines()[0]) == (0, "The pack holds: 5 events, each proved.")
    (folder / "events.jsonl").write_text(
        (folder / "events.jsonl").read_text("utf-8").replace("process", "progress"), "utf-8"
    )
    status, _ = stand_alone(folder, verifier=folder / "verify.py")
    assert status == 1


def test_nobody_is_named_who_may_not_be(written: Path) -> None:
    with Vault(TrailPaths.of(written).vault) as vault:
        token = vault.find(ANN)
    by_name = files_of(make(written, "--actor", ANN, "--without-identities", name="by-name.zip"))
    pack = make(written, "--actor", str(token), "--without-identities")
    assert by_name.keys() == files_of(pack).keys()
    files = files_of(pack)
    assert "people.json" not in files
    assert not any(b"user:ann" in data for data in files.values())
    assert both(pack).identified == 0


def test_after_erasing_them_the_same_events_are_proved_and_nobody_can_say_whose(
    written: Path, key: Path
) -> None:
    before = make(written, "--actor", ANN)
    with Vault(TrailPaths.of(written).vault) as vault:
        token = str(vault.find(ANN))
    assert main(["erase", ANN, "--yes", "--trail", str(written)]) == 0
    after = make(written, "--actor", token, name="after.zip")
    found = both(after, key)
    # not the grant: whose account it was about stood in what is gone
    assert (found.ok, found.erased) == (True, 5)
    files = files_of(after)
    text = b"".join(files.values())
    assert b"user:ann" not in text
    assert b"secret of" not in text
    assert token.encode() in text
    assert both(before, key).ok  # out of reach, and still true


def test_a_sealed_event_without_its_erasure_is_a_problem(written: Path) -> None:
    with Vault(TrailPaths.of(written).vault) as vault:
        token = str(vault.find(ANN))
    assert main(["erase", ANN, "--yes", "--trail", str(written)]) == 0
    files = files_of(make(written, "--actor", token))
    lines = files["events.jsonl"].splitlines(keepends=True)
    files["events.jsonl"] = b"".join(line for line in lines if b"erases" not in line)
    assert "no erasure" in " ".join(p.what for p in both(repacked(written, files)).problems)


def cosigned_elsewhere(written: Path, key: Path) -> tuple[Path, TrailPaths, int, str]:
    """A witness's folder with a checkpoint that another trail has cosigned: it, that trail, the
    checkpoint's size and its origin.
    """
    shared, other = written.with_name("shared"), TrailPaths.of(written.with_name("other.db"))
    shared.mkdir()
    with Trail(written) as writer:
        writer.checkpoint()
        publisher = Publisher([str(shared)])
        publisher.publish(writer.origin, writer.signed, now=True, prove=writer.consistency)
        seen, origin = writer.size(), writer.origin
    audit = FlowAudit(trail=other.trail)
    act(audit, BOB, "elsewhere")
    audit.close()
    argv = ["cosign", str(shared), "--trail", str(other.trail), "--key", str(key)]
    assert main(argv) == 0
    return shared, other, seen, origin


def test_who_has_seen_the_history_is_proved_too(written: Path, key: Path, capsys: Said) -> None:
    shared, other, seen, _ = cosigned_elsewhere(written, key)
    pack = make(written, "--actor", ANN, "--against", str(shared))
    found = both(pack, key, other.cosigned / "cosigner.pub")
    assert (found.ok, found.witnesses, found.witnessed) == (True, 1, seen)
    assert both(pack, key).witnesses == 0
    files = files_of(pack)
    [proof] = [name for name in files if name.endswith(".proof")]
    files[proof] = files[proof][:-10] + b"AAAAAAAA=\n"
    assert not both(repacked(pack, files), key).ok
    capsys.readouterr()
    assert main(["verify", str(pack), "--cosigner", str(other.cosigned / "cosigner.pub")]) == 0
    assert f"1 witness has seen this history, up to entry {seen}" in capsys.readouterr().out


def test_junk_beside_what_others_have_cosigned_is_left_out_and_crowds_nothing_out(
    written: Path, key: Path
) -> None:
    shared, other, _, origin = cosigned_elsewhere(written, key)
    private = read_key(TrailPaths.of(written).key)
    [real] = (path.read_text("utf-8") for path in shared.rglob("*.cosigned"))
    line = real.splitlines()[-1]
    thief = Ed25519PrivateKey.generate()
    size = int(real.split("\n")[1])
    junk = {
        "of another signer": sign_checkpoint((thief,), origin, size, bytes(32)),
        "of another root": sign_checkpoint((private,), origin, size, bytes(32)),
        "of another trail": sign_checkpoint((private,), "flowaudit/x", size, bytes(32)),
        "of more than there is": sign_checkpoint((private,), origin, 10**6, bytes(32)),
    }
    for number, note in enumerate([*junk.values(), "junk\n\n1\n2\n", "", real, real]):
        text = f"{note}{line}\n" if note in junk.values() else note
        for turn in "ab":
            place = next(shared.iterdir()) / f"9{number}{turn}.cosigned"
            place.write_text(text, "utf-8")
    pack = written.with_name("case.zip")
    argv = ["--trail", str(written), "--actor", ANN, "--against", str(shared)]
    assert main(["evidence", *argv, "-o", str(pack)]) == 1  # verification has told of the junk
    notes = [data.decode() for name, data in files_of(pack).items()
             if name.startswith("witnesses/") and name.endswith(".checkpoint")]  # fmt: skip
    assert notes == [real]
    assert both(pack, key, other.cosigned / "cosigner.pub").witnesses == 1


def test_the_events_behind_a_finding(written: Path, capsys: Said) -> None:
    assert main(["evidence", "--trail", str(written), "--finding", "x", "-o", "c.zip"]) == 2
    assert "no finding x" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["rotate", "revoke"])
def test_an_older_key_leads_to_the_one_that_signed_unless_it_was_revoked(
    written: Path, key: Path, change: str
) -> None:
    for number in range(2):
        argv = ["key", change, "--reason", f"time {number}", "--trail", str(written)]
        assert main(argv) == 0
    pack = make(written, "--actor", ANN)
    newest = TrailPaths.of(written).public_key
    assert both(pack, newest).trusted
    found = both(pack, key)
    assert found.ok == found.trusted == (change == "rotate")


def test_a_pack_made_by_somebody_else_is_of_one_piece_and_not_trusted(
    written: Path, tmp_path: Path, key: Path
) -> None:
    other = tmp_path / "other.db"
    audit = FlowAudit(trail=other)
    act(audit, ANN, "forged")
    audit.close()
    forged = make(other, "--actor", ANN, name="forged.zip")
    assert both(forged).ok
    assert not both(forged).trusted
    assert not both(forged, key).ok


def test_a_manifest_signed_anew_by_another_key_is_not_the_operators(
    written: Path, key: Path
) -> None:
    files = files_of(make(written, "--actor", ANN))
    thief = Ed25519PrivateKey.generate()
    note = Note.parse(files["manifest"].decode())
    name = load_verifier_key(TrailPaths.of(written))
    assert name is not None
    line = signature_line(thief, name.name, note.text)
    files["manifest"] = str(Note(note.text, (line,))).encode()
    changed = repacked(written, files)
    for trusted in (None, key):
        assert any("manifest is not signed" in p.what for p in both(changed, trusted).problems)


def swap(files: dict[str, bytes], one: str, other: str) -> None:
    files[one], files[other] = files[other], files[one]


CHANGES: dict[str, Callable[[dict[str, bytes]], Any]] = {
    "an event taken away": lambda f: f.update(
        {"events.jsonl": b"".join(f["events.jsonl"].splitlines(keepends=True)[:-1])}
    ),
    "an event twice": lambda f: f.update(
        {"events.jsonl": f["events.jsonl"] + f["events.jsonl"].splitlines(keepends=True)[0]}
    ),
    "a proof taken away": lambda f: f.pop("proofs/2.tlog-proof"),
    "two proofs exchanged": lambda f: swap(f, "proofs/1.tlog-proof", "proofs/2.tlog-proof"),
    "a name changed": lambda f: f.update(
        {"people.json": f["people.json"].replace(b"user:bob", b"user:ann")}
    ),
    "the statement of another number": lambda f: f.update(
        {"statement": f["statement"].replace(b'"lost":0', b'"lost":1')}
    ),
    "a file put to it": lambda f: f.update({"more.txt": b"x"}),
    "the page changed": lambda f: f.update({"index.html": f["index.html"] + b"x"}),
    "a personal part taken away": lambda f: f.update(
        {"events.jsonl": f["events.jsonl"].replace(b'"personal"', b'"personel"', 1)}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_found_by_both(written: Path, change: Any) -> None:
    files = files_of(make(written, "--seq", "1-4"))
    change(files)
    assert not both(repacked(written, files)).ok


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trail = tmp_path_factory.mktemp("sample") / "t.db"
    audit = FlowAudit(trail=trail)
    for number in range(4):
        act(audit, ANN, f"secret of {number}")
    audit.close()
    return make(trail, "--actor", ANN)


def load_stand_alone(pack: Path) -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("verify_pack_alone", unpack_verifier(pack))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(
    max_examples=2_000 if os.environ.get("FLOWAUDIT_SOAK") else 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_no_changed_byte_is_passed_over_by_either(sample: Path, data: st.DataObject) -> None:
    files = files_of(sample)
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    byte = data.draw(st.integers(0, 255))
    content = bytearray(files[name])
    if content[at] == byte:
        return
    content[at] = byte
    files[name] = bytes(content)
    alone = load_stand_alone(sample)
    try:
        theirs = alone.Check(files, None, []).run()["ok"]
    except (alone.Bad, ValueError, KeyError, TypeError, AttributeError, IndexError):
        theirs = False
    try:
        ours = verify_pack(repacked(sample, files)).ok
    except ProofError:
        ours = False
    assert not ours
    assert not theirs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def with_another_value(value: Any, draw: st.DataObject) -> Any:
    """The same JSON with one value somewhere in it replaced by any other."""
    if isinstance(value, dict) and value and draw.draw(st.booleans()):
        name = draw.draw(st.sampled_from(sorted(value)))
        return {**value, name: with_another_value(value[name], draw)}
    if isinstance(value, list) and value and draw.draw(st.booleans()):
        at = draw.draw(st.integers(0, len(value) - 1))
        return [*value[:at], with_another_value(value[at], draw), *value[at + 1 :]]
    return draw.draw(JSON)


@settings(
    max_examples=2_000 if os.environ.get("FLOWAUDIT_SOAK") else 150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_whatever_the_operator_signs_both_say_the_same(sample: Path, data: st.DataObject) -> None:
    """With the key in hand, everything fits together again but for one odd value."""
    private = read_key(TrailPaths.of(sample.with_name("t.db")).key)
    files = files_of(sample)
    kind, _, text = Note.parse(files["manifest"].decode()).text[:-1].partition("\n")
    manifest = json.loads(text)
    origin = manifest["trail"]

    def sign(kind: str, said: Any) -> bytes:
        text = f"{kind}\n{json.dumps(said)}\n"
        return str(Note(text, (signature_line(private, origin, text),))).encode()

    name = data.draw(st.sampled_from(["manifest", "statement", "events.jsonl", "people.json"]))
    if name == "manifest":
        manifest = with_another_value(manifest, data)
    elif name == "statement":
        head, _, body = Note.parse(files[name].decode(), limit=10**6).text[:-1].partition("\n")
        files[name] = sign(head, with_another_value(json.loads(body), data))
    elif name == "people.json":
        files[name] = json.dumps(with_another_value(json.loads(files[name]), data)).encode()
    else:
        lines = [json.loads(line) for line in files[name].splitlines()]
        lines = with_another_value(lines, data)
        odd = lines if isinstance(lines, list) else [lines]
        files[name] = b"".join(json.dumps(line).encode() + b"\n" for line in odd)
    if name != "manifest":
        manifest["files"][name] = hashlib.sha256(files[name]).hexdigest()
    files["manifest"] = sign(kind, manifest)
    alone = load_stand_alone(sample)
    theirs = ours = None
    with suppress(alone.Bad, ValueError, KeyError, TypeError, AttributeError, IndexError):
        theirs = alone.Check(files, None, []).run()
    with suppress(ProofError):
        ours = verify_pack(repacked(sample, files))
    assert (ours is not None and ours.ok) == (theirs is not None and theirs["ok"])


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"PK\x05\x06" + bytes(18), b"x" * 1000],
    ids=["empty", "begun", "an empty zip", "junk"],
)
def test_what_is_no_pack_is_refused(
    tmp_path: Path, written: Path, content: bytes, capsys: Said
) -> None:
    verifier = unpack_verifier(make(written, "--seq", "1"))
    capsys.readouterr()
    file = tmp_path / "x.zip"
    file.write_bytes(content)
    with pytest.raises(ProofError):
        verify_pack(file)
    assert main(["verify", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert stand_alone(file, verifier=verifier)[0] == 2


def test_a_pack_that_unpacks_without_end_is_refused_unread(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(9):
            with file.open(f"{number}", "w") as stream:
                for _ in range(128):
                    stream.write(bytes(1 << 20))
    assert bomb.stat().st_size < 10_000_000
    with pytest.raises(ProofError, match="1 GiB"):
        verify_pack(bomb)


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\x0c", "\x7f"], ids=ascii)
def test_text_with_odd_breaks_is_proved_like_any_other(
    audit: FlowAudit, trail: Path, char: str
) -> None:
    act(audit, ANN, f"one{char}two")
    audit.close()
    found = both(make(trail, "--actor", ANN, "--reason", f"case{char}7"))
    assert found.ok, found.problems


def test_a_pack_packed_otherwise_or_damaged_is_refused(written: Path, tmp_path: Path) -> None:
    pack = make(written, "--seq", "1-3")
    verifier = unpack_verifier(pack)
    other = tmp_path / "bzip2.zip"
    with zipfile.ZipFile(other, "w", zipfile.ZIP_BZIP2) as file:
        for name, data in files_of(pack).items():
            file.writestr(name, data)
    damaged = tmp_path / "damaged.zip"
    content = bytearray(pack.read_bytes())
    at = content.index(b"events.jsonl") + len(b"events.jsonl")
    content[at : at + 40] = b"\xff" * 40
    damaged.write_bytes(content)
    for each in (other, damaged):
        with pytest.raises(ProofError):
            verify_pack(each)
        assert stand_alone(each, verifier=verifier)[0] == 2


def test_a_trail_that_was_rolled_back_makes_no_pack_that_holds(
    written: Path, tmp_path: Path, key: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    copy = {path: path.read_bytes() for path in tmp_path.glob("t.db*") if path.is_file()}
    audit = FlowAudit(trail=written, witnesses=[str(shared)])
    act(audit, BOB, "taken back later")
    audit.close()
    for path in tmp_path.glob("t.db*"):
        if path.is_file():
            path.unlink()
    for path, content in copy.items():
        path.write_bytes(content)
    pack = tmp_path / "case.zip"
    argv = ["--trail", str(written), "--against", str(shared)]
    assert main(["evidence", *argv, "--actor", ANN, "-o", str(pack)]) == 1
    assert main(["statement", *argv]) == 1
    assert not both(pack, key).ok


def test_the_page_shows_hostile_text_and_does_not_run_it(written: Path) -> None:
    page = files_of(make(written, "--actor", ANN))["index.html"].decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "{{ 7 * 7 }}" in page
    assert "default-src &#39;none&#39;" in page


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "one of --actor, --finding and --seq"),
        (["--actor", "user:nobody"], "knows nobody"),
        (["--actor", "a" * 52], "no such events"),
        (["--seq", "5-3"], "places such as"),
        (["--seq", "x"], "places such as"),
        (["--seq", "-1"], "places such as"),
        (["--seq", "999999"], "no such events"),
        (["--seq", "0-99999999"], "places such as"),
        (["--seq", "1", "--reason", "x" * 501], "at most 500"),
        (["--actor", ANN, "--to", "1999-01-01"], "no such events"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_a_mistake_is_said_in_one_line_and_leaves_no_file(
    written: Path, tmp_path: Path, capsys: Said, argv: list[str], says: str
) -> None:
    pack = tmp_path / "case.zip"
    assert main(["evidence", "--trail", str(written), "-o", str(pack), *argv]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("case*"))


def test_an_export_is_an_event_that_names_whom_it_is_about(
    written: Path, events: Callable[..., list[dict[str, Any]]]
) -> None:
    make(written, "--actor", ANN)
    with Vault(TrailPaths.of(written).vault) as vault:
        token = vault.find(ANN)
    [event] = events("access")
    assert event["action"] == "export"
    assert event["facts"] == {"command": "evidence", "of": [token], "scope": "raw"}


def test_a_trail_that_does_not_hold_makes_a_pack_that_says_so(
    written: Path, sql: Callable[..., Any], key: Path
) -> None:
    sql("UPDATE event SET core = replace(core, 'job', 'jab') WHERE seq = 4")
    pack = written.with_name("case.zip")
    assert main(["evidence", "--trail", str(written), "--seq", "2-5", "-o", str(pack)]) == 1
    found = both(pack, key)
    assert {p.seq for p in found.problems} == {4, None}


def test_a_signed_statement_is_verified_by_itself(
    written: Path, tmp_path: Path, key: Path, capsys: Said
) -> None:
    file = tmp_path / "day.statement"
    assert main(["statement", "--trail", str(written), "-o", str(file)]) == 0
    capsys.readouterr()
    assert main(["verify", str(file), "--key", str(key)]) == 0
    assert "was not changed" in capsys.readouterr().out
    assert main(["verify", str(file)]) == 1
    file.write_text(file.read_text("utf-8").replace('"lost":0', '"lost":1'), "utf-8")
    assert main(["verify", str(file), "--key", str(key)]) == 1
    assert "NOT signed" in capsys.readouterr().out


def stated(trail: Path, name: str) -> str:
    file = trail.with_name(f"{name}.statement")
    assert main(["statement", "--trail", str(trail), "-o", str(file)]) == 0
    return str(file)


@pytest.mark.parametrize("change", ["rotate", "revoke"])
def test_a_statement_of_an_older_or_newer_key_holds_by_the_trails_own_chain(
    written: Path, key: Path, change: str, capsys: Said
) -> None:
    """From whichever key is trusted, as far as the trail's checkpoints are led to from it."""
    trail, old = ["--trail", str(written)], ["--key", str(key)]
    before = stated(written, "before")
    for _ in range(2):
        assert main(["key", change, "--reason", "time", *trail]) == 0
    after = stated(written, "after")
    new = ["--key", str(TrailPaths.of(written).public_key)]
    is_led = change == "rotate"
    for argv, status in (
        ([before, *old], 0),
        ([after, *new], 0),
        ([before, *new], 1),
        ([after, *old], 1),
        ([before, *new, *trail], 0),
        ([before, *trail], 0),
        ([after, *trail], 0),
        ([before, *old, *trail], 0 if is_led else 1),
        ([after, *old, *trail], 0 if is_led else 1),
    ):
        capsys.readouterr()
        assert main(["verify", *argv]) == status, argv
        said = capsys.readouterr().out
        assert ("was not changed" in said) == (status == 0)
        if status and trail[0] not in argv:
            assert "--trail TRAIL beside --key FILE follows" in said


def signed_by(trail: Path, private: Any, name: str, /, **said: Any) -> str:
    """A statement over the trail's head with something else in it, signed by a key at hand."""
    note = SignedStatement.parse(Path(stated(trail, name)).read_text("utf-8"))
    file = trail.with_name(f"{name}.forged")
    origin = note.said["trail"]
    file.write_text(sign_statement(private, origin, {**note.said, **said}), "utf-8")
    return str(file)


def test_a_statement_that_the_trail_does_not_bear_out_does_not_hold(
    written: Path, capsys: Said
) -> None:
    paths, trail = TrailPaths.of(written), ["--trail", str(written)]
    stolen = read_key(paths.key)
    assert main(["key", "rotate", "--reason", "yearly", *trail]) == 0
    act(FlowAudit(trail=written), BOB, "later")
    current, thief = read_key(paths.key), Ed25519PrivateKey.generate()
    for private, said, says in (
        (current, {}, ""),
        (stolen, {}, "whose turn at"),
        (thief, {}, "NOT signed by a key of the trail"),
        (current, {"size": 10**9}, "the trail at hand has"),
        (current, {"root": "A" * 43 + "="}, "of another history"),
        (current, {"size": "x"}, "over how many entries"),
        (current, {"trail": "flowaudit/x"}, "of another trail"),
    ):
        file = signed_by(written, private, f"{says}{len(said)}".replace(" ", "-"), **said)
        capsys.readouterr()
        assert main(["verify", file, *trail]) == (1 if says else 0), says
        assert says in capsys.readouterr().out


def test_a_trail_that_does_not_hold_vouches_for_no_statement(
    written: Path, key: Path, sql: Callable[..., Any], capsys: Said
) -> None:
    file = stated(written, "day")
    sql("UPDATE event SET core = replace(core, 'job', 'jab') WHERE seq = 4")
    assert main(["verify", file, "--trail", str(written), "--key", str(key)]) == 1
    assert "the trail does not hold" in capsys.readouterr().out
    pack = str(make_any(written))
    assert main(["verify", pack, "--trail", str(written)]) == 2
    assert "--trail changes nothing" in capsys.readouterr().err


def make_any(trail: Path) -> Path:
    pack = trail.with_name("any.zip")
    main(["evidence", "--trail", str(trail), "--seq", "1", "-o", str(pack)])
    return pack


def test_archived_events_are_proved_as_they_were(
    written: Path, tmp_path: Path, key: Path, capsys: Said
) -> None:
    """What has moved into an archive is found there, and its proof leads to the same trail."""
    audit = FlowAudit(trail=written)
    for number in range(300):
        act(audit, BOB, f"more {number}")
    audit.close()
    before = both(make(written, "--actor", ANN), key)
    capsys.readouterr()
    place = open_place(tmp_path / "archive", is_new=True)
    with Trail(written) as trail:
        assert list(archive_trail(trail, place, FAR, FAR))
    argv = ["statement", "--trail", str(written), "--format", "json"]
    assert main(argv) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["away"] == 256
    assert main([*argv, "--archive", str(tmp_path / "archive")]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["away"] == 0
    assert sum(s["events"] for s in whole["sources"]) > sum(s["events"] for s in alone["sources"])
    asked = ["evidence", "--trail", str(written), "--actor", ANN, "-o", str(tmp_path / "none.zip")]
    assert main(asked) == 2  # all of theirs is archived
    assert "--archive PLACE looks into archives too" in capsys.readouterr().err
    part = make(written, "--seq", "1-3,256-259", name="part.zip")
    out = capsys.readouterr().out
    assert "3 of the places that were asked for are not in it." in out
    assert "256 entries stand in archives and were not looked at" in out
    with zipfile.ZipFile(part) as pack:
        page = pack.read("index.html").decode()
    assert "the whole log" not in page
    assert "but for 256 entries in an archive that was not at hand: none had been" in page
    assert "what stands at 3 places of the log that were asked for" in page
    argv = ["--actor", ANN, "--archive", str(tmp_path / "archive")]
    found = both(make(written, *argv, name="later.zip"), key)
    assert (found.ok, found.events, found.problems) == (True, before.events, ())
