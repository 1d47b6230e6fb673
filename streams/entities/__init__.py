"""The things that records are about: what is known of each, when it is due, and what is decided about it.

Read ``shopper.py`` first. The table of contents is ``contents.py``.
"""
