"""Which disturbances cells meet in training, and when they meet harder ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cellwright_envs.welding.disturbances import NAMED
from cellwright_train.learning.curriculum import (
    CurriculumConfig,
    FactorConfig,
    FactorCurriculum,
    LineCurriculum,
    Mixture,
    StagedCurriculum,
)
from cellwright_train.learning.line_conditions import FieldChange, PartConditions, StretchConfig


class RecordingCells:
    """Stands in for a vector environment of four cells."""

    num_envs = 4

    def __init__(self) -> None:
        self.sets = [""] * 4
        self.widths: list[Mapping[str, float]] = [{}] * 4

    def env_method(self, name: str, disturbances: str, *arguments: Any, indices: Sequence[int]) -> list[Any]:
        if name == "disturbance_names":
            return [("pose", "light")] * len(indices)
        assert name in ("set_disturbances", "narrow_disturbances")
        for index in indices:
            self.sets[index] = disturbances
            if arguments:
                self.widths[index] = dict(arguments[0])
        return []


def test_a_mixture_gives_each_worker_its_part_of_each_level() -> None:
    mixture = Mixture(sets=("none", "train", "hard"), fractions=(0.25, 0.5, 0.25))
    assigned = mixture.assign(8)
    assert sorted(assigned) == ["hard"] * 2 + ["none"] * 2 + ["train"] * 4
    assert sorted(assigned[:4]) == sorted(assigned[4:])


def staged(cells: RecordingCells) -> StagedCurriculum:
    mixtures = (
        Mixture(sets=("none",), fractions=(1.0,)),
        Mixture(sets=("none", "hard"), fractions=(0.5, 0.5)),
    )
    config = CurriculumConfig(mixtures=mixtures, promote_at=0.75, window_episodes=4, longest_stage_steps=1000)
    return StagedCurriculum(config, cells)  # type: ignore[arg-type]


def test_success_leads_to_the_next_stage() -> None:
    cells = RecordingCells()
    curriculum = staged(cells)
    curriculum.apply()
    assert cells.sets == ["none"] * 4
    for success in (False, False, True, True):
        curriculum.record(0, success)
    assert not curriculum.update(100)
    curriculum.record(0, True)
    assert curriculum.update(200)
    assert cells.sets == ["none", "hard", "none", "hard"]
    assert not curriculum.update(100_000)


def test_a_stage_that_takes_too_long_ends() -> None:
    curriculum = staged(RecordingCells())
    assert not curriculum.update(999)
    assert curriculum.update(1000)


def test_a_curriculum_is_restored_where_it_was() -> None:
    cells = RecordingCells()
    first = staged(cells)
    first.update(1000)
    first.record(0, True)
    again = staged(RecordingCells())
    again.restore(json.loads(json.dumps(first.state())))
    assert again.state() == first.state()


def widening(cells: RecordingCells, **changes: float) -> FactorCurriculum:
    config = FactorConfig(**{"disturbances": "train", "start": 0.5, "step": 0.25, "trials": 2} | changes)
    curriculum = FactorCurriculum(config, cells)  # type: ignore[arg-type]
    curriculum.apply()
    for cell in range(cells.num_envs):
        curriculum.start_episode(cell)
    return curriculum


def finish(curriculum: FactorCurriculum, outcomes: Mapping[str, bool], episodes: int) -> None:
    """End `episodes` in turn over the cells; success depends on the disturbance that was on trial."""
    for episode in range(episodes):
        cell = episode % 4
        curriculum.record(cell, outcomes[curriculum._running[cell]])
        curriculum.start_episode(cell)


def test_a_trial_draws_one_disturbance_a_step_wider_than_the_others() -> None:
    cells = RecordingCells()
    widening(cells)
    assert (
        sorted((each["pose"], each["light"]) for each in cells.widths)
        == [(0.5, 0.75)] * 2 + [(0.75, 0.5)] * 2
    )


def test_what_is_mastered_widens_up_to_its_full_strength_and_what_is_not_narrows() -> None:
    curriculum = widening(RecordingCells())
    finish(curriculum, {"pose": True, "light": False}, 40)
    assert curriculum.widths == {"pose": 1.0, "light": 0.0}
    assert curriculum.metrics() == {"width_pose": 1.0, "width_light": 0.0, "mean_width": 0.5}


def test_between_both_rates_a_width_stays() -> None:
    curriculum = widening(RecordingCells(), trials=4)
    done: Counter[str] = Counter()
    for episode in range(16):
        cell = episode % 4
        name = curriculum._running[cell]
        done[name] += 1
        curriculum.record(cell, done[name] % 4 != 0)  # three of four
        curriculum.start_episode(cell)
    assert done == {"pose": 8, "light": 8}
    assert curriculum.widths == {"pose": 0.5, "light": 0.5}


def test_an_episode_counts_for_the_trial_it_was_begun_as() -> None:
    cells = RecordingCells()
    curriculum = widening(cells)
    begun, assigned = curriculum._running[0], dict(cells.widths[0])
    curriculum.start_episode(0)
    now = curriculum._running[0]
    assert max(assigned, key=lambda name: assigned[name]) == now
    assert {begun, now} <= {"pose", "light"}


def test_widths_are_restored_as_they_were() -> None:
    first = widening(RecordingCells())
    finish(first, {"pose": True, "light": False}, 5)
    again = widening(RecordingCells())
    saved = json.loads(json.dumps(first.state()))
    again.restore(saved)
    assert again.widths == first.widths
    assert again.state()["trials"] == saved["trials"]


def test_a_factor_curriculum_that_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match=r"narrow_at=0.9 < self.widen_at=0.8"):
        FactorConfig(disturbances="train", narrow_at=0.9)
    with pytest.raises(ValueError, match=r"self.start=1.5"):
        FactorConfig(disturbances="train", start=1.5)


class LineCells:
    """Stands in for a vector environment of four cells that note what they are given."""

    num_envs = 4

    def __init__(self) -> None:
        self.given: list[list[tuple[str, float]]] = [[] for _ in range(4)]
        self._products = [""] * 4

    def get_attr(self, name: str, indices: Sequence[int]) -> list[Any]:
        assert name == "disturbance_sets"
        return [NAMED]

    def env_method(self, name: str, value: Any, *, indices: Sequence[int]) -> list[Any]:
        for index in indices:
            if name == "set_products":
                self._products[index] = value
            else:
                assert name == "set_disturbances"
                self.given[index].append((self._products[index], value.exposure.mean_gain))
        return []


def line_curriculum(cells: LineCells, kept: float = 0.25) -> LineCurriculum:
    def of(product: str, gain: float) -> PartConditions:
        change = FieldChange(field="exposure.mean_gain", how="to", value=(gain,))
        return PartConditions(product=product, disturbances="none", changes=(change,))

    config = StretchConfig(
        before=(of("a", 1.0), of("b", 1.0)), after=(of("a", 0.5), of("b", 0.5), of("c", 0.5)), kept=kept
    )
    return LineCurriculum(config, cells)  # type: ignore[arg-type]


def test_a_line_gives_most_cells_what_it_is_now_and_the_rest_what_it_was() -> None:
    cells = LineCells()
    curriculum = line_curriculum(cells)
    curriculum.apply()
    assert sorted(curriculum.sets) == ["after", "after", "after", "before"]
    gains = {"after": 0.5, "before": 1.0}
    assert [given[-1][1] for given in cells.given] == [gains[name] for name in curriculum.sets]
    for cell in (0, 1, 2, 3) * 3:
        curriculum.start_episode(cell)
    now = [given for given, name in zip(cells.given, curriculum.sets, strict=True) if name == "after"]
    assert Counter(product for given in now for product, _ in given) == {"a": 4, "b": 4, "c": 4}


def test_a_test_meets_the_same_on_both_sides_every_time() -> None:
    cells = LineCells()
    curriculum = line_curriculum(cells, kept=0.0)
    curriculum.apply()
    assert set(curriculum.sets) == {"after"}
    tests = []
    for _ in range(2):
        names = curriculum.begin_test(Mixture(sets=("none",), fractions=(1.0,)))
        tests.append([(name, given[-1]) for name, given in zip(names, cells.given, strict=True)])
        curriculum.start_episode(1)
    assert tests[0] == tests[1]
    assert Counter(name for name, _ in tests[0]) == {"after": 2, "before": 2}


def test_a_line_is_restored_at_its_turn() -> None:
    first, again = LineCells(), LineCells()
    curriculum = line_curriculum(first)
    curriculum.apply()
    curriculum.start_episode(0)
    restored = line_curriculum(again)
    restored.restore(json.loads(json.dumps(curriculum.state())))
    curriculum.apply()
    assert [given[-1] for given in again.given] == [given[-1] for given in first.given]
