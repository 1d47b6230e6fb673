"""``offerstream bench``: this worker against idiomatic Faust."""

from __future__ import annotations

from pathlib import Path

import click

from streams.commands.common import COUNT, JSON, OUT_FILE


@click.command()
@click.option("--out", type=OUT_FILE, default=Path("build/bench.json"), show_default=True)
@click.option("--rounds", type=COUNT, default=5, show_default=True)
@click.option(
    "--events",
    type=click.IntRange(10),
    default=200_000,
    show_default=True,
    help="Per round for this worker; the peer gets a tenth.",
)
@JSON
def bench(out: Path, rounds: int, events: int, as_json: bool) -> None:
    """Measure this worker against idiomatic Faust, alternating in one run."""
    from streams.bench.command import run

    run(out, rounds, events, as_json)
