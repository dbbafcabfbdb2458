#!/usr/bin/env python3
"""Checks an evidence pack of flowaudit with nothing but Python 3.7 or later: no other program.

    python3 verify.py case.zip --key trail.pub

It is written apart from flowaudit, from the formats alone, so that a fault in one does not hide
in the other. `--key` is the copy of the operator's public key that you were given on another way
than this pack; without it, the pack can only be shown to be of one piece. `--witness` is the
public key of somebody who cosigns; it may be repeated. Exit status 0 only if all of it holds.
A time stamp in the pack (witnesses/*.tsr) is for OpenSSL to check:

    openssl ts -verify -data NAME.checkpoint -in NAME.tsr -CAfile AUTHORITY.pem

What is used: SHA-256; Ed25519 (RFC 8032); signed notes, checkpoints, cosignatures and inclusion
proofs (c2sp.org: signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof; RFC 9162 2.1.3.2).
Ed25519 is read strictly: points and S in the one form that RFC 8032 5.1.3 and 5.1.7 allow, and no
point of small order, by which one signature fits many texts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import unicodedata
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

MAX_BYTES = 1 << 30
MAX_FILES = 250000
MAX_NOTE = 1 << 16  # characters of a checkpoint
MAX_LONG_NOTE = 1 << 26  # of a manifest or a statement
MAX_SIGNATURES = 100
MAX_HASHES = 128  # in a proof
MAX_PROOF = MAX_NOTE + 64 * MAX_HASHES
MAX_IDENTITY = 1000
OPTIONAL = ("personal", "salt", "sealed")

if TYPE_CHECKING:
    Point = tuple[int, int, int, int]


class Bad(Exception):
    """Something is not what it must be."""


# --- Ed25519, RFC 8032 5.1 -----------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a: Point, b: Point) -> Point:
    """Sum of two points in extended coordinates."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return (w * x % P, y * z % P, x * y % P, w * z % P)


def times(number: int, point: Point) -> Point:
    """A point, so many times."""
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point = add(point, point)
        number >>= 1
    return total


def same(a: Point, b: Point) -> bool:
    """Whether two points are equal."""
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data: bytes) -> Point:
    """The point that 32 bytes stand for."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        raise Bad("not a point")
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * SQRT_M1 % P
    if (x * x - xx) % P or (x == 0 and sign):
        raise Bad("not a point")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def strong(data: bytes) -> Point:
    """The point that 32 bytes stand for, if its order is not a divisor of 8."""
    point = point_of(data)
    if same(times(8, point), (0, 1, 1, 0)):
        raise Bad("a point of small order")
    return point


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of 64 bytes is valid."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    try:
        a, r = strong(public), strong(signature[:32])
    except Bad:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return same(times(s, BASE), add(r, times(h, a)))


# --- notes, checkpoints, proofs ------------------------------------------------------------------


def bytes_of(text: str) -> bytes:
    """The bytes of base64, in its one form."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise Bad(f"this is not base64: {text[:40]!r}")
    return data


def parsed(text: str) -> Any:
    """What strict JSON says: no NaN, no half of a surrogate pair, no depth without end."""
    try:
        value = json.loads(text, parse_constant=refused, parse_int=whole)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Bad(f"this is not JSON: {error}") from None
    return value


