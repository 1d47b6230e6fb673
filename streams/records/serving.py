"""Which version of which model serves and which rules hold, and what changes them.

Operators' wishes are in the compacted topic ``models.control.v1`` and in the settings. The worker that owns a
partition writes them into the partition's own log as ``ModelsChosen`` and ``RulesChosen``, so what decided at a due
point is a property of the log.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Stages(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """The versions of one task. None as ``live``: as an operator's wish, the one that came with the package, whichever
    that is; in a partition's log, what is live already.

    ``canary`` serves the shoppers whose salted hash lies below ``canary_share``; ``shadow`` is scored for all and
    acted on for none. ``previous`` was live before: what a rollback goes back to (None: the package's).
    """

    change_id: str
    live: str | None = None
    previous: str | None = None
    canary: str | None = None
    canary_share: Share = 0.0
    canary_salt: str = ""
    shadow: str | None = None

    def in_canary(self, shopper_id: str) -> bool:
        """Whether the canary serves a shopper."""
        digest = hashlib.blake2b(f"{self.canary_salt}:{shopper_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.canary_share * 2**64


class ModelsChosen(msgspec.Struct, tag_field="type", tag="models_chosen", kw_only=True, frozen=True, gc=False):
    """From here on in this partition these versions serve; written by the worker that owns it, never by storefronts."""

    stages: dict[str, Stages]


class RulesChosen(msgspec.Struct, tag_field="type", tag="rules_chosen", kw_only=True, frozen=True, gc=False):
    """From here on in this partition these rules hold: lateness, cadence, silence, policies, holdout. Written by the
    worker that owns the partition when its settings differ from what held, never by storefronts."""

    digest: str
    rules: dict[str, Any]


class StagesSet(msgspec.Struct, tag_field="type", tag="stages_set", kw_only=True, frozen=True, gc=False):
    """An operator set the stages of a task; key: the task."""

    task: str
    stages: Stages
    reason: str
    changed_at_ms: int


class CanaryRolledBack(msgspec.Struct, tag_field="type", tag="canary_rolled_back", kw_only=True, frozen=True, gc=False):
    """A worker found that a canary does harm; key: TASK/rollback. Holds for the change that it names, no other."""

    task: str
    change_id: str
    version: str
    reason: str
    detail: str
    decided_at_ms: int


ControlRecord = StagesSet | CanaryRolledBack


def key_of(record: ControlRecord) -> bytes:
    """The record's key in the topic."""
    if isinstance(record, StagesSet):
        return record.task.encode()
    # A verdict over an older change, from a worker that reads a backlog, must not take the place of a newer one.
    return f"{record.task}/rollback/{record.change_id}".encode()
