"""Where data lies that is no part of this project: beside it, or in the folder that OFFERSTREAM_TEST_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("OFFERSTREAM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def needs(name: str) -> pytest.MarkDecorator:
    """Leaves a test out, and says why, where the data set is not there."""
    return pytest.mark.skipif(
        not (FOLDER / name).is_dir(), reason=f"{FOLDER / name} is not there: OFFERSTREAM_TEST_DATA"
    )
