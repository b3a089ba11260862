from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest

from cellwright_envs.disturbances.line_change import LineChange, plus, times
from cellwright_envs.welding.disturbances import LINE_CHANGES
from cellwright_envs.welding.part.paths import straight
from cellwright_envs.welding.part.product import WeldProcedure, WeldProduct
from cellwright_train.errors import UsageError
from cellwright_train.results.welds import WeldResult
from cellwright_train.rollout.cell import DEFAULT_ENV, CellChoice, Episode, products_of, run_episode
from cellwright_train.rollout.evaluation import evaluate
from cellwright_train.rollout.families import require_line_change
from cellwright_train.rollout.policies import ExpertReference, resolve_policy
from cellwright_train.rollout.trial import Trial, episode_plan

PEG = "cellwright/PegInsertion-v1"


def test_seeds_count_up_and_products_take_turns() -> None:
    plan = episode_plan(7, 4, ("a", "b", "c"))
    assert [(e.seed, e.product) for e in plan] == [(7, "a"), (8, "b"), (9, "c"), (10, "a")]


@pytest.mark.parametrize(("episodes", "seed"), [(0, 0), (-1, 0), (3, -1)])
def test_plans_without_episodes_or_with_negative_seeds_are_refused(episodes: int, seed: int) -> None:
    with pytest.raises(UsageError, match="must be"):
        episode_plan(seed, episodes, ())


@pytest.mark.parametrize(("env", "name"), [(DEFAULT_ENV, "lap-straight-1.6"), (PEG, "round-8-0.5")])
def test_splits_are_those_of_the_environment_and_cover_all_products_once(env: str, name: str) -> None:
    train, held_out = products_of("train", env), products_of("held-out", env)
    assert sorted((*train, *held_out)) == sorted(products_of("all", env))
    assert products_of(name, env) == (name,)
    assert products_of(f"{held_out[0]}+{name}", env) == (held_out[0], name)
    with pytest.raises(UsageError, match="did you mean 'held-out'"):
        products_of("heldout", env)


class Card(NamedTuple):
    passed: dict[str, bool]
    defect_length_m: dict[str, float]
    defect_length_by_code_m: dict[int, float]
    weld_length_m: float = 0.1
    tracking_error_mean_m: float = 1e-4
    tracking_error_p95_m: float = 3e-4
    cycle_time_s: float = 12.0
    crashed: bool = False
    iso_edition: str = "2023"


class Product(NamedTuple):
    name: str


