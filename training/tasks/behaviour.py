"""Trains ``behaviour``: the encoder of a shopper's last 32 events, on what they did next.

What ships is trained on Complete Journey and Online Retail together. Taobao's licence allows to measure only: there
the same network is trained alone, and nothing of it is shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from streams.columns.arrays import Ints
from streams.features.kinds.decay import DAY_MS
from streams.features.kinds.recent import BUCKETS
from streams.processing.silence import SilencePolicy
from training import export, needs
from training.baselines import gru, logistic, markov
from training.evaluate import compare, importance, rank_in, share_interval, top_k
from training.fit import Schedule, fit, seed_everything
from training.job import CutHistory, FeatureRows, Job
from training.labels.horizons import (
    Labels,
    Timeline,
    next_event,
    ordered_in_session,
    ordered_within,
    orders_of,
)
from training.needs import Need
from training.replay import EVENT, SILENCE
from training.split import Split, split, window

Floats32 = npt.NDArray[np.float32]

#: What ships is trained on these data sets up to these cuts …
SHIPPED = {"complete_journey": "2017-10-01", "online_retail": "2011-09-15"}
#: … and on these the same network is trained alone, to be measured. A day of Taobao begins in Beijing.
MEASURED = {"taobao": "2017-12-01T16:00"}
#: What it costs to have less (measured: docs/training.md).
FEWER = "100 shoppers with 5,000 events instead of 1,000 with 45,000 cost 0.012 of 0.174 right first categories."
UNSURE = "With 1,000 a share of right first categories is sure to 0.03, with 10,000 to 0.01."
SHORTER = "Purchases within 7 days are learned, or tested, on few weeks."
NAMELESS = "The next category is told by its name, which its shoppers' events must have."
#: What a history must have.
NEEDS = (
    Need("shoppers with an event before the cut", needs.shoppers_before, 100, 1_000, FEWER),
    Need("events before the cut", needs.events_before, 2_000, 40_000, FEWER),
    Need("events after the cut", needs.events_after, 1_000, 10_000, UNSURE),
    Need("days before the cut", needs.days_before, 30, 90, SHORTER),
    Need("days after the cut", needs.days_after, 8, 30, SHORTER),
    Need("categories that are named three times or more before the cut", needs.categories_before, 2, 8, NAMELESS, True),
)


@dataclass(frozen=True, slots=True)
class Length:
    """How long is trained: epochs of our network and of the GRU, chosen by hand on the days before the cut."""

    epochs: int = 3
    gru_epochs: int = 4
    validation_days: int = 30
    """The last days before the cut choose the Markov chain's two numbers."""


#: History → its length, where it is not the usual one.
LENGTHS = {"taobao": Length(2, 8, 1)}
#: Categories named less often in training are not generated; they can still be named from a shopper's own events.
LEAST_NAMED = 3
#: A history that names fewer categories than this before the cut, in its last days or after it is not tested on them.
LEAST_NAMES = 100
#: As many categories as the task answers are compared.
LISTED = 8
BATCH, RATE, AUXILIARY = 256, 3e-3, 0.5
WEEK_MS, HOUR_MS = 7 * DAY_MS, 3_600_000
#: Targets that teach nothing.
UNKNOWN = np.array([np.nan, 0, np.nan, np.nan], np.float32)
HABITS = slice(160, 168)
#: How a silence goes on is taught by rows that are looked at some time later; each firing as a row of its own would
#: make silences weigh more than shopping.
ONCE = SilencePolicy(firings=1)
GAP_NOW = 128  # the column of sequence.gap_hours that says how long ago the newest event was


@dataclass(frozen=True)
class Shop:
    """A row for every event of a history, the window that ends with it, and for every silence; and what came after."""

    given: CutHistory
    table: FeatureRows
    x: Floats32
    """[n, 168]"""
    kind: Ints
    category: Ints
    """[n] type code and category bucket of the next event; 0 when none came, or unknown."""
    wait_ms: Ints
    """[n] until the next event; long beyond the end of the history when none came."""
    order_wait_ms: Ints
    """[n] until the next order; likewise."""
    session: Labels
    parts: Split
    """[n, 1] by when the next event was known."""

    @property
    def name(self) -> str:
        """Of the history."""
        return self.given.name

    @property
    def cut_ms(self) -> int:
        """Its cut."""
        return self.given.cut_ms

    @property
    def length(self) -> Length:
        """How long is trained on it."""
        return LENGTHS.get(self.name, Length())

    @property
    def followed(self) -> npt.NDArray[np.bool_]:
        """Rows whose next event was known at the cut."""
        return (self.parts.fit | self.parts.validate)[:, 0]

    @property
    def before(self) -> npt.NDArray[np.bool_]:
        """Rows from before the cut: what is trained on."""
        return self.table.rows.at_ms < self.cut_ms

    @property
    def events(self) -> npt.NDArray[np.bool_]:
        """Rows that stand right after an event."""
        return self.table.rows.why == EVENT

    def of(self, address: str, rows: npt.NDArray[np.bool_]) -> Floats32:
        """Some rows' values of a feature."""
        return self.table.matrix((address,))[rows]


