"""Texts about an item that are made of its attributes: a title, a description, an offer text; and what holds
them to it.

``slots.py`` says which attributes of a record can be said, ``writing.py`` puts them into the templates of a language
(``languages.py``) so that values are copied and nothing else, and ``checking.py`` finds in any text, whoever wrote it,
what is not in the attributes that it was made of.
"""
