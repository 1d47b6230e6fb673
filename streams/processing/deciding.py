"""From scores to outcomes: runs every decider over the due points of a slice, one group after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from streams.columns.layout import Column, Rows
from streams.decisions.churn_alert import ChurnAlerts
from streams.decisions.decider import Decider, Group, Said
from streams.decisions.profile import Profiles
from streams.decisions.promotion import Promotions
from streams.decisions.scores import Scores
from streams.monitoring.alert_labels import AlertLabels
from streams.monitoring.late_labels import LateLabels
from streams.processing.rules import Rules
from streams.records.outcomes import Outcome

#: Every kind of decider, in the order in which they speak of a due point.
DECIDERS = (LateLabels, Scores, Profiles, ChurnAlerts, AlertLabels, Promotions)
#: What they remember in the row, and the features that they look at besides answers.
COLUMNS: tuple[Column, ...] = tuple(column for decider in DECIDERS for column in decider.columns)
READS: tuple[str, ...] = tuple(dict.fromkeys(address for decider in DECIDERS for address in decider.reads))


@dataclass(slots=True)
class Deciding:
    """The deciders of one partition under its rules."""

    late_labels: LateLabels
    alert_labels: AlertLabels
    _deciders: tuple[Decider, ...] = ()

    def under(self, rules: Rules) -> None:
        """From here on these rules hold."""
        currency, digest = rules.decode.currency, rules.digest
        alerts, promotion = rules.churn_alert, rules.promotion
        self._deciders = (
            self.late_labels,
            Scores(),
            Profiles(),
            ChurnAlerts(alerts, currency, promotion.gross_margin, digest),
            self.alert_labels,
            Promotions(promotion, alerts.thresholds, currency, digest),
        )

    def outcomes(self, state: Rows, groups: Sequence[Group]) -> list[Outcome]:
        """Everything to be said, in order of the due points; moves the deciders' columns of ``state``."""
        found: list[Outcome] = []
        for group in groups:
            said: list[Said] = []
            for decider in self._deciders:
                said += decider.decide(state, group)
            said.sort(key=itemgetter(0))  # stable: of one shopper in the deciders' order
            found += [outcome for _, outcome in said]
        return found
