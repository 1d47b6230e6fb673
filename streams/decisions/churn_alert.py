"""When to tell marketing that a shopper is about to leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.features.columns import Column, Rows
from streams.features.kinds.decay import DAY_MS
from streams.processing.batch import Floats, Ints

LEVEL = Column("churn_alert/level", "u1")
ALERTED = Column("churn_alert/alerted_level", "u1")
LAST = Column("churn_alert/last", "i8")
COLUMNS = (LEVEL, ALERTED, LAST)
LEVELS = ("none", "watch", "high", "critical")


@dataclass(frozen=True, slots=True)
class ChurnAlertPolicy:
    """Levels with hysteresis and a cooldown.

    Prevents two accidents: a score that trembles around a threshold alerting again and again (a level is left only
    ``hysteresis`` below where it was entered), and a shopper being reported daily (never twice within the cooldown,
    except to report a higher level than the last one).
    """

    watch: float = 0.3
    high: float = 0.5
    critical: float = 0.7
    hysteresis: float = 0.1
    cooldown_days: float = 14.0

    def decide(self, state: Rows, row: Ints, score: Floats, now_ms: Ints) -> Ints:
        """[k] the level to alert, 0 for no alert; moves the level and what was alerted last, and when.

        Within the cooldown only a level above the last alerted one alerts; after it, any level that the score
        reaches by itself (not one that only hysteresis keeps).
        """
        enter = np.array([-np.inf, self.watch, self.high, self.critical])
        levels, lasts = state.flat["u1"], state.flat["i8"]
        held = levels[state.cells(LEVEL, row)].astype(np.int64)
        last = lasts[state.cells(LAST, row)]
        entered = np.searchsorted(enter, score, side="right") - 1
        kept = np.searchsorted(enter - self.hysteresis, score, side="right") - 1
        level = np.maximum(entered, np.minimum(held, kept))
        alerted = levels[state.cells(ALERTED, row)]
        cooled = (last == 0) | (now_ms - last >= int(self.cooldown_days * DAY_MS))
        alert = (entered == level) & (level > 0) & (cooled | (level > alerted))
        levels[state.cells(LEVEL, row)] = level.astype(np.uint8)
        levels[state.cells(ALERTED, row[alert])] = level[alert].astype(np.uint8)
        lasts[state.cells(LAST, row[alert])] = now_ms[alert]
        return np.where(alert, level, 0)
