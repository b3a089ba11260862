"""The envelope in C beside that in Python, stage by stage, on the same draws."""

from __future__ import annotations

import ctypes
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.envelope.faults import Fault, Stage
from cellwright_runtime.envelope.motion import Motion
from cellwright_runtime.envelope.states import State
from tests.policies.runtime.codegen.envelope_pair import DECLARED, PLANES, SAFETY, Both
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, PERIOD_S
from tools.envelope import setpoints
from tools.envelope.adversaries import POLICIES
from tools.envelope.plain import PlainEnvelope, safety_of


@pytest.mark.parametrize("name", POLICIES)
def test_every_stage_gives_the_same_for_an_adversary(plain: PlainEnvelope, name: str) -> None:
    both, rng = Both(plain), np.random.default_rng(3)
    both.ask("arm")
    both.ask("start")
    for _ in range(100):  # past the first part of the blending, where nothing is cut
        both.cycle(HOME)
    reach = np.array([0.06, 0.06, 0.08, 0.3, 0.3, 0.3])
    cut: set[Stage] = set()
    targets = POLICIES[name](rng, HOME, reach)
    for _ in range(250):
        both.cycle(next(targets))
        np.testing.assert_allclose(plain.said().wanted, both.python._before, rtol=0.0, atol=1e-12)
        both.assert_the_same()
        cut |= both.python.stages
    assert cut, name


def test_smooth_motion_is_that_of_ruckig_within_micrometres(plain: PlainEnvelope) -> None:
    both = Both(plain, Motion)
    both.ask("arm")
    both.ask("start")
    away_m, from_target_m = [], []
    for number in range(1200):
        target = HOME + 0.015 * np.sin(0.005 * number) * np.array([1.0, -0.7, 0.5, 4.0, 3.0, -2.0])
        in_c, in_python = both.cycle(target)
        assert in_c is not None
        assert in_python is not None
        away_m.append(np.abs(in_c - in_python)[:3].max())
        from_target_m.append(np.abs(in_c - target)[:3].max())
    assert plain.said().state is both.python.state is State.RUNNING
    assert max(away_m) < 4e-4  # where the authority stops growing
    assert max(away_m[:240] + away_m[300:]) < 5e-6
    assert max(from_target_m[300:]) < 2e-6
    assert both.python.happenings[-1].detail == "blended in"


def test_steps_end_where_those_of_ruckig_end(plain: PlainEnvelope) -> None:
    both = Both(plain, Motion)
    both.ask("arm")
    both.ask("start")
    for way in ((0.02, -0.01, 0.03), (-0.02, 0.03, 0.01)):
        for _ in range(600):
            both.cycle(HOME + np.array([*way, 0.1, -0.1, 0.05]))
        np.testing.assert_allclose(both.tools[0], both.tools[1], rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("towards", [(0.2, 0.0, 0.0), (-0.05, 0.0, -0.07)])
def test_fence_and_plane_are_reached_and_not_passed(
    pegs: Bundle, tmp_path: Path, towards: tuple[float, float, float]
) -> None:
    free = replace(LIMITS, fraction=1.0)
    plain = PlainEnvelope(pegs, safety_of(free), tmp_path)
    assert plain.set_up(cycle_s=PERIOD_S, planes=PLANES) == 0
    state = setpoints.state_at_home()
    assert plain.arm(0.0, replace(state, tool=HOME, joints_rad=HOME_RAD)) == 0
    plain.request("start", 0.0)
    sent = plain.drive(0.0, HOME_RAD, HOME, np.tile(HOME + np.array([*towards, 0.0, 0.0, 0.0]), (1500, 1)))
    margin_m = LIMITS.workspace_margin_m
    beside_m = LIMITS.tool.high[0] - margin_m - sent[:, 0]
    above_m = sent[:, :3] @ np.array(LIMITS.planes[0].normal) - LIMITS.planes[0].offset_m - margin_m
    assert min(beside_m.min(), above_m.min()) >= -1e-12
    assert min(beside_m[-1], above_m[-1]) < 2e-3


# Faults and requests, in any order

BROKEN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "silent": {"heard": False},
    "same": {"robot_dt_s": 0.0},
    "clock": {"robot_dt_s": 5.0},
    "clock back": {"robot_dt_s": -5.0},
    "clock is nan": {"time_s": math.nan},
    "stall": {"dt_s": 0.5},
    "time back": {"dt_s": -0.1},
    "controller": {"stopped": True},
    "tool is nan": {"tool": HOME * math.nan},
    "joint is infinite": {"joints_rad": HOME_RAD * math.inf},
    "joint outside": {"joints_rad": HOME_RAD + 2.0},
    "away": {"tool": HOME + 0.5},
    "turned": {"tool": HOME + np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0])},
    "force": {"wrench": np.array([0.0, 31.0, 0.0, 0.0, 0.0, 0.0])},
    "torque": {"wrench": np.array([0.0, 0.0, 0.0, 0.0, 3.1, 0.0])},
    "almost force": {"wrench": np.array([0.0, 29.9, 0.0, 0.0, 2.9, 0.0])},
    "wrench is nan": {"wrench": np.full(6, math.nan)},
    "no wrench": {"wrench": None},
}
TARGETS = {
    "near": HOME + np.array([0.01, -0.005, 0.008, 0.05, 0.0, 0.02]),
    "home": HOME,
    "beyond": HOME + 0.4,
    "none": None,
    "nan": HOME * math.nan,
    "infinite": HOME * math.inf,
}
WORDS = ("arm", "start", "finish", "disarm", "reset")
steps = st.tuples(
    st.one_of(st.sampled_from(WORDS), st.sampled_from(list(Fault)), st.none()),
    st.one_of(st.just("nothing"), st.sampled_from(list(BROKEN))),
    st.one_of(st.just("near"), st.sampled_from(list(TARGETS))),
    st.sampled_from([1, 2, 7, 30]),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(steps, min_size=4, max_size=12), st.booleans())
