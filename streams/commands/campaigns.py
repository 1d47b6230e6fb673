"""``offerstream campaigns``: files of campaigns, before they are applied."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from streams.campaigns import examples
from streams.campaigns.reading import CampaignError, campaigns_of
from streams.campaigns.vocabulary import Vocabulary, vocabulary
from streams.campaigns.yaml_lines import MAX_BYTES, Problem
from streams.commands.common import JSON
from streams.commands.groups import Group
from streams.records.campaigns import CampaignSet, json_schema
from streams.records.tags import tag_of
from streams.records.words import money, printable
from streams.settings import Settings
from streams.terminal import print_rows


@click.group(cls=Group)
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
    try:
        chosen = campaigns_of(_text(file), shop_vocabulary(), currency)
    except CampaignError as error:
        if as_json:
            found = [asdict(problem) for problem in error.problems]
            click.echo(json.dumps({"good": False, "problems": found}, indent=2))
        else:
            for problem in error.problems:
                click.echo(printable(f"{file}: {problem}"))
        sys.exit(2)
    if as_json:
        ids = [campaign.id for campaign in chosen.campaigns]
        click.echo(json.dumps({"good": True, "digest": chosen.digest, "campaigns": ids, "problems": []}, indent=2))
        return
    _print(chosen, currency)


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


def shop_vocabulary() -> Vocabulary:
    """What audiences may name here: the features of shoppers and the answers about them."""
    from models.registry import TASKS
    from streams.entities.shopper import SHOPPER

    return vocabulary(SHOPPER.catalogue.features.values(), TASKS)


def _text(file: Path) -> str:
    stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with stream:
        raw = stream.read(MAX_BYTES + 1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CampaignError([Problem(line, "", "", "This is no UTF-8; save the file as UTF-8.")]) from None
