"""From a catalogue's records to what a search finds on Apache Kafka: in the log and over HTTP, by every worker alike,
also after one was killed; likeness counts where there is an encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from models.encoder import of_folder
from models.store import Store
from streams.records import events as e
from streams.records.items import ItemChanged, ItemDelisted, ItemListed, ItemRecord
from streams.topics import CATALOG, SEARCH_RANKINGS
from tests.kafka.harness import Cluster, Worker, wait_until
from tests.kafka.test_campaigns import run, said
from tests.models import encoders
from tests.shoppers import NOON, log_of, ordered

pytestmark = pytest.mark.kafka
TITLES = {"tea": "Green tea, 20 bags", "cup": "Tea cup of glass", "set": "Wireless headset X200", "zh": "蓝牙耳机 黑色"}


def listed(item: str, title: str) -> tuple[str, ItemRecord]:
    record = ItemListed(event_id=f"l-{item}", item_id=item, event_time=NOON, title=title, category_path=["All", item])
    return CATALOG.name, record


def http(worker: Worker, query: str) -> dict[str, Any]:
    status, body = worker.get(f"/search?{query}")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def items(found: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in found["items"]]


def test_searches_find_what_the_catalogue_lists(cluster: Cluster, tmp_path: Path) -> None:
    worker = cluster.worker()
    worker.wait_ready()
    assert http(worker, "q=tea")["why"] == "nothing_found"
    cluster.send_catalogue([listed(item, title) for item, title in TITLES.items()])
    wait_until(lambda: items(http(worker, "q=tea")) == ["tea", "cup"] and bool(items(http(worker, "q=x200"))), worker)
    wait_until(lambda: bool(http(worker, f"q={quote('耳机')}")["items"]), worker)
    assert http(worker, "q=haedset")["corrected"] == "headset"
    assert items(http(worker, "q=tea&n=1")) == ["tea"]

    refused = {"": "/search?q=tea", "q=%20": "/search?q=tea", "q=a&n=0": "1 to 100", "q=a&n=x": "1 to 100"}
    refused |= {"q=" + "a" * 257: "256", "q=a&page=2": "page", "q=a&n=" + "9" * 5000: "1 to 100"}
    for bad, what in refused.items():
        status, body = worker.get(f"/search?{bad}")
        assert (status, what in json.loads(body)["error"]) == (400, True), body

    cluster.send(
        log_of(
            *(
                e.Searched(event_id=f"s{k}", shopper_id=f"shopper-{k}", event_time=NOON, query=query)
                for k, query in enumerate(("green tea", "haedset", "?!", "tea cup unheardof", "x" * 2000))
            )
        )
    )
    cluster.wait_caught_up()
    wait_until(lambda: len(said(cluster, SEARCH_RANKINGS.name)) >= 5, worker)
    found: dict[object, Any] = {ranked["shopper_id"]: ranked for ranked in said(cluster, SEARCH_RANKINGS.name)}
    whys = [found[f"shopper-{k}"]["answer"]["why"] for k in range(5)]
    assert whys == ["all_words", "all_words", "no_words", "some_words", "nothing_found"]
    assert items(found["shopper-0"]["answer"]) == ["tea", "cup"]
    assert found["shopper-0"]["answer"] | {"query": "q"} == http(worker, "q=green+tea") | {"query": "q"}
    assert len(found["shopper-4"]["answer"]["query"]) == 256

    cluster.send(log_of(ordered("shopper-0", NOON + 1, item_id="cup", category="cup")))
    cluster.wait_caught_up()
    liked, plain = ({i["item_id"]: i["score"] for i in http(worker, f"q=tea{who}")["items"]}
                    for who in ("&shopper=shopper-0", "&shopper=nobody"))  # fmt: skip
    assert 1 < liked["cup"] / plain["cup"] < 1.06
    assert liked["tea"] == plain["tea"]

    shown = run(cluster, "search", "haedset", "--json")
    assert (shown.exit_code, json.loads(shown.output)) == (0, http(worker, "q=haedset"))
    assert "Green tea, 20 bags" in run(cluster, "search", "tea", "-n", "1").output
    nothing = run(cluster, "search", "zzzz")
    assert (nothing.exit_code, "4 items are listed" in nothing.output) == (1, True)

    changed = ItemChanged(event_id="c", item_id="cup", event_time=NOON + 1, title="Coffee mug")
    gone = ItemDelisted(event_id="d", item_id="set", event_time=NOON + 1)
    cluster.send_catalogue([(CATALOG.name, changed), (CATALOG.name, gone)])
    wait_until(lambda: items(http(worker, "q=tea")) == ["tea"] and not http(worker, "q=x200")["items"], worker)
    before = http(worker, "q=glass+mug+coffee")
    cluster.wait_caught_up()
    worker.kill()
    store = Store(str(cluster.models))
    store.keep_encoder(of_folder(encoders.folder(tmp_path)))
    again = cluster.worker(search_encoder="tiny")
    again.wait_ready()
    with_encoder = http(again, "q=glass+mug+coffee")
    assert with_encoder["encoder"] == f"tiny {store.encoder('tiny').version}"
    assert set(items(with_encoder)) == set(items(before))
    assert json.loads(run(cluster, "search", "glass mug coffee", "--json").output) == before
    assert with_encoder["catalogue"] == before["catalogue"]
