"""Trains ``value``: how many orders, and how much net revenue, a shopper brings in the next 90 days.

One network for all shops; each weighs the same in training, and everything is reported per shop. The test is that of
the literature on customers' lifetime value: all who had ordered before a cut, as they stand at it, and what they bring
in the 90 days after.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import Artifact
from models.tasks.value.task import DAYS, LEVELS
from streams.features.kinds.decay import DAY_MS
from training import amounts, evaluate, needs
from training.baselines import spending as others
from training.baselines.bg_nbd import NotConverged
from training.corrections import NONE, Correction, Judged, correction
from training.fit import Schedule, fit, seed_everything
from training.job import Job
from training.labels.amounts import brought_before
from training.labels.horizons import orders_of
from training.needs import Need
from training.networks.spending import CHANCE, MEAN, ORDERS, QUANTILES, spending
from training.networks.tabular import answers_of
from training.replay import SNAPSHOT
from training.shop_rows import RFM, VALIDATION_DAYS, Shop, fresh, shop_of
from training.shops import answer_of, importance, proven, split_of

Floats = npt.NDArray[np.float64]
Rows32 = npt.NDArray[np.float32]

#: What ships is trained on these data sets up to these cuts: those of ``churn``.
SHIPPED = {"complete_journey": "2017-10-01", "online_retail": "2011-09-10", "cdnow": "1998-04-01"}
FEWER = "With fewer the mean of what shoppers bring, which a few decide, is not known."
SHORTER = "Only rows whose 90 days are over before the cut teach; 90 days more, and ranges are corrected by them."
#: What a history must have.
NEEDS = (
    Need("shoppers who ordered before the cut", needs.buyers, 100, 1_000, FEWER),
    Need("days before the cut", needs.days_before, 150, 240, SHORTER),
    Need("days after the cut", needs.days_after, 90, 90, "What 90 days bring is known after 90 days."),
)
#: Of each shop so many rows teach in an epoch, drawn anew.
ROWS_PER_EPOCH = 60_000
#: LightGBM is given so many rows, drawn once, which is where more changed little.
BOOSTING_ROWS = 50_000
#: Chosen by hand at earlier cuts.
SCHEDULE = Schedule(epochs=12, batch=512, rate=2e-3, weight_decay=5e-2, average=0.995)


def network_of(job: Job, shops: list[Shop], known_days: int = 0) -> tuple[Any, Correction]:
    """Our network, trained on all rows of which it was known ``known_days`` before the cut what they brought, and how
    its answers are corrected: as those of one trained 90 days earlier should have been. Nothing is where a shop had
    taught nothing by then."""
    by_then = known_days + DAYS
    if not all(s.known(by_then).any() for s in shops):
        return _trained(job, shops, known_days, NONE), NONE
    earlier = _trained(job, shops, by_then, NONE)
    judged = []
    for s in shops:
        rows = (s.table.rows.why == SNAPSHOT) & s.known(known_days) & ~s.known(by_then)
        said = {name: a.astype(np.float64) for name, a in answers_of(earlier, s.x[rows]).items()}
        told = said["active_90d"], said["revenue_90d"], said["revenue_90d_quantiles"]
        judged.append(Judged(*told, s.cents(rows)))
    found = correction(judged, LEVELS)
    return _trained(job, shops, known_days, found), found


def _trained(job: Job, shops: list[Shop], known_days: int, by: Correction) -> Any:
    import tensorflow as tf

    used = [(s, rows) for s in shops if len(rows := np.flatnonzero(s.known(known_days)))]

    def examples(rows: list[npt.NDArray[np.int64]]) -> tuple[Rows32, Rows32, Rows32]:
        """Features; orders and revenue in what is usual in the shop; how much each row counts, and what is usual."""
        parts = list(zip([s for s, _ in used], rows, strict=True))
        x = np.concatenate([s.x[some] for s, some in parts])
        brought = np.concatenate([s.brought.value[some] for s, some in parts])
        told = [np.maximum(np.abs(s.brought.value[every]).mean(axis=0), 1e-6) for s, every in used]
        each = [fresh(s, some) * len(x) / len(parts) for s, some in parts]
        usual = [np.tile(scale, (len(some), 1)) for scale, (_, some) in zip(told, parts, strict=True)]
        weight = np.c_[np.concatenate(each), np.concatenate(usual)].astype(np.float32)
        return x, brought.astype(np.float32), weight

    def drawn(rng: np.random.Generator) -> tuple[Rows32, Rows32, Rows32]:
        return examples([np.sort(rng.permutation(rows)[:ROWS_PER_EPOCH]) for _, rows in used])

    def loss(said: Any, _x: Any, brought: Any, weight: Any) -> Any:
        count, usual_orders, usual_cents = weight[:, :1], weight[:, 1:2], weight[:, 2:3]
        orders, revenue = brought[:, :1], brought[:, 1:2] / usual_cents
        chance, mean = said[:, :, CHANCE], said[:, :, MEAN] / usual_cents
        came = tf.cast(orders > 0, tf.float32)
        surprise = -(came * tf.math.log(chance) + (1 - came) * tf.math.log(1 - chance))
        foretold = said[:, :, ORDERS]
        surprise += (foretold - orders * tf.math.log(foretold)) / usual_orders
        # Tweedie's deviance of power 1.5: money that is often none, and now and then a lot.
        root = tf.sqrt(tf.maximum(mean, 1e-6))
        surprise += 2 * (root + tf.maximum(revenue, 0.0) / root)
        off = revenue[:, :, None] - said[:, :, QUANTILES] / usual_cents[:, :, None]
        level = tf.constant(LEVELS, tf.float32)
        surprise += tf.reduce_sum(tf.maximum(level * off, (level - 1) * off), axis=2) * 2
        return tf.reduce_mean(surprise * count)

    x, brought, weight = examples([rows for _, rows in used])
    ordered = brought[:, 0] > 0
    share = float(np.average(ordered, weights=weight[:, 0]))
    more = float(np.average(brought[ordered, 0], weights=weight[ordered, 0]))
    seed_everything(job.seed)
    place = job.task.features.index("orders.average_value")
    trained, answering = spending(x, place, (min(max(share, 0.01), 0.99), more), correction=by)
    stage = f"training as of {known_days} days before the cut" if known_days else "training"
    fit(trained, drawn, loss, SCHEDULE, seed=job.seed, kept_in=job.kept_in, tell=job.tell, stage=stage)
    return answering


def baselines_of(job: Job, s: Shop, test: npt.NDArray[np.bool_], at_ms: int) -> dict[str, dict[str, Floats]]:
    """By output, what others say of the rows ``test``, which stand at ``at_ms``; each is fitted to the shop alone, on
    what was known by then."""
    known = s.brought.known_ms[:, 0] <= at_ms
    held = known & (s.brought.known_ms[:, 0] > at_ms - VALIDATION_DAYS * DAY_MS) & np.isfinite(s.brought.value[:, 0])
    fitted = known & ~held & np.isfinite(s.brought.value[:, 0])
    rfm, history, who = s.table.matrix(RFM), s.table.history, s.table.rows.shopper[test]
    before = brought_before(history, s.table.rows.select(test), DAYS)
    before = np.where(np.isfinite(before), before, 0.0)
    found: dict[str, dict[str, Floats]] = {
        "revenue_90d": {"last_90_days": before[:, 1]},
        "orders_90d": {"last_90_days": before[:, 0]},
        "revenue_90d_quantiles": {},
        "active_90d": {},
    }
    job.tell(f"baselines on {s.name}", 0, None)
    every = fitted | held
    for output, label in (("revenue_90d", s.cents), ("orders_90d", s.orders)):
        found[output]["rfm_regression"] = others.regression(rfm[every], label(every), rfm[test])
    if fitted.any() and held.any():
        fitted, held = _some(fitted, BOOSTING_ROWS, job.seed), _some(held, BOOSTING_ROWS // 3, job.seed)
        rows = (s.x[fitted], s.x[held], s.x[test])

        weights = fresh(s, np.flatnonzero(fitted)), fresh(s, np.flatnonzero(held))

        def boosted(label: Any, objective: dict[str, Any]) -> Floats:
            y, held_y = label(fitted), label(held)
            return others.boosted(rows[0], y, rows[1], held_y, rows[2], weights, objective, job.seed)

        tweedie = {"objective": "tweedie", "tweedie_variance_power": 1.5}
        found["revenue_90d"]["lightgbm"] = boosted(lambda m: np.maximum(s.cents(m), 0.0), tweedie)
        found["orders_90d"]["lightgbm"] = boosted(s.orders, {"objective": "poisson"})
        found["active_90d"]["lightgbm"] = boosted(lambda m: (s.orders(m) > 0) * 1.0, {"objective": "binary"})
        told = [boosted(s.cents, {"objective": "quantile", "alpha": level}) for level in LEVELS]
        found["revenue_90d_quantiles"]["lightgbm"] = np.sort(np.stack(told, axis=1), axis=1)
    placed = orders_of(history)
    try:
        model = others.BuyTillYouDie(
            history.shopper[placed], history.time_ms[placed], history.cents[placed], at_ms, len(history.shoppers)
        )
    except NotConverged:
        return found
    found["orders_90d"]["bg_nbd"], found["revenue_90d"]["bg_nbd_gamma_gamma"] = model.foretell(who, DAYS)
    return found


def _some(rows: npt.NDArray[np.bool_], most: int, seed: int) -> npt.NDArray[np.bool_]:
    """At most so many of some rows."""
    chosen = np.zeros(len(rows), np.bool_)
    chosen[np.random.default_rng(seed).permutation(np.flatnonzero(rows))[:most]] = True
    return chosen


def measured(
    job: Job, s: Shop, network: Any, at_ms: int, champion: dict[str, Floats] | None = None
) -> dict[str, dict[str, Any]]:
    """By output, ours beside others of everybody who had ordered by ``at_ms``. The answers to how much are also held
    against each other by their absolute error, where the middle quantile, not the mean, is what a model can say best:
    so the quantiles are compared with the means of others, too."""
    test = s.at(at_ms)
    ours = {name: a.astype(np.float64) for name, a in answers_of(network, s.x[test]).items()}
    theirs = baselines_of(job, s, test, at_ms)
    count = s.table.matrix(("orders.count",))[test][:, 0]
    segments = {"one order so far": count < 2, "two to five orders": (count >= 2) & (count < 6)}
    segments["more than five orders"] = count >= 6
    labels = {"revenue_90d": s.cents(test), "revenue_90d_quantiles": s.cents(test), "orders_90d": s.orders(test)}
    found: dict[str, dict[str, Any]] = {}
    for output in job.task.output_names:
        job.tell(f"comparing {output} on {s.name}", 0, None)
        answers = {"ours": ours[output]}
        if champion is not None:
            answers["champion"] = champion[output]
        if output == "active_90d":
            came = (s.orders(test) > 0).astype(np.float64)
            answers |= theirs[output]
            who = s.table.rows.shopper[test]
            found[output] = evaluate.compare(came, answers, who, segments, job.seed)
            continue
        answers |= theirs[output]
        if output == "revenue_90d_quantiles":
            answers |= {name: a for name, a in theirs["revenue_90d"].items() if name not in answers}
        found[output] = amounts.compare(labels[output], answers, segments, job.seed, LEVELS)
    return found


def _with_importance(job: Job, s: Shop, network: Any, found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    x, features = s.x[s.test], job.task.features
    came = (s.orders(s.test) > 0).astype(np.float64)
    for output, label in (("revenue_90d", s.cents(s.test)), ("orders_90d", s.orders(s.test))):
        found[output] |= importance(job, s, network, output, label, features)
    widths = [(name, 1) for name in features]
    answer = partial(answer_of, network, "active_90d")
    found["active_90d"]["importance"] = evaluate.importance(answer, x, came, widths, job.seed)
    return found


def _tiers(shops: list[Shop], network: Any) -> dict[str, Any]:
    """From which revenue on a shopper is among the fifth of their shop that brings most; of several shops the middle
    one's, because money of several currencies has no other mean."""
    top = [float(np.quantile(answers_of(network, s.x[s.test])["revenue_90d"], 0.8)) for s in shops]
    return {"output": "revenue_90d", "high_cents": round(float(np.median(top)))}


