"""What was written, synced, named and removed, as strace saw it; and what a power cut leaves of it.

A write counts as durable once an fsync of its file that began after it has returned. What is not
durable may be there or not, each block of it by itself and in any order. Names come and go in
order, as a journalling file system does it, and are durable once their folder was synced.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["CALLS", "Disk", "Step", "read_log"]

CALLS: Final = (
    "write,pwrite64,fsync,fdatasync,ftruncate,fallocate,openat,mkdir,rename,renameat,renameat2,"
    "unlink,unlinkat,link,linkat"
)
"""System calls that say something."""

BLOCK: Final = 4_096
"""Bytes that a disk writes whole or not at all."""

_LINE: Final = re.compile(r"^(\d+) +(.*)$")
_CALL: Final = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_RESUMED: Final = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_QUOTED: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_ON: Final = re.compile(r"^\d+<([^>]*)>")


@dataclass(slots=True)
class Step:
    """Something that was done, in the order of its beginning."""

    kind: str
    """`write` `truncate` `create` `rename` `link` `unlink` `mkdir` `sync` `said`"""
    path: str
    target: str = ""
    at: int = 0
    data: bytes = b""
    ended: int = 0
    """How many steps had begun when it had returned."""


def read_log(log: Path, folder: Path) -> list[Step]:
    """The steps in a folder that succeeded, and what was said on standard output."""
    steps: list[Step] = []
    open_calls: dict[str, tuple[str, int]] = {}
    inside = str(folder)
    for line in log.read_text("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        pid, rest = match.groups()
        if rest.endswith("<unfinished ...>"):
            open_calls[pid] = rest.removesuffix("<unfinished ...>").rstrip(), len(steps)
            steps.append(Step("nothing", ""))
            continue
        resumed, place = _RESUMED.match(rest), len(steps)
        if resumed is not None and pid in open_calls:
            begun, place = open_calls.pop(pid)
            rest = begun + resumed.group(2)
        else:
            steps.append(Step("nothing", ""))
        step = _step(rest, inside)
        if step is not None:
            step.ended = len(steps)
            steps[place] = step
    return steps


def _step(text: str, inside: str) -> Step | None:
    call = _CALL.match(text)
    if call is None or int(call.group(3)) < 0:
        return None
    name, args, result = call.group(1), call.group(2), int(call.group(3))
    quoted = [_text(part) for part in _QUOTED.findall(args)]
    named = [part.decode("utf-8", "replace") for part in quoted]
    on = _ON.match(args)
    path = _path(on.group(1)) if on is not None else ""
    if name == "write" and args.startswith("1<"):
        return Step("said", "", data=quoted[0])
    if name in ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate"):
        return _on_file(name, args, path, quoted, result) if path.startswith(inside) else None
    if not named or not named[-1].startswith(inside):
        return None
    if name == "openat":
        return Step("create", named[0], at=int("O_TRUNC" in args)) if "O_CREAT" in args else None
    if name in ("unlink", "unlinkat", "mkdir"):
        return Step(name.removesuffix("at"), named[0])
    return Step("link" if "link" in name else "rename", named[0], named[1])


def _on_file(name: str, args: str, path: str, quoted: list[bytes], result: int) -> Step:
    numbers = [int(part) for part in re.findall(r"(?:^|, )(\d+)(?=,|$)", args)]
    match name:
        case "fsync" | "fdatasync":
            return Step("sync", path)
        case "ftruncate":
            return Step("truncate", path, at=numbers[-1])
        case "fallocate":
            return Step("grow", path, at=numbers[-1])
        case "pwrite64":
            return Step("write", path, at=numbers[-1], data=quoted[0][:result])
        case _:
            return Step("append", path, data=quoted[0][:result])


def _text(part: str) -> bytes:
    return bytes.fromhex(part.replace("\\x", ""))


def _path(text: str) -> str:
    return _text(text).decode() if "\\x" in text else text


@dataclass(slots=True)
class _File:
    """A file's content as it is for whoever reads it, and the steps that are not durable yet."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    loose: list[tuple[int, Step]] = field(default_factory=list)
    """Each with its place among all steps."""
    synced: int = -1
    """Place of the newest step that is durable."""


class Disk:
    """The disk as it is after some steps; asked what a cut at this moment may leave."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._loose_names: list[tuple[int, dict[str, _File]]] = []
        self._taken = 0
        self._syncs: list[tuple[int, Callable[[], None]]] = []

    def take(self, step: Step) -> None:
        """One step more."""
        self._taken += 1
        for ended, complete in [one for one in self._syncs if one[0] < self._taken]:
            complete()
            self._syncs.remove((ended, complete))
        file = self._names.get(step.path)
        match step.kind:
            case "create":
                if file is None:
                    self._rename({**self._names, step.path: _File()})
                elif step.at:
                    self._do(file, Step("truncate", step.path, at=0))
            case "rename" | "link":
                if file is not None:
                    names = {**self._names, step.target: file}
                    if step.kind == "rename":
                        del names[step.path]
                    self._rename(names)
            case "unlink":
                self._rename({k: v for k, v in self._names.items() if k != step.path})
            case "sync":
                self._syncs.append((step.ended, self._begun_sync(file)))
            case "write" | "truncate" | "grow" | "append" if file is not None:
                self._do(file, step)

    def _begun_sync(self, file: _File | None) -> Callable[[], None]:
        """What is durable once a sync that begins now has returned."""
        place, names = self._taken, self._names
        data = b"" if file is None else bytes(file.data)

        def complete() -> None:
            if file is None:  # a folder; others are taken to be journalled with it
                self._durable_names = names
                self._loose_names = [one for one in self._loose_names if one[0] > place]
            elif file.synced < place:
                file.synced, file.durable = place, bytearray(data)
                file.loose = [one for one in file.loose if one[0] > place]

        return complete

    def _rename(self, names: dict[str, _File]) -> None:
        self._names = names
        self._loose_names.append((self._taken, names))

    def _do(self, file: _File, step: Step) -> None:
        _apply(file.data, step)
        file.loose.append((self._taken, step))

    def cut(self, rng: random.Random, share: float) -> Iterator[tuple[str, bytes]]:
        """Paths and contents that a cut leaves, of what is not durable about this share."""
        steps = [self._durable_names, *(names for _, names in self._loose_names)]
        names = steps[round(share * (len(steps) - 1))] if share in (0, 1) else rng.choice(steps)
        for path, file in names.items():
            data = bytearray(file.durable)
            for _, step in file.loose:
                for part in _blocks(step):
                    if rng.random() < share:
                        _apply(data, part)
            yield path, bytes(data)


def _apply(data: bytearray, step: Step) -> None:
    at = len(data) if step.kind == "append" else step.at
    match step.kind:
        case "truncate":
            del data[at:]
            data.extend(bytes(at - len(data)))
        case "grow":
            data.extend(bytes(max(0, at - len(data))))
        case _:
            data.extend(bytes(max(0, at - len(data))))
            data[at : at + len(step.data)] = step.data


def _blocks(step: Step) -> Iterator[Step]:
    """A write in the pieces that reach a disk whole."""
    if step.kind != "write":
        yield step
        return
    start = 0
    while start < len(step.data):
        end = min(len(step.data), start + BLOCK - (step.at + start) % BLOCK)
        yield Step("write", step.path, at=step.at + start, data=step.data[start:end])
        start = end
