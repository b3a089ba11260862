"""`python -m cellwright_train.experts.tuning`: tune the trims of `adaptive-tracker` on training seeds.

The search is the cross-entropy method (Rubinstein 1999): draw gains around a mean, keep the best quarter,
move mean and spread there. All candidates weld the same parts with the same disturbances, each joint type by
itself. What it prints is copied into the expert's gains; the seeds are far from those of every evaluation.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import gymnasium
import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from cellwright_policies.experts.expert import Expert
from cellwright_policies.experts.welding.adaptive_tracker import AdaptiveGains, AdaptiveTracker
from cellwright_train.results.welds import WeldResult
from cellwright_train.rollout.cell import CellChoice, Episode, products_of, run_episode
from cellwright_train.rollout.policies import ExpertPolicy
from cellwright_train.rollout.trial import episode_plan

FIRST_SEED = 9_000_000
Floats = NDArray[np.float64]
TRIMS = ("speed", "wire", "voltage_v", "speed_offset", "wire_offset", "voltage_offset_v")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How long and on what the search goes."""

    rounds: int = 4
    population: int = 8
    episodes: int = 16
    """Parts that each candidate welds."""
    seed: int = 0
    workers: int = 2


@dataclass(frozen=True, kw_only=True)
class Range:
    """One gain to search, from `low` to `high`."""

    name: str
    low: float
    high: float


TRIM_RANGES = (
    Range(name="speed", low=-1.5, high=1.5),
    Range(name="wire", low=-1.5, high=1.5),
    Range(name="voltage_v", low=-8.0, high=8.0),
    Range(name="speed_offset", low=-0.2, high=0.2),
    Range(name="wire_offset", low=-0.15, high=0.15),
    Range(name="voltage_offset_v", low=-1.5, high=1.5),
)


def part_cost(result: WeldResult, nominal_s: float) -> float:
    """What one part costs in units of its programmed weld time: its time, and rework if it fails level C.

    A part that fails is handled once more and what is defective welded once more; a crash costs three parts.
    """
    if result.crashed:
        return 3.0
    return (
        result.cycle_time_s / nominal_s * (1.0 + (not result.passed["C"]) + result.defect_mm / result.seam_mm)
    )


def cross_entropy(
    cost: Callable[[Sequence[Floats]], Sequence[float]],
    start: Floats,
    ranges: Sequence[Range],
    config: SearchConfig,
) -> tuple[Floats, float]:
    """Lowest cost found from `start` (n,) within `ranges`, and its gains; `cost` rates several candidates."""
    low, high = np.array([r.low for r in ranges]), np.array([r.high for r in ranges])
    rng = np.random.default_rng(config.seed)
    mean, spread = start.copy(), 0.25 * (high - low)
    best, lowest = start.copy(), np.inf
    for _ in range(config.rounds):
        drawn = mean + spread * rng.standard_normal((config.population, len(start)))
        candidates = [best, *np.clip(drawn, low, high)]
        costs = np.asarray(cost(candidates))
        order = np.argsort(costs)
        if costs[order[0]] < lowest:
            best, lowest = candidates[order[0]].copy(), float(costs[order[0]])
        elite = np.array([candidates[i] for i in order[: max(2, config.population // 4)]])
        mean = elite.mean(axis=0)
        spread = np.maximum(0.6 * spread, np.minimum(elite.std(axis=0), spread))
    return best, lowest


class _Cells:
    """Workers that weld the plan of this search with any gains."""

    def __init__(self, products: tuple[str, ...], config: SearchConfig) -> None:
        self.plan = episode_plan(FIRST_SEED, config.episodes, products)
        self._pool = ProcessPoolExecutor(
            config.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_open_cell,
            initargs=(CellChoice(products=products, disturbances="train"),),
        )

    def costs(self, experts: Sequence[Expert], bar: Any) -> list[float]:
        """Mean cost of a part for each of `experts`."""
        costs = []
        for cost in self._pool.map(_cost, [(expert, self.plan) for expert in experts]):
            costs.append(cost)
            bar.update()
        bar.set_postfix(lowest=f"{min(costs):.3f}")
        return costs

    def __enter__(self) -> _Cells:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


_opened: list[gymnasium.Env[Any, Any]] = []  # a worker's only cell


def _open_cell(choice: CellChoice) -> None:
    _opened.append(choice.make())


def _cost(job: tuple[Expert, Sequence[Episode]]) -> float:
    expert, plan = job
    env, policy = _opened[0], ExpertPolicy("candidate", expert)
    costs = []
    for episode in plan:
        result = cast(WeldResult, run_episode(env, policy, episode))
        product = env.unwrapped.product  # type: ignore[attr-defined]
        costs.append(part_cost(result, product.path.length_m / product.procedure.travel_speed_m_s))
    return float(np.mean(costs))


def tune_trims(gains: AdaptiveGains, joint: int, config: SearchConfig) -> AdaptiveGains:
    """Search the trims of one joint type, by its place in lap, T-fillet, butt, on its training products."""
    from cellwright_envs.welding.part.product import JOINTS, PRODUCTS

    products = tuple(name for name in products_of("train") if PRODUCTS[name].joint == JOINTS[joint])

    def changed(values: Floats) -> AdaptiveGains:
        new: dict[str, Any] = {}
        for trim, value in zip(TRIMS, values, strict=True):
            row = list(getattr(gains, trim))
            row[joint] = float(value)
            new[trim] = tuple(row)
        return dataclasses.replace(gains, **new)

    start = np.array([getattr(gains, trim)[joint] for trim in TRIMS])
    with _Cells(products, config) as cells, _bar(config, f"adaptive, {JOINTS[joint]}") as bar:
        best, _ = cross_entropy(
            lambda tried: cells.costs([AdaptiveTracker(changed(values)) for values in tried], bar),
            start,
            TRIM_RANGES,
            config,
        )
    return changed(best)


def _bar(config: SearchConfig, name: str) -> Any:
    return tqdm(total=config.rounds * (config.population + 1), desc=name, unit="candidate")


def main(config: SearchConfig) -> None:
    """Tune the trims of `adaptive-tracker`, and print its gains."""
    tuned = AdaptiveGains()
    for joint in range(3):
        tuned = tune_trims(tuned, joint, config)
        print(tuned)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
