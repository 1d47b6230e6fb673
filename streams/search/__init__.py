"""Search: a query and what is known of items in; ranked items out.

``words.py`` makes words of a text, ``index.py`` keeps which item says which word where, and scores items by BM25F,
``spelling.py`` finds the word that was meant, ``answering.py`` puts these together: what is done when nothing is found,
and the query's category. All of it is pure: an answer is a function of the query and of the items that are listed, by
whatever path they came to be so; ``digest`` of the index names that set.
"""
