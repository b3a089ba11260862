from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest

from cellwright_train.cell import CellChoice, Episode, EpisodeResult, products_of, run_episode
from cellwright_train.errors import UsageError
from cellwright_train.evaluation import Evaluation, episode_plan, evaluate, run_plan
from cellwright_train.policies_by_name import PolicyReference, resolve_policy

TOP_LEVEL = {
    "policy", "env", "episodes", "seed", "first_pass_yield", "defect_mm_per_m", "tracking_error_mm",
    "cycle_time_s", "crashes", "per_episode",
}  # fmt: skip


def result(seed: int = 0, **changed: Any) -> EpisodeResult:
    values = {
        "seed": seed,
        "product": "lap",
        "passed": {"B": False, "C": True, "D": True},
        "defect_mm": 4.0,
        "defect_mm_by_code": {"5011": 3.0, "2017": 2.0},
        "seam_mm": 160.0,
        "tracking_mean_mm": 0.2,
        "tracking_p95_mm": 0.5,
        "cycle_time_s": 20.0,
        "crashed": False,
    }
    return EpisodeResult(**(values | changed))


def evaluation(*results: EpisodeResult) -> Evaluation:
    return Evaluation(policy="p", env="e", seed=0, results=results)


def test_the_json_has_the_documented_keys_and_no_others() -> None:
    told = evaluation(result(), result(1)).as_json()
    assert set(told) == TOP_LEVEL
    assert set(told["first_pass_yield"]) == {"B", "C", "D"}
    assert set(told["defect_mm_per_m"]) == {"total", "by_code"}
    assert set(told["tracking_error_mm"]) == {"mean", "p95"}
    assert {"seed", "product", "passed", "defect_mm", "cycle_time_s", "tracking_error_mm", "crashed"} <= set(
        told["per_episode"][0]
    )


def test_yields_count_parts_and_defects_count_millimetres_per_metre() -> None:
    scrap = result(1, passed={"B": False, "C": False, "D": False}, defect_mm=80.0, seam_mm=80.0, crashed=True)
    told = evaluation(result(), scrap).as_json()
    assert told["first_pass_yield"] == {"B": 0.0, "C": 0.5, "D": 0.5}
    assert told["defect_mm_per_m"]["total"] == pytest.approx(84.0 / 0.24)
    assert told["defect_mm_per_m"]["by_code"]["5011"] == pytest.approx(6.0 / 0.24)
    assert told["crashes"] == 1


def test_seeds_count_up_and_products_take_turns() -> None:
    plan = episode_plan(7, 4, ("a", "b", "c"))
    assert [(e.seed, e.product) for e in plan] == [(7, "a"), (8, "b"), (9, "c"), (10, "a")]


@pytest.mark.parametrize(("episodes", "seed"), [(0, 0), (-1, 0), (3, -1)])
def test_plans_without_episodes_or_with_negative_seeds_are_refused(episodes: int, seed: int) -> None:
    with pytest.raises(UsageError, match="must be"):
        episode_plan(seed, episodes, ())


def test_splits_cover_all_products_once() -> None:
    train, held_out = products_of("train"), products_of("held-out")
    assert sorted((*train, *held_out)) == sorted(products_of("all"))
    assert products_of(train[0]) == (train[0],)
    with pytest.raises(UsageError, match="did you mean 'held-out'"):
        products_of("heldout")


class Card(NamedTuple):
    passed: dict[str, bool]
    defect_length_m: dict[str, float]
    defect_length_by_code_m: dict[int, float]
    weld_length_m: float = 0.1
    tracking_error_mean_m: float = 1e-4
    tracking_error_p95_m: float = 3e-4
    cycle_time_s: float = 12.0
    crashed: bool = False


class Counting(gymnasium.Env):
    """Ends after three steps; passes when the actions add up."""

    observation_space = gymnasium.spaces.Dict({"seam": gymnasium.spaces.Box(-1, 1, (2,))})
    action_space = gymnasium.spaces.Box(-1, 1, (5,))

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self.options, self.total, self.steps = options, 0.0, 0
        return {"seam": np.zeros(2, np.float32)}, {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.total += float(action[0])
        self.steps += 1
        good = self.total > 1.0
        card = Card(
            passed={"B": False, "C": good, "D": True},
            defect_length_m={"B": 0.1, "C": 0.0 if good else 0.1, "D": 0.0},
            defect_length_by_code_m={} if good else {5011: 0.1},
        )
        over = self.steps == 3
        return {"seam": np.zeros(2, np.float32)}, 0.0, over, False, {"scorecard": card} if over else {}


class Steady:
    name, needs_privileged = "steady", False

    def __init__(self, value: float) -> None:
        self.value, self.resets = value, 0

    def reset(self) -> None:
        self.resets += 1

    def act(self, observation: Any) -> np.ndarray:
        return np.full(5, self.value, np.float32)


def test_an_episode_ends_with_what_inspection_says() -> None:
    policy = Steady(0.5)
    welded = run_episode(Counting(), policy, Episode(3, "lap"))
    assert (welded.seed, welded.product, welded.passed["C"]) == (3, "lap", True)
    assert (welded.seam_mm, welded.tracking_mean_mm) == (pytest.approx(100.0), pytest.approx(0.1))
    assert policy.resets == 1
    failed = run_episode(Counting(), Steady(0.1), Episode(3, "lap"))
    assert failed.defect_mm_by_code == {"5011": pytest.approx(100.0)}


def test_the_product_is_chosen_at_reset() -> None:
    env = Counting()
    run_episode(env, Steady(0.0), Episode(3, "tee"))
    assert env.options == {"product": "tee"}


def test_an_episode_that_is_cut_off_is_an_error_not_a_pass() -> None:
    env = gymnasium.wrappers.TimeLimit(Counting(), 2)
    with pytest.raises(UsageError, match="cut off"):
        run_episode(env, Steady(0.5), Episode(3, "lap"))


CELL = CellChoice(products=("tee-straight-3.2",), disturbances="train")
SHORT = (Episode(11, "tee-straight-3.2"), Episode(12, "tee-straight-3.2"))


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    expert = resolve_policy("taught-program")
    alone = evaluate(expert, CELL, SHORT, workers=1, progress=False)
    assert evaluate(expert, CELL, SHORT, workers=2, progress=False) == alone
    assert [r.seed for r in alone.results] == [11, 12]


def test_a_failing_worker_names_its_error() -> None:
    missing = PolicyReference(name="no such expert", kind="expert")
    with pytest.raises((ValueError, RuntimeError), match=r"no such expert|worker died"):
        run_plan(missing, CELL, SHORT, run_episode, workers=2, progress=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oracel", "did you mean 'oracle'"),
        ("zoo:weld-seem", "unknown zoo policy"),
        ("/no/such/run", "that path does not exist"),
    ],
)
def test_an_unknown_policy_names_what_there_is(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve_policy(text)