def _shop(job: Job, given: CutHistory) -> Shop:
    history, cut_ms = given.history, given.cut_ms
    features = tuple(dict.fromkeys((*job.task.features, *logistic.RFM)))
    table = job.rows(given, features, cadence_ms=1, silence=ONCE)
    rows, never = table.rows, 2 * history.end_ms
    following, known = next_event(history, rows)
    comes = following >= 0
    # Who never came back stays in: who will is not known, and leaving them out would be knowing the future.
    labels = Labels(np.where(comes, 1.0, np.nan).astype(np.float32)[:, None], known[:, None])
    category = np.where(comes, history.category[following], 0)
    orders = Timeline(history, orders_of(history))
    order = orders.next(rows.shopper, rows.at_ms)
    return Shop(
        given=given,
        table=table,
        x=table.matrix(job.task.features),
        kind=np.where(comes, history.type[following], 0),
        category=np.where(category != 0, category % BUCKETS["category"] + 1, 0),
        wait_ms=np.where(comes, known, never) - rows.at_ms,
        order_wait_ms=np.where(order >= 0, history.time_ms[order], never) - rows.at_ms,
        session=ordered_in_session(history, rows),
        parts=split(rows, labels, cut_ms, LENGTHS.get(given.name, Length()).validation_days * DAY_MS),
    )


def _targets(shop: Shop, rows: Ints, age_ms: Ints) -> Floats32:
    """[n, 4] type and category of the next event, whether the next session has an order, whether the 7 days from the
    row's time plus ``age_ms`` have one; NaN (category: 0) where that was not known at the cut."""
    at = shop.table.rows.at_ms[rows] + age_ms
    followed = shop.followed[rows]
    session = np.where(shop.session.known_ms[rows, 0] <= shop.cut_ms, shop.session.value[rows, 0], np.nan)
    week = np.where(at + WEEK_MS <= shop.cut_ms, shop.order_wait_ms[rows] <= age_ms + WEEK_MS, np.nan)
    kind, category = np.where(followed, shop.kind[rows], np.nan), np.where(followed, shop.category[rows], 0)
    return np.stack([kind, category, session, week], axis=1).astype(np.float32)


