"""The search for what can be done with a part, and yields over what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_train.cli import main
from cellwright_train.errors import UsageError
from cellwright_train.results.feasible import Feasible
from cellwright_train.results.welds import WeldEvaluation, WeldResult
from cellwright_train.rollout.cell import Episode
from cellwright_train.rollout.search import searched

WANTED = np.array([0.5, -0.4])
STEPS = 8


class Card(NamedTuple):
    passed: dict[str, bool]
    defect_length_m: dict[str, float]
    defect_length_by_code_m: dict[int, float]
    weld_length_m: float = 0.1
    tracking_error_mean_m: float = 0.0
    tracking_error_p95_m: float = 0.0
    cycle_time_s: float = 1.0
    crashed: bool = False
    iso_edition: str = "2023"


class Product(NamedTuple):
    name: str


class Target(gymnasium.Env):
    """Good where the mean action of the second half comes within `within` of `WANTED`."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    family = "welding"
    product = Product("part")
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)

    def __init__(self, within: float) -> None:
        self.within, self.episodes = within, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.episodes += 1
        self.actions: list[NDArray[np.float32]] = []
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        return np.zeros(1, np.float32), 0.0, len(self.actions) == STEPS, False, {}

    def conditions_hash(self) -> str:
        return "abc"

    def scorecard(self) -> Card:
        away = float(np.abs(np.mean(self.actions[STEPS // 2 :], axis=0) - WANTED).max())
        good = away <= self.within
        return Card(dict.fromkeys("BCD", good), {"C": 0.0 if good else away / 1e3}, {})


class Change(Target):
    """Wants the opposite in the first half."""

    def conditions_hash(self) -> str:
        return "abc"

    def scorecard(self) -> Card:
        halves = [np.mean(half, axis=0) for half in (self.actions[: STEPS // 2], self.actions[STEPS // 2 :])]
        away = float(max(np.abs(halves[0] + WANTED).max(), np.abs(halves[1] - WANTED).max()))
        good = away <= self.within
        return Card(dict.fromkeys("BCD", good), {"C": 0.0 if good else away / 1e3}, {})


class Still:
    """Does nothing."""

    name = "still"

    def reset(self) -> None:
        """Nothing to forget."""

    def act(self, observation: Any) -> NDArray[np.float32]:
        return np.zeros(2, np.float32)


def test_one_try_is_the_policys_own() -> None:
    env = Target(0.1)
    result = searched(env, Still(), Episode(3), tries=1)
    assert env.episodes == 1
    assert not result.good
    assert result.shortfall == pytest.approx(0.5, rel=1e-6)


def test_a_search_ends_with_the_first_good_part() -> None:
    env = Target(0.6)
    assert searched(env, Still(), Episode(3), tries=50).good
    assert env.episodes == 1


def test_a_search_climbs_to_what_no_single_try_would_hit() -> None:
    """A box of a thousandth of the range: 300 tries at random would find it in one seed of four."""
    found = [searched(Target(0.03), Still(), Episode(seed), tries=300).good for seed in range(6)]
    assert sum(found) >= 5


def test_a_search_finds_what_has_to_change_on_the_way() -> None:
    found = [searched(Change(0.25), Still(), Episode(seed), tries=300).good for seed in range(6)]
    assert sum(found) >= 4


def test_it_gives_up_with_the_best_try() -> None:
    env = Target(-1.0)
    result = searched(env, Still(), Episode(3), tries=40)
    assert env.episodes == 40
    assert not result.good
    assert result.shortfall < 0.2


def test_tries_follow_from_the_seed() -> None:
    shortfalls = [searched(Target(-1.0), Still(), Episode(seed), tries=10).shortfall for seed in (3, 3, 4)]
    assert shortfalls[0] == shortfalls[1] != shortfalls[2]


# Yields over the parts that can be made good


def result(seed: int, good: bool, defect_mm: float = 8.0) -> WeldResult:
    return WeldResult(
        seed=seed,
        product="part",
        passed=dict.fromkeys("BCD", good),
        defect_mm=0.0 if good else defect_mm,
        defect_mm_by_code={},
        seam_mm=100.0,
        tracking_mean_mm=0.0,
        tracking_p95_mm=0.0,
        cycle_time_s=1.0,
        crashed=False,
        iso_edition="2023",
    )


def evaluation(*good: bool) -> WeldEvaluation:
    return WeldEvaluation(
        policy="p", env="e", seed=7, results=tuple(result(7 + i, each) for i, each in enumerate(good))
    )


ASKED = {"env": "e", "seed": 7, "products": "train", "disturbances": "hard"}


def written(path: Path, *good: bool, **changed: Any) -> Path:
    told = evaluation(*good).as_json() | {"products": "train", "disturbances": "hard", "tries": "9"} | changed
    path.write_text(json.dumps(told))
    return path


def test_yields_are_given_over_the_parts_that_a_search_made_good(tmp_path: Path) -> None:
    feasible = Feasible.read(written(tmp_path / "f.json", True, False, True, False), ASKED, 4)
    told = feasible.as_json(evaluation(True, False, False, False))
    assert told["found"] == 2
    assert told["parts"] == 2
    assert told["first_pass_yield"]["C"] == 0.5
    assert told["searched_by"] == "p, up to 9 tries"
    assert told["defect_mm_per_m"]["total"] == pytest.approx(40.0)


def test_a_part_that_the_policy_makes_good_is_feasible_whatever_the_search_found(tmp_path: Path) -> None:
    feasible = Feasible.read(written(tmp_path / "f.json", True, False), ASKED, 2)
    assert feasible.as_json(evaluation(False, True))["parts"] == 2


def test_a_longer_search_serves_a_shorter_evaluation(tmp_path: Path) -> None:
    feasible = Feasible.read(written(tmp_path / "f.json", True, True, True), ASKED, 2)
    assert feasible.seeds == {7, 8}


@pytest.mark.parametrize(
    ("changed", "episodes", "told"),
    [
        ({"env": "other"}, 2, "is of env 'other', not 'e'"),
        ({"disturbances": "train"}, 2, "is of disturbances 'train', not 'hard'"),
        ({"products": "all"}, 2, "is of products 'all'"),
        ({"seed": 8}, 2, "is of seed 8, not 7"),
        ({"line_change": "tilt"}, 2, "is of line_change 'tilt', not None"),
        ({}, 3, "has 2 parts, fewer than the 3"),
        ({"per_episode": 5}, 2, "holds no results of"),
        ({"per_episode": [{"seed": 7}]}, 1, "holds no results of"),
    ],
)
def test_a_search_over_other_parts_is_refused(
    tmp_path: Path, changed: dict[str, Any], episodes: int, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        Feasible.read(written(tmp_path / "f.json", True, False, **changed), ASKED, episodes)


PEG = ["--env", "cellwright/PegInsertion-v1", "--episodes", "2", "--seed", "900", "--workers", "1"]


def test_the_command_searches_and_reports_over_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search, results = tmp_path / "search.json", tmp_path / "results.json"
    easy = [*PEG, "--disturbances", "none"]
    assert main(["evaluate", "guide", *easy, "--tries", "2", "--json", str(search)]) == 0
    assert json.loads(search.read_text())["tries"] == "2"
    command = ["evaluate", "blind-insertion", *easy, "--feasible", str(search), "--json", str(results)]
    assert main(command) == 0
    told = json.loads(results.read_text())["feasible"]
    assert told["found"] == told["parts"] == 2
    assert "blind-insertion, 2 feasible" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tries", "0"], "--tries must be at least 1, got 0"),
        (["--tries", "3", "--report", "page.html"], "leave out --tries"),
        (["--feasible", "missing.json"], "missing.json"),
    ],
)
def test_impossible_options_get_one_line(
    options: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "blind-insertion", *PEG, *options]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
