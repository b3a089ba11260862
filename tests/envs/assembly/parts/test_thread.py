"""The screw joint by itself: where threads catch, how they lead, what torque they take."""

from __future__ import annotations

from dataclasses import replace
from math import cos, inf, pi, radians
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.parts.nuts import NUTS, Nut
from cellwright_envs.assembly.parts.thread import (
    AXIAL_PLAY_M,
    CATCH_N,
    NO_LOAD,
    RADIAL_PLAY_M,
    SOCKET_N_M_RAD,
    TURN_RAD,
    WEDGE_N_M_RAD,
    Bite,
    BoltedJoint,
    Load,
    NutRunner,
    Thread,
    ThreadForm,
)

M16 = ThreadForm(diameter_m=16e-3, pitch_m=2e-3)
JOINT = BoltedJoint(
    form=M16,
    first_thread_m=4e-3,
    run_m=6e-3,
    bearing_diameter_m=20.8e-3,
    stiffness_n_m=1e6,
    friction=0.12,
    prevailing_n_m=0.05,
    start_rad=1.0,
)
PRESSED = Load(push_n=5.0)
DT_S = 1.0 / 240.0


def turned(thread: Thread, rad: float, load: Load = NO_LOAD, limit_n_m: float = inf) -> float:
    """Turn the socket by `rad` in small steps from where the nut is; the last torque between them."""
    start_rad, torque = thread.nut_rad, 0.0
    for fraction in np.linspace(0.0, 1.0, 400)[1:]:
        _, torque = thread.turn(start_rad + fraction * rad, load, limit_n_m)
    return torque


def caught(joint: BoltedJoint = JOINT, **load: float) -> Thread:
    """A thread whose nut was turned right under a push until just after the starts met."""
    thread = Thread(joint)
    turned(thread, joint.start_rad + 0.1, Load(**{"push_n": 5.0, **load}))
    return thread


def seated(joint: BoltedJoint = JOINT, *, beyond_rad: float) -> Thread:
    """A thread whose nut was run down and turned `beyond_rad` further."""
    thread = caught(joint)
    whole_rad = joint.run_m / joint.form.lead_m_rad + beyond_rad
    thread.nut_rad = thread.caught_rad + whole_rad
    return thread


# The form of the thread


@pytest.mark.parametrize(
    ("name", "pitch_mm", "pitch_diameter_mm", "minor_mm"),
    [("M10", 1.5, 9.026, 8.376), ("M12", 1.75, 10.863, 10.106), ("M16", 2.0, 14.701, 13.835)],
)
def test_diameters_are_those_of_iso_724(
    name: str, pitch_mm: float, pitch_diameter_mm: float, minor_mm: float
) -> None:
    form = NUTS.by_name[name].form
    assert form.pitch_m == pytest.approx(1e-3 * pitch_mm)
    assert form.pitch_diameter_m == pytest.approx(1e-3 * pitch_diameter_mm, abs=1e-6)
    assert form.minor_diameter_m == pytest.approx(1e-3 * minor_mm, abs=1e-6)


def test_impossible_joint_is_refused_with_its_value() -> None:
    with pytest.raises(ValueError, match="need run_m > 0"):
        replace(JOINT, run_m=0.0)
    with pytest.raises(ValueError, match=r"start_rad < 2 pi, got 7\.0"):
        replace(JOINT, start_rad=7.0)


# Catching


def test_threads_catch_where_their_starts_meet() -> None:
    thread = Thread(JOINT)
    turned(thread, 0.98, PRESSED)
    assert thread.bite is Bite.FREE
    assert thread.height_m == -JOINT.first_thread_m
    turned(thread, 0.04, PRESSED)
    assert thread.bite is Bite.ENGAGED
    assert thread.caught_rad == JOINT.start_rad


def test_starts_meet_once_a_turn() -> None:
    """Who misses them has to turn on for a whole turn."""
    thread = Thread(JOINT)
    turned(thread, 1.1)
    turned(thread, TURN_RAD - 0.2, PRESSED)
    assert thread.bite is Bite.FREE
    turned(thread, 0.2, PRESSED)
    assert thread.caught_rad == pytest.approx(JOINT.start_rad + TURN_RAD)


@pytest.mark.parametrize(
    "load",
    [
        Load(push_n=0.9 * CATCH_N),
        Load(push_n=5.0, lateral_m=1.01 * M16.lateral_limit_m),
        Load(push_n=-5.0),
    ],
)
def test_threads_do_not_catch_off_the_axis_or_without_a_push(load: Load) -> None:
    thread = Thread(JOINT)
    turned(thread, 3.0 * TURN_RAD, load)
    assert thread.bite is Bite.FREE


