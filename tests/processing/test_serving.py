"""Which version serves is a property of the log."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from models.predictor import Predictor
from models.registry import task
from models.store import Shelf, Store
from models.task import AtLeast, Output
from streams.columns.layout import Rows
from streams.decisions.decider import Group, Seen
from streams.decisions.profile import Profiles
from streams.decisions.promotion import PromotionPolicy
from streams.decisions.scores import Scores
from streams.entities.shopper import SHOPPER
from streams.features.shopper import CATALOGUE
from streams.processing.in_force import OtherRules
from streams.processing.names import CategoryNames
from streams.processing.partition import PartitionProcessor, row_layout
from streams.processing.rules import DecodeRules, Rules
from streams.processing.scoring import DECIMALS, TaskScores, score
from streams.processing.serving import Serving, load
from streams.records.events import encode_event
from streams.records.outcomes import Due, Scored
from streams.records.serving import ModelsChosen, RulesChosen, Stages
from tests.models.doubles import Double
from tests.models.variants import variant
from tests.shoppers import DAY, KNOWN_CATEGORIES, NOON, Log, log_of, ordered, random_history, viewed
from tests.worlds import DictTier, World, cut, run_plain, shipped

CHURN = task("churn")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    store = Store(str(tmp_path_factory.mktemp("store")))
    for scale in (0.5, 2.0):
        store.put("churn", variant(CHURN, scale).files())
    return Shelf(store)


def choose(**stages: object) -> Log:
    return [(None, encode_event(ModelsChosen(stages={"churn": Stages(change_id="c", **stages)})))]  # type: ignore[arg-type]


def versions(world: World) -> list[tuple[str, str, float]]:
    """(shopper, version, score) of every churn score, in order."""
    found = []
    for value in world.outcomes.values():
        said = json.loads(value)
        if "churn" in said.get("answers", {}):
            answer = said["answers"]["churn"]
            found.append((said["key"], answer["model"]["version"], answer["scores"]["lapse_30d"]))
    return found


LOG = random_history(31, 600, 30, hostile=False)


@pytest.mark.parametrize("size", [1, 7, 150])
def test_a_version_serves_from_where_it_stands_in_the_log_however_that_is_cut(size: int, shelf: Shelf) -> None:
    new, newer = variant(CHURN, 0.5).version, variant(CHURN, 2.0).version
    log = [*LOG[:200], *choose(live=new), *LOG[200:400], *choose(live=newer, previous=new), *LOG[400:]]
    whole = run_plain(cut(log, []), shelf=shelf)
    world = run_plain(cut(log, range(size, len(log), size)), shelf=shelf)
    assert world.outcomes == whole.outcomes
    assert world.rows == whole.rows
    assert world.fates == whole.fates
    assert world.fates["choice"] == 2
    used = [version for _, version, _ in versions(world)]
    assert list(dict.fromkeys(used)) == [shelf.shipped("churn"), new, newer]


def test_a_canary_serves_its_share_of_shoppers_and_always_the_same(shelf: Shelf) -> None:
    new = variant(CHURN, 0.5).version
    stages = {"canary": new, "canary_share": 0.5, "canary_salt": "s"}
    world = run_plain(cut([*choose(**stages), *LOG], []), shelf=shelf)
    chosen = Stages(change_id="c", **stages)  # type: ignore[arg-type]
    served = {shopper: version for shopper, version, _ in versions(world)}
    assert {s for s, v in served.items() if v == new} == {s for s in served if chosen.in_canary(s)}
    assert 0.2 < sum(v == new for v in served.values()) / len(served) < 0.8
    for shopper, version, _ in versions(world):
        assert served[shopper] == version


def test_a_shadow_changes_nothing_that_is_said(shelf: Shelf) -> None:
    log = [*choose(shadow=variant(CHURN, 0.5).version), *LOG]
    plain = run_plain(cut([*choose(), *LOG], []), shelf=shelf)
    assert run_plain(cut(log, []), shelf=shelf).outcomes == plain.outcomes
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shelf)
    results = [processor.apply(s) for s in cut(log, [1])]
    (scores,) = (scores for scores in results[-1].scores if scores.compared)
    (compared,) = scores.compared
    assert compared.stage == "shadow"
    first = compared.numbers["lapse_30d"]
    assert len(first.live) == len(first.other) == compared.asked == scores.judged.sum() < results[-1].due_points
    assert (first.other != first.live).any()


def test_a_version_that_cannot_be_had_is_told_and_the_package_serves(shelf: Shelf) -> None:
    refused: list[tuple[str, str]] = []
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shelf, refused=lambda t, v, _e: refused.append((t, v)))
    (slice_,) = cut([*choose(live="feedbeef0000", canary="feedbeef0001", canary_share=0.5), *LOG[:300]], [])
    world = World()
    world.take_result(processor.apply(slice_))
    assert {version for _, version, _ in versions(world)} == {shelf.shipped("churn")}
    assert set(refused) == {("churn", "feedbeef0000"), ("churn", "feedbeef0001")}


class Away:
    """A shelf whose store is away for some versions."""

    def __init__(self, shelf: Shelf, *versions: str) -> None:
        self.shelf, self.tasks, self.away = shelf, shelf.tasks, set(versions)

    def tasks_of(self, entity: str) -> tuple[str, ...]:
        return self.shelf.tasks_of(entity)

    def outputs(self, task: str) -> Any:
        return self.shelf.outputs(task)

    def shipped(self, task: str) -> str:
        return self.shelf.shipped(task)

    def model(self, task: str, version: str | None = None) -> Predictor:
        if version in self.away:
            raise OSError("the store does not answer")
        return self.shelf.model(task, version)


def live_of(processor: PartitionProcessor) -> str:
    return next(task.live.version for task in processor.in_force.serving if task.live.task == "churn")


def test_what_served_goes_on_while_the_store_is_away_and_what_was_chosen_serves_when_chosen_again(shelf: Shelf) -> None:
    old, new = variant(CHURN, 0.5).version, variant(CHURN, 2.0).version
    away = Away(shelf, new)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), away)
    log = [*choose(live=old), *LOG[:50], *choose(live=new, previous=old), *LOG[50:100], *choose(live=new, previous=old)]
    slices = cut([*log, *LOG[100:150]], [51, 102])
    processor.apply(slices[0])
    assert (live_of(processor), processor.in_force.missing) == (old, set())
    processor.apply(slices[1])
    assert (live_of(processor), processor.in_force.missing) == (old, {"churn"})
    again = PartitionProcessor(SHOPPER, 0, Rules(), away, tier=DictTier(processor.drain_changes()))
    assert (live_of(again), again.in_force.missing) == (old, {"churn"})
    away.away.clear()
    for each in (processor, again):
        each.apply(slices[2])
        assert (live_of(each), each.in_force.missing) == (new, set())


def test_a_version_trained_on_features_of_another_width_does_not_serve(shelf: Shelf) -> None:
    model = shelf.model("churn")
    other = SimpleNamespace(**{name: getattr(model, name) for name in ("task", "version", "features", "upstream")})
    other.widths = (2, *model.widths[1:])
    wrong: Any = SimpleNamespace(
        tasks=shelf.tasks,
        tasks_of=shelf.tasks_of,
        outputs=shelf.outputs,
        model=lambda task, _v: other if task == "churn" else shelf.model(task),
    )
    with pytest.raises(ValueError, match=r"orders\.count of another width"):
        load(wrong, "churn", "0", CATALOGUE.features)


def test_where_a_canary_fails_the_live_model_answers(shelf: Shelf) -> None:
    """Also where only one of its answers is not finite."""
    live = shelf.model("churn")

    class Failing(Double):
        def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
            answers = {name: values * 0.5 for name, values in super().score(x).items()}
            answers["lapse_90d"][::2] = np.nan
            return answers

    rows = np.asarray(shelf.artifact("churn").golden)
    stages = Stages(change_id="c", canary="bad", canary_share=1.0)
    places, start = {}, 0
    for address, width in zip(live.features, live.widths, strict=True):
        places[address] = slice(start, start + width)
        start += width
    found = score([Serving(stages, live, Failing(live, "bad", "0" * 64))], rows, places, str, CATALOGUE)["churn"]
    right = live.score(rows)["lapse_30d"]
    np.testing.assert_array_equal(found.used, np.arange(len(rows)) % 2)
    np.testing.assert_array_equal(found.answers["lapse_30d"][::2], right[::2].round(4))
    np.testing.assert_array_equal(found.answers["lapse_30d"][1::2], (right[1::2] * 0.5).round(4))
    (compared,) = found.compared
    assert compared.failed == len(rows) // 2
    assert (compared.asked, len(compared.distance["lapse_30d"])) == (len(rows), len(rows) - len(rows) // 2)
    assert compared.live_us_per_row > 0
    assert compared.rows == len(rows)


def test_a_canary_that_cannot_explain_gives_no_reasons_and_stops_nobody(shelf: Shelf) -> None:
    live = shelf.model("churn")

    class Mute(Double):
        def contributions(self, x: np.ndarray) -> np.ndarray:
            raise RuntimeError("nothing to say")

    silent = Mute(live, "mute", "1" * 64)
    mute: Any = SimpleNamespace(
        tasks=shelf.tasks,
        tasks_of=shelf.tasks_of,
        outputs=shelf.outputs,
        shipped=shelf.shipped,
        model=lambda t, v=None: silent if v == "mute" else shelf.model(t, v),
    )
    history = random_history(31, 1500, 40, hostile=False)
    log = [*choose(canary="mute", canary_share=0.5, canary_salt="s"), *history]
    alerts = [
        said for said in map(json.loads, run_plain(cut(log, []), shelf=mute).outcomes.values()) if "level" in said
    ]
    reasons: dict[str, set[bool]] = {"mute": set(), live.version: set()}
    for alert in alerts:
        reasons[alert["model"]["version"]].add(bool(alert.get("reasons")))
    assert reasons == {"mute": {False}, live.version: {True}}


def test_what_serves_survives_a_restart(shelf: Shelf) -> None:
    new = variant(CHURN, 0.5).version
    first = PartitionProcessor(SHOPPER, 0, Rules(), shelf)
    slices = cut([*choose(live=new), *LOG], [400])
    first.apply(slices[0])
    second = PartitionProcessor(SHOPPER, 0, Rules(), shelf, tier=DictTier(first.drain_changes()))
    assert [task.live.version for task in second.in_force.serving if task.live.task == "churn"] == [new]
    one, other = World(), World()
    one.take_result(first.apply(slices[1]))
    other.take_result(second.apply(slices[1]))
    assert one.outcomes == other.outcomes


def test_stages_with_a_share_above_one_are_a_dead_letter(shelf: Shelf) -> None:
    ((_, value),) = choose(canary="abc", canary_share=1.0)
    bad = msgspec.json.decode(value or b"")
    bad["stages"]["churn"]["canary_share"] = 1.5
    world = run_plain(cut([(None, msgspec.json.encode(bad))], []), shelf=shelf)
    assert world.fates["dead"] == 1


def test_a_task_with_an_embedding_of_its_own_says_no_profile() -> None:
    """And where it failed, nothing is said."""
    outputs = (Output("p"), Output("taste", "embedding", 3))
    model = SimpleNamespace(task="taste", version="1", digest="2", outputs=outputs)
    answers = {"p": np.array([0.5, np.nan]), "taste": np.ones((2, 3))}
    scores = TaskScores(answers, (model,), np.zeros(2, np.int64), [], np.ones(2, np.bool_), {})
    seen = Seen(np.zeros((2, 0), np.float32), {}, {"taste": scores})
    due = [Due(kind="event", ref="e1"), Due(kind="event", ref="e2")]
    nobody, nothing = np.zeros(2, np.int64), Rows.zeros(row_layout(SHOPPER), 2)
    group = Group(seen, slice(0, 2), np.arange(2), nobody, ["s1", "s2"], due, nobody, nobody, nobody, [0, 0])
    ((place, said),) = [*Scores("shopper").decide(nothing, group), *Profiles(CategoryNames()).decide(nothing, group)]
    assert place == 0
    assert isinstance(said, Scored)
    assert said.answers["taste"].scores == {"p": 0.5}


@pytest.mark.parametrize("stage", ["canary", "shadow"])
@pytest.mark.parametrize("first", ["embedding", "next_category", "next_type"])
def test_a_task_whose_first_answer_is_no_single_number_can_be_tried_beside_the_live_one(stage: str, first: str) -> None:
    live: Any = shipped().model("behaviour")
    wide = sorted(live.outputs, key=lambda output: output.name != first)

    class Other(Double):
        def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
            answers = super().score(x)
            answers[first] = answers[first][:, ::-1]
            return answers

    model, other = Double(live, live.version, live.digest), Other(live, "other", "0" * 64)
    model.outputs = other.outputs = wide
    rows = np.asarray(shipped().artifact("behaviour").golden)
    serving = Serving(Stages(change_id="c", canary_share=1.0), model, **{stage: other})
    found = score([serving], rows, CATALOGUE.places(live.features), str, CATALOGUE)["behaviour"]
    (compared,) = found.compared
    assert not compared.error
    assert set(compared.distance) == {output.name for output in live.outputs}
    for name, distance in compared.distance.items():
        assert len(distance) == len(rows)
        assert 0 <= distance.min() <= distance.max() <= 1
        # A ranking turned round lists the same, and embeddings turned round are as like each other.
        assert (distance.max() > 1e-6) == (name == first == "next_type")


def test_what_a_canary_says_of_whom_the_live_model_cannot_judge_is_rounded() -> None:
    """Decided by last bits of one CPU, another one would decide differently."""
    live: Any = shipped().model("churn")
    nobody, everybody = Double(live, live.version, live.digest), Double(live, "other", "0" * 64)
    nobody.population, everybody.population = (AtLeast(live.features[0], np.inf),), ()
    rows = np.asarray(shipped().artifact("churn").golden)
    serving = Serving(Stages(change_id="c", canary="other", canary_share=1.0), nobody, canary=everybody)
    found = score([serving], rows, CATALOGUE.places(live.features), str, CATALOGUE)["churn"]
    assert not found.judged.any()
    for values in found.answers.values():
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, np.round(values, DECIMALS))


@pytest.mark.parametrize("size", [1, 40])
def test_rules_hold_from_where_they_stand_in_the_log_however_that_is_cut(size: int) -> None:
    """Workers with other settings decide alike: it is the log that says which hold."""
    calm = Rules(cadence_ms=86_400_000, promotion=PromotionPolicy(default_consent=True, holdout_share=0.5))
    chosen: Log = [(None, encode_event(RulesChosen(digest=calm.digest, rules=calm.described())))]
    log = [*LOG[:400], *chosen, *LOG[400:]]
    whole = run_plain(cut(log, []))
    world = run_plain(cut(log, range(size, len(log), size)))
    assert world.outcomes == whole.outcomes
    assert world.rows == whole.rows
    rules = [said["rules"] for said in map(json.loads, whole.outcomes.values()) if "rules" in said]
    assert set(rules) == {Rules().digest, calm.digest}
    # After a restart the log's rules hold, not those that the worker would begin with.
    first = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    first.apply(cut(log, [])[0])
    again = PartitionProcessor(SHOPPER, 0, Rules(cadence_ms=1), shipped(), tier=DictTier(first.drain_changes()))
    assert again.rules == calm
    assert again.in_force.begun


def test_rules_that_are_none_are_a_dead_letter_and_newer_ones_stop_the_worker() -> None:
    bad = encode_event(RulesChosen(digest="0" * 12, rules={"cadence_ms": "often"}))
    assert run_plain(cut([(None, bad)], [])).fates["dead"] == 1
    newer = encode_event(RulesChosen(digest="0" * 12, rules={**Rules().described(), "budget": 5}))
    with pytest.raises(OtherRules, match="newer version"):
        run_plain(cut([(None, newer)], []))


def test_a_table_in_one_currency_is_not_added_to_in_another() -> None:
    dollars = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    dollars.apply(cut(LOG[:50], [])[0])
    tier = DictTier(dollars.drain_changes())
    with pytest.raises(OtherRules, match="OFFERSTREAM_CURRENCY"):
        PartitionProcessor(SHOPPER, 0, Rules(decode=DecodeRules(currency="EUR")), shipped(), tier=tier)


def test_rules_of_a_group_with_another_currency_are_followed_in_the_table_s_own() -> None:
    """Groups share the shoppers' log: a table made anew in euros reads the rules that the dollars' group chose."""
    chosen = Rules(cadence_ms=5, time_zone="Asia/Shanghai")
    said = encode_event(RulesChosen(digest=chosen.digest, rules=chosen.described()))
    euros = Rules(decode=DecodeRules(currency="EUR"))
    processor = PartitionProcessor(SHOPPER, 0, euros, shipped())
    processor.apply(cut([(None, said)], [])[0])
    assert processor.rules == replace(euros, cadence_ms=5)
    again = PartitionProcessor(SHOPPER, 0, euros, shipped(), tier=DictTier(processor.drain_changes()))
    assert again.rules == processor.rules


def test_a_group_follows_others_until_its_own_first_choice() -> None:
    """Two live groups with other settings in one log would else overrule one another for ever."""

    def choose(group: str, cadence_ms: int) -> tuple[bytes | None, bytes | None]:
        rules = Rules(cadence_ms=cadence_ms)
        return None, encode_event(RulesChosen(group=group, digest=rules.digest, rules=rules.described()))

    log = [choose("theirs", 5), choose("ours", 6), choose("theirs", 7)]
    found = [PartitionProcessor(SHOPPER, 0, Rules(), shipped(), group="ours")]
    held = []
    for slice_ in cut(log, [1, 2]):
        found[-1].apply(slice_)
        held.append(found[-1].rules.cadence_ms)
        tier = DictTier(found[-1].drain_changes())
        found.append(PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier, group="ours"))
    assert held == [5, 6, 6]
    assert found[-1].rules.cadence_ms == 6


def test_a_log_that_no_operator_chose_for_begins_with_the_package_by_name(shelf: Shelf) -> None:
    """Another version of the package takes over with other models: what the log began with goes on."""
    first = PartitionProcessor(SHOPPER, 0, Rules(), shelf)
    tier = DictTier(first.drain_changes())
    newer: Any = SimpleNamespace(
        tasks=shelf.tasks,
        tasks_of=shelf.tasks_of,
        outputs=shelf.outputs,
        model=shelf.model,
        shipped=lambda task: variant(CHURN, 0.5).version if shelf.shipped(task) else "",
    )
    assert live_of(PartitionProcessor(SHOPPER, 0, Rules(), newer, tier=tier)) == shelf.shipped("churn")


def test_nobody_is_named_by_a_category_that_the_log_names_later() -> None:
    """However the log was cut: a name is known from the record on that says it first."""
    orders = [ordered("s1", NOON + i * DAY, f"o{i}", category=KNOWN_CATEGORIES[0]) for i in range(3)]
    log = log_of(*orders, *(viewed("s2", NOON + 3 * DAY, "v", category=name) for name in KNOWN_CATEGORIES[1:]))
    whole = run_plain(cut(log, []))
    profiles = [said for said in map(json.loads, whole.outcomes.values()) if "next_category" in said]
    first = next(said for said in profiles if said["due"]["ref"] == "o2")
    named = {likely["category"] for likely in first["next_category"]}
    assert named == {KNOWN_CATEGORIES[0], None}
    assert run_plain(cut(log, range(1, len(log)))).outcomes == whole.outcomes


def test_where_rules_allow_more_lateness_the_watermark_stands_still_and_never_falls() -> None:
    """Ids of what lay behind it are forgotten: an event that was late stays late, and nothing counts twice."""
    patient = Rules(allowed_lateness_ms=30 * DAY)
    chosen: Log = [(None, encode_event(RulesChosen(digest=patient.digest, rules=patient.described())))]
    before = log_of(viewed("a", NOON, "v1"), viewed("a", NOON + 10 * DAY, "v2"))
    after = log_of(viewed("a", NOON, "v1"), viewed("a", NOON + 5 * DAY, "v3"), viewed("a", NOON + 60 * DAY, "v4"))
    patience = log_of(viewed("a", NOON + 35 * DAY, "v5"), viewed("a", NOON + 29 * DAY, "v6"))
    log = [*before, *chosen, *after, *patience]
    ways: tuple[list[int], ...] = ([], list(range(1, len(log))))
    for cuts in ways:
        world = run_plain(cut(log, cuts))
        assert world.fates["applied"] == 4  # v1, v2, v4, v5
        assert world.fates["late"] == 3  # v1 again, v3; and v6, behind the 30 days that hold by then
        assert world.fates["duplicate"] == 0
    processor = PartitionProcessor(SHOPPER, 0, Rules(), shipped())
    processor.apply(cut(log, [])[0].cut(0, 3))
    stood = processor.watermark_ms
    tier = DictTier()
    tier.write(processor.drain_changes())
    assert (
        PartitionProcessor(SHOPPER, 0, Rules(), shipped(), tier=tier).watermark_ms
        == stood
        == NOON + 10 * DAY - 3_600_000
    )
