"""What campaigns brought, read from Kafka alone, from outside: the newest estimates of each, how they came to be, and
where its budget is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from models.nearest import unknown
from streams.admin import TopicError
from streams.budget.ledger import Balance
from streams.campaign_book import UnknownCampaign, read
from streams.entities.campaign import CAMPAIGN
from streams.outside.inspect import progress
from streams.outside.reading import Reader
from streams.records.effects import EffectMeasured, Range
from streams.records.words import money, shown_time
from streams.settings import Settings
from streams.topics import EFFECTS

EVERY, DAY_MS = "*", 86_400_000
#: Measures that are no money, and how a number of each per shopper is written.
COUNTED = {"orders": "{:,.4f}", "units": "{:,.4f}"}


@dataclass(frozen=True, slots=True)
class Brought:
    """One campaign."""

    campaign: str
    estimates: tuple[EffectMeasured, ...] = ()
    """The newest, the whole campaign's first; none: nothing is measured yet."""
    course: tuple[EffectMeasured, ...] = ()
    """The whole campaign's, from the first on: of each day of event time (UTC) the last."""
    balance: Balance | None = None
    """Where its budget is; None: no ledger of this group keeps it."""
    currency: str = ""
    """Of its budget."""

    def document(self) -> dict[str, Any]:
        """All of it for programs."""
        whole = self.estimates[0] if self.estimates else None
        return {
            "campaign": self.campaign,
            "verdict": None if whole is None else whole.verdict,
            "words": None if whole is None else whole.words,
            "currency": None if whole is None else whole.currency,
            "counted_until_ms": None if whole is None else whole.event_time_ms,
            "sides": None if whole is None else whole.sides,
            "sides_differ": None if whole is None else whole.sides_differ,
            "budget": None if self.balance is None else self.balance._asdict(),
            "estimates": msgspec.to_builtins(self.estimates),
            "course": [
                {
                    "event_time_ms": each.event_time_ms,
                    "shoppers": each.shoppers,
                    "held": each.held,
                    "profit_cents": msgspec.to_builtins(each.incremental.get("profit")),
                }
                for each in self.course
            ],
        }


def brought(settings: Settings, campaign: str | None = None) -> list[Brought]:
    """Every campaign that is measured, by id; or one. Raises ``UnknownCampaign``, ``TopicError``, ``Unreachable``."""
    with Reader(settings.access) as reader:
        found = by_campaign(_records(reader))
        held: dict[str, Balance] = {}
        if reader.exists(CAMPAIGN.topic(settings.app_id)):
            for each in progress(reader, settings, CAMPAIGN).values():
                held |= each.balances
    if campaign is not None and campaign not in found:
        names = sorted({*found, *read(settings.access).campaigns})
        if campaign not in names:
            raise UnknownCampaign(unknown("campaign", campaign, names or ["none yet"]))
    chosen = sorted(found) if campaign is None else [campaign]
    return [Brought(name, *found.get(name, ((), ())), held.get(name), settings.currency) for name in chosen]


def _records(reader: Reader) -> Iterator[EffectMeasured]:
    decode = msgspec.json.Decoder(EffectMeasured).decode
    for record in reader.whole(EFFECTS.name):
        try:
            yield decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeError) as error:
            where = f"{record.topic}/{record.partition}/{record.offset}"
            raise TopicError(f"{where} is no record of what a campaign brought: {error}") from error