def test_threads_do_not_catch_turning_left() -> None:
    thread = Thread(JOINT)
    turned(thread, -3.0 * TURN_RAD, PRESSED)
    assert thread.bite is Bite.FREE
    assert thread.height_m == -JOINT.first_thread_m


@pytest.mark.parametrize("nut", NUTS.parts, ids=lambda nut: nut.name)
def test_a_nut_that_leans_by_more_than_a_quarter_pitch_catches_askew(nut: Nut) -> None:
    joint = replace(JOINT, form=nut.form)
    lifted_m = 0.25 * nut.pitch_m
    assert caught(joint, lean_rad=0.99 * lifted_m / nut.size_m).bite is Bite.ENGAGED
    thread = caught(joint, lean_rad=1.01 * lifted_m / nut.size_m)
    assert thread.bite is Bite.CROSSED
    assert thread.was_crossed


def test_a_cross_threaded_nut_wedges_and_comes_free_to_the_left() -> None:
    thread = caught(lean_rad=0.1)
    torque = turned(thread, 0.5)
    wedged_rad = thread.caught_turn_rad
    assert torque == pytest.approx(JOINT.prevailing_n_m + WEDGE_N_M_RAD * wedged_rad, rel=1e-6)
    assert thread.tightness_n_m == 0.0
    turned(thread, -1.0)
    assert thread.bite is Bite.FREE
    assert thread.was_crossed


# Leading


@pytest.mark.parametrize("nut", NUTS.parts, ids=lambda nut: nut.name)
def test_a_turn_leads_by_one_pitch(nut: Nut) -> None:
    thread = caught(replace(JOINT, form=nut.form))
    before_m, before_rad = thread.height_m, thread.nut_rad
    turned(thread, TURN_RAD)
    led_m = before_m - thread.height_m
    assert led_m / (thread.nut_rad - before_rad) == pytest.approx(nut.pitch_m / TURN_RAD)
    assert led_m == pytest.approx(nut.pitch_m, rel=1e-3)


def test_a_nut_turned_left_past_its_start_is_free_again() -> None:
    thread = caught()
    turned(thread, 2.0)
    turned(thread, -1.5)
    assert thread.bite is Bite.ENGAGED
    turned(thread, -1.0)
    assert thread.bite is Bite.FREE
    assert thread.height_m == -JOINT.first_thread_m


def test_what_is_left_to_turn_is_what_it_takes_to_the_torque() -> None:
    thread = Thread(JOINT)
    left_rad = thread.left_to_turn_rad(1.2)
    thread.turn(1.1, PRESSED)
    turned(thread, left_rad - thread.nut_rad + 1.2 / SOCKET_N_M_RAD)
    assert thread.tightness_n_m == pytest.approx(1.2, rel=1e-3)
    assert thread.left_to_turn_rad(1.2) == pytest.approx(0.0, abs=1e-3)


# Torque


@pytest.mark.parametrize("friction", [0.08, 0.12, 0.16])
@pytest.mark.parametrize("nut", NUTS.parts, ids=lambda nut: nut.name)
def test_tightening_torque_against_preload_is_that_of_vdi_2230(nut: Nut, friction: float) -> None:
    """M = F (0.16 P + 0.58 d2 mu_thread + D / 2 mu_bearing), factors rounded as in the guideline."""
    joint = replace(
        JOINT,
        form=nut.form,
        bearing_diameter_m=nut.bearing_diameter_m,
        friction=friction,
        prevailing_n_m=0.0,
    )
    thread = seated(joint, beyond_rad=1.0)
    torque, preload_n = turned(thread, 0.5), thread.clamp_n
    beyond_m = thread.caught_turn_rad * nut.pitch_m / TURN_RAD - joint.run_m
    assert preload_n == pytest.approx(joint.stiffness_n_m * beyond_m)
    pitch_diameter_m = nut.size_m - 0.6495 * nut.pitch_m
    arm_m = 0.16 * nut.pitch_m + friction * (0.58 * pitch_diameter_m + 0.5 * nut.bearing_diameter_m)
    assert torque / preload_n == pytest.approx(arm_m, rel=5e-3)
    assert thread.tightness_n_m == pytest.approx(torque)


def test_loosening_takes_less_by_twice_the_share_of_the_lead() -> None:
    joint = replace(JOINT, prevailing_n_m=0.0)
    thread = seated(joint, beyond_rad=1.0)
    right = turned(thread, 0.05) / thread.clamp_n
    left = turned(thread, -0.1) / thread.clamp_n
    assert right + left == pytest.approx(2.0 * M16.pitch_m / TURN_RAD, rel=1e-6)
    assert left < 0.0


