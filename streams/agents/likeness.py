"""An encoder beside the event loop: vectors of what is listed and of what is asked over HTTP.

One thread of lower priority encodes one text at a time, queries first. Shoppers' slices never wait for it: nothing in
the log depends on it (``docs/decisions/0020``), and who asks over HTTP waits for their own query alone. More than
``WAITING`` queries are not waited for, and an item that was not encoded yet stands where the index puts it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from streams.search.index import Document
from streams.search.likeness import read_of

log = logging.getLogger(__name__)
Vectors = npt.NDArray[np.float32]
#: So many queries wait at most; the next are answered without the encoder.
WAITING = 32
#: By how much the thread's priority is lower than the worker's.
_NICER = 10


class Likeness:
    """What an encoder says of items and queries. ``encode``: [n, width] of texts, of length 1; ``name``: its name and
    version."""

    def __init__(self, encode: Callable[[Sequence[str]], Vectors], name: str) -> None:
        self._encode, self.name = encode, name
        self._vectors: dict[str, npt.NDArray[np.float16]] = {}
        self._items: dict[str, str] = {}
        """What is still to be encoded of which items: at most all that are listed …"""
        self._encoding = ""
        """… and which one is being encoded, unless something else is said of it meanwhile."""
        self._asked: deque[tuple[str, asyncio.AbstractEventLoop, asyncio.Future[Vectors | None]]] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="likeness", daemon=True)
        self._thread.start()

    def put(self, item: str, said: Document) -> None:
        """An item is listed, or something else is said of it."""
        with self._changed:
            self._forget(item)
            if text := read_of(said):
                self._items[item] = text
                self._changed.notify()

    def drop(self, item: str) -> None:
        """An item is listed no more."""
        with self._changed:
            self._forget(item)

    def _forget(self, item: str) -> None:
        self._items.pop(item, None)
        self._vectors.pop(item, None)
        if self._encoding == item:
            self._encoding = ""

    async def of_query(self, query: str) -> Vectors | None:
        """[width] of a query; None where too many wait, or encoding failed."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Vectors | None] = loop.create_future()
        with self._changed:
            if self._stopped or len(self._asked) >= WAITING:
                return None
            self._asked.append((query, loop, answer))
            self._changed.notify()
        return await answer

    def of_items(self, items: Sequence[str], query: Vectors) -> npt.NDArray[np.float64]:
        """[n] the cosine of each item and a query; NaN of those that are not encoded yet."""
        with self._changed:
            found = [self._vectors.get(item) for item in items]
        return np.array([np.nan if each is None else each.astype(np.float32) @ query for each in found], np.float64)

    def waiting(self) -> int:
        """Items that are still to be encoded."""
        return len(self._items)

    def stop(self) -> None:
        """Encode nothing more; who waits gets None."""
        with self._changed:
            self._stopped = True
            for _, loop, answer in self._asked:
                _tell(loop, answer, None)
            self._asked.clear()
            self._changed.notify()

    def _run(self) -> None:
        # A thread has a priority of its own on Linux only.
        with suppress(AttributeError, OSError):
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICER)
        try:
            while self._next():
                pass
        except Exception:
            log.exception("The encoder %s failed: searches are answered without it", self.name)
            self.stop()

    def _next(self) -> bool:
        """Encode one text; False once it is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._asked or self._items)
            if self._stopped:
                return False
            asked = self._asked.popleft() if self._asked else None
            self._encoding = item = "" if asked else next(iter(self._items))
            text = asked[0] if asked else self._items.pop(item)
        try:
            vector = self._encode([text])[0]
        except Exception:
            if asked:
                _tell(asked[1], asked[2], None)
            raise
        if asked:
            _tell(asked[1], asked[2], vector)
        else:
            with self._changed:
                if self._encoding == item:
                    self._vectors[item] = vector.astype(np.float16)
        return True


def _tell(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Vectors | None], vector: Vectors | None) -> None:
    """Answer in the loop of who asked; nobody waits where it has ended."""

    def tell() -> None:
        if not answer.done():
            answer.set_result(vector)

    with suppress(RuntimeError):
        loop.call_soon_threadsafe(tell)
