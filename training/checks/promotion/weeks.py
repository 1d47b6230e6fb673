"""Week after week through the code that serves and the code that trains: nothing here decides, measures or learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.registry import task
from models.store import Shelf, Store
from streams.campaigns.reading import campaigns_of
from streams.campaigns.vocabulary import vocabulary
from streams.effects.decided import join
from streams.entities.shopper import SHOPPER
from streams.features.kinds.decay import DAY_MS
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.budget import LeaseGranted, encode_budget_record
from streams.records.effects import OfferOutcome
from streams.records.events import ClockTicked, ShopperEvent, encode_event
from streams.records.offers import OfferMade
from streams.records.receipts import Receipt
from streams.records.serving import CampaignsChosen, ModelsChosen, Stages
from streams.records.slices import Slice
from training.checks.promotion.shop import ARMS, BEGIN_MS, CAMPAIGN, Shoppers
from training.history import history_of
from training.job import CutHistory, Job
from training.needs import TooLittle
from training.source import OWN_LICENCE, Source
from training.tasks import promotion

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PROMOTION = task("promotion")
#: Records per slice.
SLICE = 4_000
#: A lease of a day, more than is ever needed.
PLENTY = 10**8


@dataclass
class Shop:
    """A partition of a shop's log, what its worker said, and the models that its operators put into the store."""

    store: Store
    events: list[ShopperEvent] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    outcomes: list[OfferOutcome] = field(default_factory=list)
    offers: dict[str, OfferMade] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processor = PartitionProcessor(SHOPPER, 0, Rules(), Shelf(self.store))
        words = vocabulary(SHOPPER.catalogue.features.values(), [])
        self.campaigns = campaigns_of(CAMPAIGN, words, "USD")
        self._offset = self._day = self._granted = 0
        self._apply([(None, encode_event(self._chosen()))], 0)

    def _chosen(self) -> CampaignsChosen:
        return CampaignsChosen(digest=self.campaigns.digest, campaigns=self.campaigns.described())

    def promote(self, version: str) -> None:
        """From here on this version is live."""
        stages = Stages(change_id=version, live=version)
        self._apply([(None, encode_event(ModelsChosen(stages={PROMOTION.name: stages})))], 0)

    def tell(self, events: Iterable[ShopperEvent]) -> None:
        """What shoppers did, no older than what was told before."""
        log: list[tuple[bytes | None, bytes]] = []
        now = 0
        for event in sorted(events, key=_time):
            self.events.append(event)
            now = _time(event)
            self._pass(now // DAY_MS, log)
            log.append((event.shopper_id.encode(), encode_event(event)))
        self._apply(log, now)

    def _pass(self, day: int, log: list[tuple[bytes | None, bytes]]) -> None:
        """Let time pass to a day of the log, and lease the campaign money for it, as its ledger would."""
        if day <= self._day:
            return
        self._day, self._granted = day, self._granted + PLENTY
        log.append((None, encode_event(ClockTicked(event_time=day * DAY_MS))))
        lease = LeaseGranted(
            campaign=self.campaigns.campaigns[0].id,
            currency="USD",
            partition=0,
            sequence=self._granted // PLENTY - 1,
            granted_cents=self._granted,
            lease_cents=PLENTY,
            day=day,
            expires_at_ms=(day + 1) * DAY_MS,
            price_micros=0,
            reference_micros=0,
        )
        log.append((None, encode_budget_record(lease)))

    def _apply(self, log: list[tuple[bytes | None, bytes]], now: int) -> None:
        for start in range(0, len(log), SLICE):
            some = log[start : start + SLICE]
            offsets = range(self._offset, self._offset + len(some))
            keys, values = [key for key, _ in some], [value for _, value in some]
            slice_ = Slice(SHOPPER.log or "", 0, offsets, [now] * len(some), keys, values)
            self._offset += len(some)
            result = self.processor.apply(slice_)
            if result.dead or result.late:
                raise AssertionError(f"The simulation sends what cannot be used: {(result.dead or result.late)[0]}")
            for said in result.outcomes:
                if isinstance(said, Receipt):
                    self.receipts.append(said)
                elif isinstance(said, OfferOutcome):
                    self.outcomes.append(said)
                elif isinstance(said, OfferMade):
                    self.offers[said.shopper_id] = said

    def learn(self, work: Path, seed: int) -> str:
        """Train on all that is known by now, and put the version into the store; returns its name. Raises
        ``TooLittle``."""
        history = history_of(self.events, "USD")
        cut_ms = history.end_ms
        source = Source(
            "simulated shop", "Simulated", OWN_LICENCE, True, Rules(), lambda: None, lambda _f, _t: (history, None)
        )
        decided = join(self.receipts, self.outcomes)
        promotion.enough(decided, cut_ms)
        job = Job(PROMOTION, (CutHistory(source, history, cut_ms),), seed, work, own=True, decided=decided)
        return self.store.put(PROMOTION.name, promotion.train(job).files()).version


@dataclass(frozen=True, slots=True)
class Week:
    """What policies are really worth to the shoppers of one week, in cents for each."""

    week: int
    ours: float
    """As decided, before anything is drawn to learn and anybody is held back."""
    assumed: float
    """As the file assumes, for ever."""
    random: float
    oracle: float
    """Who knew the truth."""
    learned_of: int
    """Windows that the model of this week had learned of; 0: there was none."""


def play(shoppers: Shoppers, shop: Shop, work: Path, seed: int, tell: Callable[[Week], None]) -> list[Week]:
    """Play all weeks: let shoppers come, decide, see what they do, learn."""
    rng, found, learned_of = np.random.default_rng([seed, 2]), list[Week](), 0
    value = shoppers.value()
    everyone = np.arange(len(shoppers))
    pending = sorted(shoppers.before(everyone), key=_time)
    place = 0
    assumed: Ints | None = None
    for week in range(int(shoppers.week.max()) + 1):
        begin = BEGIN_MS + week * 7 * DAY_MS
        place = _until(shop, pending, place, begin + DAY_MS, [])
        mine = np.flatnonzero(shoppers.week == week)
        mine_names = {f"s{i}" for i in mine.tolist()}
        chosen = {r.shopper_id: _best(r) for r in shop.receipts if r.shopper_id in mine_names}
        ours = np.array([chosen[f"s{i}"] for i in mine.tolist()])
        if assumed is None:
            assumed = ours  # nothing was learned yet: the file decides
            usual = int(np.bincount(ours).argmax())
        found.append(
            Week(
                week,
                float(value[mine, ours].mean()),
                float(value[mine, usual].mean()),
                float(value[mine].mean()),
                float(value[mine].max(axis=1).mean()),
                learned_of,
            )
        )
        tell(found[-1])
        offers = {i: (o.arm, o.outcome_id) for i in mine.tolist() if (o := shop.offers.get(f"s{i}")) is not None}
        then = shoppers.after(rng, mine, {i: (str(arm), offer) for i, (arm, offer) in offers.items()})
        place = _until(shop, pending, place, begin + 7 * DAY_MS, then)
        if week == shoppers.week.max():
            break  # nobody comes whom it could decide for
        try:
            version = shop.learn(work / str(week), seed)
        except TooLittle:
            continue
        learned_of = len(shop.outcomes)
        shop.promote(version)
    return found


def _time(event: ShopperEvent) -> int:
    assert isinstance(event.event_time, int)
    return event.event_time


def _until(shop: Shop, pending: list[ShopperEvent], place: int, end_ms: int, more: list[ShopperEvent]) -> int:
    """Tell what was to come before a time, and what came besides; returns how far that went."""
    stop = place
    while stop < len(pending) and _time(pending[stop]) < end_ms:
        stop += 1
    shop.tell([*pending[place:stop], *more])
    return stop


def _best(receipt: Receipt) -> int:
    """The arm worth most to the campaign, if that is more than nothing: 1 + its place in ``ARMS``; 0: none."""
    worth = [(arm.worth_cents or 0.0, arm.arm) for arm in receipt.arms if not arm.refused]
    most = max(worth, default=(0.0, ""))
    return 1 + ARMS.index(most[1]) if most[0] > 0 else 0
