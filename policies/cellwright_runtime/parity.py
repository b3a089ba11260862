"""Holding a bundle against what the training framework gave: before clipping, also at extreme inputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.runtime import Decision, Runtime

PARITY = 1e-5
"""Largest difference of the pre-clip action between torch and the bundle, for actions up to 1 in magnitude;
above that it scales with the action, as float32 rounding does."""
_RANDOM_EDGE_CASES = 16


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far two sets of pre-clip actions are apart."""

    max_abs: float
    worst_row: int
    ok: bool


def parity(answer: NDArray[np.float32], wanted: NDArray[np.float32], tolerance: float = PARITY) -> Parity:
    """Compare pre-clip actions (N, actions); after clipping, a saturated policy would hide any mistake."""
    error = np.abs(answer.astype(np.float64) - wanted)
    allowed = tolerance * np.maximum(1.0, np.abs(wanted))
    within = bool((error <= allowed).all())  # a NaN compares false and fails
    worst = int(np.argmax(np.nan_to_num(error / allowed, nan=np.inf).max(axis=1)))
    return Parity(max_abs=float(error.max()), worst_row=worst, ok=within)


def replay(runtime: Runtime, observations: Mapping[str, NDArray[Any]]) -> Iterator[Decision]:
    """The bundle's decision for each row of `observations`, group name to (N, *shape)."""
    for row in range(len(next(iter(observations.values())))):
        yield runtime.decide({name: values[row] for name, values in observations.items()})


def edge_cases(spec: PolicySpec) -> dict[str, NDArray[Any]]:
    """Black, white, one-channel and checkered images; every bound; uniform noise from a fixed seed."""
    rng = np.random.default_rng(0)
    return {
        group.name: _edge_rows(group.low, group.high, group.shape, group.dtype, rng)
        for group in spec.observation
    }


def _edge_rows(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    shape: Sequence[int],
    dtype: str,
    rng: np.random.Generator,
) -> NDArray[Any]:
    full_low, full_high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    position = np.indices(shape).sum(axis=0)
    checkered = np.where(position % 2, full_high, full_low)
    first = np.where(np.indices(shape)[0] == 0, full_high, full_low)
    patterns = [
        full_low,
        full_high,
        0.5 * (full_low + full_high),
        checkered,
        first,
        full_low + full_high - first,
    ]
    # Row by row, because all of them in float64 are sixteen times a large image.
    noise = (rng.uniform(full_low, full_high, shape).astype(dtype) for _ in range(_RANDOM_EDGE_CASES))
    return np.stack([*(pattern.astype(dtype) for pattern in patterns), *noise])
