"""Packs made by hand from the formats alone, so that everything fits but what a test makes odd."""

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flowaudit.proofs.merkle import Tree
from flowaudit.proofs.note import (
    COSIGNATURE,
    Note,
    VerifierKey,
    cosignature_line,
    signature_line,
)
from flowaudit.proofs.paths import TileTree
from flowaudit.vault.base import token_of

ORIGIN = "flowaudit/abcdefghijklmnop"
OLD, NEW, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
SALT = bytes(range(16))
SEALED = bytes(range(32)).hex()
ROTATED, SEEN = 7, 5
"""Sizes that the old key has signed: over the event that names the new one; for a witness."""


def public(private: Ed25519PrivateKey, name: str = ORIGIN, kind: bytes = b"\x01") -> VerifierKey:
    return VerifierKey(name, private.public_key().public_bytes_raw(), kind)


OLD_KEY, NEW_KEY = public(OLD), public(NEW)
WITNESS_KEY = public(WITNESS, "witness/w", COSIGNATURE)
TOKEN = token_of(SALT, "user:ann")


def event(n: int, **more: Any) -> dict[str, Any]:
    return {"v": 1, "source": "s" * 26, "n": n, "ts": n, "kind": "note", **more}


def erasure(n: int, seqs: Any) -> dict[str, Any]:
    facts = {"erases": {"tokens": [TOKEN], "seqs": seqs}}
    return event(n, kind="ops", action="erase", facts=facts)


def rotation(n: int, **told: Any) -> dict[str, Any]:
    key = {"created": str(NEW_KEY), "retired": str(OLD_KEY), **told}
    return event(n, kind="ops", action="key", facts={"key": key})


@dataclass
class Forged:
    """Everything that a pack is made of, to be changed before it is signed."""

    cores: list[Any] = field(
        default_factory=lambda: [
            event(1, actor=TOKEN),
            event(2),
            event(3),
            event(4),
            event(5, actor=TOKEN),
            erasure(6, [[4, 4]]),
            rotation(7),
            event(8),
        ]
    )
    rest: dict[int, dict[str, Any]] = field(
        default_factory=lambda: {
            1: {"personal": '{"path":"/"}', "salt": SALT.hex()},
            4: {"sealed": SEALED},
        }
    )
    """What stands beside a core: personal part and salt, or what is sealed."""

    people: Any = field(
        default_factory=lambda: [{"token": TOKEN, "salt": SALT.hex(), "identity": "user:ann"}]
    )
    statement: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    encode: Callable[[Any], str] = json.dumps

    def files(self) -> dict[str, bytes]:
        """All files but the manifest."""
        cores = [self.encode(core) for core in self.cores]
        size = len(cores)
        tree = self._tree(cores)
        mark = checkpoint(size, tree.root(size), NEW)
        events = [
            {"seq": seq, "core": core, **self.rest.get(seq, {})} for seq, core in enumerate(cores)
        ]
        said = {"trail": ORIGIN, "size": size, "root": encode64(tree.root(size)), "verified": True}
        seen = checkpoint(SEEN, tree.root(SEEN), OLD)
        cosigned = cosignature_line(WITNESS, WITNESS_KEY.name, text_of(seen), 1_700_000_000)
        files = {
            "events.jsonl": "".join(self.encode(each) + "\n" for each in events),
            "checkpoint": mark,
            "people.json": self.encode(self.people),
            "statement": signed(f"flowaudit/statement/v1\n{self.encode(said | self.statement)}\n"),
            "trail.pub": f"{NEW_KEY}\n",
            "keys/6.tlog-proof": proof(tree, 6, checkpoint(ROTATED, tree.root(ROTATED), OLD, NEW)),
            f"witnesses/{SEEN}.0.checkpoint": f"{seen}{cosigned}\n",
            f"witnesses/{SEEN}.0.proof": lines(tree.consistency(SEEN, size)),
        }
        for seq in range(size):
            files[f"proofs/{seq}.tlog-proof"] = proof(tree, seq, mark)
        return {name: text.encode() for name, text in files.items()}

    def sealed(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """The files with a manifest that fits them."""
        listed = {name: sha256(data).hexdigest() for name, data in files.items()}
        said = {"trail": ORIGIN, "seqs": [1, 4], "files": listed, **self.manifest}
        return {**files, "manifest": signed(f"flowaudit/pack/v1\n{self.encode(said)}\n").encode()}

    def _tree(self, cores: Sequence[str]) -> TileTree:
        grown, tiles = Tree(), {}
        grown.extend(leaf(core, self.rest.get(seq, {})) for seq, core in enumerate(cores))
        for level, idx, hashes in grown.take_tiles():
            tiles[level, idx] = hashes
        return TileTree(len(cores), lambda level, idx: tiles.get((level, idx)))


def leaf(core: str, rest: dict[str, Any]) -> bytes:
    """What stands for an entry, as far as that makes any sense."""
    sealed = bytes(32)
    with suppress(ValueError, TypeError, AttributeError):
        if rest.get("personal") is not None:
            salt = bytes.fromhex(rest.get("salt", ""))
            sealed = sha256(b"\x02" + salt + rest["personal"].encode()).digest()
        elif rest.get("sealed") is not None:
            sealed = bytes.fromhex(rest["sealed"])
    return sha256(b"\x00" + core.encode() + sealed).digest()


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def lines(hashes: Sequence[bytes]) -> str:
    return "".join(f"{encode64(each)}\n" for each in hashes)


def signed(text: str, *private: Ed25519PrivateKey, name: str = ORIGIN) -> str:
    return str(Note(text, tuple(signature_line(key, name, text) for key in private or (NEW,))))


def checkpoint(size: int, root: bytes, *private: Ed25519PrivateKey) -> str:
    return signed(f"{ORIGIN}\n{size}\n{encode64(root)}\n", *private)


def text_of(note: str) -> str:
    return note.partition("\n\n")[0] + "\n"


def proof(tree: TileTree, seq: int, mark: str) -> str:
    size = int(mark.split("\n")[1])
    return f"c2sp.org/tlog-proof@v1\nindex {seq}\n{lines(tree.inclusion(seq, size))}\n{mark}"
