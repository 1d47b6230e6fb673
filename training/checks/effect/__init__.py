"""What ``docs/effect.md`` says of intervals, mismatches and policies, measured anew: ``python -m
training.checks.effect``."""
