"""What is said as a version is promoted: where its card has another model ahead, and when it will answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.commands import models as commands

AHEAD = {"ours": {"unexplained": 1.001}, "no_answer": {"unexplained": 1.0}}


def said(monkeypatch: pytest.MonkeyPatch, task: str, measured: dict[str, Any]) -> str:
    answers = {f"answer{i}": {"segments": {"all": {"models": measured}}} for i in range(5)}
    fake = SimpleNamespace(
        control=None,
        admit=lambda _task, version: version,
        promote=lambda *_: None,
        shelf=SimpleNamespace(artifact=lambda *_: SimpleNamespace(card={"metrics": {"shop": answers}})),
    )
    monkeypatch.setattr(commands, "_versions", lambda _broker: fake)
    done = CliRunner().invoke(cli, ["models", "promote", task, "v1", "--to", "live", "--no-wait"])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_version_behind_a_baseline_is_promoted_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(monkeypatch, "price_optimize", AHEAD)
    assert "price_optimize v1 is to serve as live." in told
    assert "answer2 (shop): unexplained 1.001, no_answer 1" in told
    assert "and 2 more: offerstream report price_optimize v1" in told
    assert "offerstream models rollback price_optimize --stage live" in told
    assert "not the best" not in said(
        monkeypatch, "price_optimize", {"ours": {"unexplained": 0.8}} | {"no_answer": {"unexplained": 1.0}}
    )


@pytest.mark.parametrize(
    ("task", "when"),
    [
        ("sales", "It answers from the next end of a day on"),
        ("category", "It answers from the next item_listed or item_changed on"),
    ],
)
def test_it_says_when_a_version_answers(monkeypatch: pytest.MonkeyPatch, task: str, when: str) -> None:
    assert when in said(monkeypatch, task, {"ours": {"auc": 0.9}})
    assert "answers from" not in said(monkeypatch, "churn", {"ours": {"auc": 0.9}})
