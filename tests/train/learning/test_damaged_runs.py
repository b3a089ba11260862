"""A run that somebody has edited or lost files of is answered in one line that says what to do."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.cli import main
from cellwright_train.learning.presets import PRESETS, from_json
from cellwright_train.learning.runs import RunDirectory
from cellwright_train.learning.training import train

NONE = {"sets": ["none"], "fractions": [1.0]}
NOPE = {"sets": ["nope"], "fractions": [1.0]}
INSERTION = {"env_id": "cellwright/PegInsertion-v1", "env_kwargs": {}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    debug = PRESETS["debug"]
    config = replace(debug, steps=512, cells=2, ppo=replace(debug.ppo, batch_size=64))
    return train(config, tmp_path_factory.mktemp("run") / "run", seed=1, report=lambda _: None)


def test_a_whole_number_may_be_written_in_any_way_and_what_may_be_missing_may_be_null() -> None:
    data = json.loads(
        '{"env_id": "x", "steps": 1e6, "checkpoint_minutes": 4, "network": {"train_in_bfloat16": null}}'
    )
    config = from_json(data)
    assert (config.steps, type(config.steps), config.checkpoint_minutes) == (1_000_000, int, 4)
    assert config.network.train_in_bfloat16 is None


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"env_id": 5}, "env_id is 5, not text"),
        ({"steps": "many"}, 'steps is "many", not a whole number'),
        ({"steps": 1.5}, "steps is 1.5, not a whole number"),
        ({"cells": True}, "cells is true, not a whole number"),
        ({"checkpoint_minutes": "4"}, 'checkpoint_minutes is "4", not a number'),
        ({"checkpoint_minutes": None}, "checkpoint_minutes is null, not a number"),
        ({"ppo": {"learning_rate": float("nan")}}, "it holds NaN, which is no number"),
        ({"ppo": {"adaptive_threads": 1}}, "ppo.adaptive_threads is 1, not true or false"),
        ({"ppo": {"std_range": [0.1]}}, "ppo.std_range is [0.1], not a list of 2"),
        ({"ppo": [1]}, "ppo is [1], not an object of settings"),
        ({"env_kwargs": ["train"]}, 'env_kwargs is ["train"], not an object'),
        ({"aux_targets": "offset"}, 'aux_targets is "offset", not a list'),
        ({"network": {"channels": [16, "x"]}}, 'network.channels[1] is "x", not a whole number'),
        (
            {"curriculum": {"mixtures": [{"sets": ["none"], "fractions": {}}]}},
            "curriculum.mixtures[0].fractions is {}, not a list",
        ),
        ({"curriculum": {"factors": {"start": 0.0}}}, "curriculum.factors.disturbances is missing"),
        ({"ppo": {"gama": 0.9}}, "unknown setting 'ppo.gama'; did you mean 'ppo.gamma'?"),
        ({"env_id": "cellwright/PegInsertion-v9"}, "env_id is 'cellwright/PegInsertion-v9', which is no env"),
        ({"env_id": "othermodule:Foo-v0"}, "env_id is 'othermodule:Foo-v0', which is no environment here"),
        ({"env_id": "CartPole-v1"}, "env_id is 'CartPole-v1', which is no environment here"),
        ({"env_kwargs": {"episode_stps": 4}}, "unexpected keyword argument 'episode_stps'"),
        ({"aux_targets": ["offste"]}, "unknown auxiliary targets offste; known: offset, drift"),
        ({"ppo": {"teacher_coefficient": 1.0}}, "there are no experts for"),
        ({"steps": -1}, "need steps=-1 >= 0"),
        ({"cells": 0}, "need cells=0 >= 1"),
        ({"workers": 0}, "workers=0 >= 1"),
        ({"checkpoint_minutes": -1}, "checkpoint_minutes=-1 > 0"),
        ({"ppo": {"learning_rate": -1}}, "need ppo.learning_rate=-1 > 0"),
        ({"ppo": {"batch_size": 0}}, "need ppo.batch_size=0 >= 2"),
        ({"ppo": {"epochs": 0}}, "need ppo.epochs=0 >= 1"),
        ({"ppo": {"warmup_epochs": -1}}, "need ppo.warmup_epochs=-1 >= 0"),
        ({"ppo": {"gamma": 2}}, "0 <= ppo.gamma=2 <= 1"),
        ({"network": {"first_stride_px": 0}}, "network.first_stride_px=0 >= 1"),
        ({"network": {"channels": [16, 0]}}, "network.channels=(16, 0)"),
        ({"network": {"signal_features": 0}}, "network.signal_features=0 >= 1"),
        ({"evaluation": {"episodes": 0}}, "need evaluation.episodes=0 >= 1"),
        ({"evaluation": {"every_minutes": 0}}, "need evaluation.every_minutes=0 > 0"),
        ({"evaluation": {"seed": -1}}, "evaluation.seed=-1 >= 0"),
        ({"demonstrations": {"noise": -1}}, "need demonstrations.noise=-1 >= 0"),
        ({"demonstrations": {"expert_fraction": 2}}, "demonstrations.expert_fraction=2 <= 1"),
        ({"demonstrations": {"epochs": 0}}, "need demonstrations.epochs=0 >= 1"),
        (
            {"demonstrations": {"largest_shift_px": 99}},
            "demonstrations.largest_shift_px is 99, not below half of the 64 px of a view",
        ),
        ({"curriculum": {"mixtures": []}}, "need at least one stage, got curriculum.mixtures=()"),
        ({"curriculum": {"promote_at": 2}}, "curriculum.promote_at=2 <= 1"),
        ({"curriculum": {"window_episodes": 0}}, "need curriculum.window_episodes=0 >= 1"),
        (
            {"curriculum": {"mixtures": [{"sets": ["none"], "fractions": [2]}]}},
            "curriculum.mixtures[0].fractions",
        ),
        (
            {"curriculum": {"mixtures": [NONE, NOPE]}},
            "curriculum.mixtures[1].sets: unknown disturbances 'nope'; choose from none, mild",
        ),
        ({"demonstrations": {"mixture": NOPE}}, "demonstrations.mixture.sets: unknown disturbances"),
        ({"evaluation": {"mixture": NOPE}}, "evaluation.mixture.sets: unknown disturbances 'nope'"),
        (
            {"curriculum": {"factors": {"disturbances": "train"}}},
            "curriculum.factors.disturbances is 'train', but the cell has no `disturbance_names`",
        ),
        (
            INSERTION | {"evaluation": {"mixture": NOPE}},
            "evaluation.mixture.sets: unknown disturbance 'nope'",
        ),
        (
            INSERTION | {"curriculum": {"factors": {"disturbances": "trian"}}},
            "curriculum.factors.disturbances: unknown disturbance 'trian'. Did you mean 'train'?",
        ),
        (
            INSERTION | {"curriculum": {"factors": {"disturbances": "none"}}},
            "curriculum.factors.disturbances is 'none', which has no disturbance to widen",
        ),
    ],
)
def test_a_setting_that_no_run_takes_is_named_with_what_it_takes(
    edit: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory.create(tmp_path / "run", PRESETS["debug"], seed=1)
    config = run.path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | edit))
    assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert told in lines[-1]
    assert lines[-1].startswith("cellwright: ")
    assert not any("Traceback" in line for line in lines)
    assert run.commands == (), "what did not train is not noted"


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        (None, "seed is missing: write the seed into it, 0 to 4294967295"),
        ("", "seed holds '', not a seed: write the seed into it"),
        ("one\n", "seed holds 'one', not a seed: write the seed into it"),
        ("-1\n", "seed holds '-1', not a seed"),
        ("4294967296\n", "seed holds '4294967296', not a seed"),
    ],
)
def test_a_run_without_its_seed_is_told_what_to_write_into_it(
    seed: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory.create(tmp_path / "run", PRESETS["debug"], seed=1)
    (run.path / "seed").unlink()
    if seed is not None:
        (run.path / "seed").write_text(seed)
    assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
    output = capsys.readouterr().err
    assert told in output
    assert "commands has it behind --seed" in output
    assert output.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", None),
        ("model.safetensors", "PK"),
        ("model.json", None),
        ("model.json", "[" * 100_000),
        ("state.json", None),
        ("state.json", "NaN"),
        ("state.json", "[" * 100_000),
        ("state.json", "{"),
        ("state.json", "{}"),
    ],
)
def test_a_damaged_checkpoint_is_not_resumed_nor_passed_over(
    file: str, content: str | None, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(path=Path(shutil.copytree(trained, tmp_path / "run")))
    damaged = run.last_checkpoint() / file
    damaged.unlink()
    if content is not None:
        damaged.write_text(content)
    metrics = (run.path / "metrics.csv").read_text()
    assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"remove {damaged.parent} to go on from the checkpoint before it" in line
    assert file in line
    assert (run.path / "metrics.csv").read_text() == metrics


def test_a_run_without_its_folder_of_checkpoints_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory.create(tmp_path / "run", PRESETS["peg-insertion"], seed=1)
    run.checkpoints.rmdir()
    assert main(["evaluate", str(run.path), "--episodes", "1", "--workers", "1"]) == 2
    assert f"{run.path} has no checkpoint yet" in capsys.readouterr().err
    run.checkpoints.write_text("no folder")
    assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
    assert "holds no checkpoints to resume from" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[1]", '"3.11"', "[" * 100_000])
def test_damaged_versions_are_told_before_a_run_goes_on(
    content: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(path=Path(shutil.copytree(trained, tmp_path / "run")))
    (run.path / "versions.json").write_text(content)
    assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
    assert "versions.json cannot be loaded, remove it" in capsys.readouterr().err.splitlines()[-1]
    assert run.commands == ()
