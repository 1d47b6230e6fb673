"""What reviews say: which aspects of an item they praise and criticise, in which of their clauses (``clauses.py``,
``aspects.py`` by the words of ``words.toml``), and what many of them say together (``summary.py``).

Rules read them, no model: one that was trained was not shown to be better (``docs/decisions/0023``)."""
