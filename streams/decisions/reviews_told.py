"""What reviews say of an item together: which aspects they praise and criticise, and in which words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.columns.layout import Column, Rows
from streams.decisions.decider import Group, Said
from streams.features.kinds.decay import DAY_MS
from streams.records.items import ItemReviewed
from streams.records.outcomes import outcome_id
from streams.records.reviewed import ASPECTS, Appraised, AspectTold, Quote, ReviewsTold
from streams.reviews.aspects import Read, read
from streams.reviews.summary import Counted, Sums, summaries

TASK = "review"
#: What is asked at a review.
TASKS = (TASK, "sentiment")
#: Reviews count by periods of so many days, those of the newest six: of 300 to 360 days.
PERIOD_DAYS, PERIODS = 60, 6
#: What is counted in a period: reviews, Chinese ones, stars, their squares, whether the size runs small or large, and
#: of each aspect reviews that judge it, praise it, criticise it.
REVIEWS, CHINESE, STARS, SQUARES, SMALL, LARGE, JUDGED = 0, 1, 2, 3, 4, 5, 6
COUNTED = JUDGED + 3 * len(ASPECTS)
#: A quote has no more bytes.
LONGEST = 96
#: Chances are remembered in whole ten-thousandths.
UNIT = 10_000
LANGUAGES = ("", "en", "zh")
#: Of each aspect one quote that praises it and one that criticises it.
QUOTES = 2 * len(ASPECTS)

COUNTS = Column("reviews_told/counts", "u4", PERIODS * COUNTED)
"""By period (its number modulo 6), what is counted in it."""
PERIOD = Column("reviews_told/period", "i8")
"""The number of the newest period, from 1970 on, and one; 0: no review came."""
QUOTE = Column("reviews_told/quote", "u1", QUOTES * LONGEST)
"""UTF-8, zeros after the end."""
QUOTED_DAY = Column("reviews_told/day", "u4", QUOTES)
"""The day (since 1970) each was written, and one; 0: there is none."""
HELPFUL = Column("reviews_told/helpful", "u4", QUOTES)
"""How helpful its review is, in ten-thousandths, and one; 0: not asked."""
LANGUAGE = Column("reviews_told/language", "u1", QUOTES)
QUOTED_STARS = Column("reviews_told/stars", "u1", QUOTES)


class ReviewsSaid:
    """Says ``ReviewsTold`` of an item at each of its reviews.

    Reviews of about a year count, by event time; a review that is older than all of that is passed over. A quote gives
    way to one of a review at least as helpful, or once it is older than that year. The rules that read reviews are
    ``streams/reviews``; a model is asked only how helpful a review is, and without one the newest quote holds.
    """

    columns: tuple[Column, ...] = (COUNTS, PERIOD, QUOTE, QUOTED_DAY, HELPFUL, LANGUAGE, QUOTED_STARS)
    reads: tuple[str, ...] = ()

    def decide(self, state: Rows, group: Group) -> Iterable[Said]:
        some = [i for i, record in enumerate(group.record) if isinstance(record, ItemReviewed)]
        if not some:
            return
        asked, chance = group.whole(TASK), group.answer(TASK, "helpful")
        for i in some:
            record = group.record[i]
            found = read(record.title, record.text, record.language)
            helpful = round(float(chance[i]) * UNIT) if asked[i] else None
            item = ItemReviews(state, int(group.row[i]))
            day = record.event_time // DAY_MS
            if not item.count(record.rating, found, day, helpful):
                continue
            told = [(each.aspect, each.praised, short(each.clause)) for each in found.told]
            newest = Appraised(
                review_id=record.event_id,
                stars=record.rating,
                language=found.language,
                told=told,
                helpful=None if helpful is None else helpful / UNIT,
                model=group.model(TASK, i) if asked[i] else None,
                unjudged={task: why for task in TASKS if (why := group.why_not(task, i))},
            )
            yield i, _record(group, i, item, newest)


class ItemReviews:
    """The columns of one row."""

    def __init__(self, state: Rows, row: int) -> None:
        self._state, self._row = state, row
        self._counts = state.data[COUNTS.name][row].reshape(PERIODS, COUNTED)
        self._text = state.data[QUOTE.name][row].reshape(QUOTES, LONGEST)
        self._day, self._helpful, self._language, self._stars = (
            state.data[column.name][row] for column in (QUOTED_DAY, HELPFUL, LANGUAGE, QUOTED_STARS)
        )

    @property
    def first_day(self) -> int:
        """The day (since 1970) from which on reviews count."""
        return (int(self._state.data[PERIOD.name][self._row]) - PERIODS) * PERIOD_DAYS

    def count(self, stars: int, found: Read, day: int, helpful: int | None) -> bool:
        """Count a review, and keep what it says; False where it is too old."""
        period, newest = day // PERIOD_DAYS + 1, int(self._state.data[PERIOD.name][self._row])
        if period <= newest - PERIODS:
            return False
        if period > newest:
            for each in range(max(newest, period - PERIODS) + 1, period + 1):
                self._counts[each % PERIODS] = 0
            self._state.data[PERIOD.name][self._row] = period
            gone = self._day <= self.first_day
            for held in (self._day, self._helpful, self._language, self._stars):
                held[gone] = 0
            self._text[gone] = 0
        counts = self._counts[period % PERIODS]
        more = (1, found.language == "zh", stars, stars * stars, found.small, found.large)
        counts[:JUDGED] += np.array(more, np.uint32)
        for aspect in {told.aspect for told in found.told}:
            counts[JUDGED + 3 * ASPECTS.index(aspect)] += 1
        for told in found.told:
            place = ASPECTS.index(told.aspect)
            counts[JUDGED + 3 * place + (1 if told.praised else 2)] += 1
            self._keep(2 * place + (not told.praised), told.clause, day, stars, found, helpful)
        return True

    def _keep(self, at: int, clause: str, day: int, stars: int, found: Read, helpful: int | None) -> None:
        rank = 0 if helpful is None else helpful + 1
        if self._day[at] and rank < self._helpful[at]:
            return
        text = short(clause).encode()
        self._text[at] = 0
        self._text[at, : len(text)] = np.frombuffer(text, np.uint8)
        self._day[at], self._helpful[at], self._stars[at] = day + 1, rank, stars
        self._language[at] = LANGUAGES.index(found.language or "")

    def sums(self) -> Sums:
        """What is counted over all periods."""
        total: list[int] = self._counts.sum(axis=0, dtype=np.int64).tolist()
        each = [Counted(aspect, *total[JUDGED + 3 * k : JUDGED + 3 * k + 3]) for k, aspect in enumerate(ASPECTS)]
        spoken = sorted((one for one in each if one.reviews), key=lambda one: -one.reviews)
        reviews, chinese, stars, squares, small, large = total[:JUDGED]
        return Sums(reviews, chinese, stars, squares, small, large, spoken)

    def quotes(self, aspect: str) -> list[Quote]:
        """What is kept of an aspect."""
        first = 2 * ASPECTS.index(aspect)
        return [self._quote(at) for at in (first, first + 1) if self._day[at]]

    def _quote(self, at: int) -> Quote:
        helpful = int(self._helpful[at])
        return Quote(
            text=self._text[at].tobytes().rstrip(b"\0").decode(),
            language=LANGUAGES[self._language[at]],
            praises=at % 2 == 0,
            stars=int(self._stars[at]),
            day=_day(int(self._day[at]) - 1),
            helpful=(helpful - 1) / UNIT if helpful else None,
        )


def short(clause: str) -> str:
    """A clause of at most 96 bytes of UTF-8.

    >>> short("so soft"), len(short("很" * 40).encode()), short("很" * 40)[-1]
    ('so soft', 96, '…')
    """
    whole = clause.encode()
    if len(whole) <= LONGEST:
        return clause
    return whole[: LONGEST - len("…".encode())].decode(errors="ignore").rstrip() + "…"


def _day(number: int) -> str:
    return str(np.datetime64(number, "D"))


def _record(group: Group, i: int, item: ItemReviews, newest: Appraised) -> ReviewsTold:
    sums, since = item.sums(), _day(item.first_day)
    rating, low, high = sums.rating
    return ReviewsTold(
        outcome_id=outcome_id("reviews_told", group.key[i], group.ref(i), ""),
        event_time_ms=int(group.now_ms[i]),
        due=group.due[i],
        item_id=group.key[i],
        newest=newest,
        since=since,
        reviews=sums.reviews,
        rating=rating,
        rating_low=low,
        rating_high=high,
        aspects=[
            AspectTold(
                aspect=each.aspect,
                reviews=each.reviews,
                praise=each.praise,
                criticise=each.criticise,
                quotes=item.quotes(each.aspect),
            )
            for each in sums.aspects
        ],
        runs_small=sums.small,
        runs_large=sums.large,
        summaries=summaries(sums, since),
    )
