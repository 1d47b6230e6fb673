"""One partition's log, applied: slice in, outcomes out. Pure: no Kafka, no clock, no thread.

The same code runs in the worker, in the plain loop of the tests and under the training replay. Its state after
record n is a function of records 0 to n alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from streams.decisions import churn_alert, promotion
from streams.decisions.churn_alert import LEVELS, ChurnAlertPolicy
from streams.decisions.promotion import Offer, PromotionPolicy, Prospect
from streams.features.catalogue import CATALOGUE, Catalogue
from streams.features.columns import Column, Layout, Rows
from streams.features.kinds.favourites import slot_of
from streams.features.signals import Run, entries
from streams.processing.batch import EventBatch, Floats, Ints
from streams.processing.decode import NO_TIME, DecodeRules, decode
from streams.processing.fates import APPLIED, IDS, IDS_COUNT, judge, remember
from streams.processing.rounds import BUCKET, Plan, plan
from streams.processing.silence import SilencePolicy
from streams.processing.slices import Slice
from streams.records.outcomes import (
    ChurnAlerted,
    DeadLetter,
    Due,
    LateEvent,
    ModelUsed,
    OfferMade,
    OfferWithheld,
    Outcome,
    Reason,
    Scored,
    outcome_id,
)
from streams.state.arena import NEVER, TIMER, Arena, Codec, Tier

LAST_EVENT = Column("last_event", "i8")
#: What promotions look at, besides the score.
PROMOTION_FEATURES = (
    "orders.discount_rate",
    "orders.coupon_share",
    "orders.average_value",
    "orders.count",
    "offers.consent",
)
META_KEY = b"p"
#: A producer that makes up names must not fill the memory; offers then name no category.
MAX_CATEGORY_NAMES = 50_000


def row_layout(catalogue: Catalogue) -> Layout:
    """The packed row: feature columns, what was applied, timers and decisions."""
    own = (APPLIED, IDS, IDS_COUNT, BUCKET, LAST_EVENT, TIMER)
    return Layout((*catalogue.columns, *own, *churn_alert.COLUMNS, *promotion.COLUMNS))


@dataclass(frozen=True, slots=True)
class Rules:
    """How a worker treats its log. Everything here must be the same for every worker of a group."""

    decode: DecodeRules = field(default_factory=DecodeRules)
    allowed_lateness_ms: int = 3_600_000
    cadence_ms: int = 3_600_000
    silence: SilencePolicy = field(default_factory=SilencePolicy)
    churn_alert: ChurnAlertPolicy = field(default_factory=ChurnAlertPolicy)
    promotion: PromotionPolicy = field(default_factory=PromotionPolicy)


class Model(Protocol):
    """A model as the stream sees it; ``models.predictor.Predictor`` is one."""

    task: str
    version: str
    digest: str
    features: tuple[str, ...]

    def score(self, x: npt.NDArray[np.float32]) -> dict[str, Floats]:
        """[n] per output name, for float32 [n, len(features)]; a row's answer does not depend on the others."""

    def contributions(self, x: npt.NDArray[np.float32]) -> Floats:
        """[n, len(features)] how far each feature moved the first output against a typical shopper."""


@dataclass(slots=True)
class DuePoints:
    """k shoppers that are due at the same step of a slice; no shopper twice."""

    row: Ints
    now_ms: Ints
    silence: bool
    event: Ints
    features: npt.NDArray[np.float32]
    category: Ints


@dataclass(slots=True)
class Applied:
    """What a slice came to. ``fates`` counts its records; outputs are in deterministic order."""

    fates: Counter[str] = field(default_factory=Counter)
    types: Counter[int] = field(default_factory=Counter)
    outcomes: list[Outcome] = field(default_factory=list)
    late: list[LateEvent] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    due_kinds: Counter[str] = field(default_factory=Counter)
    rounds: int = 0

    @property
    def due_points(self) -> int:
        """Shoppers that were due in this slice."""
        return self.due_kinds.total()


class Collector(Protocol):
    """Takes the due points of a slice instead of scoring them; the training replay is one."""

    def __call__(self, due: DuePoints, batch: EventBatch, arena: Arena) -> None: ...


