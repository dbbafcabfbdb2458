"""Lines out of files: split, decoded, bounded, plain and gzip."""

import base64
import gzip
import hashlib
import io
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowaudit.errors import ImportFormatError
from flowaudit.journeys import lines
from flowaudit.journeys.lines import MAX_LINE_BYTES, lines_of, open_log, survey


def read(data, size=None):
    return list(lines_of(io.BytesIO(data), len(data) if size is None else size))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\n\n", ["a", ""]),
        (b"a\r\nb\r\r\n", ["a", "b\r"]),
        (b"a\rb\x0bc\x0cd\x1ce\n", ["a\rb\x0bc\x0cd\x1ce"]),
        ("é\u2028\x85\n".encode(), ["é\u2028\x85"]),
        (b"caf\xe9\ncaf\xc3\xa9\n", ["caf\xe9", "caf\xe9"]),
        (b"\xff\xc3\xa9\n", ["\xff\xc3\xa9"]),
        (b"\x00\n", ["\x00"]),
    ],
    ids=repr,
)
def test_lines_are_split_at_newline_alone(data, expected):
    assert read(data) == expected


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 7))
def test_lines_do_not_depend_on_where_blocks_end(data, block):
    data = b"-" + data  # or it could begin as gzip does
    before = lines.BLOCK_BYTES
    lines.BLOCK_BYTES = block
    try:
        found = read(data)
    finally:
        lines.BLOCK_BYTES = before
    assert found == read(data)


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
def test_a_line_too_long_is_one_line_without_text(monkeypatch, block):
    monkeypatch.setattr(lines, "BLOCK_BYTES", block)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    long = b"x" * 50
    assert read(b"a\n" + long + b"\nb\n" + long) == ["a", None, "b", None]
    assert read(b"0123456789\n0123456789a\n") == ["0123456789", None]
    assert read(long + b"\n" + long + b"\n\n") == [None, None, ""]


def test_a_long_line_is_not_held_in_memory():
    assert MAX_LINE_BYTES <= 1 << 20


def test_only_the_bytes_that_were_surveyed_are_read():
    assert read(b"a\nb\nc\n", size=4) == ["a", "b"]


def test_gzip_is_told_by_its_first_bytes_and_has_the_content_of_the_plain_file(tmp_path):
    data = b"a\nb\n" * 1000
    for name, stored in [
        ("plain.gz", data),
        ("packed.log", gzip.compress(data)),
        ("joined.log", gzip.compress(data[:100]) + gzip.compress(data[100:])),
    ]:
        (tmp_path / name).write_bytes(stored)
        with open_log(tmp_path / name) as file:
            content = survey(file)
            assert content.size_bytes == len(data)
            assert content.source == (
                base64.b32encode(hashlib.sha256(data).digest()[:16]).decode()[:26].lower()
            )
            assert len(list(lines_of(file, content.size_bytes))) == 2000


@pytest.mark.parametrize("cut", [5, 40, -1])
def test_a_broken_gzip_is_refused(tmp_path, cut):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(os.urandom(500))[:cut])
    with open_log(path) as file, pytest.raises(ImportFormatError, match="gzip"):
        survey(file)


def test_a_pipe_is_read_twice_all_the_same(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"a\nb\n",))
    writer.start()
    with open_log(path) as file:
        content = survey(file)
        assert list(lines_of(file, content.size_bytes)) == ["a", "b"]
    writer.join()


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_cannot_be_read_is_a_sentence(tmp_path, name):
    with pytest.raises(ImportFormatError, match="cannot be read"), open_log(tmp_path / name):
        pass


def test_progress_comes_to_its_end_in_both_rounds():
    told = []
    data = b"a\n" * 10
    survey(io.BytesIO(data), lambda *step: told.append(step))
    list(lines_of(io.BytesIO(data), len(data), lambda *step: told.append(step)))
    assert told == [("reading", 20, 20), ("importing", 20, 20)]
