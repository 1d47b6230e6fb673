"""What a data set is: where it comes from, what it allows, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.errors import TrainingError


class DatasetError(TrainingError):
    """A data set is not where it was looked for, or not what was expected."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """``read(data_dir)`` yields records ascending in event time, from ``files(data_dir)``: events of shoppers, or of a
    data set ``about`` items records about these. ``ship``: may a model trained on it be an artifact. ``events``: about
    how many there are, for progress.
    """

    name: str
    meaning: str
    licence: str
    ship: bool
    currency: str
    read: Callable[[Path | None], Iterator[Any]]
    files: Callable[[Path | None], list[Path]]
    events: int
    about: Literal["shopper", "item"] = "shopper"


def folder_of(data_dir: Path | None, name: str, file: str) -> Path:
    """A data set's file under ``--data``. Raises ``DatasetError`` that says where it was looked for."""
    if data_dir is None:
        raise DatasetError(
            f"{name} comes in no package: say where its folder is with --data DIR (holding {name}/{file})."
        )
    for path in (data_dir / name / file, data_dir / file):
        if path.is_file():
            return path
    raise DatasetError(f"Neither {data_dir / name / file} nor {data_dir / file} exists.")


def read_table(path: Path, **options: Any) -> Any:
    """A CSV or Parquet file as a pandas frame. Raises ``DatasetError`` when the extra 'data' is not installed."""
    try:
        import pandas as pd
    except ImportError as error:
        raise DatasetError("Reading data sets needs the extra 'data': pip install 'offerstream[data]'.") from error
    if path.suffix == ".parquet":
        return pd.read_parquet(path, **options)
    return pd.read_csv(path, **options)


def epoch_ms(times: Any) -> Any:
    """A pandas column of naive UTC times as int64 milliseconds since 1970."""
    return times.to_numpy().astype("datetime64[ms]").astype("int64")


def ceil_div(a: int, b: int) -> int:
    """The smallest integer ≥ a / b."""
    return -(-a // b)


def unit_price(gross_cents: int, discount_cents: int, quantity: int) -> tuple[int, int]:
    """A unit price and a line discount so that price × quantity less discount is exactly what was paid.

    >>> unit_price(1000, 1, 3)
    (334, 3)
    """
    price = ceil_div(gross_cents, quantity)
    return price, price * quantity - max(0, gross_cents - discount_cents)
