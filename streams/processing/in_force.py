"""Which rules and campaigns hold in a partition and which models serve, as its log chose them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.campaigns.lexer import ExpressionError
from streams.campaigns.plan import Plans
from streams.campaigns.vocabulary import vocabulary
from streams.features.catalogue import Catalogue
from streams.processing.model import Model, Shelf
from streams.processing.partition_records import Choice
from streams.processing.rules import Rules
from streams.processing.serving import Serving, serve, shipped_stages
from streams.records.campaigns import CampaignSet, encode
from streams.records.serving import CampaignsChosen, ModelsChosen, Stages
from streams.state.keys import CAMPAIGNS

#: Told of a version that was chosen and cannot serve: task, version, why.
Refused = Callable[[str, str, Exception], None]


class OtherRules(RuntimeError):
    """The log names rules or campaigns that this version or this worker's settings cannot keep."""


@dataclass(frozen=True, slots=True)
class _About:
    """A task as the words of campaigns' audiences know it."""

    name: str
    entity: str
    outputs: Sequence[Any]


class InForce:
    """Of one partition, for a group of workers. A log that chose nothing yet is under ``rules`` and the models of the
    package (``shelf``; None: nothing is scored).

    What other groups chose in a log that they share is followed until the first choice of the group's own. ``refused``
    is told of versions that cannot serve.
    """

    def __init__(
        self, entity: str, partition: int, group: str, rules: Rules, catalogue: Catalogue, shelf: Shelf | None,
        refused: Refused,
    ) -> None:  # fmt: skip
        self._entity, self._partition, self._group = entity, partition, group
        self._catalogue, self._shelf, self._refused = catalogue, shelf, refused
        self.rules = rules
        self.stages: dict[str, Stages] = {}
        """Which versions serve, as the log chose; tasks that it never chose for serve the package's own."""
        self.serving: list[Serving] = []
        """What scores now, by task."""
        self.campaigns: CampaignSet | None = None
        """The campaigns that the log chose; None: it never chose any, and the built-in offer is made."""
        self.plans: Plans | None = None
        """The same, ready to decide; None also where nothing is scored."""
        self._kept: tuple[set[str], str] = set(), ""
        self.chose = False
        """Whether the group has chosen in this log: what others choose is theirs from then on."""
        self.begun = False
        """Whether this was taken back from a table, with the rules and versions that its log began with."""

    def follow(self, choice: Choice) -> None:
        """From here on in the log other versions serve, or other rules hold."""
        own = choice.group in ("", self._group)
        if self.chose and not own:
            return
        self.chose |= own
        if isinstance(choice, ModelsChosen):
            self.stages |= {task: self._standing(task, stages) for task, stages in choice.stages.items()}
            self.serve()
        elif isinstance(choice, CampaignsChosen):
            self._hold(self._campaigns_of(choice.digest, choice.campaigns))
        else:
            # Another group that shares this log may add up another currency, and count other days.
            self.rules = self._rules_of(choice.digest, choice.rules).in_units_of(self.rules)

    def _standing(self, task: str, stages: Stages) -> Stages:
        if stages.live is not None or task not in self.stages:
            return stages
        return msgspec.structs.replace(stages, live=self.stages[task].live)

    def _rules_of(self, digest: str, described: dict[str, Any]) -> Rules:
        rules = Rules.of(described)
        if rules.digest != digest:
            raise OtherRules(
                f"The log of partition {self._partition} is under rules {digest} of a newer version, which decide what "
                "this one does not know. Run that version."
            )
        return rules

    def _campaigns_of(self, digest: str, described: dict[str, Any]) -> CampaignSet:
        found = CampaignSet.of(described)
        if found is None or found.digest != digest:
            raise OtherRules(
                f"The log of partition {self._partition} is under campaigns {digest} of a newer version, which decide "
                "what this one does not know. Run that version."
            )
        return found

    def _hold(self, chosen: CampaignSet) -> None:
        self.campaigns = chosen
        try:
            self.plans = self.plans_of(chosen)
        except ExpressionError as error:
            raise OtherRules(
                f"Campaigns {chosen.digest} of partition {self._partition} ask for what this version does not have: "
                f"{error} Run the version that they were checked with."
            ) from error

    def plans_of(self, chosen: CampaignSet) -> Plans | None:
        """Campaigns ready to decide; None where nothing is scored. Raises ``ExpressionError``."""
        if self._shelf is None:
            return None
        shelf, entity = self._shelf, self._entity
        tasks = [_About(t, entity, shelf.model(t).outputs) for t in shelf.tasks_of(entity) if shelf.shipped(t)]
        return Plans.of(chosen, vocabulary(self._catalogue.features.values(), tasks, self._entity))

    def serve(self) -> None:
        """Load the versions that were chosen."""
        if self._shelf is not None:
            inputs = self._catalogue.inputs
            self.serving = serve(self._shelf, self._entity, inputs, self.stages, self._refused, self.serving)

    def live(self, task: str) -> Model | None:
        """The live model of a task; None where it does not serve."""
        return next((serving.live for serving in self.serving if serving.live.task == task), None)

    @property
    def missing(self) -> set[str]:
        """Tasks of which a chosen version could not be loaded."""
        whole = {task.live.task: task.whole for task in self.serving}
        return {task for task, stages in self.stages.items() if not whole.get(task, not stages.live)}

    @property
    def models(self) -> list[Model]:
        """Every model that scores now: live, canary and shadow."""
        return [model for task in self.serving for model in task.staged.values()]

    @property
    def addresses(self) -> list[str]:
        """Every feature that these models and campaigns read; some more than once."""
        asked = () if self.plans is None else self.plans.addresses
        found = [a for a in asked if a in self._catalogue.features]

        def read_by(model: Model) -> None:
            found.extend(a for a in model.features if a in self._catalogue.features)
            found.extend(c.address for c in model.population if c.address in self._catalogue.features)
            for upstream in model.upstream:
                read_by(upstream)

        for model in self.models:
            read_by(model)
        return found

    def progress(self) -> dict[str, Any]:
        """What belongs into the progress record."""
        return {
            "stages": self.stages,
            "chose": self.chose,
            "rules_digest": self.rules.digest,
            "rules": self.rules.described(),
            "campaigns": None if self.campaigns is None else self.campaigns.digest,
        }

    def drain_changes(self) -> dict[bytes, bytes | None]:
        """Sets of campaigns that the progress record will name, as records of the feature table: before it. They may be
        large, so they are written once. One that it names no more is deleted only after it was last written without:
        a crash may bring the one before back."""
        written, last = self._kept
        now = "" if self.campaigns is None else self.campaigns.digest
        changes = dict[bytes, bytes | None]()
        if self.campaigns is not None and now not in written:
            changes[CAMPAIGNS + now.encode()] = encode(self.campaigns)
        gone = written - {now, last}
        self._kept = (written - gone) | ({now} if now else set()), now
        return changes | {CAMPAIGNS + digest.encode(): None for digest in gone}

    def restore(self, held: Mapping[str, Any], sets: Mapping[bytes, bytes]) -> None:
        """Take it back; ``sets``: of campaigns, by key. Raises ``OtherRules``."""
        if "rules" in held:
            table = self._rules_of(held["rules_digest"], held["rules"])
            self._check_units(table)
            self.rules, self.begun, self.chose = table, True, held.get("chose", False)
            self.stages = msgspec.convert(held["stages"], dict[str, Stages])
        named = held.get("campaigns")
        self._kept = {key[1:].decode() for key in sets}, named or ""
        if named is not None and (raw := sets.get(CAMPAIGNS + named.encode())) is not None:
            self._hold(self._campaigns_of(named, msgspec.json.decode(raw)))

    def begin(self) -> None:
        """Serve what the log chose last, or in a new one what came with the package."""
        if not self.begun and self._shelf is not None:
            self.stages = shipped_stages(self._shelf, self._entity)
        self.serve()

    def _check_units(self, table: Rules) -> None:
        for what, name, held, ours in (
            ("adds up", "CURRENCY", table.decode.currency, self.rules.decode.currency),
            ("counts days of", "TIME_ZONE", table.time_zone, self.rules.time_zone),
        ):
            if held != ours:
                raise OtherRules(
                    f"The feature table of partition {self._partition} {what} {held}, this worker is set to {ours}. "
                    f"Set OFFERSTREAM_{name} back, or start under another OFFERSTREAM_APP_ID."
                )
