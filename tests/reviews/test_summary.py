"""Summaries say what was counted, in both languages, and nothing else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from streams.records.reviewed import ASPECTS
from streams.reviews.summary import LEAST, MOST, Counted, Sums, summaries

SIZE, LOOK = Counted("size", 15, 3, 12), Counted("look", 9, 9, 0)
SINCE = "2026-01-05"


def test_it_says_who_praises_and_criticises_what() -> None:
    found = summaries(Sums(20, 0, 70, 260, 9, 1, [SIZE, LOOK]), SINCE)
    assert found == {
        "en": "20 reviews since 2026-01-05 give 3.5 stars on average. Of 15 that judge the size, 3 praise and 12 "
        "criticise it (9 say it runs small); of 9 that judge the look, all praise it."
    }


def test_items_with_chinese_reviews_have_it_in_chinese_as_well() -> None:
    assert summaries(Sums(20, 9, 70, 260, 0, 0, []), SINCE).keys() == {"en"}
    found = summaries(Sums(20, 10, 70, 260, 1, 9, [SIZE, LOOK]), SINCE)
    assert found["zh"] == (
        "2026-01-05以来有20条评价，平均3.5星。评到尺寸的15条中3条称赞、12条批评、9条说偏大；评到外观的9条中9条称赞。"
    )


def test_of_one_review_little_is_said() -> None:
    found = summaries(Sums(1, 0, 4, 16, 1, 0, [Counted("size", 1, 0, 1)]), SINCE)
    assert found == {"en": "1 review since 2026-01-05 gives 4.0 stars."}


def test_sizes_that_run_either_way_are_not_said_to_run_one_way() -> None:
    found = summaries(Sums(20, 20, 70, 260, 4, 4, [SIZE]), SINCE)
    assert "runs" not in found["en"]
    assert "偏" not in found["zh"]


counts = st.tuples(st.sampled_from(ASPECTS), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)).map(
    lambda n: Counted(n[0], sum(n[1:]), n[1] + n[3], n[2] + n[3])
)


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 60), st.integers(0, 60), st.lists(counts, max_size=7))
def test_no_number_is_said_that_was_not_counted(
    n: int, chinese: int, small: int, large: int, each: list[Counted]
) -> None:
    sums = Sums(n, chinese, 4 * n, 16 * n, small, large, [one for one in each if one.reviews])
    counted = {n, small, large, *(number for one in each for number in one[1:])}
    for text in summaries(sums, SINCE).values():
        assert text.count(SINCE) == 1
        said = re.findall(r"\d+", text.replace(SINCE, "").replace("4.0", ""))
        assert {int(number) for number in said} <= counted
    spoken = [one for one in sums.aspects if one.reviews >= LEAST][:MOST]
    assert summaries(sums, SINCE)["en"].count("that judge") == len(spoken)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_the_interval_holds_the_mean_and_narrows(stars: list[int]) -> None:
    sums = Sums(len(stars), 0, sum(stars), sum(s * s for s in stars), 0, 0, [])
    mean, low, high = sums.rating
    assert 1 <= low <= mean <= high <= 5
    more = Sums(16 * len(stars), 0, 16 * sum(stars), 16 * sums.squares, 0, 0, [])
    assert more.rating[2] - more.rating[1] <= high - low
