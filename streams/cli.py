"""The command line: ``offerstream …``."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click
from rich.markup import escape

from streams.commands.archive import archive
from streams.commands.bench import bench
from streams.commands.broker import broker
from streams.commands.campaigns import campaigns
from streams.commands.catalogues import metrics, schema, settings
from streams.commands.check import check
from streams.commands.coupons import coupons
from streams.commands.dead_letters import dead_letters
from streams.commands.demo import demo
from streams.commands.effect import effect
from streams.commands.evaluate_policy import evaluate_policy
from streams.commands.features import features
from streams.commands.forecast import forecast
from streams.commands.groups import Group
from streams.commands.late_events import late_events
from streams.commands.models import models
from streams.commands.replay import replay
from streams.commands.report import report
from streams.commands.topics import topics
from streams.commands.train import train
from streams.commands.watch import watch
from streams.commands.why import why
from streams.commands.worker import worker
from streams.settings import SettingsError
from streams.terminal import console, interrupted


def main() -> None:
    """Entry point: errors that a user can do something about are one line, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding shows what it can
    try:
        cli(prog_name="offerstream")
    except told() as error:
        console.print("[red]error:[/]", escape(str(error)), highlight=False, soft_wrap=True)
        # As Click does for what it can tell by itself: 2 where the command cannot be meant so, 1 for what went wrong.
        sys.exit(getattr(error, "exit_code", 1))
    except Exception:
        if not interrupted():
            raise
        console.print("Stopped.")
        sys.exit(130)


def told() -> tuple[type[Exception], ...]:
    """The errors whose text says what to do: it is all that is shown of them."""
    from models.artifact import ArtifactError
    from streams.access import Unreachable
    from streams.archive import ArchiveError
    from streams.bench.errors import BenchError
    from streams.broker.embedded import BrokerError
    from streams.broker.jars import JarError
    from streams.campaign_book import UnknownCampaign
    from streams.campaigning import ChangeError
    from streams.coupon_loading import CodesError
    from streams.effects.off_policy import SupportError
    from streams.followed import FollowedError
    from streams.producer.lines import LinesError
    from streams.producer.replay import ReplayError
    from streams.rehearsed import RehearsalError
    from streams.rollout import NotServed
    from streams.topics import TopicError
    from training.errors import TrainingError

    return (
        SettingsError,
        Unreachable,
        BrokerError,
        JarError,
        LinesError,
        ReplayError,
        ArchiveError,
        TopicError,
        NotServed,
        RehearsalError,
        ChangeError,
        CodesError,
        UnknownCampaign,
        FollowedError,
        SupportError,
        TrainingError,
        ArtifactError,
        BenchError,
        OSError,  # names the file or the address; what else went wrong is not known here
    )


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="offerstream")
def cli() -> None:
    """Real-time shopper features, churn alerts and promotion offers on Apache Kafka.

    Start with `offerstream demo`. Settings come from OFFERSTREAM_… variables: `offerstream settings`. Exit codes: 0, 1
    for what went wrong, 2 for a command that cannot be meant so.
    """


for command in (
    demo,
    broker,
    worker,
    topics,
    schema,
    settings,
    metrics,
    check,
    replay,
    watch,
    why,
    dead_letters,
    late_events,
    archive,
    features,
    campaigns,
    effect,
    evaluate_policy,
    models,
    train,
    report,
    bench,
):
    cli.add_command(command)
campaigns.add_command(forecast)
campaigns.add_command(coupons)

if __name__ == "__main__":
    main()
