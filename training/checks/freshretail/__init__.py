"""FreshRetailNet: 90 days of fresh goods by store and product, with the hours in which they were sold out.

``data.py`` reads it and says what was lost while nothing was there; ``rows.py`` makes a row of a series, a morning and
a day ahead; ``network.py`` trains the network of the task ``sales`` on such rows; ``judged.py`` measures. Run
``python -m training.checks.freshretail --data DIR``.
"""
