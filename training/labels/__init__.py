"""What a model should have answered, and when that became knowable."""
