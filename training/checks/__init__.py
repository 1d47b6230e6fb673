"""Programs that measure what tests are too short for: ``python -m training.checks.effect``."""
