"""What records about campaigns say in whole numbers, once the ledger has filled in what it made of each."""

from __future__ import annotations

from streams.columns.arrays import TYPE_CODE, EventBatch, Touches, number
from streams.columns.building import Refused, Table, Wire, hashes_of
from streams.records.budget import BudgetSet, SpendReported
from streams.records.effects import EffectReported
from streams.records.serving import ModelsChosen, RulesChosen
from streams.records.slices import Slice

#: What may stand in the campaigns' log, besides choices of models and rules.
CAMPAIGN_RECORDS: tuple[type, ...] = (BudgetSet, SpendReported, EffectReported)
number(CAMPAIGN_RECORDS)
#: How the campaign's budget stands once a record was taken: ``total``, ``remaining``, ``leased`` and ``spent`` in
#: cents, ``price`` in millionths of a cent of value per cent of cost. ``committed`` (cents) and ``offers``: how many
#: more since the source's record before.
FACTS = ("total", "remaining", "leased", "spent", "price", "committed", "offers")


class CampaignColumns:
    """Collects records about campaigns into columns."""

    def __init__(self, slice_: Slice, currency: str) -> None:
        self._currency = currency
        self.names: dict[int, tuple[int, str]] = {}
        self._table = Table(FACTS)

    def add(self, position: int, offset: int, time_ms: int, record: BudgetSet | SpendReported | EffectReported) -> bool:
        """Take a record. Raises ``Refused``."""
        if record.currency != self._currency:
            raise Refused(
                "foreign_currency", f"{record.currency}, but this group adds up {self._currency}.", "currency"
            )
        if isinstance(record, BudgetSet):
            name = f"revision {record.revision}"
        else:
            name = f"{record.source_partition}/{record.sequence}"
        place = (position, offset, time_ms, TYPE_CODE[type(record)])
        # Known by the ledger, which counts what each source says, not by an id.
        hashes = (hashes_of(record.campaign, name)[0], 0)
        self._table.add(place, (0,) * len(FACTS), hashes, name, record.campaign, record)
        return True

    def batch(self) -> EventBatch:
        """What was taken."""
        return self._table.batch(Touches.none())


#: What stands in the campaigns' log. No record has a key: workers write them where they belong.
WIRE = Wire(BudgetSet | SpendReported | EffectReported | ModelsChosen | RulesChosen, CampaignColumns, key="")
