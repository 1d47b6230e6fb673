"""What pictures show is said when it changes, whatever the picture is; and which items look alike."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.artifact import load_artifact
from models.predictor import Predictor
from models.registry import task
from streams.agents.entity_log import REASON
from streams.demo.samples import PICTURED as SAMPLE
from streams.demo.samples import photos
from streams.entities.item import ITEM
from streams.features.payload.picture import MAX_BYTES
from streams.outside.similar import NoPicture, Pictures
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from streams.records import items as i
from streams.records.outcomes import Due, ItemProfiled, ModelUsed
from streams.records.pictured import ItemPictured, Likely, Look, in_words
from streams.topics import PICTURED, TOPIC_OF
from tests.features.files import picture
from tests.items import ItemLog, item_logs, item_slices
from tests.shoppers import NOON
from tests.stubs import ItemModel, ItemModels
from tests.worlds import DictTier

NAMES = ("blue", "green", "red")
RED, BLUE, DIM = ([200, 20, 20], [20, 20, 200], [90, 60, 60])


class Looks(ItemModel):
    """A model that names the strongest colour; the stronger, the surer."""

    def __init__(self, version: str = "one", sure: float | None = 0.75) -> None:
        super().__init__(task("image"), version, NAMES, {"from": sure, "promised": 0.8})

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        strength = x.reshape(len(x), 96 * 96, 3).mean(axis=1)[:, ::-1].astype(np.float64)
        chance = np.sort(strength / strength.sum(axis=1, keepdims=True))[:, ::-1]
        like = np.zeros((len(x), 64))
        like[:, :3] = strength / np.linalg.norm(strength, axis=1, keepdims=True)
        place = np.argsort(-strength, axis=1, kind="stable").astype(np.float64)
        return {"confidence": chance[:, 0], "shown": place, "chance": chance, "embedding": like}


ONE: Any = ItemModels(Looks())


def of(colour: list[int], size: int = 8) -> bytes:
    return picture(np.full((size, size, 3), colour))


def listed(n: int, image: bytes | None, item: str = "a", **more: Any) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemListed(event_id=f"l{n}", item_id=item, event_time=NOON + n, image=image, **more)


def changed(n: int, **said: Any) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemChanged(event_id=f"c{n}", item_id="a", event_time=NOON + n, **said)


def delisted(n: int) -> tuple[str, i.ItemRecord]:
    return "catalog.items.v1", i.ItemDelisted(event_id=f"d{n}", item_id="a", event_time=NOON + n)


def log_of(*said: tuple[str, i.ItemRecord]) -> ItemLog:
    return next(log for log in item_logs({}, list(said)).values() if log)


def run(
    log: ItemLog, models: Any, cuts: Iterable[int] = (), *, restarts: bool = False
) -> tuple[list[ItemPictured], list[ItemProfiled]]:
    """What is said, in the order of the log."""
    tier, found, profiles = DictTier(), [], []
    processor = PartitionProcessor(ITEM, 0, Rules(), models)
    for slice_ in item_slices(log, 0, cuts):
        if restarts:
            tier.write(processor.drain_changes())
            processor = PartitionProcessor(ITEM, 0, Rules(), models, tier=tier)
        outcomes = processor.apply(slice_).outcomes
        found += [o for o in outcomes if isinstance(o, ItemPictured)]
        profiles += [o for o in outcomes if isinstance(o, ItemProfiled)]
    return found, profiles


LOG = log_of(
    listed(1, of(RED)),
    changed(2, unit_price_cents=5),  # no picture: nothing new
    changed(3, image=of(RED, 9)),  # another file, the same answers
    changed(4, image=b"no picture"),
    changed(5, image=of(BLUE)),
    delisted(6),
    delisted(7),
    changed(8, image=of(RED)),  # not for sale
    listed(9, of(DIM)),
)


class Strict(Looks):
    """One that knows blue and red things only."""

    def score(self, x: np.ndarray) -> dict[str, np.ndarray]:
        said = super().score(x)
        other = said["shown"][:, 0] == NAMES.index("green")
        said["shown"][other], said["chance"][other], said["confidence"][other] = -1, 0, 0
        return said


def test_why_nothing_is_shown_is_said() -> None:
    green = [20, 200, 20]
    said, _ = run(
        log_of(listed(1, of(RED)), changed(2, image=of(green)), changed(3, image=of(DIM))), ItemModels(Strict())
    )
    looks = [each.picture for each in said]
    assert [look and (look.shows, look.unsure) for look in looks] == [
        ("red", None), (None, "unlike"), (None, "confidence"),
    ]  # fmt: skip
    assert looks[1] is not None
    assert looks[1].likely == []
    assert in_words(said[1]) == "its picture shows something unlike all that its model was taught"
    (never,), _ = run(log_of(listed(1, of(RED))), ItemModels(Strict(sure=None)))
    assert never.picture is not None
    assert never.picture.unsure == "never"
    assert [REASON[ItemPictured](each) for each in (*said, never)] == ["", "unlike", "confidence", "never"]


def test_what_is_like_nothing_has_no_like_items() -> None:
    known = Pictures()
    for n, like in enumerate(([127, 0], [120, 40], [0, 0])):
        look = Look(
            model=ModelUsed(task="image", version="v", digest="d"), shows=None, unsure="unlike", confidence=0.0,
            sure_from=0.5, likely=[], embedding=np.array(like, np.int8).tobytes(),
        )  # fmt: skip
        due = Due(kind="event", ref="l")
        known.apply(ItemPictured(outcome_id="o", event_time_ms=1, due=due, item_id=f"i{n}", picture=look))
    assert [one.item_id for one in known.near("i0")] == ["i1"]
    with pytest.raises(NoPicture):
        known.near("i2")


def test_it_is_said_when_another_picture_comes_and_when_the_item_goes() -> None:
    said, _ = run(LOG, ONE)
    assert [each.due.ref for each in said] == ["l1", "c5", "d6", "l9"]
    looks = [each.picture for each in said]
    assert [look and look.shows for look in looks] == ["red", "blue", None, None]
    assert looks[2] is None
    assert looks[3] is not None
    assert [one.name for one in looks[3].likely] == ["red", "blue", "green"]
    assert looks[3].confidence < looks[3].sure_from  # type: ignore[operator]
    first = np.frombuffer(looks[0].embedding, np.int8) / 127  # type: ignore[union-attr]
    assert np.linalg.norm(first) == pytest.approx(1, abs=0.02)
    assert TOPIC_OF[ItemPictured] == PICTURED.name
    assert in_words(said[0]) == "its picture shows red, 83%"
    assert in_words(said[3]).startswith("its picture shows something unsure (likeliest red)")
    assert msgspec.json.decode(msgspec.json.encode(said[0]), type=ItemPictured) == said[0]


@pytest.mark.parametrize("cuts", [[1], [3, 5], list(range(1, len(LOG)))])
def test_the_log_decides_however_it_is_cut_and_after_restarts(cuts: list[int]) -> None:
    whole = run(LOG, ONE)[0]
    assert run(LOG, ONE, cuts)[0] == whole
    assert run(LOG, ONE, cuts, restarts=True)[0] == whole


def test_without_a_model_nothing_is_said_and_without_a_promise_all_is_unsure() -> None:
    assert run(LOG, ItemModels())[0] == []
    assert {each.picture and each.picture.shows for each in run(LOG, ItemModels(Looks(sure=None)))[0]} == {None}


def animated() -> bytes:
    frames, file = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")], io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


def bomb() -> bytes:
    file = io.BytesIO()
    Image.new("1", (6_000, 6_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (None, None),
        (b"", None),
        (b"GIF89a", "neither PNG nor JPEG nor WebP"),
        (of(RED, 64)[:100], "damaged or cut off"),
        (bomb(), "points"),
        (b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES - 200), "neither PNG nor JPEG nor WebP"),
    ],
)
def test_a_picture_that_cannot_be_read_costs_nothing_but_itself_and_is_said_why(
    image: bytes | None, reason: str | None
) -> None:
    processor = PartitionProcessor(ITEM, 0, Rules(), ONE)
    (slice_,) = item_slices(log_of(listed(1, image, unit_price_cents=450)), 0)
    step = processor.apply(slice_)
    assert [o for o in step.outcomes if isinstance(o, ItemPictured)] == []
    (profile,) = [o for o in step.outcomes if isinstance(o, ItemProfiled)]
    assert profile.price_cents == 450
    told = " ".join(text for scores in step.scores for each in scores.unreadable.values() for text in each.values())
    assert (reason or "") in told
    assert bool(told) == (reason is not None)


@pytest.mark.parametrize(
    "image",
    [
        picture(np.full((8, 8, 3), RED), "JPEG", "CMYK", quality=95),
        picture(np.full((8, 8, 3), RED), mode="RGBA"),
        animated(),
    ],
)
def test_colours_of_print_transparency_and_animations_are_seen(image: bytes) -> None:
    ((said,), _) = run(log_of(listed(1, image)), ONE)
    assert said.picture is not None
    assert said.picture.likely[0].name == "red"


def test_the_shipped_model_looks_at_what_can_be_read_and_at_nothing_else() -> None:
    shipped: Any = ItemModels(Predictor(load_artifact(task("image"))))
    assert run(log_of(listed(1, b"no picture")), shipped)[0] == []
    photo = photos()[SAMPLE]
    log = log_of(listed(1, b"no picture"), listed(2, photo), changed(3, image=photo[:500]), changed(4, image=of(RED)))
    said, _ = run(log, shipped)
    assert [each.due.ref for each in said] == ["l2", "c4"]
    looks = [each.picture for each in said if each.picture]
    assert len(looks[0].likely) == 3
    assert 0 < looks[0].confidence <= 1
    for each in looks:
        length = np.linalg.norm(np.frombuffer(each.embedding, np.int8) / 127)
        assert length == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("size", [MAX_BYTES, 100 << 20])
def test_a_record_with_a_huge_picture_is_a_dead_letter_that_says_so(size: int) -> None:
    huge, good = listed(1, bytes(size), "a"), listed(2, of(RED), "a")
    (slice_,) = item_slices([*log_of(huge), *log_of(good)], 0)
    step = PartitionProcessor(ITEM, 0, Rules(), ONE).apply(slice_)
    assert [letter.reason for letter in step.dead] == ["too_large"]
    assert [o.due.ref for o in step.outcomes if isinstance(o, ItemPictured)] == ["l2"]


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
@settings(max_examples=40, deadline=None)
def test_no_bytes_stop_it(noise: bytes, at: int, byte: int) -> None:
    broken = bytearray(of(RED, 16))
    broken[at % len(broken)] = byte
    for image in (noise, bytes(broken)):
        run(log_of(listed(1, image)), ONE)


def look(*numbers: int, digest: str = "d", shows: str | None = None) -> Look:
    used = ModelUsed(task="image", version="v", digest=digest)
    embedding = np.zeros(64, np.int8)
    embedding[: len(numbers)] = numbers
    likely = [Likely(name="red", chance=0.5)]
    return Look(model=used, shows=shows, confidence=0.5, sure_from=0.6, likely=likely, embedding=embedding.tobytes())


def known(**looks: Look | None) -> Pictures:
    found = Pictures()
    for name, each in looks.items():
        due = Due(kind="event", ref="e")
        found.apply(ItemPictured(outcome_id=name, event_time_ms=1, due=due, item_id=name, picture=each))
    return found


def test_similar_items_follow_the_catalogue() -> None:
    shelf = known(a=look(127), b=look(90, 90), c=look(0, 127), d=look(127, 1, shows="red"), other=look(127, digest="e"))
    near = shelf.near("a")
    assert [(one.item_id, round(one.cosine, 2), one.shows) for one in near] == [
        ("d", 1.0, "red"), ("b", 0.71, None), ("c", 0.0, None)
    ]  # fmt: skip
    assert [one.item_id for one in shelf.near("a", 1)] == ["d"]
    due = Due(kind="event", ref="e")
    shelf.apply(ItemPictured(outcome_id="x", event_time_ms=2, due=due, item_id="d", picture=None))
    shelf.apply(ItemPictured(outcome_id="y", event_time_ms=2, due=due, item_id="c", picture=look(126, 1)))
    assert [one.item_id for one in shelf.near("a")] == ["c", "b"]
    assert shelf.near("other") == []
    with pytest.raises(NoPicture, match="No picture of d is known"):
        shelf.near("d")


@given(st.lists(st.lists(st.integers(-127, 127), min_size=4, max_size=4).filter(any), min_size=2, max_size=12))
@settings(max_examples=50, deadline=None)
def test_similar_items_are_those_of_the_largest_cosine(numbers: list[list[int]]) -> None:
    names = [f"i{k}" for k in range(len(numbers))]
    found = known(**{name: look(*each) for name, each in zip(names, numbers, strict=True)}).near("i0", 3)
    vectors = np.array(numbers, np.float64)
    length = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    cosine = sorted(np.round(vectors[1:] @ vectors[0] / length[1:] / length[0], 4), reverse=True)[:3]
    np.testing.assert_allclose([one.cosine for one in found], cosine, atol=2e-4)
