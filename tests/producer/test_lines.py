"""Files of records: read whatever their wrapping, or refused in a line that says how to convert them."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from streams.outside.lines import Lines, LinesError
from streams.topics import MAX_EVENT_MESSAGE

PLAIN = b'{"a": 1}\n\n{"b": 2}\r\n{"c": 3}'
READ = [(1, b'{"a": 1}'), (3, b'{"b": 2}'), (4, b'{"c": 3}')]


def written(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [PLAIN, gzip.compress(PLAIN), b"\xef\xbb\xbf" + PLAIN, gzip.compress(b"\xef\xbb\xbf" + PLAIN)],
    ids=["plain", "gzip", "byte order mark", "both"],
)
def test_lines_are_numbered_and_can_be_read_again(tmp_path: Path, content: bytes) -> None:
    with Lines(written(tmp_path, content)) as lines:
        assert list(lines) == READ
        assert list(lines) == READ
        assert lines.position == lines.size == len(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a": 1}'.encode("utf-16"), "is UTF-16.*iconv"),
        ('{"a": 1}'.encode("utf-16-le"), "is UTF-16.*iconv"),
        ('{"a": 1}'.encode("utf-16-be"), "is UTF-16.*iconv"),
        (b'[{"a": 1}, {"b": 2}]', r"one JSON array.*jq -c '\.\[\]'"),
        (b' \n[\n  {"a": 1}\n]', "one JSON array"),
        (b'{\n  "a": 1\n}\n{\n  "b": 2\n}\n', "several lines.*jq -c"),
        (b'{"a":\n1}\n', "several lines"),
        (b'{\n "a": "' + b"x" * 100_000 + b'"\n}\n', "several lines"),
        (b"\x28\xb5\x2f\xfd....", "zstd -dc"),
        (b"PK\x03\x04....", "unzip -p"),
        (gzip.compress(PLAIN * 10_000)[:-200], "damaged gzip after line"),
    ],
)
def test_what_is_no_json_lines_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    with Lines(written(tmp_path, content)) as lines, pytest.raises(LinesError, match=says):
        list(lines)


def test_a_bad_first_line_is_no_reason_to_refuse_the_file(tmp_path: Path) -> None:
    """It is told as a bad line."""
    for first in (b"junk", b'{"a": 1', b'{"a": 1}}', b"{'a': 1}"):
        with Lines(written(tmp_path, first + b"\n" + PLAIN)) as lines:
            assert next(iter(lines)) == (1, first)


def test_raw_takes_whatever_there_is(tmp_path: Path) -> None:
    with Lines(written(tmp_path, b"\xef\xbb\xbf[1]\n\xff\xfe"), raw=True) as lines:
        assert list(lines) == [(1, b"\xef\xbb\xbf[1]"), (2, b"\xff\xfe")]


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    with Lines(written(tmp_path, b"x" * (MAX_EVENT_MESSAGE + 100_000) + b"\n" + b"{}\n")) as lines:
        (_, long), last = lines
    assert (len(long), last) == (MAX_EVENT_MESSAGE + 1, (2, b"{}"))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(LinesError, match=r"nowhere\.jsonl: there is no such file"):
        Lines("nowhere.jsonl")


def test_standard_input_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO(gzip.compress(PLAIN))

    monkeypatch.setattr(sys, "stdin", Pipe)
    with Lines("-") as lines:
        assert lines.name == "standard input"
        assert list(lines) == list(lines) == READ


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes")
def test_a_named_pipe_can_be_read_again(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(PLAIN,))
    writer.start()
    with Lines(str(pipe)) as lines:
        assert list(lines) == list(lines) == READ
    writer.join()
