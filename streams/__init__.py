"""Events in, churn alerts and promotion offers out. One event's path, in six sentences:

A storefront produces it to ``storefront.events.v1`` keyed by shopper, and ``transport/sliced.py`` hands the agent in
``agents/shopper_events.py`` a slice of its partition. ``processing/decode.py`` turns the slice into columns or dead
letters, ``processing/fates.py`` drops what was applied before or is late, and ``processing/rounds.py`` finds each
shopper's due points. ``features/`` folds the columns into the shoppers' packed rows (``state/arena.py``) up to each
due point and reads the features there. All due rows of the slice go through each model in one run (``models/``), and
``decisions/`` alerts, offers, or withholds with a reason. Outcomes leave under ids that are digests of what they
stand on (``records/outcomes.py``). ``state/write_behind.py`` delivers them, then the changed rows, then commits.
"""
