"""Writes into partitions what is to decide in them: models, rules and campaigns."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import msgspec

from streams.campaign_book import CampaignBook
from streams.campaigns.lexer import ExpressionError
from streams.control import Control
from streams.metrics import Metrics
from streams.processing.entity import Entity
from streams.processing.model import Shelf
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.processing.serving import load, shipped_stages
from streams.records.campaigns import CampaignSet, encode
from streams.records.events import encode_event
from streams.records.serving import CampaignsChosen, ChangeRefused, ModelsChosen, RulesChosen, Stages, key_of
from streams.state.write_behind import WriteBehind
from streams.topics import CONTROL

#: A choice that a partition has not come to is written again after this long.
ASK_AGAIN_SECONDS = 30.0

log = logging.getLogger(__name__)


class Choices:
    """What this worker wishes, held against what each of its partitions has come to. ``processors`` are those of the
    partitions that it owns, by partition."""

    def __init__(
        self,
        entity: Entity,
        app_id: str,
        rules: Rules,
        shelf: Shelf,
        writer: WriteBehind,
        metrics: Metrics,
        processors: Mapping[int, PartitionProcessor],
    ) -> None:
        self.entity, self.app_id, self.topic = entity, app_id, entity.topic(app_id)
        self.rules, self.shelf, self.writer, self.metrics, self.processors = rules, shelf, writer, metrics, processors
        self._asked: dict[int, tuple[float, object]] = {}
        self._refused: set[tuple[str, str]] = set()
        self._possible: dict[str, bool] = {}

    def forget(self) -> None:
        """Partitions were revoked: what was asked of them is not known any more."""
        self._asked.clear()

    def choose(self, control: Control, book: CampaignBook) -> None:
        """Write into each partition which models are to serve and which rules and campaigns are to hold, where that is
        not what serves and holds. ``control`` and ``book`` have the operators' wishes; where they have none of models,
        the package's own is to serve.

        Only versions that can serve are written; of others the control topic is told, so that whoever asked for them
        hears why. Asked again when the partition has not come to it for a while.
        """
        now, stages = time.monotonic(), control.stages
        shipped = shipped_stages(self.shelf, self.entity.name)
        campaigns = book.wanted if self.entity.campaigns else None
        wanted = {task: _named(stages.get(task, own), own) for task, own in shipped.items()}
        for partition, processor in list(self.processors.items()):
            # Chosen again where what was chosen does not serve: the store may have been away.
            missing = processor.in_force.missing
            differing = {t: s for t, s in wanted.items() if s != processor.in_force.stages.get(t) or t in missing}
            rules = self.rules.digest if self.rules != processor.rules else None
            self._withdraw(partition, control, differing)
            offers = None if campaigns is None else self._campaigns(campaigns, processor)
            if not differing and rules is None and offers is None:
                continue
            asked, what = self._asked.get(partition, (0.0, None))
            wish = differing, rules, offers and offers.digest
            if what == wish and now - asked < ASK_AGAIN_SECONDS:
                continue
            servable = {task: s for task, s in differing.items() if self._can_serve(task, s, partition)}
            if servable:
                models = ModelsChosen(group=self.app_id, stages=dict(servable))
                self.writer.say(self.topic, encode_event(models), partition=partition)
            if rules is not None:
                chosen = RulesChosen(group=self.app_id, digest=rules, rules=self.rules.described())
                self.writer.say(self.topic, encode_event(chosen), partition=partition)
            if offers is not None:
                self.writer.say(self.topic, encode_event(offers), partition=partition)
            self._asked[partition] = (now, wish)

    def _campaigns(self, wanted: CampaignSet, processor: PartitionProcessor) -> CampaignsChosen | None:
        """What to write where other campaigns hold than are wanted; None where they hold, or cannot."""
        held, digest = processor.in_force.campaigns, wanted.digest
        if held is not None and held.digest == digest:
            return None
        if digest not in self._possible:
            why = self._why_not(wanted, processor)
            self._possible = {digest: not why}
            if why:
                log.error("Campaigns %s cannot hold; those before go on: %s", digest, why)
        if not self._possible[digest]:
            return None
        return CampaignsChosen(group=self.app_id, digest=digest, campaigns=wanted.described())

    def _why_not(self, wanted: CampaignSet, processor: PartitionProcessor) -> str:
        size, most = len(encode(wanted)) + 1000, self.rules.decode.max_event_bytes
        if size > most:
            return f"they take {size:,} bytes, and at most {most:,} are read (OFFERSTREAM_MAX_EVENT_BYTES)."
        try:
            processor.in_force.plans_of(wanted)
        except ExpressionError as error:
            return f"this version does not have what they ask for: {error}"
        return ""

    def _withdraw(self, partition: int, control: Control, differing: Mapping[str, Stages]) -> None:
        """Say of changes that were refused before, by this worker or another, that they serve now."""
        for (task, group, of), said in control.refused.items():
            held = self.processors[partition].in_force.stages.get(task)
            if (group, of) != (self.app_id, partition) or not said.reason or task in differing or held is None:
                continue
            if said.change_id == held.change_id:
                self._say(msgspec.structs.replace(said, reason="", decided_at_ms=int(time.time() * 1000)))

    def _say(self, record: ChangeRefused) -> None:
        self.writer.say(CONTROL.name, msgspec.json.encode(record), key=key_of(record))

    def _can_serve(self, task: str, stages: Stages, partition: int) -> bool:
        for version in (stages.live, stages.canary, stages.shadow):
            if version:  # empty: none came with the package, and none is to serve
                try:
                    load(self.shelf, task, version, self.entity.catalogue.inputs)
                except Exception as error:
                    self.refuse(task, version, error)
                    self._say(
                        ChangeRefused(
                            task=task,
                            change_id=stages.change_id,
                            group=self.app_id,
                            partition=partition,
                            version=version,
                            reason=" ".join(str(error).split()) or repr(error),
                            decided_at_ms=int(time.time() * 1000),
                        )
                    )
                    return False
                self._refused.discard((task, version))
        return True

    def refuse(self, task: str, version: str, error: Exception) -> None:
        """Count a version that must not serve, and say so once."""
        self.metrics.models_refused.labels(task).inc()
        if (task, version) not in self._refused:
            self._refused.add((task, version))
            log.error("%s %s must not serve; what served before goes on: %s", task, version, error)


def _named(stages: Stages, own: Stages) -> Stages:
    """An operator's wish with the live version by name."""
    return stages if stages.live is not None else msgspec.structs.replace(stages, live=own.live)
