"""Files of wire records, one JSON object per line: opened whatever their wrapping, or refused in one clear line."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from streams.topics import MAX_EVENT_MESSAGE

_HEAD = 1 << 16
#: Standard input stays in memory up to this size, then goes to a temporary file.
_IN_MEMORY = 64 << 20
_UTF8_MARK = b"\xef\xbb\xbf"
_PACKED = (
    (b"\x28\xb5\x2f\xfd", "zstd -dc"),
    (b"BZh", "bzip2 -dc"),
    (b"\xfd7zXZ", "xz -dc"),
    (b"PK\x03\x04", "unzip -p"),
)


class LinesError(RuntimeError):
    """A file cannot be read as JSON lines."""


class NoFile(LinesError):
    """There is no such file, or it may not be read."""

    exit_code = 2


class Lines:
    """The lines of a file, or of standard input for ``-``; may be read several times.

    Gzip is unpacked, by content and not by name, and a byte order mark passed over. What is no JSON lines (an array,
    one object over several lines, UTF-16, another packing) raises ``LinesError`` that says how to convert it; ``raw``
    takes whatever there is, line by line.
    """

    def __init__(self, source: str, *, raw: bool = False) -> None:
        self.name = "standard input" if source == "-" else source
        self._raw, self._stack = raw, ExitStack()
        self._file: BinaryIO = self._open(source)
        self.size = self._file.seek(0, 2)
        """Bytes, packed as they are."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def position(self) -> int:
        """How many of the bytes have been read."""
        return self._file.tell()

    def _open(self, source: str) -> BinaryIO:
        try:
            file = sys.stdin.buffer if source == "-" else self._stack.enter_context(Path(source).open("rb"))  # noqa: SIM115
        except IsADirectoryError as error:
            raise NoFile(
                f"{source} is a folder: name a file in it, or send all of them through a pipe "
                f"(cat {source.rstrip('/')}/*.jsonl) and give - in place of the name."
            ) from error
        except FileNotFoundError as error:
            raise NoFile(
                f"{source}: there is no such file (looked for in {Path.cwd()}). A file has wire records as JSON "
                "lines; - is standard input."
            ) from error
        except OSError as error:
            raise NoFile(f"{source}: {error.strerror}.") from error
        if source != "-" and file.seekable():
            return file
        spool = self._stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 (the stack closes it)
        shutil.copyfileobj(file, spool)
        return cast(BinaryIO, spool)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(number, line without its end) of every line that is not blank. One longer than any record may be is cut."""
        number = 0
        try:
            stream = self._unpacked()
            while line := stream.readline(MAX_EVENT_MESSAGE + 1):
                number += 1
                value = line.rstrip(b"\r\n")
                while not line.endswith(b"\n") and (line := stream.readline(_HEAD)):
                    pass
                if value.strip():
                    yield number, value
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise LinesError(f"{self.name} is damaged gzip after line {number}: {error}. Fetch it anew.") from error

    def _unpacked(self) -> BinaryIO:
        self._file.seek(0)
        packed = self._file.read(2) == b"\x1f\x8b"
        self._file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._file, mode="rb")) if packed else self._file
        if self._raw:
            return stream
        head = stream.read(_HEAD)
        self._refuse(head)
        stream.seek(len(_UTF8_MARK) if head.startswith(_UTF8_MARK) else 0)
        return stream

    def _refuse(self, head: bytes) -> None:
        for magic, command in _PACKED:
            if head.startswith(magic):
                raise self._not_lines("is packed", command)
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") or (b"\0" in head[:2] and b"{" in head[:2]):
            raise self._not_lines("is UTF-16; JSON lines are UTF-8", "iconv -f UTF-16 -t UTF-8")
        text = head.removeprefix(_UTF8_MARK).decode(errors="replace").lstrip()
        if text.startswith("["):
            raise self._not_lines("is one JSON array; JSON lines have an object each", "jq -c '.[]'")
        if _spans_lines(text):
            raise self._not_lines("has objects over several lines; JSON lines have one on each", "jq -c .")

    def _not_lines(self, what: str, command: str) -> LinesError:
        return LinesError(f"{self.name} {what}. Convert it: {command} FILE > NEW.jsonl")


def _spans_lines(text: str) -> bool:
    first = text.partition("\n")[0].rstrip()
    if not first.startswith("{"):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return first == "{"
    return end > len(first)
