"""``offerstream evaluate-policy``: what a campaign would have earned where another one decided."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.commands.campaigns import checked
from streams.commands.common import BROKER, JSON
from streams.outside.campaigning import shop_vocabulary
from streams.settings import Settings
from streams.terminal import print_rows

if TYPE_CHECKING:
    from streams.campaigns.policy import Judged
    from streams.effects.off_policy import Evaluation, Value

_CALLED = {"policy": "as the file has it", "ran": "as it ran", "nobody": "no contact to anybody"}


@click.command("evaluate-policy")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--receipts",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="What campaigns decided and what became of offers, JSON lines; a file, or a folder.",
)
@click.option("--from-broker", is_flag=True, help="Both from their topics; so it is without --receipts.")
@click.option("--campaign", help="Of this campaign of the file; default: of all of which there are receipts.")
@BROKER
@JSON
def evaluate_policy(
    file: Path, receipts: tuple[Path, ...], from_broker: bool, campaign: str | None, broker: str | None, as_json: bool
) -> None:
    """Say what a file's campaigns would have earned on the shoppers that those which ran decided for.

    FILE is YAML, as for `campaigns apply`. Arms are the same where they offer the same under the same id; uplifts are
    those that a model said then, else the file's. Doubly robust, with 95% intervals by shopper; exit code 1, with what
    to do, where receipts do not hold what the file would do.
    """
    from streams.campaigns.plan import Plans
    from streams.campaigns.policy import judge
    from streams.outside.followed import FollowedError, of_files, of_topics

    settings = Settings.from_environment(broker=broker)
    chosen, _ = checked(file, settings.currency, as_json)
    if receipts and from_broker:
        raise click.UsageError("Say --receipts PATH or --from-broker, not both.")
    plans = Plans.of(chosen, shop_vocabulary())
    if campaign is not None and campaign not in [plan.id for plan in plans.plans]:
        raise click.UsageError(f"{file} has no campaign {campaign!r}; it has {', '.join(p.id for p in plans.plans)}.")
    joined = of_files(receipts) if receipts else of_topics(settings.access)
    there = {each.receipt.campaign for each in joined.decisions}
    asked = [p for p in plans.plans if p.id == campaign or (campaign is None and p.id in there)]
    if not asked:
        raise FollowedError(
            f"{joined.told()}. None is of a campaign of {file}; they are of {', '.join(sorted(there)) or 'none'}."
        )
    found = [judge(plans, plan, joined.decisions) for plan in asked]
    if as_json:
        click.echo(json.dumps({"records": joined.told(), "campaigns": [_described(each) for each in found]}, indent=2))
        return
    click.echo(joined.told())
    print_rows(
        ("campaign", "policy", "profit per decision", "95%", "SNIPS", "beyond what ran", "95%", "worth decisions"),
        [row for each in found for row in _rows(each, settings.currency)],
    )
    for each in found:
        click.echo(
            f"{each.campaign}: {each.decisions:,} decisions, {each.known:,} with a window that is over, {each.held:,} "
            f"of them of the holdout. The file would offer something in {each.contacted:.0%}."
        )


def _rows(each: Judged, currency: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, called in _CALLED.items():
        found: Evaluation = getattr(each, name)
        dr, snips = found.dr, found.snips
        told = (_money(dr.mean, currency), _range(dr, currency), _money(snips.mean, currency))
        beyond = ("", "") if name == "ran" else (_money(found.gain.mean, currency), _range(found.gain, currency))
        rows.append((each.campaign, called, *told, *beyond, f"{found.effective:,.0f}"))
    return rows


def _money(cents: float, currency: str) -> str:
    return f"{cents / 100:.3f} {currency}"


def _range(value: Value, currency: str) -> str:
    low, high = value.interval
    return f"{low / 100:.3f} to {high / 100:.3f} {currency}"


def _described(each: Judged) -> dict[str, Any]:
    """As JSON: estimates in cents, with their intervals."""
    found = asdict(each)
    for name in _CALLED:
        evaluation: Evaluation = getattr(each, name)
        found[name] = {
            part: {"cents": getattr(evaluation, part).mean, "interval": getattr(evaluation, part).interval}
            for part in ("ips", "snips", "dr", "gain")
        } | {"effective": evaluation.effective}
    return found
