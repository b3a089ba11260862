"""What an observation has to be before a policy may see it, checked before any normalisation or clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import ObservationGroup
from cellwright_runtime.envelope.faults import Fault

Array = NDArray[np.float64]


class Finding(NamedTuple):
    """One thing that is wrong, in one line."""

    fault: Fault
    detail: str


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What one low-dimensional group may be: its range in training with a margin, both (n,)."""

    low: Array
    high: Array


@dataclass(frozen=True, kw_only=True)
class View:
    """What a live picture of one camera view is like."""

    still_s: float
    """One that stays the same to the last bit for longer is frozen."""
    blank_grey: float
    """One whose standard deviation is below this shows nothing."""


class ObservationGuard:
    """Looks at every observation of one policy; keeps in mind how long each picture has been the same."""

    def __init__(
        self,
        groups: tuple[ObservationGroup, ...],
        *,
        ranges: Mapping[str, Trained],
        views: Mapping[str, View],
        age_s: float,
    ) -> None:
        """`ranges` are by group, `views` by the component of an image that shows one; `age_s` is the oldest
        that a source may be."""
        self._groups, self._age_s = groups, age_s
        self.ranges, self.views = dict(ranges), dict(views)
        self._seen: dict[str, tuple[bytes, float]] = {}

    def reset(self) -> None:
        """Forget the pictures, as for the next part."""
        self._seen.clear()

    def check(
        self,
        now_s: float,
        observation: Mapping[str, NDArray[Any]],
        *,
        ages_s: Mapping[str, float],
        moving: bool = True,
    ) -> list[Finding]:
        """Everything that is wrong; an empty list where the policy may decide.

        `ages_s` is how old each source was at `now_s`. A picture may stay the same while nothing is
        `moving`.
        """
        found = [
            Finding(Fault.STALE, f"{name} is {1e3 * age_s:.0f} ms old, {1e3 * self._age_s:.0f} are allowed")
            for name, age_s in ages_s.items()
            if not age_s <= self._age_s  # as of nan too
        ]
        for group in self._groups:
            finding = self._look(now_s, group, observation, moving)
            if finding is not None:
                found.append(finding)
        return found

    def _look(
        self,
        now_s: float,
        group: ObservationGroup,
        observation: Mapping[str, NDArray[Any]],
        moving: bool,
    ) -> Finding | None:
        value = observation.get(group.name)
        if value is None:
            return Finding(Fault.SHAPE, f"{group.name} is missing")
        if value.shape != group.shape or value.dtype != group.dtype:
            return Finding(
                Fault.SHAPE,
                f"{group.name} is {value.dtype} {value.shape}, the policy takes {group.dtype} {group.shape}",
            )
        if group.dtype == "uint8":
            return self._look_at(now_s, group, value, moving)
        return self._read(group, value.ravel())

    def _read(self, group: ObservationGroup, measured: NDArray[Any]) -> Finding | None:
        finite = np.isfinite(measured)
        if not finite.all():
            index = int(np.argmin(finite))
            return Finding(
                Fault.NOT_FINITE, f"{group.name} {group.components[index].name} is {measured[index]}"
            )
        trained = self.ranges.get(group.name)
        if trained is None:
            return None
        index = int(np.argmax(np.maximum(trained.low - measured, measured - trained.high)))
        low, high = float(trained.low[index]), float(trained.high[index])
        if low <= measured[index] <= high:
            return None
        component = group.components[index]
        return Finding(
            Fault.OUT_OF_RANGE,
            f"{group.name} {component.name} is {measured[index]:.4g} {component.unit}, "
            f"trained within {low:.4g} to {high:.4g}",
        )

    def _look_at(
        self, now_s: float, group: ObservationGroup, image: NDArray[Any], moving: bool
    ) -> Finding | None:
        for channel, component in zip(image, group.components, strict=True):
            view = self.views.get(component.name)
            if view is None:
                continue
            deviation = float(channel.std())
            if deviation < view.blank_grey:
                return Finding(
                    Fault.BLANK,
                    f"{component.name} deviates by {deviation:.2f} grey values, "
                    f"a picture by {view.blank_grey:.2f} or more",
                )
            content = channel.tobytes()
            before, since_s = self._seen.get(component.name, (b"", math.nan))
            # A camera that sees nothing, as of a pool before the arc, always shows the same.
            if content != before or not moving or deviation == 0.0:
                self._seen[component.name] = (content, now_s)
            elif now_s - since_s > view.still_s:
                return Finding(
                    Fault.FROZEN, f"{component.name} has been the same for {1e3 * (now_s - since_s):.0f} ms"
                )
        return None
