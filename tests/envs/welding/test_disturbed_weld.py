"""Whatever is drawn happens in the weld: each disturbance by itself, in what is seen, felt and welded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.disturbances.actuation import ActuatorLatency
from cellwright_envs.disturbances.camera import FrameDelivery
from cellwright_envs.disturbances.exposure import Exposure, SensorNoise
from cellwright_envs.welding.disturbances import NAMED, WeldDisturbances
from cellwright_envs.welding.disturbances.fixture import HeatDrift
from cellwright_envs.welding.disturbances.optics import ArcGlare, Reflectance, Smoke, Spatter
from cellwright_envs.welding.disturbances.process import Draught, GasFlow, SupplyVoltage, WireFeedSlip
from cellwright_envs.welding.part.paths import straight
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.weld_seam import WeldSeam

NAMES = [each.name for each in fields(WeldDisturbances) if each.name not in ("pool_view", "meter_error")]
"""The two others have tests of their own: `test_pool_camera.py`, `test_seam_following.py`."""
SEED = 3
SHORT = replace(PRODUCTS["butt-straight-2.3"], name="short-butt", path=straight(0.08))
STEPS = 210
"""Nearly the whole seam of `SHORT`."""
STILL = np.zeros(5, dtype=np.float32)
SURE = {
    name: replace(getattr(NAMED["train"], name), probability=1.0)
    for name in ("fixture_bump", "gap_step", "procedure_change")
} | {
    "frame_delivery": FrameDelivery(drop_probability=0.1, late_probability=0.1),
    "actuator_latency": ActuatorLatency(steps=(2, 2)),
}
"""At the strength of training, but happening in this one episode for certain."""
SIGHT, WELD, VIEWS = {"image", "seam"}, {"welded", "pool"}, {"image", "pool"}
CHANGES: dict[str, set[str]] = {
    "fixture_offset": SIGHT | WELD | {"signals"},
    "part_warp": SIGHT | WELD | {"signals"},
    "gap_profile": SIGHT | WELD,
    "misalignment": SIGHT | {"welded"},
    "thickness_batch": {"image", "signals"} | WELD,
    "tack_welds": SIGHT | WELD | {"signals"},
    "heat_drift": SIGHT | WELD,
    "wire_feed_slip": {"signals"} | WELD,
    "supply_voltage": {"signals"} | WELD,
    "gas_flow": {"signals"},
    "draught": {"signals"},
    "plate_temperature": {"signals"} | WELD,
    "process_spread": {"signals"} | WELD,
    "arc_glare": VIEWS,
    "spatter": VIEWS,
    "smoke": VIEWS,
    "exposure": VIEWS,
    "reflectance": VIEWS | SIGHT,
    "sensor_noise": VIEWS | SIGHT,
    "frame_delivery": SIGHT,
    "camera_calibration": SIGHT,
    "tool_centre_point": SIGHT | WELD | {"signals"},
    "actuator_latency": SIGHT | WELD | {"signals"},
    "backlash": SIGHT | WELD | {"signals"},
    "fixture_bump": SIGHT | WELD | {"signals"},
    "gap_step": SIGHT | WELD,
    "procedure_change": SIGHT | WELD | {"signals"},
}
"""What each changes, and all that it changes: training has too little gas or draught for pores, and as little
light or spatter alone moves no point of the laser line, which the sensor's noise would do."""
OTHER: dict[str, dict[str, Any]] = {
    "fixture_offset": {
        "sigma_m": 0.0,
        "rotation_sigma_rad": 0.0,
        "mean_m": (0, 0, 1e-4),
        "mean_yaw_rad": 0.01,
    },
    "part_warp": {"lateral_m": 0.0, "height_m": 0.0, "correlation_m": (0.2, 0.2)},
    "gap_profile": {
        "limit_of_thickness": 0.0,
        "limit_m": 0.0,
        "correlation_m": (0.1, 0.1),
        "mean_of_limit": 0.5,
    },
    "misalignment": {"limit_of_thickness": 0.0, "limit_m": 0.0, "correlation_m": (0.2, 0.2)},
    "thickness_batch": {"deviation": 0.0, "mean_deviation": -0.05},
    "tack_welds": {
        "height_m": (0.0, 0.0),
        "length_m": (8e-3, 9e-3),
        "pitch_m": (0.03, 0.04),
        "ramp_m": (1e-3, 1.1e-3),
        "ground_to_of_thickness": (0.05, 0.05),
    },
    "heat_drift": {"sigma_per_100_mm_m": 0.0, "limit_m": 0.3e-3, "correlation_m": 0.03, "lag_s": 8.0},
    "wire_feed_slip": {"slip": (0.0, 0.0), "variation": 0.0, "correlation_s": 2.0},
    "supply_voltage": {"limit_v": 0.0, "correlation_s": 4.0},
    "gas_flow": {
        "nominal_l_min": 8.0,
        "deviation_l_min": (0.0, 0.0),
        "loss_probability": 1.0,
    },
    "draught": {"limit_m_s": 0.0, "correlation_s": 0.7},
    "plate_temperature": {"above_ambient_k": (0.0, 0.0)},
    "process_spread": {"scale": 0.0},
    "arc_glare": {"radius_px": (0.0, 0.0), "halo_px": 3.0},
    "spatter": {"streaks_per_s": (0.0, 0.0), "length_px": 4.0, "frame_period_s": 0.02},
    "smoke": {"contrast_loss": (0.0, 0.0), "veil_level": 30.0, "correlation_s": 1.0},
    "exposure": {
        "gain_deviation": 0.0,
        "drift": 0.0,
        "offset_levels": 0.0,
        "mean_gain": 0.7,
        "correlation_s": 2.0,
    },
    "reflectance": {
        "albedo_deviation": 0.0,
        "false_line_levels": 0.0,
        "mean_albedo": 0.7,
        "correlation_s": 2.0,
    },
    "sensor_noise": {"read_levels": 0.0, "shot_levels": 0.0},
    "frame_delivery": {"drop_probability": 0.0, "late_probability": 0.0, "late_frames": 5},
    "camera_calibration": {
        "translation_sigma_m": 0.0,
        "rotation_sigma_rad": 0.0,
        "mean_translation_m": (0.0, 1e-3, 0.0),
    },
    "tool_centre_point": {
        "lateral_m": 0.0,
        "along_m": 0.0,
        "cast_m": (0.0, 0.0),
        "cast_period_s": (3.0, 3.0),
        "mean_m": (0.0, 0.0, 1e-3),
    },
    "actuator_latency": {"steps": (0, 0)},
    "backlash": {"play_m": (0.0, 0.0)},
    "fixture_bump": {
        "probability": 0.0,
        "jump_m": (0.2e-3, 0.2e-3),
        "height_fraction": 0.0,
        "at_fraction": (0.1, 0.1),
    },
    "gap_step": {
        "probability": 0.0,
        "extra_of_thickness": (0.05, 0.05),
        "limit_m": 0.1e-3,
        "at_fraction": (0.1, 0.1),
        "length_fraction": (0.05, 0.05),
    },
    "procedure_change": {
        "probability": 0.0,
        "wire_feed": 0.0,
        "voltage_v": 0.0,
        "travel_speed": 0.0,
        "at_fraction": (0.05, 0.05),
    },
}
"""Every field of every disturbance with another value, mostly the one that switches it off."""


