"""A shop whose truth is known, whose campaign learns week by week: ``python -m training.checks.promotion``."""
