"""``offerstream effect``: what is read of the topic, said in a pipe, as JSON and as a page that needs no other file."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from streams.access import Access
from streams.budget.ledger import Balance
from streams.cli import cli, main
from streams.outside.brought import Brought, by_campaign
from streams.records.effects import EffectMeasured
from streams.records.words import shown_day
from tests.effects.reports import FIRST, measured, reports
from tests.pages import Page
from tests.shoppers import DAY

BALANCE = Balance(budget_cents=500_000, remaining_cents=300_000, leased_cents=50_000, spent_cents=150_000)
PAYS = measured(reports(days=60, lift=0.2))
ARMS = measured(reports("carts", held=0.16, lift=-0.05, arms=("ten", "letter")))
NEW = measured(reports("new", days=1, held=0.004))


def told(records: list[EffectMeasured]) -> list[Brought]:
    found = by_campaign(records)
    return [Brought(name, *found[name], BALANCE, "USD") for name in sorted(found)]


def run(monkeypatch: pytest.MonkeyPatch, found: list[Brought], *arguments: str) -> Result:
    monkeypatch.setattr("streams.commands.effect.brought", lambda settings, campaign: found)
    done = CliRunner().invoke(cli, ["effect", *arguments])
    assert done.exit_code == 0, done.output
    return done


def test_the_newest_estimates_are_found_whatever_was_said_again() -> None:
    # Campaigns come among each other, each in order of time; a worker that was killed says some again.
    records = [*sorted([*PAYS, *ARMS, *NEW], key=lambda each: each.event_time_ms), *PAYS[10:20]]
    found = by_campaign(records)
    assert found.keys() == {"win-back", "carts", "new"}
    newest, course = found["win-back"]
    assert newest == (PAYS[-1],)
    assert [each.event_time_ms for each in course] == [FIRST + day * DAY for day in range(60)]
    assert course[-1] == PAYS[-1]
    newest, course = found["carts"]
    assert [(each.arm, each.segment) for each in newest] == [("*", "*"), ("ten", "*"), ("letter", "*")]
    assert {each.due for each in newest} == {ARMS[-1].due}
    assert {each.arm for each in course} == {"*"}


def test_a_campaign_is_told_in_words_numbers_and_a_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    out = run(monkeypatch, told(PAYS), "win-back").output
    (whole,) = told(PAYS)[0].estimates
    assert whole.verdict == "pays"
    lines = out.splitlines()
    assert lines[0] == f"win-back: {whole.words}"
    assert f"{whole.shoppers:,} shoppers with offers, {whole.held:,} of the holdout" in lines[1]
    assert lines[2].split(None, 1) == ["sides", whole.sides]
    assert "1,500.00 USD of 5,000.00 USD spent, 500.00 USD leased" in lines[3]
    profit = whole.incremental["profit"]
    assert profit.low is not None
    (row,) = (line for line in lines if line.startswith("profit  "))
    assert f"{round(profit.mean) / 100:,.2f} USD" in row
    assert f"{round(profit.low) / 100:,.2f} USD to " in row
    assert "So far, by arm" not in out
    drawn = lines[lines.index("Profit beyond the holdout so far, in USD:") + 1 :][:12]
    assert sum("o" in line for line in drawn) >= 3
    assert all(line.isascii() for line in drawn)
    assert drawn[-1].split() == [shown_day(FIRST), shown_day(FIRST + 59 * DAY)]


def test_arms_have_rows_and_sides_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    out = run(monkeypatch, told(ARMS), "carts").output
    rows = out.partition("So far, by arm and segment:\n")[2].splitlines()[1:4]
    assert [row.split()[:2] for row in rows] == [["all", "all"], ["ten", "all"], ["letter", "all"]]
    assert "Sides have other shares than asked for" in out
    assert "in 97.5% of all cases, those of all 3 rows together in 95%" in out


def test_without_a_name_every_campaign_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out = run(monkeypatch, told([*PAYS, *ARMS, *NEW])).output
    head, *rows = out.splitlines()
    assert head.split()[0] == "campaign"
    assert [row.split()[0] for row in rows] == ["carts", "new", "win-back"]
    assert [re.split("  +", row)[-1] for row in rows] == ["loses", "too few orders", "pays"]
    assert "differ" in rows[0]
    assert "as asked for" in rows[2]
    assert "No campaign: nothing is measured yet" in run(monkeypatch, []).output


def test_programs_get_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(run(monkeypatch, told(ARMS), "carts", "--json").stdout)
    assert (found["verdict"], found["sides_differ"]) == ("loses", True)
    assert found["budget"]["spent_cents"] == 150_000
    assert len(found["estimates"]) == 3
    assert [each["event_time_ms"] for each in found["course"]] == [FIRST + day * DAY for day in range(40)]
    assert found["course"][-1]["profit_cents"] == found["estimates"][0]["incremental"]["profit"]
    every = json.loads(run(monkeypatch, told([*PAYS, *ARMS]), "--json").stdout)
    assert [each["campaign"] for each in every] == ["carts", "win-back"]
    nothing = json.loads(run(monkeypatch, [Brought("later")], "later", "--json").stdout)
    assert (nothing["verdict"], nothing["estimates"], nothing["budget"]) == (None, [], None)


def test_a_campaign_that_is_not_measured_yet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    out = run(monkeypatch, [Brought("later", balance=BALANCE, currency="USD")], "later").output
    assert out.startswith("later: nothing is measured yet.")
    assert "1,500.00 USD of 5,000.00 USD spent" in out
    out = run(monkeypatch, told(NEW), "new").output
    assert out.startswith("new: Too few orders to say: ")


@pytest.mark.parametrize("records", [PAYS, [*PAYS, *ARMS, *NEW], []], ids=["one", "many", "none"])
def test_the_page_needs_no_other_file(
    records: list[EffectMeasured], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, found = tmp_path / "new" / "page.html", told(records)
    done = run(monkeypatch, found, "--page", str(file))
    assert str(file) in done.stderr
    text = file.read_text()
    page = Page(text)
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert not {"link", "script", "img", "iframe", "use", "image"} & {tag for tag, _ in page.seen}
    for _, attributes in page.seen:
        assert not {"src", "href", "srcset", "data"} & attributes.keys()
        assert all("url(" not in (value or "") for value in attributes.values())
    assert "url(" not in text
    assert "@import" not in text
    for each in found:
        for estimate in each.estimates:
            assert estimate.words in page.texts
        assert each.estimates[0].sides in page.texts
    assert len(page.all("svg")) == sum(bool(each.estimates[0].per_shopper) for each in found)
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_drawing_has_every_day_and_zero_lies_within(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, told(ARMS), "carts", "--page", str(tmp_path / "page.html"))
    page = Page((tmp_path / "page.html").read_text())
    (curve,) = (attributes["points"] for attributes in page.all("polyline"))
    assert curve is not None
    x, y = np.array([each.split(",") for each in curve.split()], float).T
    (zero,) = (float(a["y1"] or "") for a in page.all("line") if a.get("class") == "nothing")
    profit = np.array([each.incremental["profit"].mean for each in told(ARMS)[0].course])
    assert len(x) == 40
    assert (np.diff(x) > 0).all()
    # The lower the profit, the further down, and what is nothing lies on its line.
    slope, nothing = np.polyfit(profit, y, 1)
    assert slope < 0
    assert nothing == pytest.approx(zero, abs=0.1)
    assert y == pytest.approx(nothing + slope * profit, abs=0.1)


def test_an_unknown_campaign_is_a_misuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Nothing:
        """A Kafka whose topics are empty."""

        def __init__(self, access: Access) -> None: ...
        def __enter__(self) -> Nothing:
            return self

        def __exit__(self, *_: object) -> None: ...
        def exists(self, topic: str) -> bool:
            return False

        def whole(self, topic: str) -> tuple[()]:
            return ()

    monkeypatch.setattr("streams.outside.brought.Reader", Nothing)
    book = type("Book", (), {"campaigns": {"win-back": None, "carts": None}})
    monkeypatch.setattr("streams.outside.brought.read", lambda access: book)
    monkeypatch.setattr(sys, "argv", ["offerstream", "effect", "winback"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert (
        "There is no campaign 'winback': did you mean win-back? There are: carts, win-back." in capsys.readouterr().err
    )


def test_the_docs_show_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = Balance(budget_cents=2_000_000, remaining_cents=1_291_000, leased_cents=50_000, spent_cents=659_000)
    lowers = measured(reports("carts", days=60, held=0.12, lift=-0.05, arms=("ten", "letter")))
    found = by_campaign([*measured(reports(days=60, lift=0.1)), *lowers])
    both = [Brought(name, *found[name], spent, "USD") for name in sorted(found)]
    text = (Path(__file__).parents[2] / "docs" / "effect.md").read_text()
    for arguments, some in (((), both), (("win-back",), both[1:])):
        printed = run(monkeypatch, some, *arguments).output
        assert f"$ offerstream effect {' '.join(arguments)}".rstrip() + f"\n{printed}" in text
