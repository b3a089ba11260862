"""An insertion at work: poses, wrench and two cameras in, a reference or a pose of the tool out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import turned
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.envelope.observation_guard import Finding
from cellwright_runtime.interface.compliant_reference import InsertionInterface
from cellwright_runtime.interface.force_loop import ForceLoop
from cellwright_runtime.interface.rotation import rotation_rows
from cellwright_runtime.operation.line import Line
from cellwright_runtime.operation.task import Camera, Observed
from cellwright_runtime.vocabulary import Layout

Array = NDArray[np.float64]


class InsertionTask:
    """A `Task`: one part, from where its approach ends until it is seated."""

    def __init__(
        self,
        layout: Layout,
        camera: Camera,
        *,
        origin: Sequence[float],
        force_limit_n: float,
        cycle_s: float,
        loop: ForceLoop | None = None,
        seated: Callable[[Array, Array], bool] | None = None,
        own: Callable[[], Mapping[str, ArrayLike]] | None = None,
    ) -> None:
        """`origin` (3,) [m] is the nominal fixture's in the base frame, axes parallel.

        `loop` is the force loop of a robot that takes positions; None where the controller is compliant
        itself and takes the reference. `seated` decides once a control period from the tool's pose and the
        tared wrench, both (6,). `own` gives the groups that one task alone observes.
        """
        self.control_period_s = layout.control_period_s
        self.interface = InsertionInterface(layout, origin=origin)
        self._camera, self._force_limit_n, self._cycle_s = camera, force_limit_n, cycle_s
        self._loop, self._seated, self._own = loop, seated, own
        self._verdict = ""

    def begin(self, state: RobotState, now_s: float) -> None:
        if state.wrench is None:
            raise ValueError("this robot measures no wrench, which an insertion needs")
        self.interface.begin(state.tool, state.wrench)
        self._tare, self._felt, self._count = state.wrench, np.zeros(6), 0
        self._line = Line(state.tool, self.control_period_s)
        self._rested = True
        self._verdict = ""

    def sense(self, state: RobotState, now_s: float) -> None:
        self._felt += np.nan if state.wrench is None else state.wrench
        self._count += 1

    def observe(self, state: RobotState, now_s: float) -> Observed:
        frame = self._camera.newest()
        if frame is None:
            raise ValueError("no picture has arrived yet")
        felt = self._felt / self._count if self._count else self._tare
        self._felt, self._count = np.zeros(6), 0
        own = {} if self._own is None else self._own()
        observation = self.interface.observe(
            state.tool, felt, frame.image, force_limit_n=self._force_limit_n, own=own
        )
        if self._seated is not None and self._seated(state.tool, felt - self._tare):
            self._verdict = "seated"
        return Observed(observation, {"cameras": now_s - frame.exposed_s, "robot": state.age_s})

    def act(self, action: NDArray[Any], state: RobotState, now_s: float) -> None:
        self._line.to(self.interface.move(state.tool, self.interface.command(action)), now_s)

    def target(self, state: RobotState, now_s: float) -> Array:
        reference = self._line.at(now_s + self._cycle_s)
        if self._loop is None:
            return reference
        if self._rested:
            self._loop.begin(state.tool)
            self._rested = False
        rows = np.array(rotation_rows(*state.tool[3:].tolist()))
        if state.wrench is None:
            raise ValueError("this robot measures no wrench any more")
        wrench = state.wrench - self._tare
        turned_w = turned(rows, wrench.reshape(2, 3)).ravel()
        return self._loop.step(turned_w, reference)

    def problem(self) -> Finding | None:
        return None

    def verdict(self) -> str:
        return self._verdict

    def rest(self, now_s: float) -> None:
        """Nothing moves the reference but `act`; a line that was begun is left where it is."""
        self._line = Line(self._line.at(now_s), self.control_period_s)
        self._rested = True
