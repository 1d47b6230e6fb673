"""Watches the models that serve: drift of what they are given and say, canaries beside live ones, late labels.

Nothing here is part of an outcome or of a shopper's row.
"""
