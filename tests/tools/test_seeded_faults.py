"""Faults as they happen in code: each located rightly within one episode, and weighed for what it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.lines.cells import cells
from cellwright_train.regression.locating import locate
from cellwright_train.regression.tape import record_tape
from cellwright_train.regression.yardsticks import MEASURES
from cellwright_train.rollout.cell import CellChoice, Episode
from cellwright_train.rollout.policies import BundlePolicy
from tools.seeded_faults import __main__ as command
from tools.seeded_faults.faults import FAULTS, PEG, WELD, Fault, is_right
from tools.seeded_faults.weighing import Pairs, weighed

EPISODES = {WELD: Episode(41, "lap-straight-1.6"), PEG: Episode(41, "round-8-0.5")}


class Place:
    """A cell with its shipped policy and the tape of a part."""

    def __init__(self, task: str, episode: Episode) -> None:
        self.episode = episode
        self.env = CellChoice(env=cells()[task]).make(privileged=True)
        self.policy = BundlePolicy(task, Bundle.load(zoo.path(task)))
        self.tape, _ = record_tape(self.env, self.policy, episode, probes=3)

    def located(self, *faults: Fault) -> list[str]:
        """With one fault in the other."""
        if faults:
            plain = self.env, self.policy
            with faults[0].planted(*plain) as (self.env, self.policy):  # type: ignore[assignment]
                located = self.located(*faults[1:])
            self.env, self.policy = plain
            return located
        found = locate(self.env, self.policy, self.episode, tape=self.tape)
        assert not found.not_comparable
        return [f"{each.kind} {each.group}" for each in found.differences]


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, Place]]:
    made = {task: Place(task, episode) for task, episode in EPISODES.items()}
    yield made
    for place in made.values():
        place.env.close()


def fault(name: str) -> Fault:
    return command.named(name)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_located_as_what_it_is(fault: Fault, places: dict[str, Place]) -> None:
    found = places[fault.task].located(fault)
    assert is_right(fault, found), found


def test_a_policy_that_changed_is_found_although_it_never_sees_what_it_saw(places: dict[str, Place]) -> None:
    found = places[PEG].located(fault("camera shifted by 1 px, peg"), fault("sign flipped in another action"))
    assert [each.split()[0] for each in found] == ["policy", "sensing"]


def test_without_a_fault_nothing_is_located(places: dict[str, Place]) -> None:
    assert len({each.name for each in FAULTS}) == len(FAULTS) >= 30
    for place in places.values():
        assert place.located() == []


def test_another_kind_or_group_is_not_right() -> None:
    shifted = fault("camera shifted by 1 px")
    assert is_right(shifted, ["sensing image"])
    assert not is_right(shifted, ["sensing seam"])
    assert not is_right(shifted, ["sensing image", "plant state"])
    assert is_right(fault("friction up by 30 %"), ["plant wrench", "sensing image"])
    assert not is_right(fault("friction up by 30 %"), ["sensing image"])
    assert not is_right(fault("slower by 3 %"), [])


def pairs(worse_s: float, *, every: int = 1, count: int = 60, noise_s: float = 0.0) -> Pairs:
    """Insertions of which each `every`-th takes longer; all else is equal."""
    rng = np.random.default_rng(1)

    def part(index: int, later_s: float) -> Any:
        return SimpleNamespace(
            seed=index, good=True, lateral_mm=0.2, peak_force_n=9.0, cycle_time_s=4.0 + later_s
        )

    later = [worse_s * (index % every == 0) + noise_s * rng.normal() for index in range(count)]
    return Pairs.of(
        MEASURES["assembly"],
        [part(index, 0.0) for index in range(count)],
        [part(index, each) for index, each in enumerate(later)],
    )


def test_what_worsens_every_pair_is_a_regression_early() -> None:
    told = weighed(pairs(0.3), scenarios=46, repeats=10, seed=1)
    assert (told["measure"], told["worse_fraction"]) == ("cycle_time_s", 1.0)
    assert told["beyond_margin"] == ["cycle_time_s"]
    assert told["early"] == told["late"] == {"REGRESSION": 10}


def test_what_shows_in_few_pairs_takes_as_many_as_it_says() -> None:
    told = weighed(pairs(0.3, every=4), scenarios=46, repeats=10, seed=1)
    assert told["early"]["UNDERPOWERED"] >= 8
    assert told["beyond_margin"] == []
    assert 25 < told["needed"] < 400
    assert told["needed_told"] is not None
    assert 0.5 < told["needed_told"] / told["needed"] < 2.0
    assert told["needed_asked"] >= 8 > told["needed_unknown"]


def test_a_repeat_goes_on_with_all_pairs() -> None:
    told = weighed(pairs(0.3, every=3, count=300), scenarios=46, repeats=10, seed=1)
    assert told["early"] == {"UNDERPOWERED": 10}
    assert told["late"] == {"REGRESSION": 10}


def test_a_mean_beyond_the_margin_is_one_although_the_median_is_none() -> None:
    assert (
        pairs(0.6, every=3).beyond() == []
    )  # a third of three margins, less than one in the mean? no: just one
    assert pairs(0.7, every=3).beyond() == ["cycle_time_s"]
    assert pairs(0.19).beyond() == []


def test_pairs_of_other_parts_are_none() -> None:
    one, other = ([SimpleNamespace(seed=seed)] for seed in (1, 2))
    with pytest.raises(ValueError, match="the same parts"):
        Pairs.of(MEASURES["assembly"], one, other)  # type: ignore[arg-type]


def test_the_command_works_on_every_fault_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tuple(fault(name) for name in ("sign flipped in another action", "arm a step later"))
    monkeypatch.setattr(command, "FAULTS", few)
    file = tmp_path / "out.json"
    asked = ["tool", PEG, "--parts", "2", "--repeats", "2", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", asked)
    assert command.main() == 0
    told = json.loads(file.read_text())
    assert list(told["faults"]) == [each.name for each in few]
    assert told["faults"]["arm a step later"]["kind"] == "plant"
    assert [each["worse_fraction"] for each in told["faults"].values()] == [1.0, 1.0]
    assert all(each["pairs"] == 2 for each in told["faults"].values())
    assert not list(tmp_path.glob("*.partial"))
