"""A policy learns from recorded episodes, and a run begins with what it learned."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from cellwright_policies.networks import CellActorCritic
from cellwright_train.cli import main
from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode
from cellwright_train.data.reader import Dataset
from cellwright_train.data.warm_start import imitated
from cellwright_train.data.writer import DatasetWriter
from cellwright_train.errors import UsageError
from cellwright_train.learning import presets
from cellwright_train.learning.presets import PRESETS, TrainConfig
from cellwright_train.learning.progress import Progress
from cellwright_train.learning.runs import RunDirectory
from cellwright_train.learning.session import TrainingSession

PEG = "cellwright/PegInsertion-v1"


@pytest.fixture(scope="module")
def layout() -> EpisodeLayout:
    env = gymnasium.make(PEG, disable_env_checker=True)
    found = EpisodeLayout.of(env)
    env.close()
    return found


@pytest.fixture(scope="module")
def pegs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recorded") / "pegs"
    asked = ["--env", PEG, "--products", "round-16-1", "--disturbances", "none", "--episodes", "2"]
    assert main(["record", "oracle", *asked, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def config() -> TrainConfig:
    preset = PRESETS["peg-insertion"]
    return dataclasses.replace(
        preset,
        steps=64,
        cells=2,
        workers=1,
        demonstrations=dataclasses.replace(preset.demonstrations, batch_size=32),
        ppo=dataclasses.replace(preset.ppo, rollout_steps=32, batch_size=32),
        evaluation=dataclasses.replace(preset.evaluation, episodes=2),
    )


def changed(dataset: Path, out: Path, layout: EpisodeLayout, facts: Mapping[str, Any]) -> Path:
    """The same episodes with other facts beside them."""
    there = Dataset.open(dataset, layout)
    with DatasetWriter(out, layout) as writer:
        for number in range(len(there.rows)):
            episode = there.episode(number)
            writer.add(RecordedEpisode(**{**vars(episode), "facts": {**episode.facts, **facts}}))
    return out


def test_the_actor_learns_the_recorded_actions(
    pegs: Path, config: TrainConfig, layout: EpisodeLayout
) -> None:
    told: list[Progress] = []
    weights = imitated(config, pegs, seed=1, report=told.append)
    losses = [each.metrics["loss"] for each in told if each.stage == "imitation"]
    assert losses[-1] < 0.5 * losses[0]
    dataset = Dataset.open(pegs, layout)
    frames = sum(row.length for row in dataset.rows)
    assert [each.total for each in told if each.stage == "demonstrations"] == [frames] * 2
    env = gymnasium.make(PEG, disable_env_checker=True, privileged=True)
    policy = CellActorCritic(
        env.observation_space,
        env.action_space,
        lambda _: 0.0,
        network=config.network,
        aux_indices=tuple(range(len(config.aux_targets))),
    )
    policy.load_state_dict(weights)
    observation, _ = env.reset(seed=0, options={"product": "round-16-1", "disturbances": "none"})
    env.close()
    acted = policy.act_batch({name: values[np.newaxis] for name, values in observation.items()})
    np.testing.assert_allclose(acted[0], dataset.episode(0).actions[0], atol=0.3)
    names = env.unwrapped.privileged_names  # type: ignore[attr-defined]
    assert policy.critic.scale.gain[-len(names) :].ne(1.0).any(), "the true state was seen too"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            {"made_by": {"env": "cellwright/ConnectorInsertion-v1", "disturbances": "none"}},
            "episode 0 of .* was recorded in cellwright/ConnectorInsertion-v1, and this trains in",
        ),
        ({"made_by": {"env": "cellwright/PegInsertion-v0", "disturbances": "none"}}, "PegInsertion-v0"),
        ({"good": False}, "none of the 2 episodes of .* is good"),
        (
            {"made_by": {"env": PEG, "disturbances": "hard"}},
            "episode 0 of .* goes otherwise in this version of its cell; record it again",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    facts: dict[str, Any], told: str, pegs: Path, config: TrainConfig, layout: EpisodeLayout, tmp_path: Path
) -> None:
    dataset = changed(pegs, tmp_path / "changed", layout, facts)
    with pytest.raises(UsageError, match=told):
        imitated(config, dataset, seed=1, report=lambda _: None)


def test_a_run_begins_with_a_dataset_and_does_not_lose_what_it_learned(
    pegs: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[dict[str, torch.Tensor]] = []

    def keep(self: TrainingSession) -> None:
        state = self.model.policy.state_dict()
        learned.append({name: values.clone() for name, values in state.items()})

    def fail(self: TrainingSession) -> None:
        keep(self)
        raise RuntimeError("the machine goes down")

    monkeypatch.setitem(presets.PRESETS, "peg-insertion", config)
    asked = ["train", "peg-insertion", "--seed", "1", "--run-dir", str(tmp_path / "run")]
    monkeypatch.setattr(TrainingSession, "_learn", fail)
    with pytest.raises(RuntimeError):
        main([*asked, "--demonstrations", str(pegs)])
    run = RunDirectory.open(tmp_path / "run")
    assert run.config.demonstrations.steps == 0
    assert f"--demonstrations {pegs}" in (tmp_path / "run" / "commands").read_text()
    assert main([*asked, "--demonstrations", str(pegs)]) == 2, "another run is there"
    monkeypatch.setattr(TrainingSession, "_learn", keep)
    assert main(["train", "--resume", "--run-dir", str(tmp_path / "run")]) == 0
    before, after = learned
    for name, values in before.items():
        torch.testing.assert_close(after[name], values)
