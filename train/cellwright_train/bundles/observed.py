"""What a policy observed while it worked on recorded parts: the measured numbers of a safety envelope."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cellwright_envs.welding.pool_camera import PERIOD_STEPS
from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.interface.compliant_reference import InsertionInterface
from cellwright_runtime.interface.kept import KeptElements
from cellwright_runtime.interface.path_correction import WeldInterface
from cellwright_train.rollout.cell import Episode, Observation, run_episode
from cellwright_train.rollout.trial import Trial

RANGE_MARGIN = 0.1
"""Of what the manifest allows an element: how far it may be beyond its trained range."""
FURTHER_PARTS = 8
"""Parts with other seeds, on which the ranges of the recorded parts are tried."""
DELIVERED_EPISODES, DELIVERED_FRAMES = 200, 500
"""Episodes, and frames in each, over which the age of the newest frame is looked for."""


@dataclass(kw_only=True)
class GroupRange:
    """Lowest and highest values of one low-dimensional group, element by element."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(kw_only=True)
class ViewRange:
    """Grey values of one view's frames: means and standard deviations of the pixels."""

    mean: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)
    longest_still: int = 0
    """Most control periods, one after the other, with a frame that is equal to the one before."""


class Observed:
    """Watches rollouts; give it to `run_episode` and call `begin` before each part."""

    def __init__(self, spec: PolicySpec) -> None:
        self.parts = 0
        self.decisions = 0
        self.groups: dict[str, GroupRange] = {}
        self.views: dict[str, ViewRange] = {}
        self._vectors = [group.name for group in spec.observation if group.dtype != "uint8"]
        self._images = {
            group.name: [part.name for part in group.components]
            for group in spec.observation
            if group.dtype == "uint8"
        }
        self._still: dict[str, int] = {}
        self._last: dict[str, NDArray[np.uint8]] = {}

    def begin(self) -> None:
        """The next observation is the first one of a part."""
        self.parts += 1
        self._last.clear()
        self._still.clear()

    def __call__(
        self, env: gymnasium.Env[Any, Any], observation: Observation, action: NDArray[np.float32]
    ) -> None:
        """Take in one observation."""
        self.decisions += 1
        for name in self._vectors:
            values = np.asarray(observation[name], np.float64).ravel()
            seen = self.groups.setdefault(name, GroupRange(low=values.copy(), high=values.copy()))
            np.minimum(seen.low, values, out=seen.low)
            np.maximum(seen.high, values, out=seen.high)
        for name, channels in self._images.items():
            for view, frame in zip(channels, observation[name], strict=True):
                self._frame(view, frame)

    def _frame(self, view: str, frame: NDArray[np.uint8]) -> None:
        seen = self.views.setdefault(view, ViewRange())
        seen.mean.append(float(frame.mean()))
        seen.deviation.append(float(frame.std()))
        same = view in self._last and np.array_equal(self._last[view], frame)
        self._still[view] = self._still.get(view, 0) + 1 if same else 0
        seen.longest_still = max(seen.longest_still, self._still[view])
        self._last[view] = np.array(frame)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Ranges over the recorded parts, and how they hold on further ones."""

    seen: Observed
    first_seed: int
    disturbances: str
    further_decisions: int
    further_outside: int
    """Decisions of the further parts with a value outside of the widened ranges."""
    latency_s: tuple[float, float]
    oldest_frame_periods: int
    """Control periods that the newest frame was old at most, as frames get lost and come late, or the newest
    picture of the pool."""


def range_margins(spec: PolicySpec) -> dict[str, NDArray[np.float64]]:
    """Margins of the trained ranges, element by element, by low-dimensional group."""
    return {
        group.name: RANGE_MARGIN * np.array([each.high - each.low for each in group.components])
        for group in spec.observation
        if group.dtype != "uint8"
    }


def trained_ranges(
    spec: PolicySpec, seen: Observed
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lowest and highest of each element, by low-dimensional group, before the margins.

    A quantity has one range over all of its ages: what was fine a while ago is fine as history. What the
    interface itself keeps has its limits instead of what was seen, which good parts leave as well.
    """
    kept = kept_elements(spec)
    ranges: dict[str, tuple[float, float]] = {}
    for name, each in seen.groups.items():
        for quantity, low, high in zip(
            _quantities(spec, name), each.low.tolist(), each.high.tolist(), strict=True
        ):
            lowest, highest = ranges.get(quantity, (low, high))
            ranges[quantity] = min(low, lowest), max(high, highest)
    found = {}
    for name in seen.groups:
        ends = np.array([ranges[quantity] for quantity in _quantities(spec, name)])
        for index, element in kept.get(name, {}).items():
            ends[index] = element.low, element.high
        found[name] = ends[:, 0], ends[:, 1]
    return found