def test_any_order_of_requests_and_faults_ends_in_the_same_state(
    plain: PlainEnvelope, asked: list[tuple[Any, str, str, int]], begun: bool
) -> None:
    both = Both(plain)
    if begun:
        both.ask("arm")
        both.ask("start")
    for request, broken, target, cycles in asked:
        changes = BROKEN[broken]
        if isinstance(request, Fault):
            both.ask("fault", request)
        elif request is not None:
            seen = {
                name: value for name, value in changes.items() if name in ("tool", "joints_rad", "wrench")
            }
            both.ask(request, **(seen if request == "arm" else {}))
        for _ in range(cycles):
            both.cycle(TARGETS[target], **changes)
            both.assert_the_same()


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_its_reaction(plain: PlainEnvelope, fault: Fault) -> None:
    both = Both(plain)
    both.ask("arm")
    both.ask("start")
    for _ in range(40):
        both.cycle(TARGETS["near"])
    both.ask("fault", fault)
    for _ in range(60):
        both.cycle(TARGETS["near"])
        both.assert_the_same()
    assert plain.said().state is not State.BLENDING


def test_a_hold_goes_on_and_one_that_stays_or_comes_too_often_is_a_stop(pegs: Bundle, tmp_path: Path) -> None:
    both = Both(PlainEnvelope(pegs, SAFETY, tmp_path))
    both.ask("arm")
    both.ask("start")
    for _ in range(DECLARED.most_holds):
        both.ask("fault", Fault.LATE)
        for _ in range(round(DECLARED.dwell_s / PERIOD_S) + 20):
            both.cycle(HOME)
        assert both.c.said().state is State.BLENDING
    both.ask("fault", Fault.LATE)
    for _ in range(30):
        both.cycle(HOME)
    assert (both.c.said().state, both.c.said().reason) == (State.STOPPED, Fault.HELD)
    both.assert_the_same()
    for word in ("reset", "arm", "start"):
        both.ask(word)
    for _ in range(round(DECLARED.hold_s / PERIOD_S) + 5):
        both.ask("fault", Fault.STALE)
        both.cycle(HOME)
    assert (both.c.said().state, both.c.said().reason) == (State.STOPPED, Fault.HELD)
    both.assert_the_same()


def test_a_fault_that_has_no_number_stops(plain: PlainEnvelope) -> None:
    both = Both(plain)
    both.ask("arm")
    for number in (-5, 200):
        plain._library.ask(4, ctypes.c_double(both.now_s), number)
    assert plain.said().reason is Fault.SEND
