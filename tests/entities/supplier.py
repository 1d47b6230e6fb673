"""The files and lines of a throw-away entity and a throw-away decision, as the recipes of CONTRIBUTING.md want them:
suppliers deliver, and who is late too often is worth a warning."""

from __future__ import annotations

FILES = {
    "streams/records/suppliers.py": '''
"""What is known of suppliers."""

import msgspec

from streams.records.events import EventTime, Id


class DeliveryReceived(msgspec.Struct, tag_field="type", tag="delivery_received", kw_only=True, frozen=True):
    """A delivery came."""

    event_id: Id
    supplier_id: Id
    event_time: EventTime
    units: int
    late_days: int = 0


SUPPLIER_RECORDS: tuple[type, ...] = (DeliveryReceived,)
''',
    "streams/columns/supplier_records.py": '''
"""What records about suppliers say in whole numbers."""

from streams.columns.arrays import TYPE_CODE, EventBatch, Touches, number
from streams.columns.building import Table, Wire, hashes_of
from streams.records.events import ClockTicked
from streams.records.serving import ModelsChosen, RulesChosen
from streams.records.slices import Slice
from streams.records.suppliers import SUPPLIER_RECORDS, DeliveryReceived

number(SUPPLIER_RECORDS)


class SupplierColumns:
    """Collects deliveries into columns."""

    def __init__(self, slice_: Slice, currency: str) -> None:
        self.names: dict[int, tuple[int, str]] = {}
        self._table = Table(("units", "late_days"))

    def add(self, position: int, offset: int, time_ms: int, record: DeliveryReceived | ClockTicked) -> bool:
        """Take a record."""
        if isinstance(record, ClockTicked):
            return False
        place, key = (position, offset, time_ms, TYPE_CODE[type(record)]), record.supplier_id
        facts = (record.units, record.late_days)
        self._table.add(place, facts, hashes_of(key, record.event_id), record.event_id, key, record)
        return True

    def batch(self) -> EventBatch:
        """What was taken."""
        return self._table.batch(Touches.none())


WIRE = Wire(DeliveryReceived | ClockTicked | ModelsChosen | RulesChosen, SupplierColumns, key="supplier_id")
''',
    "streams/features/supplier/__init__.py": '''
"""Every feature of a supplier."""

from streams.features.catalogue import Catalogue
from streams.features.supplier import deliveries

CATALOGUE = Catalogue(deliveries.FEATURES)
''',
    "streams/features/supplier/signals.py": '''
"""What can be counted of a supplier, or added up."""

from streams.features.signals import Signal
from streams.records.suppliers import DeliveryReceived

DELIVERIES = Signal("deliveries.count", (DeliveryReceived,))
UNITS = Signal("deliveries.units", (DeliveryReceived,), "units")
LATE = Signal("deliveries.late", (DeliveryReceived,), "late_days")
''',
    "streams/features/supplier/deliveries.py": '''
"""Features of what a supplier delivers."""

from streams.features.feature import Feature, Ratio
from streams.features.kinds.decay import Decayed
from streams.features.kinds.marks import MAX_DAYS, DaysSince, Total
from streams.features.kinds.windows import Windowed
from streams.features.supplier.signals import DELIVERIES, LATE, UNITS

_PER_DELIVERY = Ratio("deliveries.late_days", "deliveries.count", 365.0)
FEATURES = (
    Feature("deliveries.count", "Deliveries ever", "deliveries", Total(DELIVERIES)),
    Feature("deliveries.units_7d", "Units in 7 days", "units", Windowed(UNITS, "7d")),
    Feature("deliveries.faded", "Units, faded", "units", Decayed(UNITS, "7d")),
    Feature("deliveries.late_days", "Days that deliveries came late, added up", "days", Total(LATE)),
    Feature("deliveries.days_since", "Days since the last one", "days", DaysSince(DELIVERIES), 0, MAX_DAYS, MAX_DAYS),
    Feature("deliveries.lateness", "Days late per delivery", "days", _PER_DELIVERY, 0, 365),
)  # fmt: skip
''',
    "streams/decisions/late_supplier.py": '''
"""Warns of a supplier that is late too often, once until it is on time again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.records.outcomes import SupplierWarned, outcome_id

WARNED = Column("late_supplier/warned", "u1")


@dataclass(frozen=True, slots=True)
class LateSupplierPolicy:
    """Prevents that a shop runs out because nobody noticed who is late."""

    days: float = 2.0


class LateSuppliers:
    """One warning per stretch of lateness."""

    columns: tuple[Column, ...] = (WARNED,)
    reads = ("deliveries.lateness",)

    def __init__(self, policy: LateSupplierPolicy) -> None:
        self._policy = policy

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        late = group.feature("deliveries.lateness") > self._policy.days
        cells = state.cells(WARNED, group.row)
        new = late & (state.flat["u1"][cells] == 0)
        state.flat["u1"][cells] = late
        for i in np.flatnonzero(new).tolist():
            yield i, SupplierWarned(
                outcome_id=outcome_id("supplier_warned", group.key[i], group.ref(i), ""),
                event_time_ms=int(group.now_ms[i]),
                due=group.due[i],
                supplier_id=group.key[i],
            )
''',
    "streams/entities/supplier.py": '''
"""A supplier: what came from it, and what is said about it."""

from streams.columns.supplier_records import WIRE
from streams.decisions.late_supplier import LateSuppliers
from streams.features.supplier import CATALOGUE
from streams.processing.day_end import DayEnd
from streams.processing.entity import Entity
from streams.processing.rules import Rules
from streams.processing.side import PlainSide
from streams.records.suppliers import SUPPLIER_RECORDS, DeliveryReceived


class SupplierSide(PlainSide):
    """What a partition of suppliers knows beside their rows."""

    def under(self, rules: Rules, watermark_ms: int) -> None:
        """From here on these rules hold."""
        super().under(rules, watermark_ms)
        self.deciders = (LateSuppliers(rules.late_supplier),)


SUPPLIER = Entity(
    name="supplier",
    log="suppliers.log.v1",
    wire=WIRE,
    records=SUPPLIER_RECORDS,
    catalogue=CATALOGUE,
    decisive=(DeliveryReceived,),
    cadence_ms=lambda rules: rules.cadence_ms,
    timer=lambda rules: DayEnd(rules.time_zone),
    columns=(),
    deciders=(LateSuppliers,),
    side=SupplierSide,
)
''',
    "tests/entities/test_supplier.py": '''
"""A supplier in numbers, and warnings of one that is late."""

import msgspec
import numpy as np
import pytest

from streams.entities.contents import changelogs, find
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records.events import ClockTicked
from streams.records.outcomes import SupplierWarned
from streams.records.slices import Slice
from streams.records.suppliers import DeliveryReceived
from streams.settings import Settings
from streams.topics import TOPIC_OF, TOPICS
from tests.shoppers import DAY, HOUR, NOON
from tests.worlds import DictTier, World, shipped

SUPPLIER = find("supplier")


def delivered(k, at, supplier="s1", **more):
    return DeliveryReceived(event_id=f"d{k}", supplier_id=supplier, event_time=at, **more)


LOG = [
    delivered(1, NOON, units=5, late_days=1),
    delivered(2, NOON + HOUR, units=3, late_days=4),   # 2.5 days per delivery: warned
    delivered(2, NOON + HOUR, units=3, late_days=4),   # a duplicate
    delivered(3, NOON + 2 * DAY, units=2, late_days=9),  # still late: nothing more is said
    delivered(4, NOON + 3 * DAY, "s2", units=1),
    delivered(5, NOON, units=1),  # late
    *(delivered(n, NOON + 4 * DAY + n, units=1) for n in range(6, 26)),  # on time again
    delivered(30, NOON + 5 * DAY, units=1, late_days=90),  # and late again
    ClockTicked(event_time=NOON + 45 * DAY),
    ClockTicked(event_time=NOON + 45 * DAY + HOUR),
]


def slices(cuts):
    bounds = [0, *cuts, len(LOG)]
    keys = [r.supplier_id.encode() if isinstance(r, DeliveryReceived) else None for r in LOG]
    values = [msgspec.json.encode(r) for r in LOG]
    for a, b in zip(bounds, bounds[1:]):
        yield Slice(SUPPLIER.log, 0, range(a, b), [NOON + 99 * DAY] * (b - a), keys[a:b], values[a:b])


def run(cuts, *, restarts=False):
    processor, world, tier = PartitionProcessor(SUPPLIER, 0, Rules(), shipped()), World(), DictTier()
    for slice_ in slices(cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(SUPPLIER, 0, Rules(), shipped(), tier=tier)
        world.take_result(processor.apply(slice_))
    tier.write(processor.drain_changes())
    world.packed = tier.held
    return processor, world


def test_features_due_points_and_outcomes():
    processor, world = run([])
    assert world.fates == {"applied": 25, "duplicate": 1, "late": 1, "tick": 2}
    # Every delivery is a due point; so is the end of three days of s1, and 1, 7 and 30 days after the last of each.
    assert world.due["event"] == 25
    assert world.due["day"] == 3 + 3 + 3
    assert world.kinds == {"SupplierWarned": 2, "LateEvent": 1}
    said = [msgspec.json.decode(v) for v in world.outcomes.values() if b"supplier_id" in v]
    assert [one["due"]["ref"] for one in said if "due" in one] == ["d2", "d30"]
    rows = processor.arena.rows.copy(processor.arena.find(["s1", "s2"]))
    addresses = ("deliveries.count", "deliveries.units_7d", "deliveries.lateness", "deliveries.days_since")
    read = processor.catalogue.read(rows, np.full(2, NOON + 6 * DAY), addresses)
    np.testing.assert_allclose(read, [[24, 31, 104 / 24, 1], [1, 1, 0, 3]], rtol=1e-6)


@pytest.mark.parametrize("cuts", [[1], [3, 4, 9], list(range(1, len(LOG)))])
def test_the_log_decides(cuts):
    whole = run([])[1]
    for restarts in (False, True):
        parts = run(cuts, restarts=restarts)[1]
        assert (parts.rows, parts.outcomes, parts.fates) == (whole.rows, whole.outcomes, whole.fates)


def test_a_worker_keeps_it():
    assert Settings(entities="supplier shopper").kept_entities == ("supplier", "shopper")
    assert "app-suppliers-changelog" in [topic.name for topic in changelogs("app")]
    assert SUPPLIER.log in [topic.name for topic in TOPICS]
    assert TOPIC_OF[SupplierWarned] == "suppliers.warned.v1"
    assert Rules.of(Rules().described()) == Rules()
''',
}
OUTCOME = '''
class SupplierWarned(AnyOutcome, frozen=True, kw_only=True):
    """A supplier is late too often."""

    supplier_id: Annotated[str, Meta(description="Which one; the record's key as well.")]

    @property
    def key(self) -> str:
        """The supplier."""
        return self.supplier_id


class LateEvent('''
TOPICS = """SUPPLIERS = Topic("suppliers.log.v1", "Deliveries", "supplier_id", (DeliveryReceived,), 30, config=_LOGGED)
WARNED = Topic("suppliers.warned.v1", "Who is late", "supplier_id", (outcomes.SupplierWarned,), 90)
TOPICS = (
    SUPPLIERS, WARNED,"""
