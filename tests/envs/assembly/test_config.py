"""What cannot be configured."""

import math

import pytest

from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.config import InsertionConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("control_period_s", 0.0),
        ("step_m", 0.0),
        ("turn_rad", 0.0),
        ("box_m", -1.0),
        ("box_rad", 2.0),
        ("tilt_tolerance_rad", 0.0),
        ("lateral_tolerance_m", -1e-3),
        ("hold_s", -1.0),
        ("lost_m", -1.0),
        ("start_spread_m", -1e-3),
        ("start_spread_m", 0.0121),
        ("start_spread_rad", 0.151),
        ("sensor_low_pass", 0.0),
        ("seated_fraction", 1.0),
    ],
)
def test_an_impossible_cell_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        InsertionConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("damping_n_s_m", 0.0),
        ("leash_m", 0.0),
        ("leash_rad", math.inf),
        ("virtual_inertia_kg_m2", 0.0),
        ("filter_s", math.nan),
        ("dead_band_n", math.inf),
        ("dead_band_n_m", -1e-3),
    ],
)
def test_an_impossible_controller_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"ComplianceConfig: need {name} >"):
        ComplianceConfig(**{name: value})
