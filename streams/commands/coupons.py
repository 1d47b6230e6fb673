"""``offerstream campaigns coupons``: codes of coupons, loaded into pools that campaigns take them from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from models.nearest import unknown
from streams.campaign_book import read
from streams.commands.common import BROKER, JSON, TEXT
from streams.outside.coupon_loading import MAX_BYTES, CodesError, codes_of, load, shares, stocks
from streams.processing.coupon_pools import Stock
from streams.settings import Settings
from streams.terminal import print_rows


@click.command("coupons")
@click.argument("pool", type=TEXT)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), required=False)
@BROKER
@JSON
def coupons(pool: str, file: Path | None, broker: str | None, as_json: bool) -> None:
    """Load the codes of FILE into a POOL, or without a file print how many codes it has left.

    FILE has a code on each line, 4 to 64 printable characters of ASCII without spaces; - is standard input. A campaign
    takes them with coupons: {source: pool, pool: POOL}. Every code is given once: one that was loaded before is passed
    over, so a file may be loaded again. Exit code 2 when something is wrong; nothing is sent then.
    """
    settings = Settings.from_environment(broker=broker)
    if file is not None:
        _load(settings, pool, file, as_json)
        return
    settings.access.require()
    held = shares(settings)
    found = stocks({}, *held)
    if pool not in found:
        told = unknown("pool", pool, found or ["none yet"])
        raise CodesError(f"{told} To load codes: offerstream campaigns coupons POOL FILE.")
    of, without = found[pool], sum(not each.get(pool, Stock(0, 0)).left for each in held)
    rows = [(pool, str(of.left), str(of.given), f"{without} of {len(held)}")]
    print_rows(("pool", "codes left", "given", "partitions without"), rows, as_json)


def _load(settings: Settings, pool: str, file: Path, as_json: bool) -> None:
    stream = click.get_binary_stream("stdin") if str(file) == "-" else file.open("rb")
    with stream:
        raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise CodesError(f"The file is larger than {MAX_BYTES:,} bytes: split it.")
    try:
        found = codes_of(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CodesError("The file is no text.") from None
    partitions = load(settings, pool, found.codes)
    by = [name for name, said in read(settings.access).campaigns.items() if said.campaign.coupons.pool == pool]
    if as_json:
        told = {"pool": pool, "codes": len(found.codes), "twice": found.twice, "partitions": partitions}
        click.echo(json.dumps({**told, "campaigns": by}, indent=2))
        return
    twice = f" ({found.twice:,} stand twice in the file)" if found.twice else ""
    click.echo(f"{pool}: {len(found.codes):,} codes{twice}, split over {partitions} partitions of shoppers.")
    if not by:
        click.echo(f"Note: no campaign takes codes from it; write coupons: {{source: pool, pool: {pool}}}.", err=True)
