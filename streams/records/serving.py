"""Which version of which model serves, which rules and campaigns hold, and what changes them.

Operators' wishes are in the compacted topic ``models.control.v1`` and in the settings. The worker that owns a
partition writes them into the partition's own log as ``ModelsChosen``, ``RulesChosen`` and ``CampaignsChosen``, so what
decided at a due point is a property of the log.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Group = Annotated[str, Meta(description="The group of workers (OFFERSTREAM_APP_ID) that chose it.")]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
TaskName = Annotated[str, Meta(description="The task whose model it is, such as churn.")]


class Stages(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """The versions of one task. None as ``live``: as an operator's wish, the one that came with the package, whichever
    that is; in a partition's log, what is live already.

    ``canary`` serves the shoppers whose salted hash lies below ``canary_share``; ``shadow`` is scored for all and
    acted on for none. ``previous`` was live before: what a rollback goes back to (None: the package's).
    """

    change_id: Annotated[str, Meta(description="Names this change; verdicts over a canary name it.")]
    live: Annotated[str | None, Meta(description="The version that serves everyone; null: the package's own.")] = None
    previous: Annotated[str | None, Meta(description="The version that was live before; null: the package's own.")] = (
        None
    )
    canary: Annotated[str | None, Meta(description="The version that serves a share of the shoppers.")] = None
    canary_share: Annotated[Share, Meta(description="The canary's share of the shoppers.")] = 0.0
    canary_salt: Annotated[str, Meta(description="Another salt draws other shoppers for the canary.")] = ""
    shadow: Annotated[str | None, Meta(description="The version that is scored for all and acted on for none.")] = None

    def in_canary(self, key: str) -> bool:
        """Whether the canary serves a shopper, or whatever else the task is about."""
        digest = hashlib.blake2b(f"{self.canary_salt}:{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.canary_share * 2**64


class ModelsChosen(msgspec.Struct, tag_field="type", tag="models_chosen", kw_only=True, frozen=True, gc=False):
    """From here on in this partition these versions serve; written by the worker that owns it, never by storefronts."""

    group: Group = ""
    stages: Annotated[dict[str, Stages], Meta(description="What serves from here on, by task.")]


class RulesChosen(msgspec.Struct, tag_field="type", tag="rules_chosen", kw_only=True, frozen=True, gc=False):
    """From here on in this partition these rules hold: lateness, cadence, silence, policies, holdout. Written by the
    worker that owns the partition when its settings differ from what held, never by storefronts."""

    group: Group = ""
    digest: Annotated[str, Meta(description="Names the rules.")]
    rules: Annotated[dict[str, Any], Meta(description="All of them; streams/processing/rules.py says what each means.")]


class CampaignsChosen(msgspec.Struct, tag_field="type", tag="campaigns_chosen", kw_only=True, frozen=True, gc=False):
    """From here on in this partition of shoppers these campaigns hold, and no others; the built-in offer says nothing
    any more. Written by the worker that owns the partition when operators set campaigns, never by storefronts."""

    group: Group = ""
    digest: Annotated[str, Meta(description="Names the campaigns.")]
    campaigns: Annotated[
        dict[str, Any],
        Meta(
            description="All of them, and what holds for the shop; streams/records/campaigns.py says what each means."
        ),
    ]


class StagesSet(msgspec.Struct, tag_field="type", tag="stages_set", kw_only=True, frozen=True, gc=False):
    """An operator set the stages of a task; key: the task."""

    task: TaskName
    stages: Annotated[Stages, Meta(description="What is to serve.")]
    reason: Annotated[str, Meta(description="Why, in the operator's words.")]
    changed_at_ms: Annotated[int, Meta(description="When it was said, UTC milliseconds since 1970.")]


class CanaryRolledBack(msgspec.Struct, tag_field="type", tag="canary_rolled_back", kw_only=True, frozen=True, gc=False):
    """A worker found that a canary does harm; key: TASK/rollback. Holds for the change that it names, no other."""

    task: TaskName
    change_id: Annotated[str, Meta(description="The change that made it a canary.")]
    version: Annotated[str, Meta(description="The version that was rolled back.")]
    reason: Annotated[
        str, Meta(description="The kind of harm: errors, latency, score_drift, distance, calibration or quality.")
    ]
    detail: Annotated[str, Meta(description="The numbers behind it.")]
    decided_at_ms: Annotated[int, Meta(description="When it was found, UTC milliseconds since 1970.")]


class ChangeRefused(msgspec.Struct, tag_field="type", tag="change_refused", kw_only=True, frozen=True, gc=False):
    """The worker that owns a partition cannot serve a change of stages; key: TASK/refused/GROUP/PARTITION. Said again
    without a reason when it serves the change after all."""

    task: TaskName
    change_id: Annotated[str, Meta(description="The change that cannot be served.")]
    group: Annotated[str, Meta(description="The workers' group, OFFERSTREAM_APP_ID.")]
    partition: Annotated[int, Meta(ge=0, description="The partition in which it is not served.")]
    version: Annotated[str, Meta(description="The version that cannot serve.")]
    reason: Annotated[str, Meta(description="Why, in words; empty: it serves by now.")]
    decided_at_ms: Annotated[int, Meta(description="When it was found, UTC milliseconds since 1970.")]


class AnswersJudged(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """How good the newest answers of a version to one output were, of those whose late label is known."""

    labels: Annotated[int, Meta(ge=0, description="Answers whose late label has become known.")]
    measures: Annotated[dict[str, float], Meta(description="By measure, as in the metric live_quality.")]


class OutputCompared(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """How far a version's answers to one output lie from the live ones, and how good both were."""

    known: Annotated[int, Meta(ge=0, description="Due points of which it is known how far the answers lie apart.")]
    agreeing: Annotated[int, Meta(ge=0, description="… of these, those within 0.05 of the live answer.")]
    distance: Annotated[float, Meta(ge=0, description="Sum of the distances, each from 0 to 1.")]
    live: Annotated[AnswersJudged | None, Meta(description="The live version's own; null: no label is known.")] = None
    other: Annotated[AnswersJudged | None, Meta(description="The other's; null for a shadow, which acts on none.")] = (
        None
    )


class ModelsCompared(msgspec.Struct, tag_field="type", tag="models_compared", kw_only=True, frozen=True, gc=False):
    """What one run of a worker has seen so far of a canary or shadow beside the live version, on the same due points;
    key: TASK/compared/STAGE/VERSION/AGAINST/GROUP/RUN. Runs add up."""

    task: TaskName
    stage: Annotated[str, Meta(description="canary or shadow.")]
    version: Annotated[str, Meta(description="The version that was compared.")]
    against: Annotated[str, Meta(description="The version that was live, with which it was compared.")]
    group: Annotated[str, Meta(description="The workers' group, OFFERSTREAM_APP_ID.")]
    run: Annotated[str, Meta(description="Names the worker's run, from its start to its end.")]
    asked: Annotated[int, Meta(ge=0, description="Due points that both were asked about.")]
    failed: Annotated[int, Meta(ge=0, description="… of these, those that the version failed on.")]
    outputs: Annotated[dict[str, OutputCompared], Meta(description="By output.")]
    said_at_ms: Annotated[int, Meta(description="When it was said, UTC milliseconds since 1970.")]


ControlRecord = StagesSet | CanaryRolledBack | ChangeRefused | ModelsCompared


def key_of(record: ControlRecord) -> bytes:
    """The record's key in the topic."""
    if isinstance(record, StagesSet):
        return record.task.encode()
    if isinstance(record, ChangeRefused):
        return f"{record.task}/refused/{record.group}/{record.partition}".encode()
    if isinstance(record, ModelsCompared):
        pair = f"{record.stage}/{record.version}/{record.against}"
        return f"{record.task}/compared/{pair}/{record.group}/{record.run}".encode()
    # A verdict over an older change, from a worker that reads a backlog, must not take the place of a newer one.
    return f"{record.task}/rollback/{record.change_id}".encode()
