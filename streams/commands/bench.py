"""``offerstream bench``: this worker against idiomatic Faust and other peers."""

from __future__ import annotations

from pathlib import Path

import click

from streams.bench.environments import PEERS
from streams.commands.common import COUNT, JSON, OUT_FILE


@click.command()
@click.option("--out", type=OUT_FILE, default=Path("build/bench.json"), show_default=True)
@click.option("--rounds", type=COUNT, default=5, show_default=True)
@click.option(
    "--events",
    type=click.IntRange(10),
    default=200_000,
    show_default=True,
    help="Per round for this worker; peers get a tenth.",
)
@click.option(
    "--peer",
    "peers",
    type=click.Choice((*PEERS, "all")),
    multiple=True,
    help="Also against this one; may be given again. Its packages are installed into the user's cache.",
)
@JSON
def bench(out: Path, rounds: int, events: int, peers: tuple[str, ...], as_json: bool) -> None:
    """Measure this worker against idiomatic Faust, the bare limit and peers, alternating in one run."""
    from streams.bench.command import run

    run(out, rounds, events, as_json, [peer for peer in PEERS if peer in peers or "all" in peers])
