"""What can be counted of a campaign, or added up."""

from streams.features.signals import Signal
from streams.records.budget import SpendReported

COMMITTED = Signal("budget.committed", (SpendReported,), "committed")
OFFERS = Signal("budget.offers", (SpendReported,), "offers")