def in_reach(value: Any) -> Any:
    """The same value, if each number in it is one that a program can hold."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise Bad("a number out of reach") from None
    return value


def refused(name: str) -> Any:
    """Never a value: a word that JSON does not have."""
    raise ValueError(name)


def whole(digits: str) -> Any:
    """A whole number; a float if it has more digits than Python reads as one."""
    return int(digits) if len(digits) <= 4300 else float(digits)


class Key:
    """A public key: a name, and what it signs as."""

    def __init__(self, text: str) -> None:
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not parts[0]:
            raise Bad("a key has the form name+hash+key")
        self.name, data = parts[0], bytes_of(parts[2])
        self.kind, self.public = data[:1], data[1:]
        if self.kind not in (b"\x01", b"\x04") or len(self.public) != 32:
            raise Bad("a key is 32 bytes of Ed25519 after one that says its kind")
        strong(self.public)
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != parts[1].lower():
            raise Bad("a key contradicts its own hash")
        self.text = f"{self.name}+{self.id.hex()}+{base64.b64encode(data).decode()}"
        self.short = f"{self.name}+{self.id.hex()}"

    def signed(self, note: Note) -> bool:
        """Whether one of a note's signatures is this key's."""
        for name, blob in note.signatures:
            if name != self.name or blob[:4] != self.id:
                continue
            message, signature = note.text.encode(), blob[4:]
            if self.kind == b"\x04":
                at = int.from_bytes(signature[:8], "big")
                message = b"cosignature/v1\ntime %d\n" % at + message
                signature = signature[8:]
            if signed(self.public, message, signature):
                return True
        return False


class Note:
    """A text with signatures below it."""

    def __init__(self, data: str, limit: int = MAX_NOTE) -> None:
        if len(data) > limit:
            raise Bad(f"a note of {len(data)} characters is not read")
        at = data.rfind("\n\n")
        if at < 1 or not data.endswith("\n"):
            raise Bad("a note is a text, an empty line, and signatures")
        if any((ord(c) < 32 and c != "\n") or ord(c) == 127 for c in data):
            raise Bad("a note has control characters")
        self.text = data[: at + 1]
        self.signatures: list[tuple[str, bytes]] = []
        lines = data[at + 2 : -1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Bad(f"a note with {len(lines)} signatures is not read")
        for line in lines:
            parts = line.split(" ")
            if len(parts) != 3 or parts[0] != "\u2014" or not parts[2] or not is_name(parts[1]):
                raise Bad("a line below a note is no signature")
            self.signatures.append((parts[1], bytes_of(parts[2])))


def is_name(text: str) -> bool:
    """Whether a text can name a key: neither spaces nor a plus in it."""
    return bool(text) and "+" not in text and not any(map(str.isspace, text))


class Checkpoint(Note):
    """A signed head of a log."""

    def __init__(self, data: str) -> None:
        Note.__init__(self, data)
        lines = self.text[:-1].split("\n")
        if len(lines) != 3 or not lines[0]:
            raise Bad("a checkpoint has three lines")
        self.origin, self.size, self.root64 = lines[0], number_of(lines[1]), lines[2]
        self.root = bytes_of(lines[2])
        if len(self.root) != 32:
            raise Bad("a root has 32 bytes")


def number_of(text: str) -> int:
    """A whole number in decimal, without signs or leading zeros."""
    if (
        not (text.isascii() and text.isdigit())
        or len(text) > 19
        or (text[0] == "0" and text != "0")
    ):
        raise Bad(f"not a number: {text[:40]!r}")
    return int(text)


class Proof:
    """That an entry stands at its place in a log."""

    def __init__(self, data: str) -> None:
        if len(data) > MAX_PROOF:
            raise Bad(f"a proof of {len(data)} characters is not read")
        head, gap, note = data.partition("\n\n")
        lines = head.split("\n")
        if not gap or lines[0] != "c2sp.org/tlog-proof@v1":
            raise Bad("it is no tlog-proof")
        if len(lines) > 1 and lines[1].startswith("extra "):
            bytes_of(lines.pop(1)[6:])
        if len(lines) < 2 or not lines[1].startswith("index "):
            raise Bad("a proof has an index")
        self.index = number_of(lines[1][6:])
        self.path = [bytes_of(line) for line in lines[2:]]
        if any(len(each) != 32 for each in self.path):
            raise Bad("a hash has 32 bytes")
        self.checkpoint = Checkpoint(note)

    def leads(self, leaf: bytes) -> bool:
        """Whether the path leads from a leaf to the checkpoint's root."""
        place, last, node = self.index, self.checkpoint.size - 1, leaf
        if place > last or len(self.path) > MAX_HASHES:
            return False
        for other in self.path:
            if last == 0:
                return False
            if place & 1 or place == last:
                node = hashlib.sha256(b"\x01" + other + node).digest()
                while not place & 1 and place:
                    place, last = place >> 1, last >> 1
            else:
                node = hashlib.sha256(b"\x01" + node + other).digest()
            place, last = place >> 1, last >> 1
        return last == 0 and node == self.checkpoint.root


