"""What became known of earlier answers and decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.monitoring.late_labels import Labels, Name


@dataclass(frozen=True, slots=True)
class Known:
    """Since this was last asked."""

    labels: Mapping[Name, Labels] = field(default_factory=dict)
    """By task and output, answers whose label became known."""
    alerts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """(level, whether no order came within its 30 days) → alerts judged."""
