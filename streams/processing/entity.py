"""The contract of an entity: a thing with a key that records are about, that features are kept of, and that something
is decided about. ``streams/entities`` has them; ``streams/entities/shopper.py`` is the page to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from streams.campaigns.plan import Plans
from streams.columns.arrays import Bools, EventBatch, Ints, of_types
from streams.columns.building import Wire
from streams.columns.layout import Column, Readable, Rows
from streams.decisions.decider import Decider, Group, arranges
from streams.features.catalogue import Catalogue
from streams.monitoring.known import Known
from streams.processing.alarms import Alarms
from streams.processing.coupon_pools import Stock
from streams.processing.decode import Decoded
from streams.processing.due import DuePoints
from streams.processing.fates import Judged
from streams.processing.forgetting import Forgetting
from streams.processing.identity import Identities, Left, When
from streams.processing.merging import Merge
from streams.processing.rules import Rules
from streams.processing.scoring import TaskScores
from streams.processing.wishes import Wishes
from streams.records.events import ShopperMerged
from streams.records.outcomes import AnyOutcome
from streams.records.slices import Slice


class Timer(Protocol):
    """What makes a row due without a record: silence, or the end of a day."""

    @property
    def stays(self) -> bool:
        """Whether a record leaves a moment that was set before it: the row is due at that moment all the same."""

    @property
    def kind(self) -> Literal["silence", "day"]:
        """What outcomes call it."""

    def due_ms(self, rows: Readable, catalogue: Catalogue, last_event_ms: Ints, fired: Ints) -> Ints:
        """[k] when each row's timer fires, UTC milliseconds, having fired ``fired`` times since its last record."""

    def may_fire(self, time_ms: Ints, seen_ms: Ints) -> Bools:
        """[n] whether it may fire between a record of this time and a watermark of ``seen_ms``."""


class Told(NamedTuple):
    """What a partition says when a slice is over."""

    emitted: list[Emitted]
    """To the logs of other entities."""
    outcomes: list[AnyOutcome]
    """To whoever reads outcomes, besides what was decided."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """A record for the log of another ``entity``: the partition there, and its bytes."""

    entity: str
    partition: int
    value: bytes


class Side(Protocol):
    """What one partition of an entity knows beside its rows: what time it is, which records came before, names, sums,
    and its deciders. All of it is a function of the log, and all that must survive a restart is in the feature table:
    as records of its own (``drain_changes``, ``restore``) and in the progress record (``progress``, ``recover``)."""

    @property
    def deciders(self) -> Sequence[Decider]:
        """What decides at due points, in order, under the rules that hold."""

    @property
    def ticks(self) -> bool:
        """Whether a tick of the clock in its log moves its time."""

    @property
    def awaited(self) -> bool:
        """Whether something waits for time to go on, besides timers."""

    @property
    def stocks(self) -> Mapping[str, Stock]:
        """Codes of coupons that are left and were given, by pool."""

    @property
    def ids_held(self) -> int:
        """Ids that duplicates are told by."""

    @property
    def items_unavailable(self) -> int:
        """Items that are known not to be offered."""

    @property
    def items_new(self) -> int:
        """Items that are known to be new."""

    @property
    def newest_ms(self) -> int:
        """Largest event time seen, UTC milliseconds since 1970."""

    def watermark_ms(self, rules: Rules) -> int:
        """Nothing older is still awaited. Never falls."""

    def watermarks_ms(self, clock_ms: Ints, rules: Rules) -> Ints:
        """[n] the watermark once each of some records, with such event times, was seen."""

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold; where they allow more lateness, the watermark stands still for a while."""

    @property
    def alarms(self) -> Alarms | None:
        """What makes due besides records and the timer; None: nothing."""

    @property
    def identities(self) -> Identities | None:
        """Who turned out to be whom; None: nobody ever does."""

    @property
    def wishes(self) -> Wishes | None:
        """Whom news of items makes due; None: nobody."""

    @property
    def forgetting(self) -> Forgetting | None:
        """Who is forgotten; None: nobody ever is."""

    def note(self, state: Rows, rows: Ints, batch: EventBatch, applied: Ints, judged: Judged) -> None:
        """What was applied of a slice and decided about, in log order, before anybody leaves. ``applied``: of the
        batch; ``rows``: of all of it."""

    def left(self, state: Rows, row: int, key: str, when: When) -> Left:
        """The key of a row turns out to be another one: nothing waits in it any more. Called before it is told what the
        row holds."""

    def joins(self, state: Rows, row: int, other: Rows, said: ShopperMerged, offset: int) -> None:
        """What another id's row held (the one row of ``other``, which may be changed) is taken into a row next."""

    def came(self, said: ShopperMerged, offset: int, watermark_ms: int) -> None:
        """What was known of an id beside its row comes to somebody, at an offset."""

    def cuts(self, decoded: Decoded, rules: Rules) -> list[int]:
        """Places in a slice before which all must be decided before it goes on."""

    def steps(self, decoded: Decoded, rules: Rules) -> Ints:
        """Times that the watermark passes with the first record of a slice, before each of which all must be decided
        that comes before it; ascending."""

    def plan(self, plans: Plans | None) -> None:
        """From here on these campaigns hold; None: the log chose none."""

    def judge(self, decoded: Decoded, rows: Ints, state: Rows, slice_: Slice, rules: Rules) -> Judged:
        """Every record's fate, and the watermark before and after each; remembers what was seen."""

    def emit(self, batch: EventBatch, applied: Ints, judged: Judged, slice_: Slice, rules: Rules) -> Told:
        """What the records of a slice come to, and what was decided at them; called once it was. ``applied``: of the
        batch, in log order."""

    @property
    def idle(self) -> bool:
        """Whether nobody waits for what this partition has to say next."""

    def fall_idle(self, offset: int, rules: Rules) -> list[Emitted]:
        """What tells other logs at this offset that this partition has nothing to say for now."""

    def refresh(self, state: Rows, points: DuePoints) -> None:
        """Write what is known beside the rows into rows that are about to be read."""

    def correct(self, state: Rows, groups: Sequence[Group], scores: Mapping[str, TaskScores]) -> None:
        """Correct what models answered by what their answers came to."""

    def known(self, state: Rows, places: Ints, watermark_ms: int) -> Known:
        """What became known of earlier answers since this was last asked; ``places``: the rows that are in use."""

    def progress(self) -> dict[str, Any]:
        """What belongs into the progress record."""

    def drain_changes(self, next_offset: int, watermark_ms: int) -> dict[bytes, bytes | None]:
        """Records of the feature table that changed since this was last called, None deletes: before the rows."""

    def restore(self, records: Iterable[tuple[bytes, bytes]], meta: Mapping[str, Any], rules: Rules) -> None:
        """Take everything back. ``records``: those of the table that are neither rows nor their layouts."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a partition's ``Side`` is made with."""

    partition: int
    partitions: int | None
    """How many the topic has; None where nothing is said to other logs and no record's place is judged."""
    rules: Rules
    group: str = ""
    """The workers that keep it: a log that several groups share also holds what others say."""
    outputs: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """By task, what it answers: some say what they are held against."""