def by_campaign(
    records: Iterable[EffectMeasured],
) -> dict[str, tuple[tuple[EffectMeasured, ...], tuple[EffectMeasured, ...]]]:
    """Campaign → (newest estimates, course), of records as they stand in the topic. What a worker said again after a
    crash says nothing new."""
    seen, measured = set[str](), dict[str, dict[tuple[int, str], list[EffectMeasured]]]()
    for record in records:
        if record.outcome_id not in seen:
            seen.add(record.outcome_id)
            times = measured.setdefault(record.campaign, {})
            times.setdefault((record.event_time_ms, record.due.ref), []).append(record)
    found = {}
    for campaign, times in measured.items():
        # Event time never goes back; of what was measured at one time the last said holds.
        ordered = sorted(times.items(), key=lambda each: each[0][0])
        wholes = {at // DAY_MS: whole for (at, _), said in ordered if (whole := _whole(said)) is not None}
        found[campaign] = (tuple(ordered[-1][1]), tuple(wholes.values()))
    return found


def _whole(estimates: Iterable[EffectMeasured]) -> EffectMeasured | None:
    return next((each for each in estimates if each.arm == each.segment == EVERY), None)


# -- in words


def amount(measure: str, value: float, currency: str, *, each: bool = False) -> str:
    """A number of a measure: money, or how many; ``each``: per shopper."""
    if measure in COUNTED:
        return COUNTED[measure].format(value) if each else f"{value:,.0f}"
    return money(round(value), currency)


def between(measure: str, found: Range, currency: str, *, each: bool = False) -> str:
    """An interval; – where none can be said yet."""
    if found.low is None or found.high is None:
        return "–"
    return " to ".join(amount(measure, end, currency, each=each) for end in (found.low, found.high))


def share(found: Range | None) -> tuple[str, str]:
    """The return on what it cost, and its interval.

    >>> share(Range(low=-0.25, mean=0.5, high=None))
    ('50%', '–')
    """
    if found is None:
        return "–", "–"
    ends = (found.low, found.high)
    return f"{found.mean:.0%}", "–" if None in ends else " to ".join(f"{end:.0%}" for end in ends)


MEASURE_COLUMNS = ("beyond the holdout", "per shopper", "interval", "in all so far", "interval so far")


def measure_rows(of: EffectMeasured) -> list[tuple[str, ...]]:
    """Every measure of one estimate."""
    rows = [
        (
            measure,
            amount(measure, found.mean, of.currency, each=True),
            between(measure, found, of.currency, each=True),
            amount(measure, of.incremental[measure].mean, of.currency),
            between(measure, of.incremental[measure], of.currency),
        )
        for measure, found in of.per_shopper.items()
    ]
    mean, ends = share(of.roi)
    return [*rows, ("profit over cost", mean, ends, "", "")] if rows else []


PART_COLUMNS = (
    "arm", "segment", "shoppers", "holdout", "orders", "revenue", "margin", "cost", "profit", "interval",
    "profit over cost", "verdict",
)  # fmt: skip


def part_rows(estimates: Iterable[EffectMeasured]) -> list[tuple[str, ...]]:
    """A row for each estimate: what it brought so far."""
    return [
        (
            "all" if each.arm == EVERY else each.arm,
            "all" if each.segment == EVERY else each.segment or "none",
            f"{each.shoppers:,}",
            f"{each.held:,}",
            *(
                amount(measure, each.incremental[measure].mean, each.currency) if each.incremental else "–"
                for measure in ("orders", "revenue", "margin", "cost", "profit")
            ),
            between("profit", each.incremental["profit"], each.currency) if each.incremental else "–",
            share(each.roi)[0],
            VERDICTS[each.verdict],
        )
        for each in estimates
    ]


VERDICTS = {"too_few": "too few orders", "not_yet": "not yet enough", "pays": "pays", "loses": "loses"}


NOTHING = (
    "nothing is measured yet. A shopper counts once the window after their first offer and the time for returns are "
    "over (effect.window_days and return_days in the campaign's file); sums are told once a day."
)


def course(of: Brought) -> list[tuple[int, float | None, float, float | None]]:
    """Profit so far over time: (event time, low, mean, high) in cents."""
    profits = ((each.event_time_ms, each.incremental.get("profit")) for each in of.course)
    return [(at, found.low, found.mean, found.high) for at, found in profits if found is not None]


def budget_in_words(of: Brought) -> str:
    """What a campaign may spend and has spent."""
    if of.balance is None:
        return "not known: no ledger of this group keeps it"
    whole, _, leased, spent = (money(cents, of.currency) for cents in of.balance)
    return f"{spent} of {whole} spent, {leased} leased for offers that are open or to come"


def counted_in_words(of: EffectMeasured) -> str:
    """Whose windows are in an estimate."""
    return (
        f"windows that closed before {shown_time(of.event_time_ms)} are counted: {of.shoppers:,} shoppers with offers, "
        f"{of.held:,} of the holdout"
    )


def intervals_in_words(estimates: Iterable[EffectMeasured]) -> str:
    """How sure intervals are."""
    alphas = [each.alpha for each in estimates]
    parts = f", those of all {len(alphas)} rows together in {100 * (1 - sum(alphas)):.3g}%" if len(alphas) > 1 else ""
    return (
        f"The whole campaign's interval of a measure holds the truth in {100 * (1 - alphas[0]):.3g}% of all cases"
        f"{parts}, however often you look and whenever you stop."
    )
