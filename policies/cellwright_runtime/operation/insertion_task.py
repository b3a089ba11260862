"""An insertion at work: poses, wrench and two cameras in, a reference or a pose of the tool out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import turned
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.envelope.observation_guard import Finding
from cellwright_runtime.interface.compliant_reference import InsertionInterface
from cellwright_runtime.interface.force_loop import ForceLoop
from cellwright_runtime.interface.placing import Placed
from cellwright_runtime.interface.rotation import rotation_rows
from cellwright_runtime.operation.line import Line
from cellwright_runtime.operation.task import Camera, Observed
from cellwright_runtime.vocabulary import Layout

Array = NDArray[np.float64]


class InsertionTask:
    """A `Task`: one part, from where its approach ends until it is seated.

    Robot states and targets are in the base frame; all work is done in the nominal fixture's.
    """

    def __init__(
        self,
        layout: Layout,
        camera: Camera,
        *,
        fixture_b: Array,
        force_limit_n: float,
        cycle_s: float,
        loop: ForceLoop | None = None,
        seated: Callable[[Array, Array], bool] | None = None,
        own: Callable[[], Mapping[str, ArrayLike]] | None = None,
    ) -> None:
        """`fixture_b` (4, 4) is the nominal fixture's frame in the base frame.

        `loop` is the force loop of a robot that takes positions; None where the controller is compliant
        itself and takes the reference. `seated` decides once a control period from the tool's pose in the
        nominal fixture's frame and the tared wrench, both (6,). `own` gives the groups that one task alone
        observes.
        """
        self.control_period_s = layout.control_period_s
        self.interface = InsertionInterface(layout)
        self._fixture = Placed(fixture_b)
        self._camera, self._force_limit_n, self._cycle_s = camera, force_limit_n, cycle_s
        self._loop, self._seated, self._own = loop, seated, own
        self._verdict = ""

    def begin(self, state: RobotState, now_s: float) -> None:
        if state.wrench is None:
            raise ValueError(
                "this robot measures no wrench, which an insertion needs; a sensor at the wrist gives one: "
                "describe it in [wrench_sensor] of the cell's file"
            )
        tool = self._fixture.inside(state.tool)
        self.interface.begin(tool, state.wrench)
        self._tare, self._felt, self._count = state.wrench, np.zeros(6), 0
        self._line = Line(tool, self.control_period_s)
        self._verdict = ""

    def sense(self, state: RobotState, now_s: float) -> None:
        self._felt += np.nan if state.wrench is None else state.wrench
        self._count += 1

    def resume(self, tool: Array, now_s: float) -> None:
        """The reference goes on from where the robot is held, not from where it led before."""
        held = self._fixture.inside(tool)
        self.interface.lead_from(held)
        self._line = Line(self.interface.reference, self.control_period_s)
        if self._loop is not None:
            self._loop.begin(held)

    def observe(self, state: RobotState, now_s: float) -> Observed:
        frame = self._camera.newest()
        if frame is None:
            raise ValueError("no picture has arrived yet")
        felt = self._felt / self._count if self._count else self._tare
        self._felt, self._count = np.zeros(6), 0
        own = {} if self._own is None else self._own()
        tool = self._fixture.inside(state.tool)
        observation = self.interface.observe(
            tool, felt, frame.image, force_limit_n=self._force_limit_n, own=own
        )
        if self._seated is not None and self._seated(tool, felt - self._tare):
            self._verdict = "seated"
        return Observed(observation, {"cameras": now_s - frame.exposed_s, "robot": state.age_s})

    def act(self, action: NDArray[Any], state: RobotState, now_s: float, *, authority: float) -> None:
        """The action counts by its authority: a reference runs away from a robot that may not follow yet."""
        tool = self._fixture.inside(state.tool)
        self._line.to(self.interface.move(tool, self.interface.command(authority * action)), now_s)

    def target(self, state: RobotState, now_s: float) -> Array:
        reference = self._line.at(now_s + self._cycle_s)
        if self._loop is None:
            return self._fixture.outside(reference)
        if state.wrench is None:
            raise ValueError("this robot measures no wrench any more")
        tool = self._fixture.inside(state.tool)
        rows = np.array(rotation_rows(*tool[3:].tolist()))
        wrench = turned(rows, (state.wrench - self._tare).reshape(2, 3)).ravel()
        return self._fixture.outside(self._loop.step(wrench, reference))

    def problem(self) -> Finding | None:
        return None

    def verdict(self) -> str:
        return self._verdict

    def rest(self, now_s: float) -> None:
        """Nothing moves the reference but `act`."""
