"""Real shopping histories, as shopper events in order of time."""

from __future__ import annotations

from training.datasets.cdnow import CDNOW
from training.datasets.complete_journey import COMPLETE_JOURNEY
from training.datasets.dataset import Dataset, DatasetError
from training.datasets.online_retail import ONLINE_RETAIL
from training.datasets.online_shoppers import ONLINE_SHOPPERS
from training.datasets.taobao import TAOBAO

DATASETS: dict[str, Dataset] = {d.name: d for d in (COMPLETE_JOURNEY, ONLINE_RETAIL, TAOBAO, ONLINE_SHOPPERS, CDNOW)}

__all__ = ["CDNOW", "COMPLETE_JOURNEY", "DATASETS", "ONLINE_RETAIL", "TAOBAO", "Dataset", "DatasetError"]