def test_a_tight_nut_stays_when_the_socket_is_let_go() -> None:
    thread = seated(beyond_rad=1.0)
    turned(thread, 0.2)
    tight_rad, tight_n_m = thread.nut_rad, thread.tightness_n_m
    assert thread.turn(tight_rad)[1] == 0.0
    assert (thread.nut_rad, thread.tightness_n_m) == (tight_rad, tight_n_m)


def test_a_thread_without_friction_does_not_hold_its_preload() -> None:
    thread = seated(replace(JOINT, friction=0.0, prevailing_n_m=0.0), beyond_rad=1.0)
    before_rad = thread.nut_rad
    thread.turn(before_rad)
    assert thread.nut_rad < before_rad


def test_run_down_takes_the_prevailing_torque_and_a_push_helps_by_its_lead() -> None:
    assert turned(caught(), 1.0) == pytest.approx(JOINT.prevailing_n_m)
    pushed = turned(caught(), 1.0, Load(push_n=20.0))
    rubbing_m = JOINT.friction * M16.pitch_diameter_m / (2.0 * cos(radians(30.0)))
    work_m = M16.pitch_m / (2.0 * pi)
    assert pushed == pytest.approx(JOINT.prevailing_n_m + 20.0 * (rubbing_m - work_m))


def test_a_push_down_is_lifted_by_a_nut_turned_left() -> None:
    thread = caught()
    turned(thread, 3.0)
    rubbing_m = JOINT.friction * M16.pitch_diameter_m / (2.0 * cos(radians(30.0)))
    lifted = turned(thread, -1.0, Load(push_n=20.0))
    assert -lifted == pytest.approx(JOINT.prevailing_n_m + 20.0 * (rubbing_m + M16.pitch_m / TURN_RAD))


def test_a_nut_pushed_across_or_bent_takes_more_torque() -> None:
    straight = turned(caught(), 1.0, PRESSED)
    across = turned(caught(), 1.0, Load(push_n=5.0, side_n=10.0))
    bent = turned(caught(), 1.0, Load(push_n=5.0, moment_n_m=0.5))
    assert across - straight == pytest.approx(0.12 * 10.0 * 0.5 * M16.pitch_diameter_m)
    assert bent - straight == pytest.approx(0.12 * 0.5)


def test_socket_gets_no_further_than_its_torque_goes() -> None:
    thread = seated(beyond_rad=0.0)
    socket_rad, torque = thread.turn(thread.nut_rad + 5.0, NO_LOAD, 0.9)
    assert torque == pytest.approx(0.9)
    assert socket_rad - thread.nut_rad == pytest.approx(0.9 / SOCKET_N_M_RAD)
    assert thread.tightness_n_m == pytest.approx(0.9)


def test_a_spindle_too_weak_to_loosen_a_nut_leaves_it() -> None:
    thread = seated(beyond_rad=0.0)
    turned(thread, 2.0, limit_n_m=0.9)
    tight_rad = thread.nut_rad
    socket_rad, torque = thread.turn(tight_rad - 5.0, NO_LOAD, 0.4)
    assert (torque, thread.nut_rad) == (pytest.approx(-0.4), tight_rad)
    assert tight_rad - socket_rad == pytest.approx(0.4 / SOCKET_N_M_RAD)
    thread.turn(tight_rad - 1.0, NO_LOAD, 0.9)
    assert thread.nut_rad < tight_rad - 0.9


# The nut-runner