def _encoder(job: Job, shops: list[Shop], epochs: int, stage: str) -> Any:
    """Train an encoder on all that was known at the cuts."""
    import tensorflow as tf

    from training.networks.encoder import Encoder

    seed_everything(job.seed)
    named = np.concatenate([s.category[s.followed & s.events] for s in shops])
    count = np.bincount(named, minlength=BUCKETS["category"] + 1)
    count[0] = 0
    vocabulary = np.flatnonzero(count >= LEAST_NAMED)
    habits = np.log1p(np.concatenate([s.x[s.followed, HABITS] for s in shops]))
    encoder = Encoder(vocabulary, np.stack([habits.mean(axis=0), np.maximum(habits.std(axis=0), 1e-2)]))
    encoder(np.zeros((1, job_width(job)), np.float32))
    rare = max(1, int(count[(count > 0) & (count < LEAST_NAMED)].sum()))
    encoder.generate_0.assign(np.log(np.r_[count[vocabulary], rare] / count.sum()).astype(np.float32))
    place = np.zeros(BUCKETS["category"] + 1, np.int32)
    place[vocabulary] = np.arange(len(vocabulary))
    listed = np.zeros(BUCKETS["category"] + 1, np.float32)
    listed[vocabulary] = 1

    def examples(rng: np.random.Generator) -> tuple[Floats32, Floats32]:
        """Every window before the cut. Silences stand where they fell due; of the others half are seen some time after
        the newest event. That time must not depend on when the next event came, or the row would know: it is drawn
        from another row's wait, and whoever had come back by then, or was to be looked at after the cut, teaches
        nothing."""
        blocks, wanted = [], []
        for s in shops:
            rows = np.flatnonzero(s.before)
            longest = np.minimum(s.wait_ms[rows], s.cut_ms - s.table.rows.at_ms[rows])
            later = (rng.random(len(rows)) < 0.5) * rng.random(len(rows)) * s.events[rows]
            age_ms = (rng.permutation(longest) * later).astype(np.int64)
            x, targets = s.x[rows], _targets(s, rows, age_ms)
            x[:, GAP_NOW] = np.minimum(x[:, GAP_NOW] + age_ms / HOUR_MS, 8760)
            targets[(age_ms > 0) & (age_ms >= longest)] = UNKNOWN
            blocks.append(x)
            wanted.append(targets)
        return np.concatenate(blocks), np.concatenate(wanted)

    def loss(said: dict[str, Any], x: Any, wanted: Any) -> Any:
        came = tf.cast(tf.math.is_finite(wanted[:, 0]), tf.float32)
        kind = tf.cast(tf.where(came > 0, wanted[:, 0], 0.0), tf.int32)
        category = tf.cast(wanted[:, 1], tf.int32)
        hit = tf.cast(x[:, 32:64] == wanted[:, 1:2], tf.float32)
        inside = tf.reduce_max(hit, axis=1) * tf.cast(category > 0, tf.float32)
        generated = tf.gather(said["generated"], tf.gather(place, category), batch_dims=1) * tf.gather(listed, category)
        chance = inside * tf.reduce_sum(said["window"] * hit, axis=1) + (1 - inside) * generated
        # What can be neither generated nor repeated teaches nothing.
        weight = tf.cast((category > 0) & (chance > 0), tf.float32)
        total = tf.reduce_sum(-tf.math.log(tf.maximum(chance, 1e-9)) * weight) / tf.maximum(tf.reduce_sum(weight), 1)
        of_kind = tf.gather(said["next_type"], kind, batch_dims=1)
        surprise = -tf.math.log(tf.maximum(of_kind, 1e-9)) * came
        total += AUXILIARY * tf.reduce_sum(surprise) / tf.maximum(tf.reduce_sum(came), 1)
        for j in range(2):
            known = tf.cast(tf.math.is_finite(wanted[:, 2 + j]), tf.float32)
            truth = tf.where(known > 0, wanted[:, 2 + j], 0.0)
            p = tf.clip_by_value(said["purchase"][:, j], 1e-6, 1 - 1e-6)
            off = -(truth * tf.math.log(p) + (1 - truth) * tf.math.log(1 - p)) * known
            total += AUXILIARY * tf.reduce_sum(off) / tf.maximum(tf.reduce_sum(known), 1)
        return total

    schedule = Schedule(epochs=epochs, batch=BATCH, rate=RATE)
    told = {"kept_in": job.kept_in, "tell": job.tell, "stage": stage}
    fit(encoder, examples, loss, schedule, seed=job.seed, **told)  # type: ignore[arg-type]
    return encoder


def job_width(job: Job) -> int:
    """Numbers in a row of the task."""
    return sum(export.widths(job.task))


def _answers(job: Job, network: Any, x: Floats32) -> dict[str, Floats32]:
    found = network.predict(x, batch_size=1024, verbose=0)
    return {name: np.asarray(a, np.float32) for name, a in zip(job.task.output_names, found, strict=True)}


def _answer(job: Job, network: Any, output: str, x: Floats32) -> Floats32:
    return _answers(job, network, x)[output].reshape(-1)


def _best(scores: Callable[[slice], Floats32], n: int) -> Ints:
    """[n, 8] the buckets with the largest scores, best first; ``scores(slice)`` gives [k, buckets + 1]."""
    spans = [slice(b, b + 1024) for b in range(0, n, 1024)]
    return np.concatenate([np.argsort(-scores(b), axis=1, kind="stable")[:, :LISTED] for b in spans])


def _next_category(job: Job, shop: Shop, network: Any) -> dict[str, Any]:
    """Ours, the Markov chain and the GRU on every event after the cut whose category is known."""
    known = shop.events & (shop.category > 0)
    test, trained = shop.parts.test[:, 0] & known, shop.followed & known
    fitted, held = shop.parts.fit[:, 0] & known, shop.parts.validate[:, 0] & known
    categories, items = shop.of("sequence.categories", test), shop.of("sequence.items", test)

    def last(rows: npt.NDArray[np.bool_]) -> Ints:
        return markov.last_known(shop.of("sequence.categories", rows))

    buckets = BUCKETS["category"]
    chosen = markov.choose(
        markov.count(last(fitted), shop.category[fitted], buckets), (last(held), shop.category[held])
    )
    chain = markov.count(last(trained), shop.category[trained], buckets, *chosen)
    recurrent = gru.train(
        shop.of("sequence.categories", trained),
        shop.of("sequence.items", trained),
        shop.category[trained],
        BUCKETS,
        shop.length.gru_epochs,
        job.seed,
        job.kept_in,
        job.tell,
        f"training the GRU baseline on {shop.name}",
    )
    newest, truth = markov.last_known(categories), shop.category[test]
    lists = {
        "ours": _answers(job, network, shop.x[test])["next_category"].astype(np.int64),
        "markov": _best(lambda b: chain.scores(newest[b]), len(truth)),
        "gru": _best(lambda b: recurrent(categories[b], items[b]), len(truth)),
    }
    if job.champion is not None:
        lists["champion"] = job.champion.score(shop.x[test])["next_category"].astype(np.int64)
    ranks = {name: rank_in(best, truth) for name, best in lists.items()}
    group = shop.table.rows.shopper[test]
    found: dict[str, Any] = {"segments": {}}
    new = ~(categories.astype(np.int64) == truth[:, None]).any(axis=1)
    for segment, mask in (("all", np.ones(len(truth), np.bool_)), ("a category not in the window", new)):
        found["segments"][segment] = {
            "models": {name: top_k(rank[mask]) for name, rank in ranks.items()},
            "top_1_95": share_interval({name: rank[mask] == 0 for name, rank in ranks.items()}, group[mask], job.seed),
        }
    return found


