"""``offerstream plan``: what a load needs."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from streams.commands.common import COUNT, JSON, Number
from streams.terminal import print_rows

_GIB = 1 << 30


@click.command()
@click.option(
    "--events-per-second", type=Number(0, 1e9, min_open=True), required=True, help="Events of shoppers, mean of a day."
)
@click.option("--shoppers", type=COUNT, required=True, help="How many there are, also those who seldom come.")
@click.option(
    "--hot-share",
    type=Number(0, 1),
    default=1.0,
    show_default=True,
    help="Share of them that is kept in memory; the others are read from disk when they return.",
)
@click.option(
    "--peak", type=Number(1, 1000), default=3.0, show_default=True, help="The busiest time, as times the mean."
)
@click.option("--retention-days", type=Number(0, 3650), default=30.0, show_default=True, help="Of events.")
@click.option("--replication", type=click.IntRange(1, 9), default=3, show_default=True, help="Copies in Kafka.")
@click.option(
    "--worker-memory", type=Number(0, 4096, min_open=True), default=8.0, show_default=True, help="GiB, at most."
)
@JSON
def plan(
    events_per_second: float,
    shoppers: int,
    hot_share: float,
    peak: float,
    retention_days: float,
    replication: int,
    worker_memory: float,
    as_json: bool,
) -> None:
    """Say what a load needs: partitions, workers, memory, disk and network, from what was measured.

    The formulas, and how far they are from measured points, are in docs/planning.md.
    """
    from streams.planning import Load, PlanError
    from streams.planning import plan as planned

    try:
        needed = planned(
            Load(
                events_per_second,
                shoppers,
                hot_share,
                peak,
                retention_days,
                replication,
                int(worker_memory * _GIB),
            )
        )
    except PlanError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(asdict(needed), indent=2))
        return
    network = needed.network_bytes_per_second
    rows = [
        ("partitions", f"{needed.partitions:,}", "OFFERSTREAM_PARTITIONS; cannot be changed later"),
        ("workers", f"{needed.workers:,}", "a core each; one more if the loss of one is not to be noticed"),
        ("memory of a worker", f"{needed.worker_memory_bytes / _GIB:.1f} GiB", "resident, with an empty catalogue"),
        ("hot rows of a worker", f"{needed.worker_hot_rows:,}", "OFFERSTREAM_HOT_ROWS, of which shoppers have a share"),
        ("disk of a worker", f"{needed.worker_disk_bytes / _GIB:.1f} GiB", "the feature table's local copy"),
        ("recovery of a worker", f"{needed.worker_recovery_seconds:,.0f} s", "from its start, with an empty folder"),
        ("disk of Kafka", f"{needed.kafka_disk_bytes / _GIB:,.1f} GiB", "all brokers together"),
        (
            "network, events",
            f"{network.events / 1e6:,.1f} MB/s",
            "to brokers, and again to workers, at the busiest time",
        ),
        ("network, outputs", f"{network.outputs / 1e6:,.1f} MB/s", "from workers to brokers"),
        ("network, brokers", f"{network.between_brokers / 1e6:,.1f} MB/s", "among each other"),
    ]
    print_rows(("what", "how much", "meaning"), rows)
