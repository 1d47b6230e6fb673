"""Events in, churn alerts and promotion offers out. One event's path, in six sentences:

A storefront produces it to ``storefront.events.v1`` keyed by shopper, and ``transport/sliced.py`` hands the agent in
``agents/shopper_events.py`` a slice of its partition. ``processing/decode.py`` turns the slice into columns
(``columns/arrays.py``) or dead letters, ``processing/fates.py`` drops what was applied before or is late, and
``processing/rounds.py`` finds each shopper's due points. ``features/`` folds the columns into the shoppers' packed
rows (``state/arena.py``) up to each due point and reads the features there. The due rows of a slice that a model can
judge go through it in one run (``models/``), and ``decisions/`` alerts, offers, or withholds with a reason. Outcomes
leave under ids that are digests of what they stand on (``records/outcomes.py``). ``state/write_behind.py`` delivers
them, then the changed rows, then commits.

Imports go one way, and ``LAYERS`` in ``tests/test_imports.py`` is the map: records, columns, state and features,
decisions, monitoring, processing (all pure but for state), then what speaks to Kafka, then the worker, then commands.
"""
