"""What can go wrong in the bench; apart from it, so that the command line need not load the bench to know it."""


class BenchError(RuntimeError):
    """A contestant did not come to its end, or did other work than it was compared with."""
