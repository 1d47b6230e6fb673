"""``python -m training.checks.ad``: measure all that ``docs/ads.md`` says of models, and print it as tables.

Sessions of Online Shoppers: ours, LightGBM (tuned, names as categories) and a logistic regression on the same folds by
the same metric code, and trained up to October, tested on November and December. Clicks of Open Bandit: policies that
rank by a model, from logs that it has not seen. A quarter of an hour on one core. ``--data`` names the folder that
holds ``online_shoppers/`` and ``open_bandit/``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.checks.ad import bandit, sessions
from training.command import check_installed

PARTS = ("sessions", "clicks")


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="python -m training.checks.ad", description=__doc__)
    asked.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds the data sets")
    asked.add_argument("--only", choices=PARTS, help="one part of it")
    asked.add_argument("--repeats", type=int, default=1, help="how often the sessions are split into five folds")
    asked.add_argument("--work", type=Path, default=Path("build/training"), help="where histories are kept")
    given = asked.parse_args()
    check_installed()
    for part, measured in (("sessions", sessions.measured), ("clicks", bandit.measured)):
        if given.only in (None, part):
            for line in measured(given.data, given.work, given.repeats):
                print(line, flush=True)


if __name__ == "__main__":
    main()
