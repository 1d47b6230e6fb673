"""Every metric: name, type, labels, meaning. Counted per slice, never per event.

``offerstream metrics`` prints this catalogue; ``tests/deploy`` holds alert rules against it.
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

        self._units: dict[str, str] = {}

        def counter(name: str, unit: str, meaning: str, *labels: str) -> Counter:
            self._units[f"{PREFIX}_{name}"] = unit
            return Counter(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

        def gauge(name: str, unit: str, meaning: str, *labels: str) -> Gauge:
            self._units[f"{PREFIX}_{name}"] = unit
            return Gauge(f"{PREFIX}_{name}", meaning, labels, registry=self.registry)

        def histogram(name: str, unit: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            self._units[f"{PREFIX}_{name}"] = unit
            return Histogram(f"{PREFIX}_{name}", meaning, labels, buckets=buckets, registry=self.registry)

        self.records = counter(
            "records",
            "records",
            "Records, by fate: applied, duplicate, late, dead, forwarded to whom their shopper turned out to be; what workers "
            "wrote: merged, tick, choice; lost: deleted from the log before.",
            "entity",
            "fate",
        )
        self.events = counter(
            "events",
            "events",
            "Records about each entity, by type and fate: applied, duplicate, late, forwarded.",
            "entity",
            "type",
            "fate",
        )
        self.dead_letters = counter("dead_letters", "records", "Records that could not be used, by reason.", "reason")
        self.outcomes = counter(
            "outcomes",
            "outcomes",
            "Outcomes, by kind and (for alerts: level; for enriched items: whether the suggested category agrees) reason.",
            "kind",
            "reason",
        )
        self.suppressed = counter(
            "suppressed_outcomes",
            "outcomes",
            "Alerts and offers that were decided but not published: older than OFFERSTREAM_PUBLISH_FROM.",
            "kind",
        )
        self.due_points = counter(
            "due_points", "due points", "Rows that were due, by what made them so.", "entity", "kind"
        )
        self.passed_over = counter(
            "due_points_passed_over",
            "events",
            "Events after which nothing was decided: their shopper had been due 500 times within the cadence.",
            "entity",
        )
        self.slices = histogram("slice_records", "records", "Records per slice.", _SIZES)
        self.rounds = histogram("slice_rounds", "rounds", "Rounds it took to fold a slice.", (1, 2, 4, 8, 16, 32, 64))
        self.stage_seconds = counter(
            "stage_seconds",
            "seconds",
            "Seconds spent, by stage: decode, fold, score, decide, produce, flush (of all).",
            "entity",
            "stage",
        )
        self.decision_seconds = histogram(
            "decision_seconds", "seconds", "From a slice's arrival to its outcomes handed to the producer.", _LATENCY
        )
        self.model_seconds = histogram(
            "model_seconds", "seconds", "One model run over a slice's due points.", _LATENCY, "task"
        )
        self.flush_seconds = histogram(
            "flush_seconds", "seconds", "One flush: until outputs, rows and store are durable.", _LATENCY
        )
        self.flushed_rows = counter("flushed_rows", "rows", "Rows written to the changelog.")
        self.flush_failures = counter("flush_failures", "flushes", "Flushes that failed; the worker stops after one.")
        self.commits = counter(
            "commits", "commits", "Flushes that made everything durable; offsets are committed after each."
        )
        self.evictions = counter("evicted_rows", "rows", "Rows dropped from memory to stay within hot_rows.")
        self.forgotten = counter(
            "forgotten_rows",
            "rows",
            "Rows of those who were not heard of for OFFERSTREAM_FORGET_DAYS: deleted, or begun anew as they came back.",
            "entity",
        )
        self.rows = gauge("state_rows", "rows", "Rows in memory.", "entity", "partition")
        self.timers = gauge("timers", "timers", "Timers that are set.", "entity", "partition")
        self.applied_ids = gauge(
            "applied_ids", "ids", "Ids held to tell duplicates by: 20 to 40 bytes each.", "entity", "partition"
        )
        self.lag = gauge(
            "lag_records",
            "records",
            "Records between the newest one and the last one processed.",
            "entity",
            "partition",
        )
        self.watermark = gauge(
            "watermark_seconds",
            "seconds since 1970",
            "Watermark, as seconds since 1970 in event time.",
            "entity",
            "partition",
        )
        self.ready = gauge("ready", "0 or 1", "1 while the worker is ready.")
        self.loop_block = gauge(
            "loop_block_seconds_max",
            "seconds",
            "The longest that one thing held the event loop since the start: nobody was answered meanwhile.",
        )
        self.rebalances = counter("rebalances", "rebalances", "Times the partitions were shared out anew.")
        self.model_info = gauge(
            "model_info",
            "1",
            "1 for each model that scores.",
            "entity",
            "partition",
            "task",
            "stage",
            "version",
            "digest",
        )
        beside = ("task", "stage", "version")
        self.compared_rows = counter(
            "compared_rows", "due points", "Due points scored by a canary or shadow beside live.", *beside
        )
        self.compared_failed = counter("compared_failed", "due points", "… of these, those it failed on.", *beside)
        said = (*beside, "output")
        self.compared_distances = counter(
            "compared_distances", "due points", "Due points of which it is known how far two answers lie apart.", *said
        )
        self.compared_agreeing = counter(
            "compared_agreeing", "due points", "… of these, those within 0.05 of the live answer.", *said
        )
        self.compared_difference = counter(
            "compared_difference", "distance", "Sum of the distances from the live answer, each from 0 to 1.", *said
        )
        self.compared_seconds = counter("compared_seconds", "seconds", "Seconds spent scoring beside live.", *beside)
        self.comparing = (
            self.compared_rows, self.compared_failed, self.compared_seconds, self.compared_distances,
            self.compared_agreeing, self.compared_difference,
        )  # fmt: skip
        self.canaries_rolled_back = counter(
            "canaries_rolled_back", "canaries", "Canaries rolled back.", "task", "reason"
        )
        self.drift = gauge(
            "drift",
            "PSI",
            "Population stability index of the last two weeks of the log against the four before, in this shop.",
            "task",
            "name",
        )
        self.drift_known = gauge(
            "drift_known", "0 or 1", "1 once a task's drift is told: after four weeks of the log, settled.", "task"
        )
        self.from_training = gauge(
            "difference_from_training",
            "PSI",
            "Population stability index against the model's training rows: another shop, which is no alarm.",
            "task",
            "name",
        )
        self.unjudged = counter(
            "unjudged_due_points",
            "due points",
            "Due points that a model cannot judge, by the condition that does not hold, or record: it does not ask.",
            "task",
            "population",
        )
        self.unreadable = counter(
            "unreadable_inputs",
            "due points",
            "Due points whose record held a picture or sound that cannot be read: to the model it was not there.",
            "task",
            "input",
        )
        self.alerts_judged = counter(
            "alerts_judged",
            "alerts",
            "Alerts whose 30 days are over, and whether they came true: no order came.",
            "level",
            "came_true",
        )
        self.alert_promise = gauge(
            "alert_promise",
            "0 to 1",
            "Share of alerts that the live model's card promises to come true.",
            "level",
        )
        self.labels_known = gauge(
            "labels_known", "labels", "Answers whose late label has become known.", "task", "output", "stage"
        )
        self.live_quality = gauge(
            "live_quality",
            "see measure",
            "How good the newest answers were whose late label is known: auc, calibration_error, brier, hit_rate, "
            "log_loss, mean_reciprocal_rank, mean_absolute_error, weighted_error, bias, coverage, coverage_promised, "
            "pinball, by kind of answer.",
            "task",
            "output",
            "stage",
            "measure",
        )
        self.search_items = gauge("search_items", "items", "Listed items in this worker's index.")
        self.search_items_waiting = gauge(
            "search_items_waiting",
            "items",
            "Listed items that the encoder of OFFERSTREAM_SEARCH_ENCODER is still to encode; until then likeness does "
            "not count for them.",
        )
        self.searches = counter(
            "searches",
            "searches",
            "Searches answered, by where they were asked (log, http) and why so.",
            "source",
            "why",
        )
        self.search_seconds = histogram("search_seconds", "seconds", "Answering one search.", _LATENCY)
        self.coupon_codes = gauge(
            "coupon_codes",
            "codes",
            "Codes of a pool of coupons in a partition, by part: left, given.",
            "entity",
            "partition",
            "pool",
            "part",
        )
        self.items_unavailable = gauge(
            "items_unavailable",
            "items",
            "Items that a partition of shoppers knows to be sold out, delisted, badly reviewed or suddenly rated worse: "
            "nobody is offered them.",
            "entity",
            "partition",
        )
        self.items_new = gauge(
            "items_new",
            "items",
            "Items that a partition of shoppers knows to have come within 28 days: a list has a place for one of them.",
            "entity",
            "partition",
        )
        self.campaign_budget = gauge(
            "campaign_budget_cents",
            "cents",
            "Where a campaign's budget is: total = remaining + leased (to partitions, with open offers) + spent.",
            "campaign",
            "part",
        )
        self.campaign_price = gauge(
            "campaign_price",
            "cents per cent",
            "What a cent of cost must bring for an offer of a campaign: high where money is short.",
            "campaign",
        )
        self.campaign_open = gauge(
            "campaign_open",
            "0 or 1",
            "1 while a campaign's ledger leases money: 0 once it is paused or stopped.",
            "campaign",
        )
        self.campaign_profit = gauge(
            "campaign_profit_cents",
            "cents",
            "What a campaign brought beyond its holdout so far, less its cost: the estimate (mean) and the ends of its "
            "interval (low, high), which hold however often one looks; no ends while too few have ordered.",
            "campaign",
            "bound",
        )
        self.campaign_shoppers = gauge(
            "campaign_shoppers",
            "shoppers",
            "Shoppers who entered a campaign and whose window has closed, by side: offered, holdout.",
            "campaign",
            "side",
        )
        self.campaign_sides_differ = gauge(
            "campaign_sides_differ",
            "0 or 1",
            "1 where a campaign's sides have other shares than asked for (sample ratio mismatch): believe no effect of it.",
            "campaign",
        )
        self.models_refused = counter("models_refused", "refusals", "Times a chosen version could not serve.", "task")

    def catalogue(self) -> list[tuple[str, str, str, tuple[str, ...], str]]:
        """(name as Prometheus shows it, type, unit, labels, meaning) of every metric, in order."""
        found = []
        for metric in vars(self).values():
            if isinstance(metric, MetricWrapperBase):
                family = next(iter(metric.describe()))
                name = family.name + ("_total" if family.type == "counter" else "")
                unit = self._units[family.name]
                found.append((name, family.type, unit, tuple(metric._labelnames), family.documentation))
        return found
