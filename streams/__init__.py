"""Events in; alerts, offers, profiles, forecasts and prices out: the map, in the order in which a record passes.

1. What travels. ``records/`` are the structs on the wire, ``topics.py`` says which topic has which. Storefronts
   produce to ``storefront.events.v1``, keyed by shopper; catalogues, warehouses and reviewers to ``catalog.*.v1``.
2. How it comes in. ``transport/`` hands Faust slices of a partition, not records; ``agents/`` are thin loops around
   pure code: ``agents/entity_log.py`` applies slices, ``agents/carrier.py`` carries catalogues over to the items'
   log.
3. Of whom or what. ``entities/``: shopper, item and campaign, each with its log, features, due points and deciders.
   Read ``entities/shopper.py`` first.
4. What is done with a slice. ``processing/``: decode, drop what was applied or is late, find due points, fold, score,
   decide; ``processing/partition.py`` has this order. What shoppers did to items is told to the items' log by the
   minute (``processing/tallies.py``); what cannot be bought, can be again or costs less is told to all shoppers
   (``processing/heard_news.py``). Who was anonymous and logs in is one shopper from there on
   (``processing/moving.py``). Who was not heard of for long is forgotten (``processing/forgetting.py``).
5. What is known. ``columns/`` are numbers in columns, ``features/`` folds them into rows and reads them at due
   points, ``state/`` keeps the rows, and the ids that were applied.
6. What is said. ``decisions/`` alert, offer, suggest, or withhold with a reason, of what models answered. They ask
   ``campaigns/`` whom to offer what, ``budget/`` what may be spent (``docs/decisions/0013``), ``effects/`` what it
   brought (``docs/effect.md``), ``reviews/`` what reviewers praise (``docs/reviews.md``), ``copy/`` for texts of
   items (``docs/copy.md``). ``search/`` finds items for a query (``docs/decisions/0020``).
7. How it is watched. ``monitoring/``: drift, canaries, labels that become known late.
8. How it stays. ``agents/durability.py`` has outcomes delivered, then changed rows (``tables.py``), then commits.

A worker: ``worker.py`` runs one, ``app.py`` composes its ``parts.py`` under ``settings.py``. ``health.py``,
``metrics.py``, ``announce.py`` and ``loop_watch.py`` say how it is, over ``web.py`` and on its console. What
operators said, every worker reads from compacted topics (``compacted.py``): which models serve (``control.py``),
campaigns (``campaign_book.py``); so also what items are searched by (``search_book.py``).

Kafka: how it is reached (``access.py``), its topics (``admin.py``), whether it is there (``kafka_watch.py``), what
its clients need not say twice (``noise.py``). ``broker/`` is an Apache Kafka of one's own. What a command starts
ends with it (``keeper.py``).

Outside of workers: ``outside/`` finds out of Kafka alone what is known, and says there what operators want;
``producer/`` sends histories and ends their last day. ``cli.py`` (``__main__.py``) is the command line, ``commands/``
its commands. They talk by ``terminal.py``, ``plot.py`` and ``pages/``, and ask ``writable.py`` before work.
``planning.py`` says what a load needs, by the ``coefficients.py`` that were measured. ``demo/`` shows all of it on
real households, ``bench/`` measures it.

Imports go one way, and ``LAYERS`` in ``tests/test_imports.py`` says which. ``models/`` (what can be predicted) knows
nothing of this package; ``training/`` makes models of what it folds.
"""
