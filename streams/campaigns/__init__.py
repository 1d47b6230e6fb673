"""Campaigns: files into records, expressions over features, and the decision what to offer whom, with its receipt.

``reading.py`` turns a file into a ``CampaignSet`` or tells all that is wrong with it, each with its line.
``expression.py`` reads what an audience is and judges many shoppers at once. ``deciding.py`` is where a group of due
points becomes offers, or reasons why there is none: read it first. All of it is pure.
"""
