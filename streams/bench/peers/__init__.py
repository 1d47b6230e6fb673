"""Peers that need an environment of their own: a program each, and beside it the packages that it is pinned to."""
