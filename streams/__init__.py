"""Events in; alerts, offers and profiles out. One event's path, in six sentences:

A storefront produces it to ``storefront.events.v1`` keyed by shopper, and ``transport/sliced.py`` hands the agent in
``agents/entity_log.py`` a slice of its partition. ``processing/decode.py`` turns the slice into columns
(``columns/shopper_events.py``) or dead letters, ``processing/fates.py`` drops what was applied before or is late, and
``processing/rounds.py`` finds each row's due points; ``processing/partition.py`` has this order, under the rules
and models that ``processing/in_force.py`` keeps as the log chose them. ``features/`` folds the columns into packed
rows (``state/arena.py``) up to each due point and reads the features there. The due rows of a slice that a model can
judge go through it in one run (``models/``), and ``decisions/`` alerts, offers, or withholds with a reason. Outcomes
leave under ids that are digests of what they stand on (``records/outcomes.py``). ``agents/durability.py`` has them
delivered, then the changed rows, then commits.

``entities/`` says what goes this way: read ``shopper.py`` first. What shoppers do to items is told, minute by minute
(``processing/tallies.py``), to the group's log of items, where ``agents/carrier.py`` also carries what catalogues say;
items go the same way from there. What cannot be bought, can be again, or costs less is told to every partition of
shoppers, where ``processing/heard_news.py`` knows what must not be offered, and ``processing/wishes.py`` who wishes.

Who was anonymous and logs in is one shopper from there on: ``processing/moving.py`` moves their row over the log.

``campaigns/`` reads what marketing writes and decides what to offer whom under it; ``deciding.py`` there is the core,
which ``decisions/campaigns.py`` asks at due points.

``effects/`` says what campaigns brought beyond their holdout (``docs/effect.md``): partitions of shoppers follow who
entered (``processing/offer_windows.py``), the campaigns' log has their sums, and its ledger measures. ``rehearsal.py``
foretells them: the past days come again under campaigns that have not begun.

``budget/`` keeps what campaigns may spend (``docs/decisions/0013``): a ledger in the campaigns' log leases it to
partitions of shoppers (``entities/campaign.py``), which spend it (``processing/spending.py``).

``copy/`` writes of items what their attributes say, and finds in any text what they do not (``docs/copy.md``).

``reviews/`` reads reviews: which aspects they praise and criticise, in which clauses (``docs/reviews.md``).

``search/`` finds items for a query; workers follow what catalogues list (``docs/decisions/0020``).

Imports go one way, and ``LAYERS`` in ``tests/test_imports.py`` is the map: records, columns, state and features,
budgets and campaigns, decisions, monitoring, processing, entities (all pure but for state), then what speaks to Kafka,
then the worker, then commands.
"""