def part_f(*, z_m: float, x_m: float = 0.0, lean_rad: float = 0.0, yaw_rad: float = 0.0) -> Any:
    """The part's frame at `z_m` over the mouth, `x_m` off the axis, leaning towards x, turned about z."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    lean = np.array([[cos(lean_rad), 0, np.sin(lean_rad)], [0, 1, 0], [-np.sin(lean_rad), 0, cos(lean_rad)]])
    out = np.eye(4)
    out[:3, :3] = lean @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    out[:3, 3] = x_m, 0.0, z_m
    return out


def run(runner: NutRunner, seconds: float, **place: float) -> Any:
    """Hold the housing at a place, or let it follow the thread where `z_m` is not given; the last wrench."""
    wrench = np.zeros(6)
    for _ in range(round(seconds / DT_S)):
        follow_m = runner.thread.height_m - AXIAL_PLAY_M - 0.05e-3
        wrench = runner.wrench_f(part_f(**{"z_m": follow_m, **place}), DT_S)
    return wrench


def engaged() -> NutRunner:
    """A nut-runner whose nut has caught, and stands still."""
    runner = NutRunner(JOINT, torque_limit_n_m=2.2)
    runner.command_rev_s = 1.0
    run(runner, 0.5)
    runner.command_rev_s = 0.0
    run(runner, 0.3)
    assert runner.thread.bite is Bite.ENGAGED
    return runner


def test_a_nut_clear_of_the_thread_feels_nothing_and_spins() -> None:
    runner = NutRunner(JOINT, torque_limit_n_m=2.2)
    runner.command_rev_s = 1.0
    assert not run(runner, 1.0, z_m=-JOINT.first_thread_m + 1e-6, x_m=1e-3, lean_rad=0.05).any()
    assert runner.thread.nut_rad == pytest.approx(TURN_RAD, rel=0.06)
    assert runner.thread.bite is Bite.FREE


def test_motor_spins_up_to_its_command_and_counts_its_turns() -> None:
    runner = NutRunner(JOINT, torque_limit_n_m=2.2)
    runner.command_rev_s = -1.5
    run(runner, 2.0, z_m=5e-3)
    assert runner.speed_rev_s == -1.5
    assert runner.spindle_rad / TURN_RAD == pytest.approx(-3.0, abs=0.1)


def test_spindle_stalls_at_its_torque_on_a_tight_nut() -> None:
    runner = NutRunner(JOINT, torque_limit_n_m=0.9)
    runner.command_rev_s = 2.0
    run(runner, 4.0)
    stalled_rad = runner.spindle_rad
    wrench = run(runner, 0.5)
    assert runner.spindle_rad == pytest.approx(stalled_rad)
    assert runner.thread.tightness_n_m == pytest.approx(0.9, rel=1e-2)
    assert runner.peak_torque_n_m <= 0.9 + 1e-9
    # Turning right, the spindle turns the housing the other way, to the left, about +z.
    assert wrench[5] == pytest.approx(0.9)


def test_a_housing_that_turns_along_turns_the_nut_less() -> None:
    runner = engaged()
    before_rad, spindle_rad = runner.thread.nut_rad, runner.spindle_rad
    for yaw_rad in np.linspace(0.0, -0.1, 50):
        run(runner, DT_S, yaw_rad=float(yaw_rad))
    assert runner.spindle_rad == pytest.approx(spindle_rad)
    assert runner.thread.nut_rad - before_rad == pytest.approx(0.1, abs=5e-3)


def test_flanks_hold_a_caught_nut_both_ways_beyond_their_play() -> None:
    runner = engaged()
    height_m = runner.thread.height_m
    # A spring of 40 N/mm; the nut settles by a hair when its load changes.
    assert run(runner, 0.1, z_m=height_m + 0.9 * AXIAL_PLAY_M)[2] == 0.0
    assert run(runner, 0.1, z_m=height_m - AXIAL_PLAY_M - 0.1e-3)[2] == pytest.approx(4.0, rel=1e-3)
    assert run(runner, 0.1, z_m=height_m + AXIAL_PLAY_M + 0.1e-3)[2] == pytest.approx(-4.0, rel=1e-3)


def test_a_caught_nut_is_centred_and_straightened() -> None:
    runner = engaged()
    wrench = run(runner, 0.1, x_m=RADIAL_PLAY_M + 0.2e-3, lean_rad=0.05)
    assert wrench[0] == pytest.approx(-4.0)
    assert wrench[4] < -2.0  # about -y, back from a lean towards x
    assert run(runner, 0.1, x_m=0.9 * RADIAL_PLAY_M)[0] == 0.0


def test_a_nut_on_the_first_thread_is_centred_by_no_more_than_its_push() -> None:
    runner = NutRunner(JOINT, torque_limit_n_m=2.2)
    wrench = run(runner, 0.1, z_m=-JOINT.first_thread_m - 0.1e-3, x_m=1e-3)
    assert wrench[2] == pytest.approx(4.0)
    assert wrench[0] == pytest.approx(-4.0)


def test_a_nut_locks_itself_from_a_friction_of_the_lead_angles_tangent_on() -> None:
    """Friction of flanks that lean by 30 degrees counts 1 / cos 30 times: mu / cos 30 = P / (pi d2)."""
    tangent = M16.pitch_m / (pi * M16.pitch_diameter_m)

    def runs_down(friction: float) -> bool:
        joint = replace(JOINT, friction=friction, prevailing_n_m=0.0)
        thread = caught(joint)
        before_rad = thread.nut_rad
        # Pushed, and held by nothing but its friction: the socket follows without a torque.
        thread.turn(before_rad + 1.0, Load(push_n=50.0), 0.0)
        return thread.nut_rad > before_rad + 0.5

    low, high = 0.0, 0.5
    for _ in range(20):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if runs_down(middle) else (low, middle)
    assert low / cos(radians(30.0)) == pytest.approx(tangent, rel=0.05)
