"""``offerstream campaigns``: files of campaigns, and the campaigns that hold."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from streams.campaigns import examples
from streams.campaigns.reading import CampaignError, campaigns_of, says_shop
from streams.campaigns.yaml_lines import MAX_BYTES, Problem
from streams.commands.common import BROKER, JSON, TEXT, Number
from streams.commands.groups import Group, Modules
from streams.outside.campaigning import Campaigning, not_noticed, shop_vocabulary, stand, without_codes
from streams.records.campaigns import CampaignSet, json_schema
from streams.records.tags import tag_of
from streams.records.words import money, printable, shown_day, shown_time
from streams.settings import Settings
from streams.terminal import print_rows, progress_bar


@click.group(cls=Group, commands=Modules({"forecast": "forecast", "coupons": "coupons"}))
def campaigns() -> None:
    """Campaigns: whom they address, what they may offer, for how much money. docs/campaigns.md says how to write
    one."""


@campaigns.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@JSON
def campaigns_check(file: Path, as_json: bool) -> None:
    """Check a file of campaigns; nothing is sent.

    FILE is YAML, or - for standard input. All that is wrong is told, each with line, field, value and rule. The budget
    must be in the shop's currency (OFFERSTREAM_CURRENCY). Exit code 2 when something is wrong.
    """
    currency = Settings.from_environment().currency
    chosen, _ = checked(file, currency, as_json)
    if as_json:
        ids = [campaign.id for campaign in chosen.campaigns]
        click.echo(json.dumps({"good": True, "digest": chosen.digest, "campaigns": ids, "problems": []}, indent=2))
        return
    _print(chosen, currency)
    for each in chosen.campaigns:
        for line in not_noticed(each):
            click.echo(f"Note: {line}.", err=True)


def checked(file: Path, currency: str, as_json: bool) -> tuple[CampaignSet, bool]:
    """The campaigns of a file, and whether it says what holds for the shop; ends with exit code 2 where it is wrong."""
    try:
        text = _text(file)
        return campaigns_of(text, shop_vocabulary(), currency), says_shop(text)
    except CampaignError as error:
        if as_json:
            found = [asdict(problem) for problem in error.problems]
            click.echo(json.dumps({"good": False, "problems": found}, indent=2))
        else:
            for problem in error.problems:
                click.echo(printable(f"{file}: {problem}"))
        sys.exit(2)


def _print(chosen: CampaignSet, currency: str) -> None:
    rows = [
        (
            each.id,
            each.approval,
            tag_of(type(each.trigger)),
            ", ".join(arm.id for arm in each.arms),
            money(each.budget[currency].total_cents, currency),
            " ".join(each.audience.split()),
        )
        for each in chosen.campaigns
    ]
    print_rows(("campaign", "approval", "trigger", "arms", "budget", "audience"), rows)
    click.echo(f"{len(rows)} campaigns, all good. Digest {chosen.digest}.")


@campaigns.command("schema")
def campaigns_schema() -> None:
    """Print the JSON Schema of a file of campaigns, with the meaning, range and default of every field.

    Editors complete and check YAML by it: save it, and name it in the first line of the file,
    # yaml-language-server: $schema=FILE.
    """
    click.echo(json.dumps(json_schema(), indent=2))


@campaigns.command("examples")
@click.argument("name", required=False, type=click.Choice(examples.NAMES))
@JSON
def campaigns_examples(name: str | None, as_json: bool) -> None:
    """List campaigns that are ready to use, or print the file of one, to begin with."""
    if name is not None:
        click.echo(json.dumps({"name": name, "text": examples.text(name)}) if as_json else examples.text(name).rstrip())
        return
    rows = [(each, examples.text(each).splitlines()[0].removeprefix("# ")) for each in examples.NAMES]
    print_rows(("example", "what it does"), rows, as_json)


WAIT = click.option("--wait-seconds", type=Number(0), default=60.0, show_default=True, help="For workers, at most.")
NO_WAIT = click.option("--no-wait", is_flag=True, help="Do not wait for workers.")
REASON = click.option("--reason", type=TEXT, default="", help="Kept with the change.")


@campaigns.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@REASON
@WAIT
@NO_WAIT
@BROKER
@JSON
def campaigns_apply(
    file: Path, reason: str, wait_seconds: float, no_wait: bool, broker: str | None, as_json: bool
) -> None:
    """Check a file of campaigns and set them; campaigns that it does not name stay as they are.

    FILE is YAML, or - for standard input. Nothing is sent of a file in which something is wrong (exit code 2). What the
    file says of shop replaces what was said before; a file without it leaves that as it is. A paused campaign stays
    paused. Waits until the campaigns hold in every partition; exit code 1 when they do not in time, with the reason.
    """
    settings = Settings.from_environment(broker=broker)
    chosen, says_shop = checked(file, settings.currency, as_json)
    campaigning = _campaigning(settings)
    told = campaigning.apply(chosen, reason, shop=says_shop)
    unnoticed = [each for campaign in chosen.campaigns for each in not_noticed(campaign)]
    unnoticed += without_codes(settings, chosen.campaigns)
    if not as_json:
        for line in told:
            click.echo(line)
    for line in unnoticed:
        click.echo(f"Note: {line}.", err=True)
    _finish(campaigning, {"campaigns": told, "notes": unnoticed}, wait_seconds, no_wait, as_json)


def _turning(name: str, what: str) -> None:
    """A command that sets the state of one campaign."""

    @campaigns.command(name, help=f"{what} Waits until that holds in every partition, as `apply` does.")
    @click.argument("campaign", type=TEXT, metavar="ID")
    @REASON
    @WAIT
    @NO_WAIT
    @BROKER
    @JSON
    def turn(campaign: str, reason: str, wait_seconds: float, no_wait: bool, broker: str | None, as_json: bool) -> None:
        campaigning = _campaigning(Settings.from_environment(broker=broker))
        getattr(campaigning, name)(campaign, reason)
        state = campaigning.find(campaign).campaign.approval
        if not as_json:
            click.echo(f"{campaign}: {state}")
        _finish(campaigning, {"campaigns": [f"{campaign}: {state}"]}, wait_seconds, no_wait, as_json)


_turning("pause", "Let a campaign make no more offers until it is resumed; those made still hold.")
_turning("resume", "Let a paused campaign go on.")
_turning("stop", "End a campaign for good; offers made still hold.")


@campaigns.command("list")
@BROKER
@JSON
def campaigns_list(broker: str | None, as_json: bool) -> None:
    """Print every campaign with its state, its budget, and what its offers have set aside, as of the last flush.

    Set aside is what open offers may cost at most. Until a worker has come to what was said last, it holds in fewer
    partitions than there are.
    """
    settings = Settings.from_environment(broker=broker)
    campaigning = _campaigning(settings)
    rows = [
        (
            each.campaign.id,
            each.state,
            money(each.budget_cents, settings.currency),
            money(each.reserved_cents, settings.currency),
            str(each.offers),
            f"{each.partitions} of {each.of_partitions} partitions",
            shown_day(round(each.campaign.end.timestamp() * 1000)),
        )
        for each in stand(campaigning, int(time.time() * 1000))
    ]
    print_rows(("campaign", "state", "budget", "set aside", "offers", "holds in", "until"), rows, as_json)


@campaigns.command("show")
@click.argument("campaign", type=TEXT, metavar="ID")
@BROKER
def campaigns_show(campaign: str, broker: str | None) -> None:
    """Print all of a campaign as JSON: what was said last, when and why, its state, what its offers set aside, and how
    many codes of its pool are left."""
    campaigning = _campaigning(Settings.from_environment(broker=broker))
    said = campaigning.find(campaign)
    (found,) = (s for s in stand(campaigning, int(time.time() * 1000)) if s.campaign.id == campaign)
    shown = {name: value for name, value in asdict(found).items() if name != "campaign"}
    shown["coupons"] = None if found.coupons is None else found.coupons._asdict()
    document = {**shown, "changed_at": shown_time(said.changed_at_ms), "reason": said.reason}
    click.echo(json.dumps({**document, "campaign": msgspec.to_builtins(said.campaign)}, indent=2))


def _campaigning(settings: Settings) -> Campaigning:
    return Campaigning(settings, shop_vocabulary())


def _finish(campaigning: Campaigning, document: dict[str, Any], seconds: float, no_wait: bool, as_json: bool) -> None:
    """Wait for workers, and say how that ended."""
    from streams.outside.rollout import wait_campaigns

    wanted, settings, began = campaigning.book.wanted, campaigning.settings, time.monotonic()
    holds: bool | None = None
    if wanted is not None and not no_wait:
        with progress_bar("Waiting for workers: partitions in which they hold", None) as told:
            holds = wait_campaigns(settings, wanted.digest, seconds, told)
    if as_json:
        click.echo(json.dumps({**document, "digest": wanted and wanted.digest, "holds": holds}, indent=2))
    elif wanted is None:
        click.echo("Only drafts: nothing changes for workers.")
    elif holds:
        click.echo(f"They hold in every partition, after {time.monotonic() - began:.1f} s. Digest {wanted.digest}.")
    elif holds is False:
        click.echo(f"No worker of group {settings.app_id!r} (OFFERSTREAM_APP_ID) runs: those that start will follow.")


def _text(file: Path) -> str:
    stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with stream:
        raw = stream.read(MAX_BYTES + 1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CampaignError([Problem(line, "", "", "This is no UTF-8; save the file as UTF-8.")]) from None
