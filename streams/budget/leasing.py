"""How much a partition is leased when it reports.

A lease is what the partition needs for its term (a quarter of an hour, or as the budget says) at the plan's pace, with
three standard deviations more, because nobody knows where shoppers will come, as far as there is an equal share for
each; whoever came short gets that as well. Where a share would not pay for one offer, only they get more than the
plan's pace. A lease ends after its term in the partition's own time, with its day, and with the campaign. A partition
that is more than a day behind the newest is leased nothing: nobody makes offers for the past.
"""

from __future__ import annotations

from math import isqrt

from streams.budget.account import Account, Holder
from streams.budget.candidates import MINUTE_MS
from streams.records.budget import LeaseGranted, SpendReported

#: A price that moved by less than this part is not told.
FINEST = 256


def lease(account: Account, holder: Holder, report: SpendReported) -> LeaseGranted | None:
    """The next lease of the partition that has just reported; None where the one that it has is good enough."""
    wanted, expires_ms = _need(account, holder, report)
    room = min(account.budget.total_cents - account.outstanding, _room(account, report.day))
    more = min(max(wanted - holder.free, 0), max(room, 0))
    # What is beyond is wanted elsewhere; where too much is out already, all that can be is taken back.
    keep = wanted + wanted // 2 if room >= 0 else max(holder.free + room, 0)
    moved = abs(account.price - holder.told_price) * FINEST > max(holder.told_price, 0)
    fresh = report.day != holder.told_day or holder.told_expires_ms - report.event_time < _term_ms(account) // 2
    excess = holder.free + more > keep or keep < holder.told_lease // 2
    if not (more or excess or (expires_ms and (moved or fresh))):
        return None
    return account.grant(report.source_partition, more, keep, report.day, expires_ms)


def _term_ms(account: Account) -> int:
    return account.budget.lease_minutes * MINUTE_MS


def _room(account: Account, day: int) -> int:
    book = account.books.get(day)
    return 0 if book is None else book.cents - account.exposed_on(day)


def _need(account: Account, holder: Holder, report: SpendReported) -> tuple[int, int]:
    """What a partition should have free, in cents, and until when; 0 and 0 where it should have nothing."""
    budget, now, book = account.budget, report.event_time, account.books.get(report.day)
    if book is None or not budget.open or now < budget.starts_at_ms:
        return 0, 0
    until = account.until_ms(book)
    term = _term_ms(account)
    expires = min(now + term, until) // MINUTE_MS * MINUTE_MS
    if expires <= now:
        return 0, 0
    plan, n = account.plan(), len(account.holders)
    share, then, last = (plan.share(at, book.starts_ms, book.ends_ms) for at in (now, now + term, until))
    left = max(book.cents - account.committed_on(report.day), 0)
    planned = left * (min(then, last) - share) // (last - share) if last > share else left
    need = -(-planned // n)
    usual, fair = account.usual_cost, left // n
    # As many offers as come at random vary by the root of their number.
    margin = 3 * isqrt(need * usual) + 2 * usual
    if fair >= usual:
        need = max(need, min(need + margin, fair))
    return min(max(need, holder.wanted), left), expires
