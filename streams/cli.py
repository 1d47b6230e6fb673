"""The command line: ``offerstream …``."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click
from rich.markup import escape

from streams.commands.groups import Group, Modules
from streams.terminal import console, interrupted


def main() -> None:
    """Entry point: errors that a user can do something about are one line, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding shows what it can
    try:
        cli(prog_name="offerstream")
    except Exception as error:
        if isinstance(error, told()):
            console.print("[red]error:[/]", escape(str(error)), highlight=False, soft_wrap=True)
            # As Click does: 2 where the command cannot be meant so, 1 for what went wrong.
            sys.exit(getattr(error, "exit_code", 1))
        if not interrupted():
            raise
        console.print("Stopped.")
        sys.exit(130)


def told() -> tuple[type[Exception], ...]:
    """The errors whose text says what to do: it is all that is shown of them."""
    from models.artifact import ArtifactError
    from streams.access import Unreachable
    from streams.admin import TopicError
    from streams.bench.errors import BenchError
    from streams.broker.embedded import BrokerError
    from streams.broker.jars import JarError
    from streams.campaign_book import UnknownCampaign
    from streams.commands.describe import WriterError
    from streams.commands.preview import PreviewError
    from streams.commands.reviews import NoReviews
    from streams.effects.off_policy import SupportError
    from streams.outside.archive import ArchiveError
    from streams.outside.campaigning import ChangeError
    from streams.outside.coupon_loading import CodesError
    from streams.outside.demand_book import NothingForetold
    from streams.outside.followed import FollowedError
    from streams.outside.goes_with import UnknownItems
    from streams.outside.lines import LinesError
    from streams.outside.price_book import NoSuggestion
    from streams.outside.rehearsed import RehearsalError
    from streams.outside.rollout import NotServed
    from streams.outside.similar import NoPicture
    from streams.producer.replay import ReplayError
    from streams.settings import SettingsError
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
        NoPicture,
        NoSuggestion,
        NothingForetold,
        WriterError,
        PreviewError,
        NoReviews,
        UnknownItems,
        FollowedError,
        SupportError,
        TrainingError,
        ArtifactError,
        BenchError,
        OSError,  # names the file or the address; what else went wrong is not known here
    )


#: Command → its module in ``streams/commands/``, in the order of the help.
COMMANDS = {
    "demo": "demo",
    "preview": "preview",
    "broker": "broker",
    "worker": "worker",
    "topics": "topics",
    "schema": "catalogues",
    "settings": "catalogues",
    "metrics": "catalogues",
    "check": "check",
    "replay": "replay",
    "watch": "watch",
    "why": "why",
    "segments": "segments",
    "search": "search",
    "similar": "similar",
    "describe": "describe",
    "reviews": "reviews",
    "goes-with": "goes_with",
    "dead-letters": "dead_letters",
    "late-events": "late_events",
    "archive": "archive",
    "features": "features",
    "campaigns": "campaigns",
    "demand": "demand",
    "prices": "prices",
    "effect": "effect",
    "evaluate-policy": "evaluate_policy",
    "models": "models",
    "encoders": "encoders",
    "train": "train",
    "report": "report",
    "bench": "bench",
    "plan": "plan",
}


@click.group(
    cls=Group,
    commands=Modules(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="offerstream")
def cli() -> None:
    """Real-time shopper features, churn alerts and promotion offers on Apache Kafka.

    Start with `offerstream demo`. Settings come from OFFERSTREAM_… variables: `offerstream settings`. Exit codes: 0, 1
    for what went wrong, 2 for a command that cannot be meant so.
    """


if __name__ == "__main__":
    main()