@dataclass(frozen=True)
class Entity:
    """One kind of thing with a key, in one page."""

    name: str
    """Also of its feature table; in lower case, one word."""
    log: str
    """The topic that its records stand in, by key; of an ``internal`` one, the end of its name."""
    wire: Wire
    """Its records, and what they say in whole numbers."""
    records: tuple[type, ...]
    """What a due point may stand on; their place is their code."""
    catalogue: Catalogue
    """Its features."""
    decisive: tuple[type, ...]
    """Records after which a decision may change: each is a due point."""
    cadence_ms: Callable[[Rules], int]
    """The first record in each stretch of event time of this length is a due point as well."""
    timer: Callable[[Rules], Timer]
    """What makes due without a record."""
    columns: tuple[Column, ...]
    """What a row remembers besides features."""
    deciders: tuple[type[Decider], ...]
    """What decides, in order; a partition's own are made by ``side``."""
    side: Callable[[Start], Side]
    merges: tuple[Merge, ...] = ()
    """How columns of two rows become those of one, besides those of features; of others each row keeps its own."""
    most_due: int = 0
    """How often a row is due by records in such a stretch; 0: without bound."""
    campaigns: bool = False
    """Whether campaigns decide about it."""
    internal: bool = False
    """Whether workers write the whole log: each group has one of its own, which keeps to the group's rules."""

    def topic(self, app_id: str) -> str:
        """The topic that is its log, for a group of workers; its own is named as Faust names its changelogs."""
        return f"{app_id}-{self.log}" if self.internal else self.log

    @property
    def row_columns(self) -> tuple[Column, ...]:
        """What a row remembers besides features, that of its deciders included."""
        return (*self.columns, *(column for decider in self.deciders for column in decider.columns))  # type: ignore[attr-defined]

    @property
    def reads(self) -> tuple[str, ...]:
        """Addresses of the features that deciders look at, each once."""
        return tuple(dict.fromkeys(a for decider in self.deciders for a in decider.reads))  # type: ignore[attr-defined]

    @property
    def is_decisive(self) -> Bools:
        """To be indexed by codes of record types."""
        return of_types(*self.decisive)


def outcomes(deciders: Sequence[Decider], state: Rows, groups: Sequence[Group]) -> list[AnyOutcome]:
    """Everything to be said, in order of the due points; last by those that are given them in an order of their own.
    Moves the deciders' columns of ``state``."""
    found: list[AnyOutcome] = []
    plain = [decider for decider in deciders if not arranges(decider)]
    for group in groups:
        said = [one for decider in plain for one in decider.decide(state, group)]
        said.sort(key=lambda one: one[0])  # stable: of one row in the deciders' order
        found += [outcome for _, outcome in said]
    for decider in deciders:
        if arranges(decider):
            found += [outcome for _, outcome in decider.decide_slice(state, groups)]
    return found
