"""The constants of the weld process and how they are drawn."""

import numpy as np
import pytest

from cellwright_envs.welding.process.columns import Constant
from cellwright_envs.welding.process.constants import ProcessConstants, draw_constants
from tools.documentation.source import field_texts, is_assumed


def test_constant_columns_match_the_dataclass_fields() -> None:
    names = [name.upper() for name in ProcessConstants.__dataclass_fields__]
    assert [column.name for column in Constant][Constant.MELTING_PER_CURRENT_M_S_A :] == names


def test_thresholds_follow_the_logistic_curve_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    draws = [draw_constants(rng) for _ in range(2000)]
    index = np.array([draw.lack_of_penetration_index for draw in draws])
    for value in (0.46, 0.50, 0.54):
        expected = 1.0 / (1.0 + np.exp(-(value - 0.50) / 0.04))
        assert np.mean(index < value) == pytest.approx(expected, abs=0.08)
    assert abs(index - 0.50).max() <= 2.5 * 0.04 + 1e-12
    burn = np.array([(d.burn_through_index, d.burn_through_heat_j_m2) for d in draws])
    assert np.corrcoef(burn.T)[0, 1] == pytest.approx(1.0)


def test_normal_constants_stay_within_two_deviations() -> None:
    rng = np.random.default_rng(1)
    drawn = np.array([draw_constants(rng).penetration_factor for _ in range(500)])
    factors = drawn / ProcessConstants().penetration_factor
    assert 0.06 < factors.std() < 0.11
    assert abs(factors - 1.0).max() <= 0.2


def test_every_constant_that_is_an_assumption_is_drawn_per_weld() -> None:
    first, second = (draw_constants(np.random.default_rng(seed)) for seed in (3, 4))
    assumed = [name for name, text in field_texts(ProcessConstants).items() if is_assumed(text)]
    assert len(assumed) > 30
    assert [name for name in assumed if getattr(first, name) == getattr(second, name)] == []


def test_without_scale_the_constants_are_central() -> None:
    assert draw_constants(np.random.default_rng(2), scale=0.0) == ProcessConstants()


@pytest.mark.parametrize("name", ["penetration_factor", "current_lag_s"])
def test_negative_constants_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=-1"):
        ProcessConstants(**{name: -1.0})
