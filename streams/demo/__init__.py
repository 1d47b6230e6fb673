"""The demo: real households through the whole system, watched live, and afterwards what became of it.

``command.py`` is the order of things: ``part.py`` says which households, ``running.py`` starts Kafka and a worker,
``sending.py`` sends what households did, ``watching.py`` reads what comes of it, both into a ``recording.py``.
Afterwards ``hindsight.py`` holds what was said against what came, ``story.py`` tells it of one shopper,
``systems.py`` asks each system for its answers, and ``summary.py`` (in a terminal) and ``page.py`` (in a browser,
with ``figures.py``) show it.

Something new that the worker answers is a line in ``SYSTEMS`` of ``systems.py``: numbers, terminal and page follow.
What the page is to tell of it beyond that is a function in ``SECTIONS`` of ``page.py``.
"""

from streams.demo.command import run
from streams.demo.part import Part

__all__ = ["Part", "run"]
