import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.disturbances.sampling import SmoothField, named_stream, truncated_normal


def test_streams_differ_by_name_and_by_root() -> None:
    draws = {named_stream(root, name).random() for root in (1, 2) for name in ("a", "b")}
    assert len(draws) == 4
    assert named_stream(1, "a").random() in draws


def test_field_has_the_amplitude_and_correlation_it_was_drawn_with() -> None:
    fields = [
        SmoothField.draw(np.random.default_rng(seed), amplitude=2.0, correlation=0.1) for seed in range(4000)
    ]
    values = np.array([field.at(np.array([0.0, 0.1, 1.0])) for field in fields])
    assert values.mean() == pytest.approx(0.0, abs=0.08)
    assert values.std() == pytest.approx(2.0, rel=0.03)
    correlation = np.corrcoef(values.T)
    assert correlation[0, 1] == pytest.approx(np.exp(-1.0), abs=0.05)
    assert correlation[0, 2] == pytest.approx(0.0, abs=0.05)


@given(st.integers(0, 1000), st.floats(-5.0, 5.0))
def test_scalar_and_array_questions_agree_and_the_integral_is_one(seed: int, position: float) -> None:
    field = SmoothField.draw(np.random.default_rng(seed), amplitude=1.5, correlation=0.7)
    assert field.at_scalar(position) == pytest.approx(float(field.at(position)), abs=1e-9)
    step = 1e-4
    slope = (field.integral(position + step) - field.integral(position - step)) / (2.0 * step)
    assert slope == pytest.approx(field.at_scalar(position), abs=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 10.0))
def test_truncated_normal_stays_within_two_sigma(seed: int, sigma: float) -> None:
    assert abs(truncated_normal(np.random.default_rng(seed), sigma)) <= 2.0 * sigma * (1.0 + 1e-9)
