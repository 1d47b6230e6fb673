"""Campaign budgets that cannot be overspent: a ledger leases amounts to partitions of shoppers, which spend them.

Pure: no Kafka, no clock, no thread. docs/decisions/0013 says why it is so. What a partition of shoppers calls, slice by
slice (``Purses`` in ``purses.py``), and what the owner of a campaign calls, record by record (``Ledger`` in
``ledger.py``):

>>> import numpy as np
>>> from streams.budget.candidates import Candidates, SliceTimes
>>> from streams.budget.ledger import Ledger
>>> from streams.budget.purses import Purses
>>> from streams.records.budget import BudgetSet
>>> noon, ledger, purses = 1_700_049_600_000, Ledger("UTC"), Purses(partition=0, time_zone="UTC")
>>> budget = BudgetSet(campaign="win-back", currency="USD", revision=0, total_cents=9_600, pacing="asap", partitions=1)
>>> [opening] = ledger.apply(budget)  # … written into the shoppers' log at offset 0
>>> purses.begin(SliceTimes.at([0], noon), [(0, opening)])
>>> purses.end()
[]
>>> purses.begin(SliceTimes.at([1], noon + 60_000))
>>> [report] = purses.end()  # … written into the campaigns' log
>>> [lease] = ledger.apply(report)  # … written into the shoppers' log at offset 2
>>> purses.begin(SliceTimes.at([2, 3, 4], noon + 60_000), [(2, lease)])
>>> offers = Candidates.of(offset=[3, 4], key=[17, 18], cost_cents=[500, 9_500], value=[900.0, 20_000.0], days_valid=7)
>>> purses.afford("win-back", "USD", offers).tolist()
[True, False]
"""
