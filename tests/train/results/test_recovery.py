"""When a policy is back after a change, and what it kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellwright_train.results.recovery import Moment, Recovery, kept, told


def recovery(*after: float, before: float = 0.8) -> Recovery:
    return Recovery(
        moments=tuple(
            Moment(steps=100 * index, parts=2 * index, seconds=3.0 * index, after=value, before=before)
            for index, value in enumerate(after)
        )
    )


def test_it_is_back_at_the_first_test_with_nine_tenths_of_the_yield_before() -> None:
    back = recovery(0.4, 0.71, 0.72, 0.6).back
    assert back is not None
    assert (back.steps, back.parts, back.seconds) == (200, 4, 6.0)
    assert recovery(0.4, 0.71).back is None
    assert recovery(0.72).back == recovery(0.72).moments[0]
    assert recovery(0.0, 0.5, before=0.0).back is None, "there was nothing to come back to"


def test_the_area_is_the_mean_of_yield_over_yield_before_and_never_above_1() -> None:
    assert recovery(0.4, 0.8).area == pytest.approx(0.75)
    assert recovery(0.4, 0.8, 0.8).area == pytest.approx(0.875)
    assert recovery(1.0, 1.0).area == 1.0
    assert recovery(0.4).area == pytest.approx(0.5)
    assert recovery(0.4, 0.8, before=0.0).area is None


def test_what_is_kept_counts_the_same_parts() -> None:
    assert kept([True, True, False, True], [True, False, True, False]) == pytest.approx(2 / 3)
    assert kept([False], [True]) is None


def test_it_is_read_from_the_metrics_of_a_run(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text(
        "step,time/minutes,time/parts,test/success_rate_after,test/success_rate_before\n"
        "0,0.5,,0.4,0.9\n1024,0.8,7,,\n2048,1.5,20,0.85,0.88\n"
    )
    read = Recovery.read(file)
    assert [moment.steps for moment in read.moments] == [0, 2048]
    assert read.back == Moment(steps=2048, parts=20, seconds=60.0, after=0.85, before=0.88)
    file.write_text("step,time/minutes\n0,0.5\n")
    with pytest.raises(ValueError, match="begins with a test"):
        Recovery.read(file)


def test_the_table_says_when(tmp_path: Path) -> None:
    def back(*after: float) -> str:
        return dict(told(recovery(*after), {"before": (8, 10)}))["back at 0.9 of the yield before"]

    assert back(0.8) == "never lost"
    assert back(0.4, 0.8) == "after 2 parts, 100 steps, 3 s"
    assert back(0.4, 0.4) == "not within these parts"
