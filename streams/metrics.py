"""Every metric: name, type, labels, meaning. Counted per slice, never per event.

``offerstream metrics`` prints this catalogue; ``tests/deploy`` holds dashboards and alert rules against it.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

PREFIX = "offerstream"
_LATENCY = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SIZES = (1, 4, 16, 64, 256, 1024, 4096, 16384)


class Metrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

        def histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", meaning, labels, buckets=buckets, registry=self.registry)

        self.records = counter("records", "Records, by fate: applied, duplicate, late, dead, tick, choice.", "fate")
        self.events = counter("events", "Usable shopper events, by type.", "type")
        self.dead_letters = counter("dead_letters", "Records that could not be used, by reason.", "reason")
        self.outcomes = counter("outcomes", "Outcomes, by kind and (for alerts: level) reason.", "kind", "reason")
        self.due_points = counter("due_points", "Shoppers that were due, by what made them so.", "kind")
        self.slices = histogram("slice_records", "Records per slice.", _SIZES)
        self.rounds = histogram("slice_rounds", "Rounds it took to fold a slice.", (1, 2, 4, 8, 16, 32, 64))
        self.stage_seconds = counter("stage_seconds", "CPU-side seconds spent, by stage.", "stage")
        self.decision_seconds = histogram(
            "decision_seconds", "From a slice's arrival to its outcomes handed to the producer.", _LATENCY
        )
        self.model_seconds = histogram("model_seconds", "One model run over a slice's due points.", _LATENCY, "task")
        self.flush_seconds = histogram("flush_seconds", "One flush, until offsets are committed.", _LATENCY)
        self.flushed_rows = counter("flushed_rows", "Rows written to the changelog.")
        self.flush_failures = counter("flush_failures", "Flushes that failed; the worker stops after one.")
        self.commits = counter("commits", "Offset commits that succeeded.")
        self.evictions = counter("evicted_rows", "Rows dropped from memory to stay within hot_rows.")
        self.rows = gauge("state_rows", "Shoppers' rows in memory.", "partition")
        self.timers = gauge("timers", "Silence timers that are set.", "partition")
        self.lag = gauge("lag_records", "Records between the newest one and the last one processed.", "partition")
        self.watermark = gauge("watermark_seconds", "Watermark, as seconds since 1970 in event time.", "partition")
        self.ready = gauge("ready", "1 while the worker is ready.")
        self.rebalances = counter("rebalances", "Times the partitions were shared out anew.")
        self.model_info = gauge(
            "model_info", "1 for each model that scores.", "partition", "task", "stage", "version", "digest"
        )
        beside = ("task", "stage", "version")
        self.compared_rows = counter("compared_rows", "Due points scored by a canary or shadow beside live.", *beside)
        self.compared_failed = counter("compared_failed", "… of these, those it failed on.", *beside)
        self.compared_agreeing = counter("compared_agreeing", "… and those within 0.05 of the live score.", *beside)
        self.compared_difference = counter("compared_difference", "Sum of the distances from the live score.", *beside)
        self.compared_seconds = counter("compared_seconds", "Seconds spent scoring beside live.", *beside)
        self.canaries_rolled_back = counter("canaries_rolled_back", "Canaries rolled back.", "task", "reason")
        self.drift = gauge("drift", "Population stability index against training.", "task", "name")
        self.labels_known = gauge("labels_known", "Scores whose late label has become known.", "task", "stage")
        self.live_auc = gauge("live_auc", "AUC over the newest known late labels.", "task", "stage")
        self.live_calibration_error = gauge(
            "live_calibration_error", "Expected calibration error over the newest known late labels.", "task", "stage"
        )
        self.models_refused = counter("models_refused", "Times a chosen version could not serve.", "task")

    def catalogue(self) -> list[tuple[str, str, tuple[str, ...], str]]:
        """(name as Prometheus shows it, type, labels, meaning) of every metric, in order."""
        found = []
        for metric in vars(self).values():
            if isinstance(metric, MetricWrapperBase):
                family = next(iter(metric.describe()))
                name = family.name + ("_total" if family.type == "counter" else "")
                found.append((name, family.type, tuple(metric._labelnames), family.documentation))
        return found
