"""``python -m streams`` is ``offerstream``."""

from streams.cli import main

main()