class Step(NamedTuple):
    """What one control step of an episode showed, and the bead that it laid."""

    image: NDArray[np.uint8]
    """Of the seam camera (2, H, W)."""
    pool: NDArray[np.uint8]
    """Of the pool camera (H, W)."""
    seam: NDArray[np.float32]
    signals: NDArray[np.float32]
    welded: NDArray[np.float64]


@pytest.fixture(scope="module")
def env() -> Iterator[WeldSeam]:
    """A cell whose torch goes where it is told, whatever the seam sensor measures.

    So a disturbance shows where it acts itself, and nowhere else.
    """
    env = WeldSeam(product=SHORT, disturbances="none", privileged=True, record_trace=True)
    env.interface._follower.rate = lambda axis, offset_m: 0.5 * offset_m / env.config.offset_m
    yield env
    env.close()


def wiggle(step: int) -> NDArray[np.float32]:
    """The same actions whatever is seen: a little of everything, so that late or lost motion shows."""
    periods = (3.0, 4.0, 7.0, 5.0, 6.0)
    sizes = (0.15, 0.1, 0.2, 0.2, 0.2)
    return np.array(
        [size * np.cos(step / p) for size, p in zip(sizes, periods, strict=True)], dtype=np.float32
    )


def episode(env: WeldSeam, disturbances: WeldDisturbances) -> Iterator[Step]:
    """The steps of one weld, up to its end or `STEPS`."""
    observation, _ = env.reset(seed=SEED, options={"disturbances": disturbances})
    for step in range(STEPS):
        views, bead = observation["image"], env.process.features[0].copy()
        yield Step(views[:2], views[2], observation["seam"], observation["signals"], bead)
        observation, _, terminated, _, _ = env.step(wiggle(step))
        if terminated:
            return


