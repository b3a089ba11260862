"""The toe angle: closed form against the parabola it comes from, and in the process."""

import math

import numpy as np
import pytest

from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.process.toe import butt_toe_rise_rad, fillet_toe_rise_rad
from cellwright_envs.welding.process.weld_process import Input, ProcessConstants, State, WeldProcess


def slope_at_toe(height: float, width: float) -> float:
    """Slope of the parabola of this height over this width, where it meets the base, by a small step."""
    step = 1e-7 * width
    return 4.0 * height * step * (width - step) / width**2 / step


@pytest.mark.parametrize(
    ("cap_mm", "width_mm", "toe_deg"),
    # tan 30 = 0.57735: a cap of 0.57735 / 4 of its width is at the limit of level B.
    [(0.0, 6.0, 180.0), (-0.5, 6.0, 180.0), (1.0, 8.0, 180.0 - 26.565), (0.86603, 6.0, 150.0)],
)
def test_the_toe_angle_of_a_butt_is_that_of_a_parabola(
    cap_mm: float, width_mm: float, toe_deg: float
) -> None:
    rise = butt_toe_rise_rad(cap_mm * 1e-3, width_mm * 1e-3)
    assert 180.0 - math.degrees(rise) == pytest.approx(toe_deg, abs=1e-3)
    assert math.tan(rise) == pytest.approx(slope_at_toe(max(cap_mm, 0.0), width_mm), abs=1e-6)


@pytest.mark.parametrize(
    ("upright_mm", "flat_mm", "convexity_mm", "toe_deg"),
    [
        (5.0, 5.0, 0.0, 135.0),
        # A parabola of 0.5 mm on a face of 5 sqrt 2: atan(2 / 7.0711) = 15.793 degrees.
        (5.0, 5.0, 0.5, 135.0 - 15.793),
        (5.0, 5.0, -0.5, 135.0 + 15.793),
        # The line between the toes meets the plate of the shorter leg at atan 2 = 63.435 degrees.
        (3.0, 6.0, 0.0, 180.0 - 63.435),
        (6.0, 3.0, 0.0, 180.0 - 63.435),
    ],
)
def test_the_toe_angle_of_a_fillet_is_that_at_its_steeper_toe(
    upright_mm: float, flat_mm: float, convexity_mm: float, toe_deg: float
) -> None:
    rise = fillet_toe_rise_rad(upright_mm * 1e-3, flat_mm * 1e-3, convexity_mm * 1e-3, False)
    assert 180.0 - math.degrees(rise) == pytest.approx(toe_deg, abs=1e-3)


def test_a_lap_weld_up_to_the_top_of_its_plate_has_a_toe_on_the_lower_plate_only() -> None:
    """atan(3 / 6) = 26.565 degrees there; the face ends at the upper plate's corner."""
    assert math.degrees(fillet_toe_rise_rad(3e-3, 6e-3, 0.0, True)) == pytest.approx(26.565, abs=1e-3)
    assert math.degrees(fillet_toe_rise_rad(6e-3, 3e-3, 0.0, True)) == pytest.approx(63.435, abs=1e-3)


def steady(name: str, **changed: float) -> tuple[np.ndarray, np.ndarray]:
    """Features and state (columns,) of a product's programme with inputs changed, without noise."""
    product = PRODUCTS[name]
    conditions = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), conditions, np.random.default_rng(0))
    inputs = conditions.inputs()[None].copy()
    for column, value in changed.items():
        inputs[0, Input[column]] = value
    return process.steady_features(inputs)[0], process.steady_state[0]


@pytest.mark.parametrize("name", [name for name, part in PRODUCTS.items() if part.joint == "butt"])
def test_the_process_measures_a_butt_from_its_cap(name: str) -> None:
    features, state = steady(name)
    wanted = math.atan(4.0 * state[State.CAP_HEIGHT_M] / features[Feature.FACE_WIDTH])
    assert features[Feature.TOE_RISE_RAD] == pytest.approx(wanted, rel=1e-12)
    assert 0.2 < wanted < 1.2
    assert features[Feature.ACTUAL_SIZE] == PRODUCTS[name].thickness_m


@pytest.mark.parametrize("offset_m", [0.0, 1e-3, -1e-3])
def test_the_process_measures_a_fillet_from_its_legs_and_convexity(offset_m: float) -> None:
    features, state = steady("tee-straight-3.2", LATERAL_OFFSET_M=offset_m)
    legs = state[State.LEFT_LEG_M], state[State.RIGHT_LEG_M]
    bulge = math.atan(4.0 * state[State.CAP_HEIGHT_M] / math.hypot(*legs))
    wanted = math.atan(max(legs) / min(legs)) + bulge
    assert features[Feature.TOE_RISE_RAD] == pytest.approx(wanted, rel=1e-12)
    assert (wanted - bulge > math.radians(46.0)) == (offset_m != 0.0)
    assert features[Feature.ACTUAL_SIZE] == pytest.approx(
        features[Feature.SIZE] + features[Feature.THROAT_EXCESS] - features[Feature.THROAT_DEFICIT]
    )


def test_a_lap_whose_upper_edge_is_melted_is_measured_at_the_lower_plate() -> None:
    features, state = steady("lap-straight-1.6")
    assert state[State.LEFT_LEG_M] == PRODUCTS["lap-straight-1.6"].thickness_m
    legs = state[State.LEFT_LEG_M], state[State.RIGHT_LEG_M]
    bulge = math.atan(4.0 * state[State.CAP_HEIGHT_M] / math.hypot(*legs))
    assert features[Feature.TOE_RISE_RAD] == pytest.approx(math.atan(legs[0] / legs[1]) + bulge, rel=1e-12)