def kept_elements(spec: PolicySpec) -> KeptElements:
    """The elements that the policy's interface itself keeps, by group and index."""
    welds = "lateral_range" in spec.controller
    return WeldInterface(spec.layout).kept if welds else InsertionInterface(spec.layout).kept


def _quantities(spec: PolicySpec, group: str) -> list[str]:
    """What each element of a group is of, whatever its age."""
    components = next(each.components for each in spec.observation if each.name == group)
    return [re.sub(r"_lag_\d+$", "", each.name) for each in components]


def measure(trial: Trial, spec: PolicySpec, *, progress: bool) -> Measured:
    """Work on the parts of `trial`, then on `FURTHER_PARTS` of other seeds, held against the ranges."""
    env, policy = trial.workplace
    seen = Observed(spec)
    try:
        for episode in tqdm(trial.plan, desc="observing", unit="part", disable=not progress, leave=False):
            seen.begin()
            run_episode(env, policy, episode, watch=seen)
        outside = _Outside(spec, seen)
        last = trial.plan[-1].seed
        for index in range(FURTHER_PARTS):
            product = trial.plan[index % len(trial.plan)].product
            run_episode(env, policy, Episode(last + 1 + index, product), watch=outside)
        disturbances: Any = env.unwrapped.disturbances  # type: ignore[attr-defined]
        low, high = disturbances.actuator_latency.steps
        oldest = oldest_picture_periods(disturbances, seen.views)
    finally:
        trial.close()
    period_s = 1.0 / spec.control_rate_hz
    return Measured(
        seen=seen,
        first_seed=trial.plan[0].seed,
        disturbances=trial.cell.disturbances,
        further_decisions=outside.decisions,
        further_outside=outside.outside,
        latency_s=(low * period_s, high * period_s),
        oldest_frame_periods=oldest,
    )


def oldest_frame_periods(delivery: Any) -> int:
    """Age of the oldest newest frame over many episodes of a `FrameDelivery`, in frames."""
    rng = np.random.default_rng(0)
    ages = [0]
    for _ in range(DELIVERED_EPISODES):
        fate = delivery.draw(rng)
        ages += [frame - fate.delivered(frame) for frame in range(DELIVERED_FRAMES)]
    return max(ages)


def oldest_picture_periods(disturbances: Any, views: Collection[str]) -> int:
    """Age of the oldest newest picture of any of `views` under a set of disturbances, in control periods."""
    oldest = oldest_frame_periods(disturbances.frame_delivery)
    if "pool" not in views:
        return oldest
    latest: int = disturbances.pool_view.latency_steps[1] + PERIOD_STEPS - 1
    return max(oldest, latest)


class _Outside:
    """Counts decisions on observations outside of a range."""

    def __init__(self, spec: PolicySpec, seen: Observed) -> None:
        self.decisions = self.outside = 0
        margins = range_margins(spec)
        self._bounds = {
            name: (low - margins[name], high + margins[name])
            for name, (low, high) in trained_ranges(spec, seen).items()
        }

    def __call__(
        self, env: gymnasium.Env[Any, Any], observation: Observation, action: NDArray[np.float32]
    ) -> None:
        self.decisions += 1
        values = {name: np.asarray(observation[name]).ravel() for name in self._bounds}
        self.outside += any(
            bool(((values[name] < low) | (values[name] > high)).any())
            for name, (low, high) in self._bounds.items()
        )