def changed(some: list[Step], others: list[Step]) -> set[str]:
    return {
        name
        for name in Step._fields
        if any(
            not np.array_equal(getattr(a, name), getattr(b, name)) for a, b in zip(some, others, strict=False)
        )
    }


@pytest.fixture(scope="module")
def undisturbed(env: WeldSeam) -> list[Step]:
    return list(episode(env, NAMED["none"]))


def training(name: str) -> Any:
    return SURE.get(name, getattr(NAMED["train"], name))


def alone(name: str, disturbance: Any) -> WeldDisturbances:
    return replace(NAMED["none"], **{name: disturbance})


def test_an_undisturbed_weld_is_the_same_again(env: WeldSeam, undisturbed: list[Step]) -> None:
    assert len(undisturbed) == STEPS
    assert not changed(undisturbed, list(episode(env, NAMED["none"])))


@pytest.mark.parametrize("name", NAMES)
def test_every_disturbance_of_training_changes_what_is_seen_felt_or_welded(
    env: WeldSeam, undisturbed: list[Step], name: str
) -> None:
    assert changed(undisturbed, list(episode(env, alone(name, training(name))))) == CHANGES[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_disturbance_changes_the_weld(env: WeldSeam, name: str) -> None:
    disturbance = training(name)
    full = list(episode(env, alone(name, disturbance)))
    spared = {"longest_seam_m", "loss_start_s", "loss_duration_s", "loss_remaining"}
    assert {each.name for each in fields(disturbance)} == set(OTHER[name]) | (
        spared & {each.name for each in fields(disturbance)}
    )
    for field, value in OTHER[name].items():
        other = episode(env, alone(name, replace(disturbance, **{field: value})))
        assert any(changed([a], [b]) for a, b in zip(full, other, strict=False)), field


# What is seen, pixel by pixel: the torch moves as without them


def seen(env: WeldSeam, disturbances: WeldDisturbances, step: int) -> NDArray[np.float64]:
    """The picture after `step` control steps, (2, H, W)."""
    for number, each in enumerate(episode(env, disturbances)):
        if number == step:
            return each.image.astype(np.float64)
    raise AssertionError("the episode is too short")


@pytest.fixture(scope="module")
def clean(undisturbed: list[Step]) -> NDArray[np.float64]:
    return undisturbed[50].image.astype(np.float64)


def test_smoke_takes_contrast_and_puts_a_veil_in_its_place(env: WeldSeam, clean: NDArray[np.float64]) -> None:
    image = seen(env, alone("smoke", Smoke(contrast_loss=(0.3, 0.3), veil_level=80.0)), 50)
    np.testing.assert_allclose(image, 0.7 * clean + 0.3 * 80.0, atol=0.51)


def test_black_level_lifts_every_pixel(env: WeldSeam, clean: NDArray[np.float64]) -> None:
    image = seen(env, alone("exposure", Exposure(offset_levels=20.0)), 50)
    lifted = env.disturbed.exposure.offset_levels
    assert 2.0 < lifted <= 20.0
    np.testing.assert_allclose(image, np.minimum(clean + lifted, 255.0), atol=0.51)


def test_gain_and_albedo_scale_every_pixel(env: WeldSeam, clean: NDArray[np.float64]) -> None:
    image = seen(env, alone("exposure", Exposure(mean_gain=0.6)), 50)
    np.testing.assert_allclose(image, 0.6 * clean, atol=0.51)
    image = seen(env, alone("reflectance", Reflectance(mean_albedo=0.8)), 50)
    np.testing.assert_allclose(image, 0.8 * clean, atol=0.51)


def test_false_line_runs_across_the_picture_where_the_surface_is_ground(
    env: WeldSeam, clean: NDArray[np.float64]
) -> None:
    image = seen(env, alone("reflectance", Reflectance(false_line_levels=90.0)), 50)
    surface, size = env.disturbed.reflectance, image.shape[-1]
    assert 10.0 < surface.false_line_level <= 90.0
    columns = np.arange(size) - 0.5 * (size - 1)
    row = size * surface.false_line_position(50 * env.config.control_period_s)
    away = np.abs(np.arange(size)[:, None] - row - surface.false_line_slope * columns)
    added = surface.false_line_level * np.maximum(1.0 - 0.5 * away, 0.0)
    np.testing.assert_allclose(image, np.minimum(clean + added, 255.0), atol=1.01)
    assert np.ptp(row + surface.false_line_slope * columns) > 2.0


def test_shot_noise_grows_with_the_light_and_read_noise_does_not(
    env: WeldSeam, clean: NDArray[np.float64]
) -> None:
    dark, bright = (clean > 8.0) & (clean < 40.0), (clean > 90.0) & (clean < 220.0)
    for noise, grows in ((SensorNoise(shot_levels=0.25), True), (SensorNoise(read_levels=4.0), False)):
        error = seen(env, alone("sensor_noise", noise), 50) - clean
        drawn = env.disturbed.sensor_noise
        for region in (dark, bright):
            variance = drawn.read_levels**2 + drawn.shot_levels * clean[region].mean()
            assert np.std(error[region]) == pytest.approx(np.sqrt(variance), rel=0.15)
        assert (np.std(error[bright]) > 1.5 * np.std(error[dark])) == grows


def test_the_arc_saturates_its_disc_and_throws_spatter_while_it_burns_and_no_longer(
    env: WeldSeam, undisturbed: list[Step]
) -> None:
    """A disc of 6 px has 113 of them; streaks are many here, so that every frame has some."""
    lit = list(episode(env, alone("arc_glare", ArcGlare(radius_px=(6.0, 6.0), halo_px=1.0))))
    thrown = list(episode(env, alone("spatter", Spatter(streaks_per_s=(400.0, 400.0)))))
    burning = [bool(step.signals[0] > 0.0) for step in undisturbed]
    assert 10 < burning.index(True) < 90
    for number, burns in enumerate(burning):
        clean = undisturbed[number].image
        for disturbed, most in ((lit, 90), (thrown, 5)):
            white = np.count_nonzero((disturbed[number].image == 255) & (clean < 255), axis=(1, 2))
            assert (white[0] > most) == burns, number


# What the process feels: the truth that a critic is shown, and what it does to the bead


def privileged(env: WeldSeam, disturbances: WeldDisturbances, steps: int) -> list[dict[str, float]]:
    """The true state after each control step without any correction."""
    env.reset(seed=SEED, options={"disturbances": disturbances})
    names = env.privileged_names
    return [dict(zip(names, env.step(STILL)[0]["privileged"].tolist(), strict=True)) for _ in range(steps)]


def test_wire_that_slips_is_missing_in_the_bead(env: WeldSeam) -> None:
    usual = privileged(env, NAMED["none"], 150)[-1]
    slipped = privileged(env, alone("wire_feed_slip", WireFeedSlip(slip=(0.1, 0.1))), 150)[-1]
    assert slipped["wire_slip"] == pytest.approx(0.9)
    assert slipped["current"] < 0.96 * usual["current"]
    assert slipped["cap_height"] < usual["cap_height"] - 0.05e-3


def test_a_source_that_delivers_another_voltage_than_was_set_lays_another_bead(env: WeldSeam) -> None:
    usual = privileged(env, NAMED["none"], 150)
    before_v = env.trace()["voltage_v"][-40:].mean()
    disturbances = alone("supply_voltage", SupplyVoltage(limit_v=1.5))
    state = privileged(env, disturbances, 150)
    offset_v = env.disturbed.supply_voltage.offset_v(150 * env.config.control_period_s)
    assert abs(offset_v) > 0.3
    assert state[-1]["supply_offset"] == pytest.approx(offset_v, rel=1e-5)
    assert np.sign(state[-1]["width"] - usual[-1]["width"]) == np.sign(offset_v)
    shown_v = env.trace()["voltage_v"][-40:].mean()
    assert shown_v - before_v == pytest.approx(offset_v, abs=0.3)


@pytest.mark.parametrize(
    "lost", [{"gas_flow": GasFlow(deviation_l_min=(-9.0, -9.0))}, {"draught": Draught(limit_m_s=6.0)}]
)
def test_without_enough_gas_or_in_a_gust_the_shielding_fails(env: WeldSeam, lost: dict[str, Any]) -> None:
    usual = privileged(env, NAMED["none"], 200)
    name, disturbance = next(iter(lost.items()))
    state = privileged(env, alone(name, disturbance), 200)
    assert min(step["shielding"] for step in usual[60:]) > 0.99
    assert min(step["shielding"] for step in state[60:]) < 0.6
    assert set(env.scorecard().defect_length_by_code_m) & {2011, 2012, 2013, 2017}


def test_heat_moves_the_seam_by_what_was_drawn_once_the_arc_burns(env: WeldSeam) -> None:
    usual = privileged(env, NAMED["none"], 190)
    before = env.trace()
    drifting = privileged(env, alone("heat_drift", HeatDrift(sigma_per_100_mm_m=1e-3)), 190)
    trace, period_s = env.trace(), env.config.control_period_s
    moved_m = trace["lateral_error_m"] - before["lateral_error_m"]
    struck = int(np.flatnonzero(trace["current_a"])[0])
    np.testing.assert_allclose(moved_m[:struck], 0.0, atol=1e-6)
    for step in (struck + 80, 189):
        welded_m = float(trace["path_position_m"][step])
        expected_m = env.disturbed.heat_drift.offset_m((step - struck + 1) * period_s, welded_m)
        assert moved_m[step] == pytest.approx(expected_m, abs=2e-6)
    assert abs(expected_m) > 0.1e-3
    assert drifting[-1]["lateral_error_0_mm_ahead"] - usual[-1]["lateral_error_0_mm_ahead"] == pytest.approx(
        moved_m[-1], abs=2e-6
    )


def test_a_late_frame_is_the_one_before_it_from_the_second_on() -> None:
    seen = {}
    for late in (0.0, 1.0):
        delivery = FrameDelivery(drop_probability=0.0, late_probability=late, late_frames=1)
        env = WeldSeam(product=SHORT, disturbances=replace(NAMED["none"], frame_delivery=delivery))
        images = [env.reset(seed=0)[0]["image"]]
        images += [env.step(np.zeros(5, np.float32))[0]["image"] for _ in range(4)]
        env.close()
        seen[late] = images
    for number in range(4):
        np.testing.assert_array_equal(seen[1.0][number + 1], seen[0.0][number])
    assert not np.array_equal(seen[0.0][1], seen[0.0][2])