def _purchases(job: Job, shop: Shop, network: Any) -> dict[str, Any]:
    """The purchase heads after every event and silence from the cut on, beside a regression on recency, frequency and
    value."""
    rows, history = shop.table.rows, shop.table.history
    week = ordered_within(history, rows, (7,))
    found = {}
    for output, labels in (("purchase_7d", week), ("purchase_session", shop.session)):
        parts = split(rows, labels, shop.cut_ms, shop.length.validation_days * DAY_MS)
        trained, test = (parts.fit | parts.validate)[:, 0], parts.test[:, 0]
        label = labels.value[:, 0]
        if test.sum() < 1000 or not 0.005 < label[test].mean() < 0.995:
            continue  # nothing to tell apart
        rfm = shop.table.matrix(logistic.RFM)
        regression = logistic.fit(rfm[trained], label[trained], np.ones(int(trained.sum())))
        answer = partial(_answer, job, network, output)
        ours = answer(shop.x[test]).astype(np.float64)
        scores = {"ours": ours, "rfm_logistic": regression.predict(rfm[test])}
        if job.champion is not None:
            scores["champion"] = job.champion.score(shop.x[test])[output]
        segments = {"due by silence": rows.why[test] == SILENCE}
        found[output] = compare(label[test], scores, rows.shopper[test], segments, job.seed)
        widths = list(zip(job.task.features, export.widths(job.task), strict=True))
        found[output]["importance"] = importance(answer, shop.x[test], label[test], widths, job.seed)
    return found


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export and prove; returns the artifact."""
    from training.networks.encoder import answering

    shops = [_shop(job, given) for given in job.histories]
    measured = [_shop(job, given) for given in job.measured]
    encoder = _encoder(job, shops, shops[0].length.epochs, "training")
    network = answering(encoder)
    metrics: dict[str, Any] = {}
    for shop in shops:
        job.tell(f"evaluating on {shop.name}", 0, None)
        metrics[shop.name] = _purchases(job, shop, network)
        if all((part[:, 0] & (shop.category > 0)).sum() >= LEAST_NAMES for part in shop.parts.parts):
            metrics[shop.name] = {"next_category": _next_category(job, shop, network)} | metrics[shop.name]
    for shop in measured:
        alone = answering(_encoder(job, [shop], shop.length.epochs, f"training on {shop.name}"))
        metrics[f"{shop.name} (trained on it alone, not shipped)"] = {"next_category": _next_category(job, shop, alone)}
    card = {
        "data": job.data,
        "split": {
            "rule": "trained on what was known at the cut; tested on what follows each event after it (next category: "
            "on events that follow at a later millisecond)",
            "windows": {s.name: window(s.table.history, s.cut_ms) for s in (*shops, *measured)},
            "rows": {s.name: {"trained on": int(s.before.sum()), "tested on": int(s.parts.test.sum())} for s in shops},
        },
        "seed": job.seed,
        "metrics": metrics,
        "baselines": "next category: a Markov chain that falls back on staying and on what is popular; a GRU on "
        "categories and items (after GRU4Rec). Purchases: logistic regression on recency, frequency and value."
        + (f" Beside them {job.champion_called}." if job.champion else ""),
        "intended_use": "Likely next behaviour of a shopper, and an embedding that other tasks may take by address.",
        "limits": (
            "" if job.own else "Learned from orders and campaigns, not from clicks: retrain on your own clickstream. "
        )
        + "Categories are hash buckets; two may share one. A shopper without events gets an answer that means nothing.",
    }
    tested = np.concatenate([s.x[s.parts.test[:, 0]][:: max(1, int(s.parts.test.sum()) // 1000)] for s in shops])
    rows = np.random.default_rng(job.seed).permutation(tested)
    training_rows = np.concatenate([s.x[s.before][::5] for s in shops])
    onnx = export.to_onnx(network, job.task)
    return export.proven(job.task, onnx, lambda x: _answers(job, network, x), rows, training_rows, card)
