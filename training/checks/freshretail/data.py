"""The series of FreshRetailNet as days and hours, and what would have been sold had nothing been sold out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.datasets.dataset import DatasetError, folder_of, read_table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DAYS, HOURS = 90, 24
FIRST = "chunk_0000.parquet"
#: A day counts as in stock where nothing was sold out in these hours.
OPEN = slice(6, 22)
#: Names of things that series share, the widest first.
GROUPS = ("city_id", "store_id", "management_group_id", "first_category_id", "third_category_id", "product_id")
#: What is known of each day of a series beside its sales: the price as a share of the usual one, the calendar, whether
#: a promotion ran, and the weather.
KNOWN = ("discount", "holiday_flag", "activity_flag", "precpt", "avg_temperature", "avg_humidity", "avg_wind_level")
#: A share of the day's units that an hour brings is drawn towards that of the wider group with the weight of so many
#: units; a level towards the series' own mean with that of so many days.
SHRUNK_UNITS, SHRUNK_DAYS = 30.0, 2.0
#: The pace at which lost sales are reckoned fades to a third in so many days.
FADES_DAYS = 7.0


@dataclass(frozen=True)
class Series:
    """n series of a store and a product."""

    hourly: Floats
    """[n, days, 24] units sold."""
    out: Bools
    """[n, days, 24] whether it was sold out."""
    group: dict[str, Ints]
    """By name of ``GROUPS``, [n] codes from 0."""
    known: dict[str, Floats]
    """By name of ``KNOWN``, [n, days]."""

    @property
    def daily(self) -> Floats:
        """[n, days] units sold."""
        return self.hourly.sum(axis=2)

    @property
    def in_stock(self) -> Bools:
        """[n, days] whether nothing was sold out while shops were open."""
        found: Bools = np.logical_not(np.any(self.out[:, :, OPEN], axis=2))
        return found


def read(data_dir: Path | None) -> Series:
    """The series of which all 90 days are there. Raises ``DatasetError``."""
    folder = folder_of(data_dir, "freshretailnet", FIRST).parent
    tables = [read_table(path) for path in sorted(folder.glob("chunk_*.parquet"))]
    told = {
        name: np.concatenate([table[name].to_numpy(np.float64) for table in tables])
        for name in ("hour", "hourly_sale", "hourly_stockout", *GROUPS, *KNOWN)
    }
    day = np.concatenate([table["dt"].to_numpy().astype("datetime64[D]").astype(np.int64) for table in tables])
    if len(np.unique(day)) != DAYS:
        raise DatasetError(f"{folder}: {len(np.unique(day))} days, {DAYS} are wanted.")
    key = (told["store_id"] * 1e6 + told["product_id"]).astype(np.int64)
    moment = (key * DAYS + day - day.min()) * HOURS + told["hour"].astype(np.int64)
    order = np.unique(moment, return_index=True)[1]
    _, place, count = np.unique(key[order], return_inverse=True, return_counts=True)
    order = order[count[place] == DAYS * HOURS]

    def shaped(name: str) -> Floats:
        return told[name][order].reshape(-1, DAYS, HOURS)

    group = {name: np.unique(shaped(name)[:, 0, 0], return_inverse=True)[1].astype(np.int64) for name in GROUPS}
    known = {name: shaped(name)[:, :, 0] for name in KNOWN}
    return Series(shaped("hourly_sale"), shaped("hourly_stockout") > 0, group, known)


def summed(values: Floats, group: Ints) -> Floats:
    """[n, …] of each series the sum over all that share its group."""
    total = np.zeros((int(group.max()) + 1, *values.shape[1:]))
    np.add.at(total, group, values)
    return total[group]


def recovered(s: Series, cut: int) -> tuple[Floats, Floats]:
    """[n, cut] what would have been sold on each day before the cut, and [n, cut] the share of a day's sales that falls
    into the hours in which something was there. Nothing from the cut on is looked at.

    Which share of a day an hour brings is learned of days in stock: the series' own, shrunk to its product's, to its
    category's, to all. What the other hours would have brought comes at the pace of that day and of those before it.
    """
    sold, out = s.daily[:, :cut], s.out[:, :cut]
    hours = (s.hourly[:, :cut] * s.in_stock[:, :cut, None]).sum(axis=1)
    share = np.broadcast_to(hours.sum(axis=0) / max(float(hours.sum()), 1e-9), hours.shape)
    for level in (summed(hours, s.group["third_category_id"]), summed(hours, s.group["product_id"]), hours):
        share = (level + SHRUNK_UNITS * share) / (level.sum(axis=1, keepdims=True) + SHRUNK_UNITS)
    there = np.minimum((~out * share[:, None, :]).sum(axis=2), 1.0)
    usual = sold.cumsum(axis=1) / np.maximum(there.cumsum(axis=1), 1.0)
    near = np.triu(np.exp(-np.abs(np.subtract.outer(np.arange(cut), np.arange(cut))) / FADES_DAYS))
    pace = (sold @ near + SHRUNK_DAYS * usual) / (there @ near + SHRUNK_DAYS)
    return sold + (1.0 - there) * pace, there
