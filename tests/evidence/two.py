"""Holds the two verifiers against each other over one pack's files."""

import json
import zipfile
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from flowaudit.errors import ProofError
from flowaudit.evidence.opened import verify_pack
from flowaudit.proofs.note import VerifierKey

from .forging import NEW_KEY, WITNESS_KEY

Files = dict[str, bytes]
Found = dict[str, Any] | None

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What the stand-alone verifier's `main` takes for a malformed pack, beside its own `Bad`."""


def judged(
    files: Files, alone: ModuleType, folder: Path, key: VerifierKey | None = NEW_KEY
) -> Found:
    """What both find, once it is the same; `None` if both refuse the pack."""
    pack = folder / "pack.zip"
    with zipfile.ZipFile(pack, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    theirs, ours = _theirs(files, alone, key), _ours(pack, key)
    assert _comparable(ours) == _comparable(theirs), (ours, theirs)
    return ours


def _ours(pack: Path, key: VerifierKey | None) -> Found:
    with suppress(ProofError):
        found = verify_pack(pack, key=key, witnesses=(WITNESS_KEY,))
        said: dict[str, Any] = json.loads(json.dumps(found.as_json()))
        return said
    return None


def _theirs(files: Files, alone: ModuleType, key: VerifierKey | None) -> Found:
    try:
        trusted = alone.Key(str(key)) if key is not None else None
        found = alone.Check(files, trusted, [alone.Key(str(WITNESS_KEY))]).run()
        shown = alone.shown(found).replace("\u00a0", " ")  # a space, which does nothing
        assert shown.replace("\n", "").isprintable()
    except (alone.Bad, *_MALFORMED):
        return None
    said: dict[str, Any] = json.loads(json.dumps(found))
    return said


def _comparable(found: Found) -> Found:
    """What both must say: all but the words and the order in which problems are told."""
    if found is None:
        return None
    places = sorted({str(problem["seq"]) for problem in found["problems"]})
    return {**found, "problems": places}
