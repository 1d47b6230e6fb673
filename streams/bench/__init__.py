"""Measures this worker against idiomatic Faust: same events, same features, same model, same due points."""
