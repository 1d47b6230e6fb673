"""Windows of any length: each equals its recomputation, and none moves the columns of another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.entities.shopper import SHOPPER
from streams.features.catalogue import Catalogue
from streams.features.feature import Feature
from streams.features.kinds.windows import ActiveBuckets, Weekly, Windowed, WindowKind, window
from streams.features.shopper import CATALOGUE, FEATURES
from streams.features.shopper.signals import ANY, ORDERS, SPEND
from streams.features.signals import Signals
from streams.processing.partition import PartitionProcessor
from streams.processing.rules import Rules
from tests.laws.oracles import Asked, Told
from tests.laws.shopper_oracles import refunds
from tests.laws.test_features import in_time_order
from tests.laws.test_oracle import ORACLES
from tests.shoppers import DAY, random_history, slice_of

LENGTHS = ("5m", "45m", "1h", "60m", "90m", "2h", "24h", "48h", "1d", "14d", "30d", "45d", "96d")
NEW = tuple(
    Feature(f"new.{kind.__name__}_{signal.name}_{length}", "New", "units", kind(signal, length))
    for kind, signal in ((Windowed, ANY), (Windowed, SPEND), (ActiveBuckets, ANY))
    for length in LENGTHS
)
WEEKS = tuple(Feature(f"new.weeks_{s.name}", "New", "units", Weekly(s, 26), width=26) for s in (ANY, SPEND))
WIDER = Catalogue((*FEATURES, *NEW, *WEEKS))


@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), later=st.integers(0, 100 * DAY))
def test_a_window_of_any_length_equals_its_recomputation(seed: int, later: int) -> None:
    log = random_history(seed, 400, 8, hostile=False)
    processor = PartitionProcessor(SHOPPER, 0, Rules(), catalogue=WIDER)
    for a in range(0, len(log), 97):
        processor.apply(slice_of(log[a : a + 97], a))
    told: dict[str, Told] = {}
    for at, event in in_time_order(log):
        told.setdefault(event.shopper_id, []).append((at, event))
    shoppers = sorted(told)
    rows = processor.arena.rows.copy(processor.arena.find(shoppers))
    now = rows.column("last_event") + later
    addresses = tuple(feature.address for feature in NEW)
    read = processor.catalogue.read(rows, now, (*addresses, *(feature.address for feature in WEEKS)))
    for shopper, at, values in zip(shoppers, now.tolist(), read, strict=True):
        asked = Asked(told[shopper], at, WIDER.features, ORACLES, refunds=refunds(told[shopper]))
        for address, found in zip(addresses, values, strict=False):
            assert found == np.float32(asked.part(address)), (shopper, address)
        weekly = np.concatenate([asked.part(feature.address) for feature in WEEKS])
        assert values[len(addresses) :].tolist() == np.float32(weekly).tolist()


def test_a_window_that_cannot_be_kept_exactly_is_refused_with_what_can() -> None:
    for name in ("7m", "0d", "97d", "485m", "2w", "1.5h", "d", "", "-1d", "1d "):
        with pytest.raises(ValueError, match="there are 5m, 10m, 15m … 480m, 1h, 2h, 3h … 96h, and 1d, 2d, 3d … 96d"):
            Windowed(ORDERS, name)
        with pytest.raises(ValueError, match="No window"):
            ActiveBuckets(ORDERS, name)


def test_what_rows_hold_of_windows_stays_as_it_is() -> None:
    """A column of another name would start cold for everybody."""
    kind = WindowKind([Windowed(ORDERS, length) for length in ("1h", "24h", "7d", "30d")], Signals([ORDERS]))
    assert {column.name for column in kind.columns} == {
        f"window/orders.count/{ring}/{part}" for ring in ("1d×30", "1h×24", "5m×12") for part in ("buckets", "head")
    }
    assert set(CATALOGUE.columns) <= set(WIDER.columns)
    assert window("14d")[0] == window("30d")[0]  # no column of its own
