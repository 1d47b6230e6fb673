"""Expressions: what they mean for many at once is what they mean for each, and what has no meaning is told."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.campaigns.expression import Expression
from streams.campaigns.lexer import ExpressionError
from streams.campaigns.syntax import MAX_DEPTH
from streams.campaigns.vocabulary import Known, Vocabulary
from tests.campaigns.builders import WORDS

PLAIN = Vocabulary({name: Known(name, name) for name in ("a.x", "a.y", "b.z")})
#: Few values, whole and halves, so that comparisons meet at their borders; some are unknown.
VALUES = (nan, -2.0, 0.0, 0.5, 1.0, 3.0)
COLUMNS = {
    "a.x": np.repeat(VALUES, 36),
    "a.y": np.tile(np.repeat(VALUES, 6), 6),
    "b.z": np.tile(VALUES, 36),
}
#: (text, its value of a row; None: unknown)
Meant = tuple[str, Callable[[dict[str, float]], float | None]]
Judged = tuple[str, Callable[[dict[str, float]], bool | None]]


def known(value: float) -> float | None:
    return value if isfinite(value) else None


def both(a: float | None, b: float | None, make: Callable[[float, float], float | bool]) -> float | bool | None:
    return None if a is None or b is None else make(a, b)


def divided(a: float, b: float) -> float:
    return a / b if b else nan


ADDRESSES: st.SearchStrategy[Meant] = st.sampled_from(sorted(COLUMNS)).map(lambda a: (a, lambda row: known(row[a])))
NUMBERS: st.SearchStrategy[Meant] = st.sampled_from([0, 0.5, 1, 2.5]).map(lambda v: (f"{v:g}", lambda row: v))
SIGNS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divided,
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def sums(inner: st.SearchStrategy[Meant]) -> st.SearchStrategy[Meant]:
    def joined(one: Meant, sign: str, other: Meant) -> Meant:
        def value(row: dict[str, float]) -> float | None:
            found = both(one[1](row), other[1](row), SIGNS[sign])
            return None if found is None else known(float(found))

        return f"({one[0]} {sign} {other[0]})", value

    def turned(one: Meant) -> Meant:
        def value(row: dict[str, float]) -> float | None:
            found = one[1](row)
            return None if found is None else -found

        return f"-{one[0]}", value

    return st.builds(joined, inner, st.sampled_from(sorted(SIGNS)), inner) | st.builds(turned, inner)


TERMS = st.recursive(ADDRESSES | NUMBERS, sums, max_leaves=4)


def compared(one: Meant, sign: str, other: Meant) -> Judged:
    return f"{one[0]} {sign} {other[0]}", lambda row: both(one[1](row), other[1](row), COMPARE[sign])  # type: ignore[return-value]


def is_known(one: Meant) -> Judged:
    return f"known({one[0]})", lambda row: one[1](row) is not None


def negated(one: Judged) -> Judged:
    def value(row: dict[str, float]) -> bool | None:
        found = one[1](row)
        return None if found is None else not found

    return f"not ({one[0]})", value


def chained(parts: list[Judged], word: str) -> Judged:
    def value(row: dict[str, float]) -> bool | None:
        found = [part[1](row) for part in parts]
        decisive = word == "or"
        return decisive if decisive in found else None if None in found else not decisive

    return f" {word} ".join(f"({text})" for text, _ in parts), value


LEAVES: st.SearchStrategy[Judged] = st.builds(compared, TERMS, st.sampled_from(sorted(COMPARE)), TERMS) | st.builds(
    is_known, TERMS
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(negated, inner)
        | st.builds(chained, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["and", "or"]))
    ),
    max_leaves=5,
)


@settings(max_examples=150)
@given(CONDITIONS)
def test_many_rows_are_judged_as_each_is_by_hand(condition: Judged) -> None:
    text, value = condition
    holds, fails = Expression.of(text, PLAIN).judge(COLUMNS.__getitem__, 216)
    assert not (holds & fails).any()
    for i in range(0, 216, 5):
        wanted = value({name: float(column[i]) for name, column in COLUMNS.items()})
        assert (holds[i], fails[i]) == (wanted is True, wanted is False), (text, i)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a.x < 1 or a.y < 1 and b.z < 1", "a.x < 1 or (a.y < 1 and b.z < 1)"),
        ("not a.x < 1 and a.y < 1", "(not (a.x < 1)) and a.y < 1"),
        ("a.x + a.y * 2 < 1", "(a.x + (a.y * 2)) < 1"),
        ("a.x - a.y - 1 < 0", "((a.x - a.y) - 1) < 0"),
        ("-a.x * 2 < 1", "(-a.x) * 2 < 1"),
        ("0 <= a.x < 1", "0 <= a.x and a.x < 1"),
        ("a.x in [1, -2]", "a.x == 1 or a.x == -2"),
        ("a.x not in [1]", "a.x != 1"),
        ("max(a.x, a.y) == a.x", "a.x >= a.y"),
        ("abs(a.x) == 2", "a.x == -2 or a.x == 2"),
        ("min(a.x, a.y, b.z) > 0", "a.x > 0 and a.y > 0 and b.z > 0 or min(a.x, a.y, b.z) > 0"),
        ("a.x\n  <\t1", "a.x < 1"),
        ("known(a.x / (a.x / a.y))", "known(a.x / a.y) and a.x != 0"),
    ],
)
def test_the_grammar_binds_as_people_read(text: str, same: str) -> None:
    one, other = (Expression.of(t, PLAIN).judge(COLUMNS.__getitem__, 216) for t in (text, same))
    assert (one[0] == other[0]).all()
    assert (one[1] == other[1]).all()


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("order.count > 1", 1, "did you mean orders.count?"),
        ("orders.count > 1 and lapse_30 > 0.5", 22, "did you mean lapse_30d?"),
        ("lapse_30d > 50", 11, "write 0.5 for 50%"),
        ("orders.count >= 0", 14, "always true"),
        ("offers.consent < -1", 16, "always false"),
        ("-2 > offers.consent", 4, "always false"),
        ("orders.count = 2", 14, "write =="),
        ("orders.count > 2 && true", 18, "write and"),
        ("orders.count", 1, "compare it, such as orders.count > 0"),
        ("orders.count > 2 orders.spend > 1", 18, "join conditions with and, or"),
        ("(orders.count > 2", 18, "the parenthesis of column 1 is open"),
        ("orders.count >", 15, "not the end"),
        ("orders.count > true", 16, "A number must stand here"),
        ("orders.count > 'two'", 16, "There are no texts"),
        ("profile.segment == 'lost'", 20, "names stand without quotes"),
        ("profile.segment == champion", 20, "did you mean champions?"),
        ("orders.count > 1 and lapse == profile.stage", 22, "did you mean lapsed?"),
        ("profile.stage in [new, vip]", 24, "there are: new, active, returned, at_risk, lapsed"),
        ("profile.stage == champions", 18, "There is no profile.stage 'champions'"),
        ("profile.stage > new", 15, "compare it by == or !="),
        ("profile.stage == 2", 18, "profile.stage is one of new, active"),
        ("profile.stage == new[0]", 18, "profile.stage is one of new, active"),
        ("profile.stage", 1, "compare it: profile.stage == new"),
        ("profile.stage + 1 > 2", 1, "nothing can be calculated"),
        ("profile.stages == new", 1, "did you mean profile.stage?"),
        ("new == new", 1, "There is no feature or answer 'new'"),
        ("orders.count in [1, new]", 21, "A number must stand here, not a name"),
        ("1.2.3 < orders.count", 1, "is no number"),
        ("behaviour.next_type > 0.5", 1, "write which: behaviour.next_type[0] to [15]"),
        ("next_type[16] > 0.5", 1, "to [15]"),
        ("orders.count[0] > 1", 1, "leave out [0]"),
        ("segment.vip", 1, "no segments are known here"),
        ("exec(1) > 0", 1, "There is no function exec"),
        ("orders.__class__ > 0", 1, "There is no feature or answer 'orders.__class__'"),
        ("min(1) > 0", 1, "takes 2 to 8 arguments, not 1"),
        ("browsing.favourite_category[0] > 1", 1, "There is no feature"),  # a code is no amount
        ("orders.count > 1e16", 16, "larger than any feature"),
        ("(" * 60 + "true" + ")" * 60, MAX_DEPTH + 2, "at most 24 deep"),
        ("not " * 60 + "true", 4 * MAX_DEPTH + 5, "at most 24 deep"),
        (" " * 2001, 2001, "at most 2,000 characters"),
        (" or ".join(["true"] * 201), 1 + 400 // 2 * 8, "at most 400 pieces"),
        ("", 1, "must stand here"),
        ("orders.count > 1;", 17, "means nothing"),
    ],
)
def test_what_has_no_meaning_is_told_with_its_column(text: str, column: int, says: str) -> None:
    with pytest.raises(ExpressionError) as told:
        Expression.of(text, WORDS)
    assert says in str(told.value)
    assert told.value.column == column


WORD_LIST = "and or not in ( ) [ ] , < <= == + - * / 1 0.5 known min orders.count true lapse_30d"
PIECES = WORD_LIST.split()


@settings(max_examples=150)
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused: int | None = None
    try:
        found = Expression.of(text, WORDS)
    except ExpressionError as error:
        refused = error.column
    if refused is None:
        holds, fails = found.judge({a: np.array([1.0, nan]) for a in found.addresses}.__getitem__, 2)
        assert not (holds & fails).any()
    else:
        assert 1 <= refused <= len(text) + 1


def test_a_short_name_that_two_tasks_have_is_refused() -> None:
    words = Vocabulary({}, {}, {"lapse_30d": ["churn.lapse_30d", "other.lapse_30d"]})
    with pytest.raises(ExpressionError, match=r"write churn.lapse_30d or other.lapse_30d"):
        Expression.of("lapse_30d > 0.5", words)


def test_what_a_profile_says_is_compared_with_names() -> None:
    columns = {"profile.stage": np.array([1, 2, 5, nan]), "profile.segment": np.array([1, 2, 10, nan])}

    def judged(text: str) -> tuple[list[bool], list[bool]]:
        holds, fails = Expression.of(text, WORDS).judge(columns.__getitem__, 4)
        return holds.tolist(), fails.tolist()

    assert judged("profile.segment == champions") == ([False, True, False, False], [True, False, True, False])
    assert judged("champions != profile.segment") == judged("not profile.segment == champions")
    assert judged("profile.stage in [new, lapsed]") == ([True, False, True, False], [False, True, False, False])
    assert judged("profile.segment not in [lost]") == ([True, True, False, False], [False, False, True, False])
    assert judged("not known(profile.stage)")[0] == [False, False, False, True]
    assert Expression.of("profile.stage == new", WORDS).addresses == ("profile.stage",)


def test_segments_are_conditions_and_tell_what_they_read() -> None:
    vip = Expression.of("orders.spend > 1000", WORDS)
    found = Expression.of("segment.vip and not lapse_30d > 0.5", WORDS, {"vip": vip})
    assert found.addresses == ("orders.spend", "churn.lapse_30d")
    columns = {"orders.spend": np.array([2000, 2000, 0]), "churn.lapse_30d": np.array([0.1, nan, 0.1])}
    assert found.judge(columns.__getitem__, 3)[0].tolist() == [True, False, False]


def test_numbers_are_compared_as_precisely_as_features_are() -> None:
    found = Expression.of("a.x == 0.1", PLAIN)
    column = np.array([0.1], np.float32)
    assert found.judge({"a.x": column}.__getitem__, 1)[0].all()
    assert not Expression.of("a.x / 0 > 1", PLAIN).judge({"a.x": np.array([inf, 1.0])}.__getitem__, 2)[0].any()
