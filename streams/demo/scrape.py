"""The worker's numbers, as a scrape of ``/metrics`` finds them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

#: (name, labels) → value
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
#: The fate that each record has exactly one of; ticks and choices are the worker's own records.
RECORD_FATES = ("applied", "duplicate", "late", "dead")


def get(port: int, path: str) -> str | None:
    """What the worker answers on loopback; None when it does not, or not with success."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def scrape(port: int) -> Samples:
    """All samples; none while the worker does not answer."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(get(port, "/metrics") or "")
        for sample in family.samples
    }


def added(before: Samples, samples: Samples) -> Samples:
    """What was counted before a worker was started again, and since; gauges as they stand.

    >>> added({("n_total", ()): 2.0, ("lag", ()): 5.0}, {("n_total", ()): 1.0, ("lag", ()): 0.0})
    {('n_total', ()): 3.0, ('lag', ()): 0.0}
    """
    counted = {key: n for key, n in before.items() if key[0].endswith(("_total", "_bucket", "_sum", "_count"))}
    return counted | {key: n + counted.get(key, 0.0) for key, n in samples.items()}


def by(samples: Samples, name: str, label: str, **only: str) -> Counter[str]:
    """A counter's values by one of its labels; of those samples whose other labels are ``only`` these.

    >>> by({("n", (("fate", "late"), ("type", "a"))): 2.0, ("n", (("fate", "late"),)): 1.0}, "n", "fate")
    Counter({'late': 3})
    """
    found: Counter[str] = Counter()
    for (sample, labels), value in samples.items():
        held = dict(labels)
        if sample == name and only.items() <= held.items():
            found[held[label]] += int(value)
    return found


def records(samples: Samples, entity: str = "shopper", fates: tuple[str, ...] = RECORD_FATES) -> int:
    """How many records of an entity's log have one of these fates."""
    found = by(samples, "offerstream_records_total", "fate", entity=entity)
    return sum(n for fate, n in found.items() if fate in fates)


def values(samples: Samples, name: str, entity: str) -> list[float]:
    """A gauge's value in each partition of an entity's log."""
    return [
        value for (sample, labels), value in samples.items() if (sample, dict(labels).get("entity")) == (name, entity)
    ]


def quantile(samples: Samples, name: str, q: float) -> float:
    """A quantile of a histogram, interpolated within its bucket.

    >>> quantile({("s_bucket", (("le", "1.0"),)): 2.0, ("s_bucket", (("le", "+Inf"),)): 4.0}, "s", 0.25)
    0.5
    """
    buckets = sorted(
        (float(dict(labels)["le"]), value) for (sample, labels), value in samples.items() if sample == f"{name}_bucket"
    )
    total = buckets[-1][1] if buckets else 0
    low, below = 0.0, 0.0
    for high, upto in buckets:
        if upto >= q * total and upto > below:
            return low if high == float("inf") else low + (high - low) * (q * total - below) / (upto - below)
        low, below = high, upto
    return low
