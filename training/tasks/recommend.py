"""Trains ``recommend``: the items of a shopper's next order, cart or look, of those that a shop's own history knows.

No version ships: it names the items of one shop. Complete Journey, Online Retail and Taobao are measured by
``training/checks/recommend.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.recommend.task import LISTED, WITH_CART
from streams.columns.arrays import Bools, Hashes, Ints
from streams.columns.shopper_events import item_code
from streams.features.kinds.bought import ITEMS_TOLD, code_of, halves, whole
from streams.features.kinds.cart import CART_TOLD
from streams.features.kinds.recent import EVENTS_KEPT
from streams.processing.silence import SilencePolicy
from training import export, needs
from training.baselines import items as baselines
from training.choosing import learned
from training.errors import TrainingError
from training.evaluate import compare, importance
from training.job import CutHistory, Job
from training.labels.horizons import orders_of
from training.needs import Need
from training.networks.recommender import answering, parts_of
from training.new_items import likeness_of
from training.ranking import measured
from training.recommending import CATALOGUE, Catalogue, Examples, as_session, examples, touches_of
from training.replay import EVENT
from training.split import window
from training.together import affinity, in_visits, together

Floats32 = npt.NDArray[np.float32]

SHIPPED: dict[str, str] = {}
FEWER = "The items of a next order are learned from few orders: what is popular may be all that is found."
NEEDS = (
    Need("shoppers with an event before the cut", needs.shoppers_before, 100, 1_000, FEWER),
    Need("events before the cut", needs.events_before, 1_000, 40_000, FEWER),
    Need("events after the cut", needs.events_after, 200, 10_000, "Its share of items found is told by few orders."),
)
#: Items that are explored, the most touched: so a row stays below its budget. And how many a shop has at least.
EXPLORED, LEAST = 512, 48
#: Rows that teach at most, drawn from all.
ROWS = 120_000
ONCE = SilencePolicy(firings=1)
#: What listings say that items are like is asked of another model.
EMBEDS = True
#: Of the baselines: what a line one basket older counts.
FADES = 0.98


@dataclass(frozen=True)
class Shop:
    """A history as rows, and what came after each."""

    given: CutHistory
    found: Examples
    following_ms: Ints
    """[n] when the next event came; -1: none did."""

    @property
    def taught(self) -> Ints:
        """Rows whose next event was known before the cut."""
        return np.flatnonzero((self.following_ms >= 0) & (self.following_ms < self.given.cut_ms))

    @property
    def tested(self) -> Ints:
        """Of each shopper the row before their first event after the cut: of what is known at the cut."""
        rows = np.flatnonzero(self.following_ms >= self.given.cut_ms)
        rows = rows[np.lexsort((-self.found.at_ms[rows], self.following_ms[rows], self.found.shopper[rows]))]
        _, first = np.unique(self.found.shopper[rows], return_index=True)
        chosen: Ints = rows[first]
        return chosen


def train(job: Job) -> Artifact:
    """Train, evaluate beside the baselines on the same rows, export and prove. Raises ``TrainingError`` for a catalogue
    of a few items, or of several histories: a version names the items of one shop."""
    if len(job.histories) != 1:
        raise TrainingError("recommend learns the items of one shop: give one history.")
    shop = _shop(job, job.histories[0])
    history, found = shop.given.history, shop.found
    before = np.flatnonzero(history.time_ms < shop.given.cut_ms)
    catalogue = Catalogue.of_shop(history.touch_item[touches_of(history, before)[0]])
    if len(catalogue) < LEAST:
        raise TrainingError(
            f"{shop.given.name} names {len(catalogue)} items before the cut, at least {LEAST} are needed."
        )
    rng = np.random.default_rng(job.seed)
    rows = shop.taught
    rows = np.sort(rng.permutation(rows)[:ROWS])
    trained, chosen = learned(
        history, found, rows, catalogue, before, EXPLORED, job.seed, kept_in=job.kept_in, tell=job.tell
    )
    likeness, alike = likeness_of(job, shop.given, catalogue.item)
    network = answering(
        trained,
        LISTED,
        together(affinity(in_visits(history, catalogue.first(CATALOGUE), before))),
        WITH_CART,
    )

    def answer(x: Floats32) -> dict[str, Floats32]:
        said = network.predict(x, batch_size=512, verbose=0)
        answers = {name: np.asarray(a, np.float32) for name, a in zip(job.task.output_names, said, strict=True)}
        return answers | {"again": answers["again"].reshape(-1)}

    job.tell(f"evaluating on {shop.given.name}", 0, None)
    metrics = {"items": _items(job, shop, catalogue, answer), "again": _again(job, shop, answer)}
    names = {item_code(name): name for name in history.item_ids}
    session = _sessions(found.x[rows[:200]], found.of(catalogue, rows[:200]).astype(np.int32), catalogue, rng)
    tested = np.concatenate([found.x[shop.tested][:800], session])
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on next events before the cut; tested on each shopper's first one after it, from what was "
            "known at the cut",
            "windows": {shop.given.name: window(history, shop.given.cut_ms)},
            "rows": {shop.given.name: {"trained on": len(rows), "tested on": len(shop.tested)}},
        },
        "seed": job.seed,
        "metrics": {shop.given.name: metrics},
        "baselines": "What is popular; the shopper's own items by decayed count; TIFU-kNN (0.5, 300 neighbours). For "
        "again: how many items are known.",
        "intended_use": "A list of items for a shopper: what is due again, and what goes with what they know.",
        "limits": f"Names the {len(catalogue)} items most touched before the cut; explores the first "
        f"{min(EXPLORED, len(catalogue))} of them, the others are only recommended again. "
        + ("" if job.own else "Learned from grocery orders: views were imitated by lines of orders. ")
        + "Says nothing of whoever knows fewer than 3 of its items: of another shop's shoppers. "
        "Made of the 64 items bought most and last, and of those of 32 events; knows no stock and no prices. "
        "What goes with a cart is what went with each of its items in one visit. Chosen on the last fifth of its "
        f"rows: {chosen['discount']:g} off explored items (a log), {chosen['towers']:g} of what two towers say. "
        + alike,
        "names": [names[item] for item in catalogue.item.tolist()],
    } | ({} if likeness is None else {"likeness": likeness.said()})
    order = rng.permutation(len(tested))
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, answer, tested[order], found.x[rows][::5], card)


def _shop(job: Job, given: CutHistory) -> Shop:
    table = job.rows(given, job.task.features, cadence_ms=1, silence=ONCE)
    table = table.select(table.rows.why == EVENT)
    found = examples(table.history, table.rows, table.matrix(job.task.features))
    when = np.where(found.following >= 0, given.history.time_ms[found.following], -1)
    return Shop(given, found, when)


def _sessions(x: Floats32, wanted: npt.NDArray[np.int32], catalogue: Catalogue, rng: np.random.Generator) -> Floats32:
    """Rows as they are of shoppers who only looked at something, every other one with it in the cart."""
    x, wanted = x.copy(), wanted.copy()
    x = x[[i for i in range(len(x)) if as_session(x, wanted, i, catalogue, rng)]]
    x[::2, -2 * CART_TOLD :] = halves(whole(parts_of(x[::2])["seen_code"])[:, :CART_TOLD])
    return x


def _items(job: Job, shop: Shop, catalogue: Catalogue, answer: Any) -> dict[str, Any]:
    history, rows = shop.given.history, shop.tested
    before = np.flatnonzero((history.time_ms < shop.given.cut_ms) & orders_of(history))
    touch, owner = touches_of(history, before)
    every, item = np.unique(history.touch_item[touch], return_inverse=True)
    who = history.shopper[owner]
    held = baselines.vectors(
        who, item, baskets_ago(history.shopper, before, owner), (len(history.shoppers), len(every)), FADES
    )
    some = shop.found.shopper[rows]
    lists = {
        "popular": baselines.popular(held, some, 20),
        "personal": baselines.personal(held, some, 20),
        "tifu_knn": baselines.tifu_knn(held, some, 20, neighbours=min(300, len(history.shoppers) - 1)),
    }
    named = {name: np.where(best >= 0, every[np.maximum(best, 0)], 0) for name, best in lists.items()}
    said = answer(shop.found.x[rows])
    named["ours"] = _named(catalogue, said)
    if job.champion is not None:
        theirs = np.array([item_code(name) for name in job.champion.names], np.uint64)
        named["champion"] = _named(replace(catalogue, item=theirs), job.champion.score(shop.found.x[rows]))
    own = _own(held, every, some)
    truth = [shop.found.items(row) for row in rows.tolist()]
    return {"segments": {"all": measured(named, truth, own, job.seed)}}


def _named(catalogue: Catalogue, said: dict[str, Any]) -> Hashes:
    places = said["items"][:, :20].astype(np.int64)
    fits = (said["weight"][:, :20] > 0) & (places >= 0) & (places < len(catalogue.item))
    found: Hashes = np.where(fits, catalogue.item[np.where(fits, places, 0)], np.uint64(0))
    return found


def _own(held: Any, every: Hashes, who: Ints) -> list[Hashes]:
    rows = held.tocsr()
    return [every[rows.indices[rows.indptr[i] : rows.indptr[i + 1]]] for i in who.tolist()]


def baskets_ago(shopper: Ints, events: Ints, owner: Ints) -> Ints:
    """[lines] how many baskets of the same shopper came after that of each line (``owner``: its event), of some
    ``events`` in order of time."""
    order = np.argsort(shopper[events], kind="stable")
    size = np.bincount(shopper[events])
    rank = np.zeros(len(shopper), np.int64)
    first = np.cumsum(size) - size
    rank[events[order]] = np.arange(len(events)) - first[shopper[events][order]]
    found: Ints = size[shopper[owner]] - 1 - rank[owner]
    return found


def _again(job: Job, shop: Shop, answer: Any) -> dict[str, Any]:
    """Whether something that comes next was bought or seen before."""
    found, rows = shop.found, shop.tested
    known: Bools = np.array([_knows(found.x[row], found.items(row)) for row in rows.tolist()])
    label, x = known.astype(np.float64), found.x[rows]
    # As a share of those that are told: what is measured as a chance has to lie in 0 … 1.
    how_many = (x[:, :ITEMS_TOLD] + x[:, ITEMS_TOLD : 2 * ITEMS_TOLD] > 0).mean(axis=1).astype(np.float64)
    if len(np.unique(label)) < 2:
        label[0] = 1 - label[0]
    made = compare(
        label,
        {"ours": answer(x)["again"].astype(np.float64), "known_items": how_many},
        found.shopper[rows],
        {},
        job.seed,
    )
    widths = list(zip(job.task.features, export.widths(job.task), strict=True))
    made["importance"] = importance(lambda some: answer(some)["again"], x[:1000], label[:1000], widths, job.seed)
    return made


def _knows(x: Floats32, following: Hashes) -> bool:
    bought, seen = np.split(x[None, : 4 * ITEMS_TOLD + 2 * EVENTS_KEPT], [4 * ITEMS_TOLD], axis=1)
    codes = np.concatenate([whole(bought[:, : 2 * ITEMS_TOLD]).ravel(), whole(seen).ravel()])
    return bool(np.isin(code_of(following).astype(np.int64), codes[codes > 0]).any())
