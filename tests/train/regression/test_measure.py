import math

import pytest

from cellwright_train.regression.measure import Measure

TIME = Measure(name="time", unit="s", margin=2.0, worse="more")
DEPTH = Measure(name="depth", unit="mm", margin=0.5, worse="less")


def test_worse_is_positive_in_the_direction_of_the_measure() -> None:
    assert TIME.worsening(10.0, 13.0) == 3.0
    assert TIME.worsening(10.0, 9.0) == -1.0
    assert DEPTH.worsening(10.0, 9.0) == 1.0


def test_a_thousandth_of_the_margin_is_no_difference() -> None:
    assert TIME.worsening(10.0, 10.0019) == 0.0
    assert TIME.worsening(10.0, 9.9981) == 0.0
    assert TIME.worsening(10.0, 10.0021) == pytest.approx(0.0021)


def test_a_part_without_a_value_is_the_worse_one() -> None:
    assert TIME.worsening(10.0, None) == DEPTH.worsening(10.0, None) == math.inf
    assert TIME.worsening(None, 10.0) == DEPTH.worsening(None, 10.0) == -math.inf
    assert math.isnan(TIME.worsening(None, None))


@pytest.mark.parametrize("values", [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (None, -math.inf)])
def test_what_is_no_number_is_refused(values: tuple[float | None, float | None]) -> None:
    with pytest.raises(ValueError, match="time: need a finite value or None"):
        TIME.worsening(*values)


@pytest.mark.parametrize("margin", [0.0, -1.0, math.inf, math.nan])
def test_a_margin_that_excludes_nothing_or_everything_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="force: need a finite margin above 0"):
        Measure(name="force", unit="N", margin=margin, worse="more")


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="'more' or 'less', got 'larger'"):
        Measure(name="force", unit="N", margin=1.0, worse="larger")  # type: ignore[arg-type]
