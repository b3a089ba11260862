import json
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from cellwright_train.results.insertions import InsertionEvaluation, InsertionResult

HEADLINE = {
    "policy", "env", "episodes", "seed", "success_rate", "loose_success_rate", "broken", "lost", "cut_off",
    "cycle_time_s", "peak_force_n", "per_episode",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Card:
    """What every insertion's scorecard holds."""

    success: bool = True
    broken: bool = False
    lost: bool = False
    cycle_time_s: float = 2.0
    depth_share: float = 1.0
    lateral_m: float = 0.1e-3
    tilt_rad: float = 0.01
    peak_force_n: float = 8.0
    slip_m: float = 0.2e-3
    loose_success: bool = True

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def result(seed: int = 0, *, cut_off: bool = False, **changed: Any) -> InsertionResult:
    return InsertionResult.read(
        Card(**changed), seed=seed, product="round-8-0.5", conditions="c0", cut_off=cut_off
    )


def evaluation(*results: InsertionResult) -> InsertionEvaluation:
    return InsertionEvaluation(policy="p", env="e", seed=0, results=results)


FAILED = result(1, success=False, broken=True, cycle_time_s=9.0, peak_force_n=40.0, loose_success=False)


def test_the_json_has_the_documented_keys_and_no_others() -> None:
    told = evaluation(result()).as_json()
    assert set(told) == HEADLINE
    assert set(told["cycle_time_s"]) == set(told["peak_force_n"]) == {"median", "p95"}


def test_shares_count_parts_and_times_count_successes_only() -> None:
    told = evaluation(result(), FAILED, result(2, cycle_time_s=4.0)).as_json()
    assert told["success_rate"] == told["loose_success_rate"] == pytest.approx(2 / 3)
    assert (told["broken"], told["lost"], told["cut_off"]) == (1, 0, 0)
    assert told["cycle_time_s"]["median"] == pytest.approx(3.0)
    assert told["peak_force_n"]["median"] == pytest.approx(8.0)
    assert told["peak_force_n"]["p95"] > 30.0


def test_without_a_success_there_is_no_cycle_time() -> None:
    told = evaluation(FAILED).as_json()
    assert told["cycle_time_s"] == {"median": None, "p95": None}
    json.dumps(told, allow_nan=False)


def test_lengths_are_in_millimetres_and_angles_in_degrees() -> None:
    entry = result().as_json()
    assert (entry["lateral_mm"], entry["slip_mm"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert entry["tilt_deg"] == pytest.approx(0.573, abs=1e-3)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "seated"),
        ({"success": False, "broken": True}, "broken"),
        ({"success": False, "lost": True}, "lost"),
        ({"success": False}, "not seated"),
    ],
)
def test_a_result_says_how_it_ended(changed: dict[str, Any], told: str) -> None:
    assert result(**changed).outcome == told


@dataclass(frozen=True, kw_only=True)
class GearCard(Card):
    """A task's own scorecard with a field more."""

    turned_rad: float = 0.3


def test_what_a_task_adds_to_its_scorecard_is_kept_and_comes_back() -> None:
    gear = InsertionResult.read(GearCard(), seed=0, product="gear", conditions="", cut_off=True)
    assert gear.as_json()["turned_rad"] == 0.3
    assert InsertionResult.from_json(gear.as_json()) == gear
