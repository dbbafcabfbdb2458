"""Proofs, made by the writer itself, that a trail has only grown; for both stores."""

import pytest

from flowaudit.errors import ProofError
from flowaudit.event import Core, encode_core
from flowaudit.proofs.checkpoint import Checkpoint
from flowaudit.proofs.paths import is_consistent
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.vault.place import Place


def test_a_writer_proves_that_its_trail_has_only_grown(trail: Place) -> None:
    with open_trail(trail) as writer:
        for first in (1, 2, 300, 600):
            last = {1: 1, 2: 299, 300: 599, 600: 700}[first]
            records = [
                (encode_core(Core(v=1, source="s" * 26, n=n, ts=n, kind="note")), b"")
                for n in range(first, last + 1)
            ]
            writer.append(records, "s" * 26, last)
            writer.checkpoint()
        with open_reader(trail) as reader:
            marks = [Checkpoint.parse(note) for _, note in reader.checkpoints()]
        assert len(marks) >= 4
        for old in marks:
            for new in marks:
                if old.size > new.size:
                    continue
                proof = writer.consistency(old.size, new.size)
                assert is_consistent(old.size, old.root, new.size, new.root, proof)
                if old.size < new.size:
                    assert not is_consistent(old.size, new.root, new.size, new.root, proof)
        with pytest.raises(ProofError):
            writer.consistency(701, 700)
        with pytest.raises(ProofError):
            writer.consistency(700, 10_000)
