"""Whether models of uplift find anything in a real experiment: ``python -m training.checks.uplift``."""