class PartitionProcessor:
    """State and progress of one partition.

    ``models`` score every due point; the first one's first output drives the decisions. Without models, or with a
    ``collector``, nothing is decided.
    """

    def __init__(
        self,
        partition: int,
        rules: Rules,
        models: Callable[[], Sequence[Model]] = tuple,
        *,
        catalogue: Catalogue = CATALOGUE,
        layout: Layout | None = None,
        tier: Tier | None = None,
        limit: int = 1_000_000,
        collector: Collector | None = None,
        collected: tuple[str, ...] = (),
    ) -> None:
        self.partition, self.rules, self.catalogue = partition, rules, catalogue
        self._models, self._collector, self._collected = models, collector, collected
        self.codec = Codec(layout or row_layout(catalogue))
        self.arena = Arena(self.codec, tier, limit)
        self.next_offset = 0
        self.newest_ms = NO_TIME
        self.lag_ms = 0
        """How long after the newest event time the newest record was appended: small in a live partition."""
        self.category_names: dict[int, str] = {}
        self._new_records: dict[bytes, bytes] = {b"l" + self.codec.layout.digest: self.codec.layout.describe()}
        if tier is not None:
            self._recover(tier)

    @property
    def watermark_ms(self) -> int:
        """Largest event time seen less the allowed lateness, UTC milliseconds."""
        return self.newest_ms - self.rules.allowed_lateness_ms

    def _recover(self, tier: Tier) -> None:
        def rows() -> Iterator[tuple[bytes, bytes]]:
            # In order of keys: layouts and names come before the rows that need them.
            for key, value in tier.items():
                kind = key[:1]
                if kind == b"l":
                    self.codec.learn(value)
                elif kind == b"c":
                    self.category_names[int.from_bytes(key[1:], "big")] = value.decode()
                elif key == META_KEY:
                    meta = msgspec.json.decode(value)
                    self.next_offset, self.newest_ms = meta["next_offset"], meta["newest_ms"]
                    self.lag_ms = meta["lag_ms"]
                elif kind == b"s":
                    yield key, value

        self.arena.load_all(rows())

    def take_changes(self) -> dict[bytes, bytes]:
        """What changed since last time, by table key: rows, names, layout; the progress record last.

        The progress record says that every record before ``next_offset`` is in the rows, so it must not become
        durable before they do.
        """
        changes = self._new_records | self.arena.take_dirty(self.next_offset)
        self._new_records = {}
        if changes or self.next_offset:
            progress = {"next_offset": self.next_offset, "newest_ms": self.newest_ms, "lag_ms": self.lag_ms}
            changes[META_KEY] = msgspec.json.encode(progress)
        return changes

    def apply(self, slice_: Slice) -> Applied:
        """Apply a slice. Records below ``next_offset`` were applied before and are passed over as duplicates."""
        result = Applied()
        skip = int(np.searchsorted(np.asarray(slice_.offsets), self.next_offset))
        if skip:
            result.fates["duplicate"] += min(skip, len(slice_))
            slice_ = slice_.cut(skip, len(slice_))
        if not len(slice_):
            return result
        clock = time.perf_counter
        t0 = clock()
        decoded = decode(slice_, self.rules.decode)
        batch = decoded.batch
        self._learn_names(decoded.category_names)
        newest = np.maximum.accumulate(np.maximum(decoded.clock_ms, self.newest_ms))
        watermark = newest - self.rules.allowed_lateness_ms
        watermark_before = np.r_[self.watermark_ms, watermark[:-1]]
        t1 = clock()
        rows = self.arena.find(batch.shopper_ids)
        fates = judge(batch, rows, self.arena.rows, watermark_before[batch.position])
        applied = fates.applied
        due = self._fold(batch, rows, applied, watermark)
        # Not the block from before: a timer of an evicted shopper may have made it grow.
        remember(batch, rows, applied, self.arena.rows)
        self.newest_ms = int(newest[-1])
        self.next_offset = int(slice_.offsets[-1]) + 1
        self.lag_ms = int(slice_.timestamps_ms[-1]) - self.newest_ms
        t2 = clock()
        result.seconds = {"decode": t1 - t0, "fold": t2 - t1}
        if self._collector is not None:
            for points in due:
                self._collector(points, batch, self.arena)
        elif due:
            self._score_and_decide(due, batch, result)
        result.rounds = len(due)
        for points in due:
            result.due_kinds["silence" if points.silence else "event"] += len(points.row)
        result.dead = decoded.dead
        result.late = [self._late(slice_, batch, i, watermark_before) for i in np.flatnonzero(fates.late).tolist()]
        result.fates["applied"] += len(applied)
        result.fates["duplicate"] += int(fates.duplicate.sum())
        result.fates["late"] += len(result.late)
        result.fates["dead"] += len(result.dead)
        result.fates["tick"] += decoded.ticks
        result.types.update(dict(zip(*(a.tolist() for a in np.unique(batch.type, return_counts=True)), strict=True)))
        return result

    def _learn_names(self, names: dict[int, str]) -> None:
        for code, name in names.items():
            if code not in self.category_names and len(self.category_names) < MAX_CATEGORY_NAMES:
                self.category_names[code] = name
                self._new_records[b"c" + code.to_bytes(4, "big")] = name.encode()

    def _late(self, slice_: Slice, batch: EventBatch, i: int, watermark_before: Ints) -> LateEvent:
        position = int(batch.position[i])
        offset = int(batch.offset[i])
        return LateEvent(
            late_id=outcome_id("late_event", slice_.topic, str(slice_.partition), str(offset)),
            shopper_id=batch.shopper_ids[i],
            event_id=batch.event_ids[i],
            event_time_ms=int(batch.time_ms[i]),
            watermark_ms=int(watermark_before[position]),
            source_topic=slice_.topic,
            source_partition=slice_.partition,
            source_offset=offset,
            original=slice_.values[position] or b"",
        )

    # -- fold up to each due point

    def _fold(self, batch: EventBatch, rows: Ints, applied: Ints, watermark: Ints) -> list[DuePoints]:
        arena, state = self.arena, self.arena.rows
        silence = self.rules.silence
        steps = plan(batch, applied, rows, state, watermark, self.rules.cadence_ms, silence.shortest_ms)
        due: list[DuePoints] = []
        self._fire_waiting(steps, watermark, due)
        state = arena.rows  # firing may load rows and grow the block
        all_entries = entries(batch, steps.event, steps.row)
        all_entries = all_entries.select(np.argsort(all_entries.event, kind="stable"))
        touches = batch.touches
        place = np.full(len(batch), -1, np.int64)
        place[steps.event] = np.arange(len(steps.event))
        touch_place = place[touches.event]
        by_place = np.argsort(touch_place, kind="stable")
        by_place = by_place[np.searchsorted(touch_place[by_place], 0) :]
        touches, touch_place = touches.select(by_place), touch_place[by_place]
        entry_bounds = np.searchsorted(all_entries.event, steps.bounds)
        touch_bounds = np.searchsorted(touch_place, steps.bounds)
        for r in range(len(steps.bounds) - 1):
            a, b = int(steps.bounds[r]), int(steps.bounds[r + 1])
            event, row = steps.event[a:b], steps.row[a:b]
            some = slice(int(touch_bounds[r]), int(touch_bounds[r + 1]))
            run_touches = type(touches)(
                touch_place[some] - a, touches.item[some], touches.category[some], touches.cents[some]
            )
            time_ms = batch.time_ms[event]
            run = Run(
                row=row,
                time_ms=time_ms,
                type=batch.type[event],
                id_hash=batch.id_hash[event].astype(np.int64),
                cents=batch.cents[event],
                category=batch.category[event],
                item=batch.item[event].astype(np.int64),
                flag=batch.flag[event],
                entries=all_entries.select(slice(int(entry_bounds[r]), int(entry_bounds[r + 1]))),
                touch=run_touches,
            )
            self.catalogue.fold(state, run)
            flat = state.flat["i8"]
            np.maximum.at(flat, state.cells(LAST_EVENT, row), time_ms)
            np.maximum.at(flat, state.cells(BUCKET, row), time_ms // self.rules.cadence_ms)
            shoppers = row[np.r_[True, row[1:] != row[:-1]]]
            arena.dirty[shoppers] = True
            last = flat[state.cells(LAST_EVENT, shoppers)]
            held = state.take(shoppers)
            arena.timer[shoppers] = silence.due_ms(held, self.catalogue.rhythm, last)
            index = np.flatnonzero(steps.due[a:b])
            if len(index):
                at = np.searchsorted(shoppers, row[index])
                now = np.maximum(time_ms[index], last[at])
                due.append(self._due(row[index], held.take(at), now, silence=False, event=event[index]))
            index = np.flatnonzero(steps.ends[a:b])
            self._fire(row[index], watermark[np.minimum(steps.next_position[a:b][index], len(watermark) - 1)], due)
        return due

    def _fire_waiting(self, steps: Plan, watermark: Ints, due: list[DuePoints]) -> None:
        """Fire the timers that were set before this slice, of shoppers with and without an event in it."""
        waiting = self.arena.due(int(watermark[-1]))
        if not len(waiting):
            return
        passed = np.full(len(waiting), watermark[-1])
        if len(steps.shoppers):
            at = np.minimum(np.searchsorted(steps.shoppers, waiting), len(steps.shoppers) - 1)
            here = steps.shoppers[at] == waiting
            passed[here] = watermark[steps.first_position[at[here]]]
        self._fire(waiting, passed, due)

    def _fire(self, row: Ints, watermark: Ints, due: list[DuePoints]) -> None:
        timer = self.arena.timer[row]
        fires = np.flatnonzero(timer <= watermark)
        if not len(fires):
            return
        row, now = row[fires], timer[fires]
        self.arena.timer[row] = NEVER
        self.arena.dirty[row] = True
        nobody = np.full(len(row), -1, np.int64)
        due.append(self._due(row, self.arena.rows.take(row), now, silence=True, event=nobody))

    def _due(self, row: Ints, held: Rows, now: Ints, *, silence: bool, event: Ints) -> DuePoints:
        addresses = self._collected if self._collector is not None else self.addresses
        features = self.catalogue.read(held, now, addresses)
        category = np.zeros(len(row), np.int64) if self._collector is not None else self._favourite(held, now)
        return DuePoints(row, now, silence, event, features, category)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every feature that a model or a decision reads, each once."""
        wanted = [address for model in self._models() for address in model.features]
        return tuple(dict.fromkeys([*wanted, *PROMOTION_FEATURES]))

    def _favourite(self, held: Rows, now: Ints) -> Ints:
        """[k] hash of the newest category among the last events that lies in the heaviest slot, 0 when none does."""
        heaviest = self.catalogue.favourites.weights(held, now).argmax(axis=1)
        filled, _, fields = self.catalogue.recent.sequence(held)
        category = fields["category"].astype(np.int64)
        fits = filled & (category != 0) & (slot_of(category) == heaviest[:, None])
        return np.where(fits.any(axis=1), category[np.arange(len(category)), fits.argmax(axis=1)], 0)

    # -- score and decide

    def _score_and_decide(self, due: list[DuePoints], batch: EventBatch, result: Applied) -> None:
        models = self._models()
        if not models:
            return
        clock = time.perf_counter
        t0 = clock()
        addresses = self.addresses
        column = {address: i for i, address in enumerate(addresses)}
        features = np.concatenate([points.features for points in due])
        inputs = [features[:, [column[a] for a in model.features]] for model in models]
        # Rounded before anything is decided: another CPU's last bits must not decide differently.
        scores = [
            {name: np.round(values, 4) for name, values in model.score(x).items()}
            for model, x in zip(models, inputs, strict=True)
        ]
        t1 = clock()
        used = [ModelUsed(task=m.task, version=m.version, digest=m.digest[:16]) for m in models]
        alerts: list[tuple[int, int]] = []
        driving = next(iter(scores[0].values()))
        percolumn = {a: features[:, column[a]] for a in PROMOTION_FEATURES}
        start = 0
        for points in due:
            k = len(points.row)
            level = self.rules.churn_alert.decide(
                self.arena.rows, points.row, driving[start : start + k], points.now_ms
            )
            for i in range(k):
                at = start + i
                shopper = self.arena.shopper(int(points.row[i]))
                now = int(points.now_ms[i])
                if points.silence:
                    what = Due(kind="silence", ref=str(now))
                else:
                    what = Due(kind="event", ref=batch.event_ids[int(points.event[i])])
                due_ref = f"{what.kind}:{what.ref}"
                for model, values in zip(used, scores, strict=True):
                    result.outcomes.append(
                        Scored(
                            outcome_id=outcome_id("scored", shopper, due_ref, model.task),
                            shopper_id=shopper,
                            event_time_ms=now,
                            due=what,
                            model=model,
                            scores={name: float(v[at]) for name, v in values.items()},
                        )
                    )
                score = float(driving[at])
                if level[i]:
                    alerts.append((len(result.outcomes), at))
                    result.outcomes.append(
                        ChurnAlerted(
                            outcome_id=outcome_id("churn_alerted", shopper, due_ref, ""),
                            shopper_id=shopper,
                            event_time_ms=now,
                            due=what,
                            model=used[0],
                            score=score,
                            level=LEVELS[int(level[i])],  # type: ignore[arg-type]
                            reasons=[],
                        )
                    )
                if score >= self.rules.promotion.threshold:
                    offer = self._promote(points, i, shopper, score, {a: float(c[at]) for a, c in percolumn.items()})
                    if offer is not None:
                        result.outcomes.append(
                            self._offer_outcome(offer, shopper, now, what, used[0], score, points, i)
                        )
            self.arena.dirty[points.row] = True
            start += k
        t2 = clock()
        if alerts:
            self._explain(models[0], inputs[0], alerts, result)
        result.seconds["score"] = t1 - t0 + clock() - t2
        result.seconds["decide"] = t2 - t1

    def _promote(
        self, points: DuePoints, i: int, shopper: str, score: float, seen: dict[str, float]
    ) -> Offer | promotion.Withheld | None:
        prospect = Prospect(
            row=int(points.row[i]),
            shopper_id=shopper,
            now_ms=int(points.now_ms[i]),
            score=score,
            discount_rate=seen["orders.discount_rate"],
            coupon_share=seen["orders.coupon_share"],
            average_order_cents=seen["orders.average_value"],
            orders=seen["orders.count"],
            consent=seen["offers.consent"],
        )
        return self.rules.promotion.decide(self.arena.rows, prospect)

    def _offer_outcome(
        self,
        decision: Offer | promotion.Withheld,
        shopper: str,
        now: int,
        due: Due,
        model: ModelUsed,
        score: float,
        points: DuePoints,
        i: int,
    ) -> OfferMade | OfferWithheld:
        campaign = self.rules.promotion.campaign
        if isinstance(decision, Offer):
            return OfferMade(
                outcome_id=outcome_id("offer_made", shopper, f"{due.kind}:{due.ref}", campaign),
                shopper_id=shopper,
                event_time_ms=now,
                due=due,
                model=model,
                campaign=campaign,
                category=self.category_names.get(int(points.category[i])),
                discount_percent=decision.discount_percent,
                max_discount_cents=decision.max_discount_cents,
                currency=self.rules.decode.currency,
                expires_at_ms=decision.expires_at_ms,
                score=score,
                reasons=list(decision.reasons),
            )
        return OfferWithheld(
            outcome_id=outcome_id("offer_withheld", shopper, f"{due.kind}:{due.ref}", campaign),
            shopper_id=shopper,
            event_time_ms=now,
            due=due,
            model=model,
            campaign=campaign,
            reason=decision.reason,
            discount_percent=decision.discount_percent,
            score=score,
        )

    def _explain(
        self, model: Model, x: npt.NDArray[np.float32], alerts: list[tuple[int, int]], result: Applied
    ) -> None:
        """Give each alert the three features that raised its score most, by one more run over the alerts."""
        rows = x[[at for _, at in alerts]]
        moved = np.round(model.contributions(rows), 4)
        strongest = np.argsort(-moved, axis=1, kind="stable")[:, :3]
        for (place, _), row, effect, top in zip(alerts, rows, moved, strongest, strict=True):
            reasons = [
                Reason(feature=model.features[j], value=float(row[j]), contribution=float(effect[j]))
                for j in top.tolist()
                if effect[j] > 0
            ]
            result.outcomes[place] = msgspec.structs.replace(result.outcomes[place], reasons=reasons)
