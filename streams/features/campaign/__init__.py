"""Every feature of a campaign: the table of contents of the files beside this one."""

from streams.features.campaign import budget
from streams.features.catalogue import Catalogue

CATALOGUE = Catalogue(budget.FEATURES)
