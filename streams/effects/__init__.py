"""What a campaign's offers brought, held against the shoppers who were to get one and got none.

Pure: no Kafka, no clock, no thread. ``attribution.py`` links offers with what followed and closes each shopper's
window; ``sums.py`` adds closed windows up in whole numbers that merge in any order; ``moments.py`` makes means and
covariances of them; ``difference.py`` the effect with an interval that holds however often one looks
(``boundaries.py``); ``campaign.py`` puts it together for a campaign and says it in words. Beside these:
``sample_ratio.py`` (does the holdout have the share that was asked for), ``forecast.py`` (what to expect before the
start), ``off_policy.py`` (what another policy would have earned). ``docs/effect.md`` tells the method, its limits and
what was measured.
"""
