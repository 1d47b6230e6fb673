"""What others would say of the value of shoppers: BG/NBD with Gamma-Gamma, LightGBM, a regression on RFM."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.baselines import bg_nbd, boosting
from training.baselines.logistic import RFM
from training.quiet import trial

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

DAY_MS = 86_400_000


class BuyTillYouDie:
    """BG/NBD for purchase days, Gamma-Gamma for what such a day brings (Fader, Hardie, Lee 2005), fitted to one shop's
    orders up to a time with ``lifetimes``, under the smallest penalizer that converges. Raises ``NotConverged``."""

    def __init__(self, shopper: Ints, time_ms: Ints, cents: Ints, at_ms: int, shoppers: int) -> None:
        with trial():
            from lifetimes import BetaGeoFitter, GammaGammaFitter

        self.summary = bg_nbd.summary(shopper, time_ms, at_ms, shoppers)
        before = time_ms <= at_ms
        pairs, place = np.unique((shopper[before] << 32) + time_ms[before] // DAY_MS, return_inverse=True)
        who, spent = pairs >> 32, np.bincount(place, cents[before].astype(np.float64))
        first = np.r_[True, who[1:] != who[:-1]]
        repeat = np.bincount(who[~first], spent[~first], minlength=shoppers)
        frequency = self.summary[:, 0]
        self.orders_per_day = float(before.sum() / len(pairs))
        self.value = np.where(frequency > 0, repeat / np.maximum(frequency, 1), 0.0)
        known = np.isfinite(frequency)
        fitted = bg_nbd.fit(self.summary[known])
        self._counts = BetaGeoFitter()
        self._counts.params_ = {"r": fitted.r, "alpha": fitted.alpha, "a": fitted.a, "b": fitted.b}
        some = known & (frequency > 0) & (self.value > 0)
        self._money, self.penalizer = GammaGammaFitter(), 0.0
        for penalizer in (0.0, 0.001, 0.01, 0.1):
            self._money = GammaGammaFitter(penalizer_coef=penalizer)
            with trial():
                try:
                    self._money.fit(frequency[some], self.value[some])
                except Exception:  # lifetimes names its own error, and lets some of SciPy's through
                    continue
            self.penalizer = penalizer
            return
        raise bg_nbd.NotConverged("Gamma-Gamma did not converge under any penalizer.")

    def foretell(self, who: Ints, days: int) -> tuple[Floats, Floats]:
        """[n] orders and revenue (cents) of some shoppers in the days after."""
        frequency, recency, age = self.summary[who].T
        with trial():
            purchases = np.asarray(
                self._counts.conditional_expected_number_of_purchases_up_to_time(days, frequency, recency, age)
            )
            value = np.asarray(self._money.conditional_expected_average_profit(frequency, self.value[who]))
        typical = float(np.nanmedian(value))
        purchases, value = np.nan_to_num(purchases), np.where(np.isfinite(value) & (value > 0), value, typical)
        return purchases * self.orders_per_day, purchases * value


def boosted(
    x: Rows,
    y: Floats,
    held_x: Rows,
    held_y: Floats,
    test: Rows,
    weights: tuple[Floats, Floats],
    objective: dict[str, Any],
    seed: int,
) -> Floats:
    """[test rows] LightGBM's answer under an objective; its rounds are chosen on rows held back, then it learns from
    all. ``weights``: how much each row counts of both parts, 1 in all of each."""
    import lightgbm

    settings = {**boosting.SETTINGS, "num_leaves": 15, **objective, "seed": seed}
    rows = lightgbm.Dataset(x, y, weight=weights[0] * len(x), free_raw_data=False)
    held = lightgbm.Dataset(held_x, held_y, weight=weights[1] * len(held_x), reference=rows)
    stop = lightgbm.early_stopping(boosting.PATIENCE, verbose=False)
    best = lightgbm.train(settings, rows, boosting.ROUNDS, valid_sets=[held], callbacks=[stop]).best_iteration
    every = np.concatenate([weights[0] * len(x), weights[1] * len(held_x)])
    whole = lightgbm.Dataset(np.concatenate([x, held_x]), np.concatenate([y, held_y]), weight=every)
    return np.asarray(lightgbm.train(settings, whole, max(20, best)).predict(test), np.float64)


def regression(x: Rows, y: Floats, test: Rows) -> Floats:
    """[test rows] a generalized linear model with a log link and Tweedie's variance on the logarithms of RFM."""
    from sklearn.linear_model import TweedieRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    scale = max(float(y.mean()), 1e-9)
    model = make_pipeline(
        FunctionTransformer(np.log1p),
        StandardScaler(),
        TweedieRegressor(power=1.5, link="log", alpha=1e-3, max_iter=500),
    )
    with trial():
        model.fit(x.astype(np.float64), np.maximum(y, 0.0) / scale)
        answer: Floats = model.predict(test.astype(np.float64)) * scale
    return answer


__all__ = ["RFM", "BuyTillYouDie", "boosted", "regression"]