def _said(job: Job, by: Correction) -> dict[str, str]:
    """What a card says in words."""
    baselines = (
        "BG/NBD with Gamma-Gamma (lifetimes); LightGBM on our features (Tweedie, Poisson and quantile loss, rounds "
        "chosen before the cut, at most 50,000 rows, recent ones weigh more as for ours); a Tweedie regression on "
        "recency, frequency, average value, mean gap and overdue ratio; the last 90 days repeated."
    )
    corrected = (
        "Means were scaled and ranges widened by what an earlier network got wrong in the 90 days before the cut. "
        if by != NONE
        else "What is foretold was not corrected by an earlier network: for that the history is too short. "
    )
    limits = (
        "Revenue is what is paid after discounts, less what comes back within the 90 days, before any cost. "
        f"{corrected}A season not seen in training moves all answers together: ranks hold better than sums. "
    )
    if job.own:
        beside = f" Beside them {job.champion_called}." if job.champion else ""
        return {
            "baselines": f"{baselines} Each is fitted to its shop alone.{beside}",
            "intended_use": "Ranking the shoppers of one shop by what they will bring, and planning with ranges.",
            "limits": limits,
        }
    return {
        "baselines": f"{baselines} Each is fitted to its shop alone, ours is one network for all three.",
        "intended_use": "Ranking the shoppers of one shop by what they will bring, and planning with ranges.",
        "limits": limits + "Learned from groceries in the US, gifts in Britain and CDs of 1997: retrain on your own "
        "history before you plan with the amounts. In Online Retail's autumn the mean is 37% too low, and 75% of what "
        "came lay between quantiles that promise 80%. The tier of valuable shoppers is that of the middle of three "
        "shops.",
    }


def train(job: Job) -> Artifact:
    """Train, evaluate against the baselines on the same split, export and prove; returns the artifact."""
    shops = [shop_of(job, given) for given in job.histories]
    network, by = network_of(job, shops)
    metrics = {}
    for s in shops:
        champion = None if job.champion is None else job.champion.score(s.x[s.test])
        found = measured(job, s, network, s.given.cut_ms, champion)
        metrics[s.name] = _with_importance(job, s, network, found)
    card = {
        "data": job.data,
        "split": split_of(
            shops,
            "trained on what was known at the cut; tested on all who had ordered by then, as they stood at it",
        ),
        "seed": job.seed,
        "metrics": metrics,
        "correction": by.table,
        "tiers": _tiers(shops, network),
        **_said(job, by),
    }
    return proven(job, shops, network, card)
