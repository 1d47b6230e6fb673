"""Notes how long the event loop was held by one thing: meanwhile nobody is answered, and no heartbeat is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: How often the loop is asked for a turn. What is told of a block is short by up to this much.
EVERY_SECONDS = 0.01


async def watch_loop(longest: Callable[[float], None]) -> None:
    """Tell the longest time in seconds that a turn came late, whenever one is beaten; until cancelled."""
    beaten = 0.0
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(EVERY_SECONDS)
        late = time.perf_counter() - asked - EVERY_SECONDS
        if late > beaten:
            beaten = late
            longest(late)
