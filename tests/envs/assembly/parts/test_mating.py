"""Forces to plug a connector in: below their standards' limits, rising over millimetres, and friction."""

from __future__ import annotations

import numpy as np
import pytest

from cellwright_envs.assembly.connector_insertion import STRONG, ConnectorInsertion
from cellwright_envs.assembly.disturbances import NAMED
from cellwright_envs.assembly.parts.connectors import (
    CONNECTORS,
    FAMILIES,
    RAMP_M,
    SNAP_M,
    Connector,
    Latch,
)
from cellwright_envs.assembly.parts.mating import LIMIT_SHARE, MATING, STICK_N_M, Mating

# USB 2.0 (6.7), HDMI 1.3 (4.1.4), Harting's D-Sub of 9 poles, IEC 60603-7.
STANDARD_N = {"usb-a": 35.0, "hdmi": 44.1, "d-sub": 30.0, "modular": 20.0}
PLUGS: dict[str, Connector] = {part.family: part for part in CONNECTORS.parts}
DT_S = 4e-3


def at(depth_m: float) -> np.ndarray:
    part_f = np.eye(4)
    part_f[2, 3] = -depth_m
    return part_f


def pushed_in(mating: Mating, depth_m: float, *, start_m: float = 0.0) -> list[float]:
    """Force out of the socket on the way from `start_m` to a depth, in steps of 2 micrometres."""
    ways = np.arange(start_m, depth_m, 2e-6)
    return [float(mating.wrench_f(at(way), DT_S)[2]) for way in ways]


def test_every_family_has_a_template() -> None:
    assert set(MATING) == set(FAMILIES)


@pytest.mark.parametrize("family", STANDARD_N)
def test_the_strongest_plug_needs_no_more_than_its_standard_allows(family: str) -> None:
    plug = PLUGS[family]
    clicks_m = plug.depth_m - SNAP_M - RAMP_M
    peaks = [max(pushed_in(Mating(plug, share=share), clicks_m)) for share in LIMIT_SHARE]
    whole_n = max(pushed_in(Mating(plug, share=LIMIT_SHARE[1]), plug.depth_m))
    assert whole_n <= STANDARD_N[family]
    assert peaks[1] > 0.7 * STANDARD_N[family]
    assert peaks[0] < 0.6 * peaks[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_force_rises_over_millimetres_peaks_and_falls_to_a_plateau(family: str) -> None:
    plug, share = PLUGS[family], 0.8
    mating = Mating(plug, share=share)
    template = MATING[plug.family]
    depths_m = np.arange(0.0, plug.depth_m, 2e-6)
    force_n = np.array(pushed_in(mating, plug.depth_m))
    scale = plug.depth_m / template.home_mm
    begin_m, peak_m = (scale * each for each in template.ramp_mm)
    before_m = min(begin_m, scale * template.shell_from_mm if template.shell_n else begin_m)
    assert not force_n[depths_m < before_m].any()
    assert peak_m - begin_m > 1e-3
    rising = force_n[(depths_m > begin_m) & (depths_m < peak_m)]
    assert (np.diff(rising) > -1e-9).all()
    # Half of the ramp is half of the contacts' force.
    contacts_n = share * template.limit_n - template.shell_n
    half = force_n[np.searchsorted(depths_m, 0.5 * (begin_m + peak_m))]
    assert half == pytest.approx(template.shell_n + 0.5 * contacts_n, rel=0.03)
    open_m = plug.depth_m - 1.8e-3 if template.latch_n else plug.depth_m - 0.6e-3
    plateau = force_n[(depths_m > peak_m + 1.2 * scale * 0.5) & (depths_m < open_m)]
    np.testing.assert_allclose(plateau, template.shell_n + template.plateau * contacts_n, rtol=1e-3)


def test_contacts_hold_a_plug_that_is_let_go_and_resist_as_much_when_it_is_pulled() -> None:
    plug = PLUGS["hdmi"]
    mating = Mating(plug, share=0.8)
    depth_m = 0.9 * plug.depth_m
    in_n = pushed_in(mating, depth_m)[-1]
    # Let go, it springs back by its hold and no further: nothing drives it out.
    rest_m = depth_m - in_n / STICK_N_M
    assert mating.wrench_f(at(rest_m), DT_S)[2] == pytest.approx(0.0, abs=0.1)
    out_n = [float(mating.wrench_f(at(way), DT_S)[2]) for way in np.arange(rest_m, rest_m - 1.1e-3, -2e-6)]
    assert min(out_n) == pytest.approx(-in_n, rel=0.02)


def test_a_plug_without_contact_feels_nothing_and_torques_are_none() -> None:
    mating = Mating(PLUGS["hdmi"], share=0.9)
    assert not mating.wrench_f(at(-5e-3), DT_S).any()
    wrench = mating.wrench_f(at(6e-3), DT_S)
    assert not np.delete(wrench, 2).any()


def test_it_snaps_where_its_latch_does() -> None:
    plug = PLUGS["modular"]
    mating, latch = Mating(plug, share=0.5), Latch(depth_m=plug.depth_m, force_n=1.0)
    for way in np.arange(0.0, plug.depth_m, 2e-5):
        mating.wrench_f(at(way), DT_S)
        latch.wrench_f(at(way), DT_S)
        assert mating.latched is latch.latched
    assert mating.latched


def test_the_arm_pushes_what_the_strongest_plug_takes_at_its_softest() -> None:
    takes_n = LIMIT_SHARE[1] * max(template.limit_n for template in MATING.values())
    for name in ("train", "hard"):
        arm = NAMED[name].controller_gain
        push_n = STRONG.stiffness_n_m * arm.stiffness_factor[0] * STRONG.leash_m
        assert push_n - STRONG.dead_band_n - arm.extra_dead_band_n > takes_n, name
    limit_n = min(part.force_limit_n for part in CONNECTORS.parts)
    stiffest = NAMED["train"].controller_gain.stiffness_factor[1]
    assert limit_n > STRONG.stiffness_n_m * stiffest * STRONG.leash_m + STRONG.dead_band_n


def test_plugs_of_an_episode_differ() -> None:
    env = ConnectorInsertion(product="usb-a-0.3-0.8", disturbances="none")
    drawn = []
    for seed in range(20):
        env.reset(seed=seed)
        drawn.append(env._mating.peak_n)
        assert env.product.force_limit_n == 100.0
    assert min(drawn) >= LIMIT_SHARE[0] * 35.0
    assert max(drawn) <= LIMIT_SHARE[1] * 35.0
    assert max(drawn) > 1.5 * min(drawn)
    limits = env.layout.controller["force_limit"]
    assert limits.tolist() == [100.0, 100.0]
    env.close()
