"""``offerstream segments``: what shoppers of each segment are like in this shop."""

from __future__ import annotations

import json

import click
import msgspec

from streams.commands.common import BROKER, JSON
from streams.outside.segments import described, profiles
from streams.records.profiled import SEGMENTS
from streams.records.words import printable
from streams.settings import Settings
from streams.terminal import print_rows


@click.command()
@BROKER
@JSON
def segments(broker: str | None, as_json: bool) -> None:
    """Print how many shoppers are in each segment, and what sets them apart from all others of this shop.

    By the newest profile of each in shopper.profiles.v1, which is read whole: medians, or shares, and beside them those
    of all others. At most three differences, the largest first; none of fewer than ten shoppers. Each profile is as of
    when it was said.
    """
    found = described(profiles(Settings.from_environment(broker=broker).access))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    rows = [
        (SEGMENTS[one.segment][0], f"{one.shoppers:,}", f"{one.share:.1%}", printable("; ".join(one.apart)))
        for one in found
    ]
    print_rows(("segment", "shoppers", "share", "what sets them apart"), rows)
