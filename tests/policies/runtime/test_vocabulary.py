"""Quantities that mean nothing are refused where they are made, whoever makes them."""

from typing import Any

import numpy as np
import pytest

from cellwright_runtime.vocabulary import Component, ControllerSetup, Setting, as_written, number


@pytest.mark.parametrize("unit", ["mm", "deg", "mm/s", "degC", "J/m2"])
def test_a_unit_outside_the_vocabulary_is_refused_with_those_in_it(unit: str) -> None:
    with pytest.raises(ValueError, match=f"lateral: unit '{unit}' is not known here; use one of 1, m,"):
        Component(name="lateral", unit=unit, low=-1.0, high=1.0)


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (2.0, -2.0), (float("-inf"), 1.0), (0.0, float("nan"))]
)
def test_bounds_must_be_finite_and_ordered(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="finite low < high"):
        Component(name="lateral", unit="m", low=low, high=high)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"unit": "N/mm"}, "stiffness: unit 'N/mm' is not known"),
        ({"unit": "px"}, "stiffness: unit 'px' is not known"),
        ({"value": ()}, "stiffness: need one or more finite numbers"),
        ({"value": (float("nan"),)}, "stiffness: need one or more finite numbers"),
        ({"name": ""}, "has no name"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Setting(**{"name": "stiffness", "unit": "N/m", "value": (1.0,), **changed})


def test_what_a_setting_means_is_for_people() -> None:
    told = number("leash", "m", 5e-3, "most that the reference leads the tool")
    assert told == Setting(name="leash", unit="m", value=(5e-3,))


def test_a_setup_names_the_settings_that_it_has() -> None:
    leash, start = number("leash", "m", 5e-3, ""), Setting(name="start", unit="m", value=(0.0, 0.0, 0.012))
    setup = ControllerSetup(settings=(leash, start))
    np.testing.assert_array_equal(setup["start"], [0.0, 0.0, 0.012])
    with pytest.raises(ValueError, match="no controller setting 'stiffness'; there are: leash, start"):
        setup["stiffness"]
    with pytest.raises(ValueError, match="distinct names, got leash, leash"):
        ControllerSetup(settings=(leash, leash))


@pytest.mark.parametrize("written", [5e-3, 0.3, 0.25, 3.0, 2e-3, 0.015, -0.005])
def test_a_bound_that_went_through_float32_is_read_as_it_was_written(written: float) -> None:
    assert as_written(float(np.float32(written))) == written
    assert as_written(written) == written


def test_a_bound_that_never_was_float32_stays_as_it_is() -> None:
    assert as_written(0.1 + 1e-12) == 0.1 + 1e-12