class Counting(gymnasium.Env):
    """Ends after three steps; passes when the actions add up."""

    family, line_changes = "welding", LINE_CHANGES
    product = Product("lap")
    control_rate_hz = 25.0
    observation_space = gymnasium.spaces.Dict({"seam": gymnasium.spaces.Box(-1, 1, (2,))})
    action_space = gymnasium.spaces.Box(-1, 1, (5,))

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self.options, self.total, self.steps = options, 0.0, 0
        return {"seam": np.zeros(2, np.float32)}, {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.total += float(action[0])
        self.steps += 1
        over = self.steps == 3
        return {"seam": np.zeros(2, np.float32)}, 0.0, over, False, {}

    def conditions_hash(self) -> str:
        return "abc"

    def scorecard(self) -> Card:
        good = self.total > 1.0
        return Card(
            passed={"B": False, "C": good, "D": True},
            defect_length_m={"B": 0.1, "C": 0.0 if good else 0.1, "D": 0.0},
            defect_length_by_code_m={} if good else {5011: 0.1},
        )


class Steady:
    name, needs_privileged = "steady", False

    def __init__(self, value: float, actions: int = 5) -> None:
        self.value, self.actions, self.resets = value, actions, 0

    def reset(self) -> None:
        self.resets += 1

    def act(self, observation: Any) -> np.ndarray:
        return np.full(self.actions, self.value, np.float32)


def test_an_episode_ends_with_what_inspection_says() -> None:
    policy = Steady(0.5)
    welded = run_episode(Counting(), policy, Episode(3, "lap"))
    assert (welded.seed, welded.product, welded.passed["C"]) == (3, "lap", True)
    assert (welded.seam_mm, welded.tracking_mean_mm) == (pytest.approx(100.0), pytest.approx(0.1))
    assert (welded.iso_edition, welded.as_json()["iso_edition"]) == ("2023", "2023")
    assert policy.resets == 1
    failed = run_episode(Counting(), Steady(0.1), Episode(3, "lap"))
    assert failed.defect_mm_by_code == {"5011": pytest.approx(100.0)}


def test_the_product_is_chosen_at_reset() -> None:
    env = Counting()
    run_episode(env, Steady(0.0), Episode(3, "tee"))
    assert env.options == {"product": "tee"}


def cut_off(env_id: str, steps: int, policy: Any) -> Any:
    env = gymnasium.make(env_id, max_episode_steps=steps, disturbances="none")
    try:
        return run_episode(env, policy, Episode(3, None))
    finally:
        env.close()


def test_a_weld_that_is_cut_off_is_a_failed_part_and_says_so() -> None:
    result = cut_off(DEFAULT_ENV, 60, Steady(0.0))
    assert (result.cut_off, result.outcome) == (True, "B fail, C fail, D fail, cut off")
    assert result.as_json()["cut_off"]
    assert result.as_json()["iso_edition"] == "2023"
    assert WeldResult.from_json(result.as_json()) == result
    assert not any(result.passed.values())
    assert 0.5 * result.seam_mm < result.defect_mm <= result.seam_mm
    assert (result.cycle_time_s, result.crashed) == (pytest.approx(2.4), False)


def slow_fillet() -> WeldProduct:
    """A published procedure on 6 mm plate: 450 mm at 4.33 mm/s take 104 s."""
    procedure = WeldProcedure(current_a=230, voltage_v=25.0, travel_speed_m_s=4.33e-3)
    return WeldProduct(
        name="slow", joint="t_fillet", path=straight(0.45), thickness_m=6e-3, procedure=procedure
    )


def test_a_part_that_takes_longer_than_usual_is_welded_to_its_end_and_says_so() -> None:
    env = gymnasium.make(DEFAULT_ENV, product=slow_fillet(), disturbances="none")
    result = run_episode(env, resolve_policy("seam-tracker").load(env), Episode(3, None))
    env.close()
    told = result.as_json()
    assert (told["cut_off"], told["crashed"], told["passed"]["C"]) == (False, False, True)
    assert told["cycle_time_s"] > 100.0


def test_what_is_not_welded_at_the_limit_of_the_cell_is_a_defect_of_a_part_that_was_cut_off() -> None:
    env = gymnasium.make(DEFAULT_ENV, product=slow_fillet(), disturbances="none")
    result = run_episode(Hasty(env, 250), Steady(0.0), Episode(3, None))
    env.close()
    told = result.as_json()
    assert (told["cut_off"], told["passed"]) == (True, {"B": False, "C": False, "D": False})
    # 250 steps are 10 s, of which the arc burns 8.6 s at most.
    assert 450.0 - 8.7 * 4.33 < told["defect_mm"]["total"] < 450.0


class Hasty(gymnasium.Wrapper):
    """A cell whose own time limit has been shortened."""

    def __init__(self, env: gymnasium.Env, steps: int) -> None:
        super().__init__(env)
        self.steps = steps

    def reset(self, **options: Any) -> Any:
        begun = self.env.reset(**options)
        self.unwrapped.limit_steps = self.steps  # type: ignore[attr-defined]
        return begun


def test_an_insertion_that_is_cut_off_is_a_failed_part_and_says_so() -> None:
    result = cut_off(PEG, 5, Steady(0.0, actions=6))
    assert (result.success, result.cut_off, result.outcome) == (False, True, "not seated")
    assert result.cycle_time_s == pytest.approx(5 * 0.048)


@pytest.mark.parametrize(("env", "actions"), [(DEFAULT_ENV, 5), (PEG, 6)])
def test_a_line_change_reaches_the_cell(env: str, actions: int) -> None:
    made = CellChoice(env=env, disturbances="none").make()
    seen: list[Any] = []
    moved = require_line_change(made.unwrapped, "moved-fixture")
    for changes in ((), (moved,)):
        run_episode(
            gymnasium.wrappers.TimeLimit(made, 2),
            Steady(0.0, actions=actions),
            Episode(3, None, changes),
            watch=lambda env, *_: seen.append(env.unwrapped.disturbed),
        )
    before, after = seen[0], seen[-1]
    if env == PEG:
        assert after.fixture_pose.offset == (
            1.8e-3,
            -2.4e-3,
            -1.0e-3,
            0.0,
            0.0,
            pytest.approx(0.0349, abs=1e-4),
        )
        assert before.fixture_pose.offset == (0.0,) * 6
    else:
        assert after.fixture_offset.translation_m == (1.5e-3, 2.0e-3, -0.8e-3)
        assert before.fixture_offset.translation_m == (0.0,) * 3
    made.close()


@pytest.mark.parametrize(
    ("env", "actions", "product"),
    [(DEFAULT_ENV, 5, "butt-straight-4.5"), (PEG, 6, "keyed-16-0.3")],
)
def test_a_line_change_may_bring_another_part(env: str, actions: int, product: str) -> None:
    change = LineChange(description="Another part.", product=product)
    made = CellChoice(env=env, disturbances="none").make()
    cut_short = gymnasium.wrappers.TimeLimit(made, 2)
    result = run_episode(cut_short, Steady(0.0, actions=actions), Episode(3, None, (change,)))
    assert result.product == product
    made.close()


def test_changes_add_up_in_their_order_on_the_set_of_the_episode() -> None:
    made = CellChoice(env=PEG, disturbances="none").make()
    first = LineChange(description="a", changes={"contact_friction.factor": times(3.0)})
    second = LineChange(description="b", changes={"contact_friction.factor": plus((1.0, 1.0))})
    drawn: list[float] = []
    for changes in ((first, second), (second, first)):
        short = gymnasium.wrappers.TimeLimit(made, 1)
        run_episode(short, Steady(0.0, actions=6), Episode(3, None, changes))
        drawn.append(made.unwrapped.disturbed.contact_friction.factor)  # type: ignore[attr-defined]
    assert drawn == [pytest.approx(4.0), pytest.approx(6.0)]
    hashes = [
        run_episode(
            gymnasium.wrappers.TimeLimit(made, 1), Steady(0.0, actions=6), Episode(3, None, (), of)
        ).conditions
        for of in (None, "none", "hard")
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    made.close()


def test_an_unknown_line_change_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="did you mean 'new-batch'"):
        Trial.resolve("seam-tracker", line_change="new-bacth", seed=1, episodes=1)


CELL = CellChoice(products=("tee-straight-3.2",), disturbances="train")
SHORT = (Episode(11, "tee-straight-3.2"), Episode(12, "tee-straight-3.2"))


@pytest.mark.parametrize(
    ("expert", "cell", "plan"),
    [
        ("seam-tracker", CELL, SHORT),
        ("spiral-search", CellChoice(env=PEG), (Episode(11, "round-8-0.5"), Episode(12, "square-8-0.3"))),
    ],
)
def test_results_do_not_depend_on_the_number_of_workers(
    expert: str, cell: CellChoice, plan: tuple[Episode, ...]
) -> None:
    trial = Trial(policy=resolve_policy(expert), cell=cell, plan=plan)
    alone = evaluate(trial, workers=1, progress=False)
    assert evaluate(trial, workers=2, progress=False) == alone
    assert [r.seed for r in alone.results] == [11, 12]


def test_a_failing_worker_names_its_error() -> None:
    missing = ExpertReference(name="no such expert")
    with pytest.raises(UsageError, match="no such expert"):
        evaluate(Trial(policy=missing, cell=CELL, plan=SHORT), workers=2, progress=False)


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
