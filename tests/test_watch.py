"""The watch of a worker goes on when what it asks cannot be told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams import app
from streams.metrics import Metrics
from streams.topics import EVENTS


def worker(waiting: Any) -> Any:
    tp = TP(EVENTS.name, 0)
    consumer = SimpleNamespace(assignment=lambda: {tp}, waiting=waiting)
    return SimpleNamespace(
        app=SimpleNamespace(consumer=consumer),
        shopper_events=SimpleNamespace(processors={0: SimpleNamespace(next_offset=5)}),
        lags={0: 17},
        metrics=Metrics(),
    )


def test_a_lag_that_cannot_be_told_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> int:
        raise TimeoutError("no broker")

    async def hangs(*_: Any, **__: Any) -> int:
        await asyncio.sleep(60)
        return 0

    async def answers(*_: Any, **__: Any) -> int:
        return 3

    monkeypatch.setattr(app, "LAG_PATIENCE_SECONDS", 0.05)
    for waiting, expected in ((away, 17), (hangs, 17), (answers, 3)):
        watched = worker(waiting)
        asyncio.run(app._take_lags(watched, ask=True))
        assert watched.lags == {0: expected}
