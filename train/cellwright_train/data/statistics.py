"""Statistics of the columns of a dataset, from which learners take their normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistics = dict[str, NDArray[Any]]
"""Of one column, by name: `min`, `max`, `mean`, `std`, `count` and the quantiles."""

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
"""Those that LeRobot's datasets have."""


def statistics(values: NDArray[Any]) -> Statistics:
    """Statistics of the components of `values` (frames, components)."""
    exact = values.astype(np.float64)
    return {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": exact.mean(axis=0),
        "std": exact.std(axis=0),
        "count": np.array([len(values)]),
        **dict(zip(QUANTILES, np.quantile(exact, list(QUANTILES.values()), axis=0), strict=True)),
    }


def view_statistics(view: NDArray[np.uint8]) -> Statistics:
    """Statistics of the grey values of `view` (frames, H, W), from 0 to 1, for three equal colours."""
    found = statistics(view.reshape(-1, 1) / 255.0)
    colours = {name: np.broadcast_to(value.reshape(1, 1, 1), (3, 1, 1)) for name, value in found.items()}
    return colours | {"count": np.array([len(view)])}


def pooled(first: Mapping[str, NDArray[Any]], second: Mapping[str, NDArray[Any]]) -> Statistics:
    """Statistics of two sets of frames together; quantiles are weighted means, as LeRobot pools them."""
    first_share = float(first["count"][0] / (first["count"][0] + second["count"][0]))

    def mean(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        return first_share * one + (1.0 - first_share) * other

    centre = mean(first["mean"], second["mean"])
    variance = mean(*(each["std"] ** 2 + (each["mean"] - centre) ** 2 for each in (first, second)))
    return {
        "min": np.minimum(first["min"], second["min"]),
        "max": np.maximum(first["max"], second["max"]),
        "mean": centre,
        "std": np.sqrt(variance),
        "count": first["count"] + second["count"],
        **{name: mean(first[name], second[name]) for name in QUANTILES},
    }