SUBJECT = '''class Suppliers:
    """Suppliers in one partition."""

    entity = SUPPLIER
    ordered: Mapping[str, str] = {}
    ordered_columns = frozenset[str]()

    def history(self, seed: int, *, hostile: bool = False) -> Log:
        """Deliveries of five suppliers."""
        rng = random.Random(seed)
        found: Log = []
        for k in range(300):
            late = rng.randint(0, 2 * HOUR) if hostile else 0
            delivery = DeliveryReceived(
                event_id=f"d{k - rng.randint(0, hostile)}",
                supplier_id=rng.choice("abcde"),
                event_time=NOON + k * 3 * HOUR - late,
                units=rng.randint(0, 9),
                late_days=rng.randint(0, 5),
            )
            found.append((delivery.supplier_id.encode(), msgspec.json.encode(delivery)))
        return found

    def disordered(self, history: Log, seed: int) -> Log:
        """Each up to an hour later."""
        rng = random.Random(seed)
        late = [msgspec.json.decode(value or b"")["event_time"] + rng.randint(0, HOUR - 1) for _, value in history]
        return [history[k] for k in np.argsort(late).tolist()]

    def apply(self, history: Log, cuts: Iterable[int] = (), rules: Rules | None = None) -> list[PartitionProcessor]:
        """One partition."""
        processor = PartitionProcessor(SUPPLIER, 0, rules or Rules())
        bounds = sorted({0, *(c for c in cuts if c < len(history)), len(history)})
        for a, b in zip(bounds, bounds[1:], strict=False):
            processor.apply(slice_of(history[a:b], a, SUPPLIER.log))
        return [processor]


SUBJECTS: tuple'''
#: file → what is written before what, and an import
LINES = {
    "tests/laws/subjects.py": [
        ("SUBJECTS: tuple", SUBJECT),
        ("(Shoppers(), Items(), Campaigns())", "(Shoppers(), Items(), Campaigns(), Suppliers())"),
        ("import numpy as np", "import msgspec\nimport numpy as np"),
        ("from streams.features", "from streams.entities.supplier import SUPPLIER\nfrom streams.features"),
        (
            "from streams.records import events",
            "from streams.records.suppliers import DeliveryReceived\nfrom streams.records import events",
        ),
        (
            "from tests.shoppers import DAY, HOUR, NOON, Log, log_of, random_history, viewed",
            "from tests.shoppers import DAY, HOUR, NOON, Log, log_of, random_history, slice_of, viewed",
        ),
    ],
    "streams/entities/contents.py": [
        ("(SHOPPER, ITEM, CAMPAIGN)", "(SHOPPER, ITEM, CAMPAIGN, SUPPLIER)"),
        ("from streams.processing", "from streams.entities.supplier import SUPPLIER\nfrom streams.processing"),
    ],
    "streams/processing/rules.py": [
        (
            "    promotion: PromotionPolicy =",
            "    late_supplier: LateSupplierPolicy = field(default_factory=LateSupplierPolicy)\n"
            "    promotion: PromotionPolicy =",
        ),
        (
            "from streams.decisions.promotion",
            "from streams.decisions.late_supplier import LateSupplierPolicy\nfrom streams.decisions.promotion",
        ),
    ],
    "streams/records/outcomes.py": [
        ("class LateEvent(", OUTCOME.lstrip()),
    ],
    "streams/topics.py": [
        ("TOPICS = (\n   ", TOPICS),
        (
            "from streams.records.serving",
            "from streams.records.suppliers import DeliveryReceived\nfrom streams.records.serving",
        ),
    ],
}
