"""A shop's own files are answered of by two commands, and what the first one started ends with it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from streams.records.events import OrderLine, OrderPlaced
from streams.records.items import ItemListed, StockCounted
from tests import processes
from tests.shoppers import DAY, HOUR, NOON

pytestmark = pytest.mark.kafka
#: Tuesday, 2023-11-14, 00:00 UTC.
FIRST = NOON // DAY * DAY


def written(path: Path, records: list[object]) -> str:
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return str(path)


def test_two_commands_tell_of_a_shops_own_files_what_will_sell_and_what_to_order(tmp_path: Path) -> None:
    tea = OrderLine(item_id="tea", quantity=1, unit_price_cents=450, category="tea")
    orders = [
        OrderPlaced(
            event_id=f"o{n}", order_id=f"o{n}-{k}", shopper_id=f"s{k}", event_time=FIRST + n * DAY // 2, lines=[tea]
        )
        for n in range(80)
        for k in range(12)  # each partition has some of them
    ]
    last_day = FIRST + 39 * DAY
    Random(1).shuffle(orders)
    listed = ItemListed(event_id="l", item_id="tea", event_time=FIRST, unit_price_cents=450, currency="EUR")
    counts = [
        StockCounted(event_id=f"c{n}", item_id="tea", event_time=FIRST + n * DAY + HOUR, on_hand=9) for n in (0, 38)
    ]
    files: dict[str, list[Any]] = {"orders": [*orders], "products": [listed], "stock": [*counts]}
    given = [written(tmp_path / f"{name}.jsonl", [*some]) for name, some in files.items()]
    process = processes.Process[str](
        "streams",
        *("preview", *given, "--port", "0"),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "300", "OFFERSTREAM_PORT": "0", "OFFERSTREAM_MODELS": str(tmp_path / "models")},
    )
    try:
        check(process, last_day)
    finally:
        process.kill()


def check(process: subprocess.Popen[str], last_day: int) -> None:
    """What is said of the files while it runs, and that nothing is left when it was told to stop."""
    assert process.stderr is not None
    told = ""
    while "Ctrl-C ends it" not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    assert "orders.jsonl is not in order of event time (line " in told
    assert "963 applied, 0 duplicate, 0 late, 0 dead" in told
    (broker,) = set(re.findall(r"--broker (\S+)", told))
    done = processes.run("streams", "demand", "--json", "--broker", broker)
    assert not done.returncode, done.stderr
    (found,) = json.loads(done.stdout)
    sales, plan = found["sales"], found["plan"]
    assert (found["item_id"], sales["event_time_ms"]) == ("tea", last_day + DAY)  # its last day is over
    assert (sales["units_7d"], sales["weeks"]) == (
        144,
        [0, 0, 0, 144, 168, 168, 168, 168],
    )  # six days and the one that begins
    assert sales["next_7_days"]["p05"] <= 168 <= sales["next_7_days"]["p95"]
    assert (plan["currency"], plan["order_quantity"] > 0) == ("EUR", True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    process.stderr.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(broker.rpartition(":")[2])), 5)