def grown(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    """Whether a log of this size and root begins with an older one (RFC 9162 2.1.4.2)."""
    if len(proof) > MAX_HASHES or not 0 <= old <= size or any(len(each) != 32 for each in proof):
        return False
    if old == 0:
        return not proof and old_root == hashlib.sha256(b"").digest()
    if old == size:
        return not proof and old_root == root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older = hashlib.sha256(b"\x01" + other + older).digest()
            newer = hashlib.sha256(b"\x01" + other + newer).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = hashlib.sha256(b"\x01" + newer + other).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and older == old_root and newer == root


# --- the pack ------------------------------------------------------------------------------------


def unpacked(pack: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A file of a pack, no longer than it says."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Bad("a pack is stored or deflated")
    with pack.open(info) as file:
        return file.read(info.file_size)


def lines_of(text: str) -> list[str]:
    """Lines as the writer has ended them: text from clients may hold other breaks."""
    return [line for line in text.split("\n") if line]


def read_pack(place: str) -> dict[str, bytes]:
    """Every file of a pack by its name: out of a zip file, or a folder it was unpacked into."""
    if os.path.isdir(place):
        files: dict[str, bytes] = {}
        room = MAX_BYTES
        for folder, _, names in os.walk(place):
            for name in names:
                path = os.path.join(folder, name)
                inside = os.path.relpath(path, place).replace(os.sep, "/")
                if inside.startswith("__pycache__/"):
                    continue
                with open(path, "rb") as file:
                    files[inside] = file.read(room + 1)
                room -= len(files[inside])
                if room < 0 or len(files) > MAX_FILES:
                    raise Bad("the pack is too large")
        return files
    try:
        with zipfile.ZipFile(place) as pack:
            infos = pack.infolist()
            if len(infos) > MAX_FILES or sum(i.file_size for i in infos) > MAX_BYTES:
                raise Bad("the pack is too large")
            if len({i.filename for i in infos}) != len(infos):
                raise Bad("the pack has a file twice")
            return {i.filename: unpacked(pack, i) for i in infos}
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise Bad(f"{place} is no pack: {error}") from None


def leaf_of(event: dict[str, Any]) -> bytes:
    """The hash by which an event stands in the log."""
    core, personal = event["core"].encode(), event.get("personal")
    salt, sealed = event.get("salt"), event.get("sealed")
    if personal is not None and salt is not None and sealed is None:
        salt = bytes.fromhex(salt)
        if len(salt) != 16:
            raise Bad("a salt has 16 bytes")
        commitment = hashlib.sha256(b"\x02" + salt + personal.encode()).digest()
    elif personal is None and salt is None:
        commitment = bytes(32) if sealed is None else bytes.fromhex(sealed)
        if len(commitment) != 32:
            raise Bad("a commitment has 32 bytes")
        if sealed is not None and commitment == bytes(32):
            raise Bad("a commitment of zeros says that there never was a personal part")
    else:
        raise Bad("personal part, salt and commitment do not fit together")
    return hashlib.sha256(b"\x00" + core + commitment).digest()


def token_of(opening: dict[str, Any]) -> str:
    """The token that a salt and an identity make, this in the one spelling that a token has."""
    text = opening["identity"]
    if unicodedata.normalize("NFC", text) != text or "\0" in text or len(text) > MAX_IDENTITY:
        raise Bad("an identity is NFC, without NUL, of at most 1000 characters")
    identity, salt = text.encode(), bytes.fromhex(opening["salt"])
    if len(salt) != 16:
        raise Bad("a salt has 16 bytes")
    digest = hashlib.sha256(b"\x03" + salt + identity).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def is_opening(value: Any) -> bool:
    """Whether a value has the three texts of an opening."""
    names = ("token", "salt", "identity")
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


def is_event(value: Any) -> bool:
    """Whether a value has the form of a line of events.jsonl."""
    return (
        isinstance(value, dict)
        and type(value.get("seq")) is int
        and isinstance(value.get("core"), str)
        and all(value.get(n) is None or isinstance(value[n], str) for n in OPTIONAL)
    )


def is_text(value: Any) -> bool:
    """Whether a value is a text, or nothing."""
    return value is None or isinstance(value, str)


def facts_of(event: dict[str, Any], action: str) -> dict[str, Any]:
    """The facts of an event of this kind and action; empty if it is another."""
    core = parsed(event["core"])
    if not isinstance(core, dict) or not (
        is_text(core.get("kind")) and is_text(core.get("action"))
    ):
        raise Bad("its core is not a core of schema 1")
    if core.get("kind") != "ops" or core.get("action") != action or "facts" not in core:
        return {}
    if not isinstance(core["facts"], dict):
        raise Bad("its core is not a core of schema 1")
    facts: dict[str, Any] = core["facts"]
    return facts


def told_of_key(event: dict[str, Any]) -> dict[str, Any]:
    """What an event tells of keys: which is created, which is retired or revoked; else empty."""
    try:
        told = facts_of(event, "key").get("key")
    except Bad:
        return {}
    names = ("created", "retired", "revoked")
    if not isinstance(told, dict) or not all(is_text(told.get(name)) for name in names):
        return {}
    return told


def ranges_in(facts: dict[str, Any], before: int) -> tuple[list[tuple[int, int]], set[str]]:
    """The places `before` an erasure that it tells of, and whose; what is none is passed over."""
    erases = facts.get("erases")
    if erases is not None and not isinstance(erases, dict):
        raise Bad("its core is not a core of schema 1")
    pairs = in_reach(erases).get("seqs") if erases else None
    tokens = erases.get("tokens") if erases else None
    ranges = [
        (pair[0], min(pair[1], before - 1))
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)
    ]
    if not isinstance(tokens, list):
        return [], set()
    return ranges, {token for token in tokens if isinstance(token, str)}


def whose(event: dict[str, Any]) -> tuple[str, ...] | None:
    """Whose an event is, by its core; `None` if it may be about anybody's account."""
    try:
        core = parsed(event["core"])
    except Bad:
        return ()
    names = ("kind", "actor", "via")
    if not isinstance(core, dict) or not all(is_text(core.get(name)) for name in names):
        return ()
    if core.get("kind") == "auth":
        return None
    return tuple(core[name] for name in names[1:] if core.get(name))


def unexcused(
    erased: list[tuple[int, tuple[str, ...] | None]],
    told: list[tuple[list[tuple[int, int]], set[str]]],
) -> list[int]:
    """Places without a personal part that no erasure of theirs speaks of."""
    groups: dict[tuple[str, ...] | None, list[int]] = {}
    for seq, names in erased:
        groups.setdefault(names, []).append(seq)
    left = []
    for names, places in groups.items():
        ranges = []
        for pairs, tokens in told:
            if names is None or not tokens.isdisjoint(names):
                ranges += pairs
        left += not_in(places, ranges)
    return sorted(left)


def not_in(places: list[int], ranges: list[tuple[int, int]]) -> list[int]:
    """Those of these places that no range holds: each is looked at once, in order."""
    left = []
    waiting = sorted(ranges, reverse=True)
    reach = -1
    for place in sorted(places):
        while waiting and waiting[-1][0] <= place:
            reach = max(reach, waiting.pop()[1])
        if reach < place:
            left.append(place)
    return left


class Check:
    """Everything that is checked of one pack."""

    def __init__(self, files: dict[str, bytes], key: Key | None, witnesses: list[Key]) -> None:
        self.files = files
        self.problems: list[dict[str, Any]] = []
        self.manifest = Note(self.text("manifest"), MAX_LONG_NOTE)
        kind, _, said = self.manifest.text[:-1].partition("\n")
        if kind != "flowaudit/pack/v1":
            raise Bad("the manifest is not that of an evidence pack")
        self.said = in_reach(parsed(said))
        if not isinstance(self.said, dict):
            raise Bad("the manifest says nothing")
        self.checkpoint = Checkpoint(self.text("checkpoint"))
        self.events = [parsed(line) for line in lines_of(self.text("events.jsonl"))]
        if not all(map(is_event, self.events)):
            raise Bad("a line of events.jsonl is no event")
        self.is_given = key is not None
        self.own = {Key(self.text("trail.pub")).public}  # the operator's, who is no witness
        self.key = self.follow(key) if key else Key(self.text("trail.pub"))
        self.witnesses = witnesses
        self.erased: list[tuple[int, tuple[str, ...] | None]] = []
        self.erasures: list[tuple[list[tuple[int, int]], set[str]]] = []
        self.identified = 0
        self.seen: dict[bytes, int] = {}

    def text(self, name: str) -> str:
        """A file's text."""
        if name not in self.files:
            raise Bad(f"the pack has no file {name!r}")
        return self.files[name].decode("utf-8", "replace")

    def say(self, what: str, seq: int | None = None) -> None:
        """Note that something does not hold."""
        self.problems.append({"seq": seq, "what": what})

    def follow(self, key: Key) -> Key:
        """From the key that is trusted to the one that signed, as far as each names the next."""
        told: dict[str, list[dict[str, Any]]] = {}
        for event in self.events:
            names = told_of_key(event)
            if names.get("created") and names.get("retired") and names.get("revoked") is None:
                told.setdefault(names["retired"], []).append(event)
        been = {key.text}
        self.own.add(key.public)
        while not key.signed(self.checkpoint):
            heirs = (self.heir(key, event) for event in told.get(key.text, []))
            heir = next((new for new in heirs if new and new.text not in been), None)
            if heir is None:
                break
            key = heir
            been.add(key.text)
            self.own.add(key.public)
        return key

    def heir(self, key: Key, event: dict[str, Any]) -> Key | None:
        """The key that an event names as the next one, if this one has signed that event."""
        name = "keys/{}.tlog-proof".format(event["seq"])
        try:
            proof = Proof(self.text(name))
            if (
                proof.index == event["seq"]
                and proof.checkpoint.origin == self.checkpoint.origin
                and key.signed(proof.checkpoint)
                and proof.leads(leaf_of(event))
            ):
                return Key(told_of_key(event)["created"])
        except (Bad, ValueError):
            pass
        return None

    def run(self) -> dict[str, Any]:
        """Check it all, and say what was found."""
        is_signed = self.key.signed(self.checkpoint)
        if not is_signed:
            self.say("the checkpoint is not signed by " + self.key.short)
        if not self.key.signed(self.manifest):
            self.say("the manifest is not signed by " + self.key.short)
        if self.said.get("trail") != self.checkpoint.origin:
            self.say("manifest and checkpoint are of different trails")
        self.check_files()
        for event in self.events:
            self.check_event(event)
            self.check_turn(event)
        for seq in unexcused(self.erased, self.erasures):
            self.say("the personal part is missing, and no erasure tells of it", seq)
        here = {event["seq"] for event in self.events}
        if len(here) != len(self.events):
            self.say("an event is there twice")
        named = self.said.get("seqs")
        for place in named if isinstance(named, list) else [None]:
            if type(place) is not int or place not in here:
                what = "the manifest names it, and it is not here"
                self.say(what, place if type(place) is int else None)
                break
        self.check_people()
        self.check_statement()
        self.count(self.checkpoint)
        self.check_witnesses()
        return {
            "ok": not self.problems,
            "trail": self.checkpoint.origin,
            "events": len(self.events),
            "size": self.checkpoint.size,
            "root": self.checkpoint.root64,
            "signed_by": self.key.short if is_signed else None,
            "trusted": self.is_given and is_signed,
            "identified": self.identified,
            "erased": len(self.erased),
            "witnesses": len(self.seen),
            "witnessed": max(self.seen.values()) if self.seen else 0,
            "problems": self.problems,
        }

    def check_files(self) -> None:
        """Each file as it was put in, none taken away, none put to it."""
        listed = self.said.get("files")
        listed = listed if isinstance(listed, dict) else {}
        for name in sorted(set(listed) | set(self.files) - {"manifest"}):
            if name not in self.files:
                self.say(f"the file {name!r} is missing")
            elif name not in listed:
                self.say(f"the file {name!r} was put to it")
            elif hashlib.sha256(self.files[name]).hexdigest() != listed[name]:
                self.say(f"the file {name!r} was changed")

    def check_event(self, event: dict[str, Any]) -> None:
        """An event against its proof."""
        seq = event["seq"]
        try:
            leaf, proof = leaf_of(event), Proof(self.text(f"proofs/{seq}.tlog-proof"))
            if proof.index != seq or proof.checkpoint.text != self.checkpoint.text:
                self.say("its proof is of another place or checkpoint", seq)
            elif not proof.leads(leaf):
                self.say("it was changed: its proof does not lead to the checkpoint", seq)
        except (Bad, ValueError) as error:
            self.say(f"it is not proved: {error}", seq)
            return
        if event.get("sealed") is not None:
            self.erased.append((seq, whose(event)))
        try:
            self.erasures.append(ranges_in(facts_of(event, "erase"), seq))
        except Bad as error:
            self.say(str(error), seq)

    def check_turn(self, event: dict[str, Any]) -> None:
        """Whether an event tells that the key that signed had ended before it did."""
        told = told_of_key(event)
        end = event["seq"] + (1 if told.get("revoked") is None else 0)
        if (
            told.get("revoked") or told.get("retired")
        ) == self.key.text and self.checkpoint.size > end:
            self.say("here the key ended that signed the checkpoint later", event["seq"])

    def check_people(self) -> None:
        """Each token against whom it is said to stand for."""
        if "people.json" not in self.files:
            return
        try:
            people = parsed(self.text("people.json"))
        except Bad:
            people = None
        if not (isinstance(people, list) and all(map(is_opening, people))):
            self.say("people.json is no list of tokens, salts and identities")
            return
        for opening in people:
            try:
                is_proved = token_of(opening) == opening["token"]
            except (Bad, ValueError):
                is_proved = False
            self.identified += is_proved
            if not is_proved:
                self.say("a token does not stand for whom it says")

    def count(self, checkpoint: Checkpoint) -> None:
        """Note who has cosigned a checkpoint of this history."""
        for witness in self.witnesses:
            if checkpoint.size and witness.public not in self.own and witness.signed(checkpoint):
                known = self.seen.get(witness.public, 0)
                self.seen[witness.public] = max(known, checkpoint.size)

    def check_witnesses(self) -> None:
        """Each checkpoint that others have seen: is this one grown from it?"""
        for name in sorted(self.files):
            if not (name.startswith("witnesses/") and name.endswith(".checkpoint")):
                continue
            try:
                mark = Checkpoint(self.text(name))
                lines = lines_of(self.text(name[: -len("checkpoint")] + "proof"))
                proof = [bytes_of(line) for line in lines]
            except Bad as error:
                self.say(f"{name} cannot be read: {error}")
                continue
            now = self.checkpoint
            if mark.origin != now.origin or not grown(
                mark.size, mark.root, now.size, now.root, proof
            ):
                self.say(f"{name} is of another history")
                continue
            self.count(mark)

    def check_statement(self) -> None:
        """The statement against the key and the checkpoint."""
        try:
            note = Note(self.text("statement"), MAX_LONG_NOTE)
            lines = note.text[:-1].split("\n")
            said = in_reach(parsed(lines[1])) if len(lines) == 2 else None
            if lines[0] != "flowaudit/statement/v1" or not isinstance(said, dict):
                raise Bad("it is no statement")
        except Bad as error:
            self.say(f"the statement cannot be read: {error}")
            return
        if not self.key.signed(note):
            self.say("the statement is not signed by the same key")
        mark = self.checkpoint
        if (said.get("trail"), said.get("size"), said.get("root")) != (
            mark.origin,
            mark.size,
            mark.root64,
        ):
            self.say("the statement is over another head than the checkpoint")
        if said.get("verified") is not True:
            self.say("the trail did not hold when the pack was made")


def plain(text: str) -> str:
    """Text that shows and does not act: controls, marks of direction and breaks escaped."""
    acting = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in acting else c
        for c in text
    )


