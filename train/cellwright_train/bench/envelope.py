"""One cycle of envelope and driver, without the robot that answers."""

from __future__ import annotations

import time

import numpy as np

from cellwright_train.bench.figures import Effort, Figures, figure, missing

CYCLE_S = 0.002
_CYCLES = 2500
_AIM = "<= 0.2"


def envelope_cycle(effort: Effort) -> Figures:
    """From a state and a target to a setpoint that the driver has checked, for both kinds of interface."""
    try:
        import ruckig  # noqa: F401
    except ImportError:
        return {"envelope_cycle_pose_p99_ms": missing("ruckig is not installed", "ms", _AIM)}
    figures: Figures = {}
    for kind in ("pose", "joints"):
        parts = [_milliseconds(kind) for _ in range(effort.repeats)]
        for quantile in (0.5, 0.99):
            name = f"envelope_cycle_{kind}_p{100 * quantile:.0f}_ms"
            aim = _AIM if quantile > 0.5 else ""
            figures[name] = figure([float(np.quantile(part, quantile)) for part in parts], "ms", aim)
    return figures


def _milliseconds(kind: str) -> list[float]:
    """Of each cycle of a smooth motion."""
    from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
    from cellwright_assets.gripper import tcp_from_flange
    from cellwright_envs.virtual.kinematic_arm import KinematicArm
    from cellwright_runtime.drivers.driver import Mode
    from cellwright_runtime.drivers.sim import SimDriver
    from cellwright_runtime.envelope.envelope import Envelope
    from cellwright_runtime.envelope.fences import JointSpace, PoseSpace
    from cellwright_runtime.envelope.limits import Axes, Limits

    tool = tcp_from_flange(GRASP_HEIGHT_M)
    mode = Mode.TOOL_POSE if kind == "pose" else Mode.JOINT_POSITION
    driver = SimDriver(KinematicArm(period_s=CYCLE_S, tool_from_flange=tool), mode)
    state = driver.connect()
    start = state.tool
    around = np.array([0.05, 0.05, 0.05, 0.3, 0.3, 0.3])
    limits = Limits(
        joints=Axes(
            low=tuple((state.joints_rad - 1.0).tolist()),
            high=tuple((state.joints_rad + 1.0).tolist()),
            velocity=(2.0,) * 6,
            acceleration=(5.0,) * 6,
            jerk=(300.0,) * 6,
        ),
        tool=Axes(
            low=(*(start - around)[:3].tolist(), *(-around)[3:].tolist()),
            high=(*(start + around)[:3].tolist(), *around[3:].tolist()),
            velocity=(0.2,) * 3 + (0.8,) * 3,
            acceleration=(2.5,) * 3 + (10.0,) * 3,
            jerk=(150.0,) * 3 + (600.0,) * 3,
        ),
        tool_speed_m_s=0.25,
    )
    space = PoseSpace(limits, CYCLE_S) if kind == "pose" else JointSpace(limits, CYCLE_S, tool)
    envelope = Envelope(limits, space, CYCLE_S, lag_s=0.02)
    envelope.arm(0.0, state)
    envelope.start(0.0)
    spent = []
    for number in range(1, _CYCLES + 1):
        turn = 0.004 * number
        target = (
            start + 0.02 * np.array([np.sin(turn), np.sin(0.7 * turn), np.sin(1.3 * turn), 0, 0, 0])
        ).tolist()
        begin = time.perf_counter()
        setpoint = envelope.cycle(number * CYCLE_S, state, target)
        if setpoint is None:
            raise RuntimeError(f"the envelope stopped: {envelope.reason}")
        driver.send_setpoint(setpoint)
        spent.append(1e3 * (time.perf_counter() - begin))
        state = driver.read_state()
    return spent[_CYCLES // 5 :]  # the rest is warm-up and blending
