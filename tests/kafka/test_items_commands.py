"""What catalogue systems send, and what the command line says of items: sent, checked, watched, repaired, read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from streams.admin import TopicError
from streams.entities.item import ITEM
from streams.features.payload.picture import MAX_BYTES
from streams.outside.inspect import features_at
from streams.producer.replay import records_of
from streams.records.items import ItemListed, ItemReviewed, StockCounted, encode_item_record
from streams.topics import CATALOG, EVENTS, REVIEWS, STOCK
from tests import processes
from tests.features.files import picture
from tests.kafka.harness import Cluster, wait_until
from tests.shoppers import DAY, HOUR, NOON, ordered

pytestmark = pytest.mark.kafka
CATALOGUE = (Path(__file__).parents[2] / "docs/catalogue.md").read_text()


def run(cluster: Cluster, *arguments: str, ok: bool = True, stdin: str = "") -> str:
    done = processes.run(
        "streams",
        *arguments,
        input=stdin,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "OFFERSTREAM_BROKER": cluster.bootstrap,
            "OFFERSTREAM_APP_ID": cluster.app_id,
            "COLUMNS": "300",
        },
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


def wait_for(cluster: Cluster, item: str, address: str, value: float) -> dict[str, list[float]]:
    """The features of an item once one of them has a value."""
    features: dict[str, list[float]] = {}

    def known() -> bool:
        with suppress(TopicError):  # nothing is known of it yet
            features.update(features_at(cluster.settings(), item, None, ITEM)[1])
        return features.get(address) == [value]

    wait_until(known, told=cluster.workers[-1].tail)
    return features


def test_the_producer_in_the_docs_is_heard(cluster: Cluster) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", CATALOGUE, re.MULTILINE | re.DOTALL)
    assert len(code.strip().splitlines()) <= 11
    assert "127.0.0.1:9092" in code
    code = code.replace("127.0.0.1:9092", cluster.bootstrap)
    worker = cluster.worker()
    sent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert sent.returncode == 0, sent.stderr
    features = wait_for(cluster, "tea-1", "stock.on_hand", 20)
    assert (features["price.now"], features["stock.on_order"], features["listing.listed"]) == ([450], [100], [1])
    worker.stop()


def test_a_file_of_events_and_catalogue_is_sent_by_type_and_read_back(cluster: Cluster) -> None:
    listed = ItemListed(event_id="l", item_id="tea", event_time=NOON, unit_price_cents=450, title="Tea")
    counted = StockCounted(event_id="c", item_id="tea", event_time=NOON + HOUR, on_hand=9)
    reviewed = ItemReviewed(event_id="r", item_id="tea", event_time=NOON + HOUR, rating=4, shopper_id="ann")
    records = (listed, counted, reviewed, ordered("ann", NOON + 2 * HOUR, "o1", item_id="tea"))
    lines = [(record.value or b"").decode() for record in records_of(records)]
    worker = cluster.worker(idle_tick_seconds="1")
    worker.wait_ready()
    said = run(cluster, "replay", "-", "--format", "jsonl", "--wait", stdin="\n".join([*lines, lines[1]]))
    assert all(topic.name in said for topic in (CATALOG, STOCK, REVIEWS, EVENTS))
    assert "5 records sent" in said
    # What items are told of the order may be among what was applied by then.
    assert re.search("Fates: [45] applied, 1 duplicate, 0 late, 0 dead", said)
    assert [len(cluster.read(t.name)) for t in (CATALOG, STOCK, REVIEWS)] == [1, 2, 1]

    # The last minute of the history is told when nothing more comes.
    wait_for(cluster, "tea", "sales.orders", 1)
    shown = json.loads(run(cluster, "features", "show", "item", "tea", "--json"))
    assert shown["item_id"] == "tea"
    assert (shown["features"]["stock.on_hand"], shown["features"]["reviews.rating"]) == ([9], [4])
    assert shown["features"].keys() == ITEM.catalogue.features.keys()
    table = [line.split() for line in run(cluster, "features", "show", "item", "tea").splitlines()]
    assert table[0] == ["tea", "as", "of", datetime.fromtimestamp(shown["as_of_ms"] / 1000, UTC).isoformat()]
    values = {address: numbers for address, *numbers in filter(None, table[1:])}
    assert values["price.now"] == ["450", "cents"]
    assert len(values["sales.revenue_hour_share"]) == 24 + 1
    # At another time: what was sold is out of every window, what was counted still holds.
    later = json.loads(run(cluster, "features", "show", "item", "tea", "--at", "2024-01-31T00:00:00Z", "--json"))
    assert [later["features"][a] for a in ("sales.units_30d", "stock.on_hand", "stock.days_out_30d")] == [[0], [9], [0]]
    assert json.loads(run(cluster, "features", "show", "ann", "--json"))["shopper_id"] == "ann"
    assert json.loads(run(cluster, "features", "show", "shopper", "ann", "--json"))["features"]["orders.count"] == [1]
    told = run(cluster, "features", "show", "item", "nothing", ok=False)
    assert "Nothing is known of item 'nothing'" in told

    # Of one item: what is told of it and what is said about it, and nothing of others.
    seen = run(
        cluster,
        *["watch", "catalogue", "items", "events", "--from", "beginning", "--item", "tea", "--limit", "6", "--json"],
    )
    found = [json.loads(line) for line in seen.splitlines()]
    assert {(each["kind"], each["item_id"]) for each in found} == {("catalogue", "tea"), ("items", "tea")}
    words = run(cluster, *["watch", "catalogue", "--from", "beginning", "--limit", "4"])
    assert "item listed: Tea, price 4.50" in words
    assert "item reviewed: 4 of 5 stars" in words

    # What reviews say of it, and that of an item without any nothing is known.
    assert "1 review since 2022-11-24 gives 4.0 stars." in run(cluster, "reviews", "tea")
    assert json.loads(run(cluster, "reviews", "tea", "--json"))["newest"]["review_id"] == "r"
    assert "No review of nothing is known" in run(cluster, "reviews", "nothing", ok=False)
    assert "reviews: 1 review since" in run(cluster, *["watch", "reviewed", "--from", "beginning", "--limit", "1"])

    # What is older than what its topic has come to is refused, unless it is forced.
    stale = encode_item_record(StockCounted(event_id="c0", item_id="tea", event_time=NOON - 2 * HOUR, on_hand=99))
    refused = run(cluster, "replay", "-", "--format", "jsonl", stdin=stale.decode(), ok=False)
    assert f"of {STOCK.name}, where it belongs, has come to" in refused
    assert "1 late" in run(cluster, "replay", "-", "--format", "jsonl", "--force", "--wait", stdin=stale.decode())
    worker.stop()


def test_a_listing_with_a_large_picture_arrives_and_a_larger_one_is_a_dead_letter(cluster: Cluster) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1600, 1600, 3))
    large, larger = picture(noise[:1380, :1380]), picture(noise)
    assert 5_700_000 < len(large) < MAX_BYTES < len(larger)
    listings = [
        ItemListed(event_id=str(n), item_id="tea", event_time=NOON + n, unit_price_cents=450 + n, image=image)
        for n, image in enumerate((larger, large))
    ]
    beside = ItemListed(
        event_id="2", item_id="cups", event_time=NOON + 2, unit_price_cents=9, image=picture(noise[:96, :96])
    )
    lines = [(record.value or b"").decode() for record in records_of([*listings, beside])]
    worker = cluster.worker()
    worker.wait_ready()
    assert "10256738 bytes" in run(cluster, "replay", "-", "--format", "jsonl", stdin="\n".join(lines), ok=False)
    said = run(cluster, "replay", "-", "--format", "jsonl", "--wait", "--raw", stdin="\n".join(lines))
    assert "Fates: 2 applied, 0 duplicate, 0 late, 1 dead" in said
    assert wait_for(cluster, "tea", "price.now", 451)["listing.listed"] == [1]
    wait_for(cluster, "cups", "price.now", 9)
    found = json.loads(run(cluster, "similar", "tea", "--json"))
    assert [one["item_id"] for one in found["similar"]] == ["cups"]
    assert -1 <= found["similar"][0]["cosine"] <= 1
    assert found["made_of"] == ["picture"]
    for by in ((), ("--pictures",)):
        assert "by its picture; of 2 items these are like it" in run(cluster, "similar", "cups", *by)
    assert "No picture of soap is known" in run(cluster, "similar", "soap", ok=False)
    assert "at most 8388608 are read" in run(cluster, *["watch", "dead", "--from", "beginning", "--limit", "1"])
    worker.stop()


def test_bad_and_late_records_of_a_catalogue_go_back_to_their_topics(cluster: Cluster, tmp_path: Path) -> None:
    def counted(event_id: str, on_hand: int, at: int = NOON) -> StockCounted:
        return StockCounted(event_id=event_id, item_id="tea", event_time=at, on_hand=on_hand)

    late = counted("c0", 7, NOON - DAY)
    worker = cluster.worker()
    cluster.send_catalogue([(STOCK.name, counted("c1", 5))])
    wait_for(cluster, "tea", "stock.on_hand", 5)
    cluster.send_catalogue([(STOCK.name, late)])
    bad = encode_item_record(counted("c2", 6)).decode().replace(":6", ":-6")
    run(cluster, "replay", "-", "--format", "jsonl", "--raw", stdin=bad)
    seen = run(cluster, *["watch", "dead", "late", "--from", "beginning", "--item", "tea", "--limit", "2"])
    assert "dead letter: invalid at on_hand: Expected `int` >= 0. Whoever has promised more than there is" in seen
    assert seen.count(f" [{STOCK.name}/") == 2
    assert f"late: event c0 came 23.0 hours behind the watermark [{STOCK.name}/" in seen

    out, originals = tmp_path / "repair.jsonl", tmp_path / "late.jsonl"
    run(cluster, "dead-letters", "--originals", str(out))
    out.write_text(out.read_text().replace(":-6", ":6"))
    assert "1 records: 1 good, 0 bad" in run(cluster, "check", str(out))
    assert STOCK.name in run(cluster, "replay", str(out), "--format", "jsonl", "--wait")
    wait_for(cluster, "tea", "stock.on_hand", 6)
    said = run(cluster, "late-events", "--originals", str(originals))
    assert said.startswith("1 late events; 0 more had been sent before.")
    assert originals.read_bytes() == encode_item_record(late) + b"\n"
    worker.stop()