def shown(found: dict[str, Any]) -> str:
    """What was found, for people."""
    problems, signer = found["problems"], plain(found["signed_by"] or "")
    if found["ok"]:
        lines = [f"The pack holds: {found['events']} events, each proved."]
    else:
        lines = [f"The pack does NOT hold: {len(problems)} problem(s)."]
    for problem in problems[:20]:
        where = "the pack" if problem["seq"] is None else f"event {problem['seq']}"
        lines.append(f"  {where}: {plain(problem['what'])}")
    lines.append(f"Checkpoint over {found['size']} entries of {plain(found['trail'])}.")
    if found["trusted"]:
        lines.append(f"Signed by {signer}: the key that you gave, or one that it vouches for.")
    elif signer:
        lines.append(f"Signed by {signer}, as the pack itself says:")
        lines.append("give the operator's public key (--key) that you got on another way.")
    upto = f", up to entry {found['witnessed']}" if found["witnesses"] else ""
    lines.append(f"{found['witnesses']} witness(es) cosigned this history{upto}.")
    lines.append(f"{found['identified']} token(s) are proved to stand for whom the pack says.")
    if found["erased"]:
        lines.append(f"{found['erased']} event(s) have had their personal part erased.")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Check a pack; gives the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a console of few characters
    places: list[str] = []
    keys: list[Key] = []
    witnesses: list[Key] = []
    as_json = False
    arguments = iter(argv)
    try:
        for argument in arguments:
            if argument in ("--key", "--witness"):
                name = next(arguments, None)
                if name is None:
                    raise Bad(f"{argument} wants a file")
                with open(name, encoding="utf-8", errors="replace") as file:
                    (keys if argument == "--key" else witnesses).append(Key(file.read(65536)))
            elif argument == "--json":
                as_json = True
            elif argument in ("-h", "--help"):
                print(__doc__)
                return 0
            elif argument.startswith("-"):
                raise Bad(f"there is no option {argument}")
            else:
                places.append(argument)
        own = os.path.dirname(os.path.abspath(__file__))
        place = places[0] if places else own
        found = Check(read_pack(place), keys[0] if keys else None, witnesses).run()
    except (Bad, OSError) as error:
        print(plain(f"not verified: {error}"), file=sys.stderr)
        return 2
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        print(plain(f"not verified: the pack is malformed ({error})"), file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2) if as_json else shown(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
