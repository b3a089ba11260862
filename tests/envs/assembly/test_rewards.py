"""What each reward term of an insertion pays, worked out here from its page's words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.disturbances import AssemblyDisturbances
from cellwright_envs.assembly.disturbances.mechanics import ControllerGain
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.parts.connectors import CONNECTORS
from cellwright_envs.assembly.parts.gears import GEARS
from cellwright_envs.assembly.parts.nuts import NUTS
from cellwright_envs.assembly.parts.pegs import PEGS
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_policies.experts import make_expert

TASKS: dict[str, tuple[Any, str]] = {
    "cellwright/PegInsertion-v1": (PegInsertion, "square-12-0.5-chamfer"),
    "cellwright/ConnectorInsertion-v1": (ConnectorInsertion, "d-sub-0.3-1"),
    "cellwright/NutFastening-v2": (NutFastening, "M12"),
    "cellwright/GearMesh-v1": (GearMesh, "m1-z24-b8-0.25"),
}


def alignment(m: Any, turn: float) -> float:
    return float(1.0 / (1.0 + (m.lateral_m / 2e-3) ** 2 + (turn / 0.1) ** 2))


def tight(torque_n_m: float) -> float:
    """M12: hand-tight at 0.8 N m within a fifth, broken at 1.28."""
    if torque_n_m < 0.64:
        return torque_n_m / 0.64
    return 1.0 if torque_n_m <= 0.96 else max((1.28 - torque_n_m) / 0.32, 0.0)


def shared(m: Any, limit_n: float, jerk: float, *, broken: bool) -> dict[str, float]:
    """Terms of every task; `jerk` is the mean change of the action."""
    over = min(max((m.force_n / limit_n - 0.4) / 0.6, 0.0), 1.0)
    return {
        "seated": 0.4 if m.held_s > 0.0 else 0.0,
        "force": -0.2 * over,
        "pace": -0.03,
        "smoothness": -0.02 * jerk,
        "success": 10.0 if m.held_s > 0.24 and not broken else 0.0,
        "broken": -10.0 if broken else 0.0,
    }


def own(task: str, m: Any, before: Any) -> dict[str, float]:
    """Terms that a task words itself; numbers of the product in `TASKS`."""
    nut = "Nut" in task
    gained = alignment(m, 0.0 if nut else m.yaw_error_rad) - alignment(
        before, 0.0 if nut else before.yaw_error_rad
    )
    depth_m = {"Peg": 25e-3, "Con": 6e-3, "Nut": 3e-3 + 3 * 1.75e-3, "Gea": 20e-3}[task[11:14]]
    deeper = (m.depth_m - before.depth_m) / depth_m
    terms = {"depth": (6.0 if "Gear" in task else 10.0) * deeper, "alignment": 3.0 * gained}
    if "Gear" in task:
        # Teeth are 10 mm high and stand on the shoulder: they meet 10 mm below the shaft's end.
        meshed = [max(each.depth_m - 10e-3, 0.0) / 10e-3 for each in (m, before)]
        terms["mesh"] = 4.0 * (meshed[0] - meshed[1])
    if "Connector" in task:
        terms["latch"] = 4.0 * (int(m.latched) - int(before.latched))
    if nut:
        terms["engaged"] = 2.0 * (int(m.engaged) - int(before.engaged))
        terms["torque"] = 3.0 * (tight(m.tightness_n_m) - tight(before.tightness_n_m))
        terms["crossed"] = -0.2 if m.crossed else 0.0
    return terms


def played(env: Any, act: Any, steps: int = 400) -> list[tuple[Mapping[str, float], Any, Any, float]]:
    """Terms, measurement before and after, and mean change of the action, of every step of an episode."""
    observation, _ = env.reset(seed=4)
    rows, last = [], np.zeros(env.action_space.shape, np.float32)
    for step in range(steps):
        before, action = env.measurement, np.asarray(act(observation, step), np.float32)
        observation, reward, terminated, _, info = env.step(action)
        assert reward == pytest.approx(sum(info["reward_terms"].values()))
        rows.append((info["reward_terms"], before, env.measurement, float(np.abs(action - last).mean())))
        last = action
        if terminated:
            return rows
    return rows


@pytest.mark.parametrize("task", TASKS)
def test_every_step_of_a_good_part_is_paid_as_its_page_says(task: str) -> None:
    made, product = TASKS[task]
    env = made(product=product, disturbances="none", privileged=True)
    expert = make_expert(task, "oracle", env.privileged_names)
    expert.reset(1)

    def act(observation: Mapping[str, np.ndarray], _: int) -> np.ndarray:
        return np.asarray(expert.act_batch({name: group[None] for name, group in observation.items()})[0])

    rows = played(env, act)
    env.close()
    limit_n = {"Nut": 40.0, "Con": 100.0}.get(task[11:14], 30.0)
    for terms, before, after, jerk in rows:
        wanted = own(task, after, before) | shared(after, limit_n, jerk, broken=False)
        assert dict(terms) == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    sums = {name: sum(terms[name] for terms, *_ in rows) for name in rows[0][0]}
    assert sums["success"] == 10.0
    assert sums["depth"] == pytest.approx(6.0 if "Gear" in task else 10.0, rel=0.06)
    assert sums["seated"] >= 5 * 0.4 - 1e-9
    assert sums["alignment"] > 0.0
    assert sums["pace"] == pytest.approx(-0.03 * len(rows))
    assert sums["smoothness"] < 0.0
    for name, whole in {"mesh": 4.0, "latch": 4.0, "engaged": 2.0, "torque": 3.0}.items():
        assert name not in sums or sums[name] == pytest.approx(whole, rel=0.06)


@pytest.mark.parametrize(
    ("task", "limit_n"),
    [
        ("cellwright/PegInsertion-v1", 13.0),
        ("cellwright/ConnectorInsertion-v1", 100.0),
        ("cellwright/NutFastening-v2", 13.0),
        ("cellwright/GearMesh-v1", 13.0),
    ],
)
def test_a_part_that_is_pressed_beside_its_hole_pays_until_it_breaks(task: str, limit_n: float) -> None:
    """On an arm twice as stiff as set: its leash alone is more than the part bears."""
    made, name = TASKS[task]
    stiff = AssemblyDisturbances(controller_gain=ControllerGain(stiffness_factor=(2.0, 2.0)))
    chosen = {**PEGS.by_name, **CONNECTORS.by_name, **NUTS.by_name, **GEARS.by_name}[name]
    env = made(product=replace(chosen, force_limit_n=limit_n), disturbances=stiff)
    aside, down = np.zeros(env.action_space.shape), np.zeros(env.action_space.shape)
    aside[[0, 2]], down[2] = (1.0, -0.5), -0.3
    rows = played(env, lambda _, step: aside if step < 100 else down, steps=600)
    env.close()
    forces = []
    for terms, before, after, jerk in rows:
        broken = after.peak_force_n > limit_n
        wanted = own(task, after, before) | shared(after, limit_n, jerk, broken=broken)
        assert dict(terms) == pytest.approx(wanted, rel=1e-6, abs=1e-9)
        forces.append(terms["force"])
    assert min(forces) < -0.15
    assert any(-0.19 < force < -0.001 for force in forces)
    assert rows[-1][0]["broken"] == -10.0
