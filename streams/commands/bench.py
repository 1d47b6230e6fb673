"""``offerstream bench``: this worker against idiomatic Faust and other peers, and how it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streams.bench.environments import PEERS
from streams.commands.common import COUNT, JSON, OUT_FILE


class Sizes(click.ParamType):
    """Whole numbers, with commas between.

    >>> Sizes().convert("10000,50000", None, None)
    (10000, 50000)
    """

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers."""
        if isinstance(value, tuple):
            return value
        words = value.split(",")
        if not all(word.isascii() and word.isdigit() and 0 < int(word) <= 10_000_000 for word in words):
            self.fail(f"{value!r} is not a list of sizes from 1 to 10000000, such as 10000,50000.", param, ctx)
        return tuple(sorted({int(word) for word in words}))


@click.command()
@click.option(
    "--out", type=OUT_FILE, help="Default: bench.json in build, or recovery.json, latency.json, overload.json."
)
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
@click.option("--recovery", is_flag=True, help="How a worker with an empty folder comes back from its changelog.")
@click.option("--latency", is_flag=True, help="How long after an event its score can be read, at a steady rate.")
@click.option("--overload", is_flag=True, help="What becomes of three times as many events as a worker can take.")
@click.option("--rates", type=Sizes(), default="2000,8000", show_default=True, help="With --latency: events a second.")
@click.option(
    "--seconds", type=COUNT, help="How long: with --latency each rate (default 30), with --overload too many (60)."
)
@click.option("--shoppers", type=Sizes(), default="10000,50000,200000", show_default=True, help="With --recovery.")
@click.option("--hot-rows", type=COUNT, help="With --recovery: shoppers kept in memory; default all.")
@JSON
def bench(
    out: Path | None,
    rounds: int,
    events: int,
    peers: tuple[str, ...],
    recovery: bool,
    latency: bool,
    overload: bool,
    rates: tuple[int, ...],
    seconds: int | None,
    shoppers: tuple[int, ...],
    hot_rows: int | None,
    as_json: bool,
) -> None:
    """Measure this worker against idiomatic Faust, the bare limit and peers, alternating in one run; or with --recovery
    how it comes back, with --latency how soon it answers, with --overload how it bears too much."""
    if latency:
        from streams.bench import latency as answering

        answering.run(out or Path("build/latency.json"), rates, seconds or 30, as_json)
    elif overload:
        from streams.bench import overload as too_much

        too_much.run(out or Path("build/overload.json"), seconds or 60, as_json)
    elif recovery:
        from streams.bench import recovery as coming_back

        coming_back.run(out or Path("build/recovery.json"), shoppers, hot_rows, as_json)
    else:
        from streams.bench.command import run

        asked = [peer for peer in PEERS if peer in peers or "all" in peers]
        run(out or Path("build/bench.json"), rounds, events, as_json, asked)
