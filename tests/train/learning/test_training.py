"""Training runs: demonstrations, PPO, curriculum, run directory, resume."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cellwright_envs.probe import PROBE_ID
from cellwright_policies.networks import CellActorCritic, NetworkConfig
from cellwright_policies.ppo import CellPPO, PPOConfig
from cellwright_policies.threads import StepThreads
from cellwright_train.cli import main
from cellwright_train.errors import UsageError
from cellwright_train.learning.curriculum import Mixture, set_disturbances
from cellwright_train.learning.demonstrations import (
    DemonstrationConfig,
    Demonstrations,
    DemonstrationStore,
    shifted,
    short_cells,
)
from cellwright_train.learning.metrics import MetricsFile
from cellwright_train.learning.presets import (
    PRESETS,
    EvaluationConfig,
    TrainConfig,
    changed,
    from_json,
    preset,
    to_json,
)
from cellwright_train.learning.progress import Progress, RecentRate
from cellwright_train.learning.runs import (
    NoCheckpointError,
    RunDirectory,
    RunExistsError,
    load_policy_from_run,
)
from cellwright_train.learning.testing import evaluate_in_training
from cellwright_train.learning.training import resume, train
from cellwright_train.learning.vec_env import PoolVecEnv
from cellwright_train.rollout.policies import resolve_policy

NETWORK = NetworkConfig(
    channels=(8, 16, 16),
    image_features=64,
    signal_features=16,
    hidden=(64, 32),
    critic_hidden=(64, 64),
    initial_std=0.4,
)
"""Enough to find a column, in a fraction of the usual one's time."""
POLICY = {"network": NETWORK}
SMALL = dataclasses.replace(
    preset("debug"),
    network=NETWORK,
    steps=1024,
    cells=4,
    workers=1,
    ppo=PPOConfig(
        rollout_steps=64, batch_size=128, warmup_rollouts=1, adaptive_threads=False, update_threads=1
    ),
    evaluation=EvaluationConfig(episodes=4, every_minutes=60),
)

MILD = Mixture(sets=("mild",), fractions=(1.0,))


class Expert:
    """Knows where the column is."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        pass

    def act_batch(self, observations: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        offset_px, drift_px = observations["privileged"].T
        actions = np.zeros((len(offset_px), 5), dtype=np.float32)
        actions[:, 0] = np.clip((offset_px + drift_px) / 3.0, -1.0, 1.0)
        return actions


class Reports(list[Progress]):
    """Keeps what it hears."""

    def __call__(self, progress: Progress) -> None:
        self.append(progress)


def metrics(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def state(run_dir: Path) -> dict[str, Any]:
    return json.loads((RunDirectory.open(run_dir).last_checkpoint() / "state.json").read_text())


def test_demonstrations_are_learnt_in_seconds(tmp_path: Path) -> None:
    config = dataclasses.replace(
        SMALL,
        steps=0,
        demonstrations=DemonstrationConfig(
            steps=3_000,
            rounds=3,
            mixture=MILD,
            batch_size=128,
            final_epochs=6,
        ),
    )
    reports = Reports()
    run = train(config, tmp_path / "run", seed=1, expert=Expert(), report=reports)
    policy = load_policy_from_run(run, "last")
    with PoolVecEnvContext() as env:
        names = MILD.assign(env.num_envs)
        set_disturbances(env, names)
        scores = evaluate_in_training(policy, env, EvaluationConfig(episodes=16), names)
    assert scores["success_rate"] >= 0.8
    assert reports[-1].stage == "imitation"
    assert [report.steps for report in reports if report.stage == "demonstrations"][-1] == 3_000
    assert reports[-1].steps == reports[-1].total == (2 + 6) * 3_000
    assert not (run / "demonstrations").exists()


class PoolVecEnvContext:
    """Probe cells that are closed at the end."""

    def __init__(self, cells: int = 4) -> None:
        self.cells = cells

    def __enter__(self) -> PoolVecEnv:
        self.env = PoolVecEnv.make(PROBE_ID, cells=self.cells, workers=1, privileged=True, episode_steps=40)
        return self.env

    def __exit__(self, *_: object) -> None:
        self.env.close()


@pytest.mark.slow
def test_ppo_learns_to_track_from_images_alone(tmp_path: Path) -> None:
    with PoolVecEnvContext(cells=8) as env:
        env.seed(0)
        config = PPOConfig(
            rollout_steps=64,
            batch_size=128,
            learning_rate=1.5e-3,
            target_kl=0.04,
            warmup_rollouts=1,
            gamma=0.95,
            adaptive_threads=False,
            update_threads=1,
        )
        model = CellPPO(
            CellActorCritic,
            env,
            config=config,
            policy_kwargs=POLICY,
            seed=0,
        )
        evaluation = EvaluationConfig(episodes=16)
        names = ["none"] * env.num_envs
        before = evaluate_in_training(model.policy, env, evaluation, names)
        model.learn(12_288)
        after = evaluate_in_training(model.policy, env, evaluation, names)
    assert after["return"] > before["return"] + 25
    assert after["success_rate"] > 0.6


def test_only_the_critic_learns_during_warm_up() -> None:
    with PoolVecEnvContext() as env:
        config = PPOConfig(rollout_steps=32, batch_size=64, warmup_rollouts=1)
        model = CellPPO(CellActorCritic, env, config=config, policy_kwargs=POLICY, seed=0)
        actor = [parameter.clone() for parameter in model.policy.actor_parameters()]
        critic = [parameter.clone() for parameter in model.policy.critic_parameters()]
        model.learn(128)
        assert all(map(torch.equal, actor, model.policy.actor_parameters()))
        assert not any(map(torch.equal, critic, model.policy.critic_parameters()))
        model.learn(128, reset_num_timesteps=False)
        assert not all(map(torch.equal, actor, model.policy.actor_parameters()))


def test_a_teacher_pulls_the_actor_towards_its_actions() -> None:
    with PoolVecEnvContext() as env:
        config = PPOConfig(
            rollout_steps=64,
            batch_size=64,
            warmup_rollouts=0,
            epochs=8,
            learning_rate=1e-3,
            target_kl=100.0,
            teacher_coefficient=20.0,
            teacher_steps=10_000,
        )
        model = CellPPO(CellActorCritic, env, config=config, policy_kwargs=POLICY, seed=0)
        model.teacher = lambda observations: np.full((len(observations["image"]), 5), 0.5, dtype=np.float32)
        model.learn(512)
        assert np.mean(model.policy.act_batch(env.reset())) == pytest.approx(0.5, abs=0.15)


def test_a_time_limit_is_bootstrapped_with_the_value_of_the_last_observation() -> None:
    with PoolVecEnvContext() as env:
        config = PPOConfig(rollout_steps=40, batch_size=32, gamma=0.9)
        model = CellPPO(CellActorCritic, env, config=config, policy_kwargs=POLICY, seed=0)
        with torch.no_grad():
            model.policy.value_net.weight.zero_()
        model.policy.rescale_value(mean=100.0, std=1.0)
        model.policy.value_net.bias.data.zero_()
        _, callback = model._setup_learn(160)
        model.collect_rollouts(env, callback, model.rollout_buffer, 40)
        assert np.all(model.rollout_buffer.rewards[-1] > 85.0)
        assert np.all(model.rollout_buffer.rewards[:-1] < 2.0)


def test_a_run_writes_what_reproduces_it(tmp_path: Path) -> None:
    run = train(SMALL, tmp_path / "run", seed=7, report=Reports())
    assert RunDirectory.open(run).config == SMALL
    assert (run / "seed").read_text() == "7\n"
    assert "torch" in json.loads((run / "versions.json").read_text())
    assert state(run)["steps"] == 1024
    assert list((run / "tensorboard").iterdir())
    last = metrics(run)[-1]
    assert last["step"] == "1024"
    wanted = {"reward/centred", "train/explained_variance", "train/action_saturation", "time/steps_per_s"}
    assert wanted <= {name for name, value in last.items() if value}
    assert "test/success_rate" in last
    (best,) = (run / "best").iterdir()
    assert json.loads((best / "state.json").read_text())["scores"]["length"] == 40
    assert not multiprocessing.active_children()


def test_the_same_seed_trains_the_same_policy(tmp_path: Path) -> None:
    weights = []
    config = dataclasses.replace(SMALL, steps=512, workers=2)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run = train(config, tmp_path / name, seed=seed, report=Reports())
        weights.append(load_policy_from_run(run, "last").action_net.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_resumed_run_goes_on_counting(tmp_path: Path) -> None:
    first = train(dataclasses.replace(SMALL, steps=512), tmp_path / "run", seed=0, report=Reports())
    noise = dataclasses.replace(SMALL.ppo, std_range=(0.01, 0.02))
    (first / "config.json").write_text(json.dumps(to_json(dataclasses.replace(SMALL, ppo=noise))))
    before = state(first)
    reports = Reports()
    resume(first, report=reports)
    after = state(first)
    assert [row["step"] for row in metrics(first)] == ["256", "512", "768", "1024"]
    assert (before["steps"], after["steps"]) == (512, 1024)
    assert after["resets"] > before["resets"]
    assert after["seconds"] > before["seconds"]
    assert reports[0].steps == 768
    assert load_policy_from_run(first, "last").log_std.exp().max() <= 0.0201


def test_a_run_out_of_time_stops_and_can_be_resumed(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, steps=10_000_000)
    run = train(config, tmp_path / "run", seed=0, minutes=0.02, report=Reports(), command="first")
    steps = state(run)["steps"]
    assert 0 < steps < 1_000_000
    resume(run, minutes=0.02, report=Reports(), command="second")
    assert state(run)["steps"] > steps
    assert RunDirectory.open(run).commands == ("first", "second")


def test_a_resumed_run_takes_other_workers_and_another_device(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, steps=256, workers=2)
    first = train(config, tmp_path / "run", seed=0, report=Reports())
    (first / "config.json").write_text(json.dumps(to_json(dataclasses.replace(config, steps=512))))
    with pytest.raises(UsageError, match="no device 'nowhere' here; there is: cpu"):
        resume(first, device="nowhere")
    noted = json.loads((first / "versions.json").read_text())
    (first / "versions.json").write_text(json.dumps(noted | {"torch": "2.0"}))
    resume(first, workers=1, device="cpu", report=Reports())
    assert RunDirectory.open(first).versions == noted | {"torch": f"2.0, then {noted['torch']}"}
    assert state(first)["steps"] == 512
    assert RunDirectory.open(first).config.workers == config.workers


def test_a_missing_device_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no device 'nowhere' here"):
        train(dataclasses.replace(SMALL, device="nowhere"), tmp_path / "run", seed=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_what_a_processor_runs(tmp_path: Path) -> None:
    config = dataclasses.replace(
        SMALL,
        steps=512,
        device="cuda",
        aux_targets=("offset",),
        demonstrations=DemonstrationConfig(steps=600, rounds=2, batch_size=64, largest_shift_px=2),
        ppo=dataclasses.replace(SMALL.ppo, teacher_coefficient=1.0, teacher_steps=1024),
    )
    run = train(config, tmp_path / "run", seed=0, expert=Expert(), report=Reports())
    resume(run, device="cpu", expert=Expert(), report=Reports())
    assert load_policy_from_run(run).device.type == "cpu"


def test_a_warm_start_is_resumed_at_the_next_round(tmp_path: Path) -> None:
    demonstrations = DemonstrationConfig(steps=1_200, rounds=3, batch_size=64)
    config = dataclasses.replace(SMALL, steps=0, demonstrations=demonstrations)
    rounds: list[int] = []

    class Impatient(Reports):
        def __call__(self, progress: Progress) -> None:
            super().__call__(progress)
            if progress.stage == "demonstrations" and progress.steps > 400 and not rounds:
                rounds.append(1)
                raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(config, run, seed=0, expert=Expert(), report=Impatient())
    assert state(run)["rounds_done"] == 1
    reports = Reports()
    resume(run, expert=Expert(), report=reports)
    assert state(run)["rounds_done"] == 3
    assert reports[0].steps > 400
    assert max(report.steps for report in reports if report.stage == "demonstrations") == 1_200


def test_a_run_starts_from_given_weights(tmp_path: Path) -> None:
    first = load_policy_from_run(train(SMALL, tmp_path / "a", seed=0, report=Reports()))
    idle = dataclasses.replace(SMALL, steps=256)  # critic warm-up only
    second = train(idle, tmp_path / "b", seed=1, initial_weights=first.state_dict(), report=Reports())
    assert torch.equal(load_policy_from_run(second, "last").action_net.weight, first.action_net.weight)


def test_a_policy_goes_on_through_demonstrations_in_which_it_acts(tmp_path: Path) -> None:
    """It keeps its scale of the inputs, and acts in the first round, in which a new policy only watches."""
    shown = DemonstrationConfig(steps=800, rounds=2, expert_fraction=0.0, noise=0.0, mixture=MILD)
    warm = dataclasses.replace(SMALL, steps=0, demonstrations=shown)
    new = train(warm, tmp_path / "new", seed=1, expert=Expert(), report=Reports())
    given = load_policy_from_run(new, "last").state_dict()
    given["action_net.bias"][:] = 9.0  # always the same way, which never finds the column
    given["actor.scale.gain"][:] = 1.5
    run = train(warm, tmp_path / "run", seed=1, initial_weights=given, expert=Expert(), report=Reports())
    learnt = load_policy_from_run(run, "last").state_dict()
    assert torch.equal(learnt["actor.scale.gain"], given["actor.scale.gain"])
    assert not torch.equal(learnt["action_net.weight"], given["action_net.weight"])
    rates = [float(metrics(each)[0]["demonstrations/success_rate"]) for each in (new, run)]
    assert rates == [1.0, 0.0]


def test_the_command_goes_on_from_a_run_with_settings_of_its_own(tmp_path: Path) -> None:
    """A critic that only warms up leaves the actor as it was given."""
    first, second = tmp_path / "first", tmp_path / "second"
    command = ["train", "debug", "--set", "steps=256", "cells=4", "evaluation.episodes=4"]
    assert main([*command, "--run-dir", str(first)]) == 0
    more = ["ppo.warmup_rollouts=9", "--from", str(first), "--run-dir", str(second)]
    assert main([*command, *more]) == 0
    run = RunDirectory.open(second)
    assert run.config.ppo.warmup_rollouts == 9
    assert run.commands == (
        f"cellwright train debug --seed 1 --from {first} --set {' '.join([*command[3:], more[0]])}",
    )
    given = resolve_policy(str(first))
    assert run.parent == {"name": given.name, "sha256": given.digest}
    weights = [load_policy_from_run(each).action_net.weight for each in (first, second)]
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("steps=2e5", lambda config: config.steps == 200_000),
        ("ppo.learning_rate=5e-5", lambda config: config.ppo.learning_rate == 5e-5),
        ("demonstrations.expert=oracle", lambda config: config.demonstrations.expert == "oracle"),
        ("curriculum.promote_at=1", lambda config: config.curriculum.promote_at == 1.0),
        (
            'curriculum.mixtures=[{"sets": ["hard"], "fractions": [1]}]',
            lambda config: config.curriculum.mixtures == (Mixture(sets=("hard",), fractions=(1.0,)),),
        ),
    ],
)
def test_a_setting_of_a_preset_is_changed_and_no_other(
    setting: str, read: Callable[[TrainConfig], bool]
) -> None:
    config = changed(preset("gear-mesh"), [setting])
    assert read(config)
    assert not read(preset("gear-mesh"))
    before, after = (dict(_settings(to_json(each))) for each in (preset("gear-mesh"), config))
    name = setting.partition("=")[0]
    assert {each for each in after if before.get(each) != after[each]} == {name}


def _settings(data: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its path."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{where}{name}.")
        else:
            yield f"{where}{name}", value


def test_a_run_is_not_written_over(tmp_path: Path) -> None:
    train(dataclasses.replace(SMALL, steps=256), tmp_path / "run", seed=0, report=Reports())
    with pytest.raises(RunExistsError, match=r"not empty.*--resume") as error:
        train(SMALL, tmp_path / "run", seed=0)
    assert "\n" not in str(error.value)


def test_what_is_no_run_cannot_be_resumed_or_loaded(tmp_path: Path) -> None:
    with pytest.raises(NoCheckpointError, match=r"no config\.json"):
        resume(tmp_path)
    run = RunDirectory.create(tmp_path / "run", SMALL, seed=0)
    with pytest.raises(NoCheckpointError, match="no checkpoint yet"):
        load_policy_from_run(run.path)


def test_unknown_auxiliary_targets_are_refused(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, aux_targets=("offset", "colour"))
    with pytest.raises(ValueError, match="colour; known: offset, drift"):
        train(config, tmp_path / "run", seed=0)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    config = preset(name)
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'weld-seam'"):
        preset("weldseam")


def test_a_batch_larger_than_a_rollout_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size=512"):
        TrainConfig(env_id=PROBE_ID, cells=1)


def test_metrics_go_on_in_the_same_file_and_gain_columns(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "m.csv").write({"a": 1.0}, {}, step=1)
    MetricsFile(tmp_path / "m.csv").write({"a": 2.0, "b": 0.5}, {}, step=2)
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"step": "1", "a": "1", "b": ""}, {"step": "2", "a": "2", "b": "0.5"}]


def test_the_store_holds_what_it_was_given_and_no_more_than_it_can(tmp_path: Path) -> None:
    with PoolVecEnvContext() as env:
        space: Any = env.observation_space
    store = DemonstrationStore(tmp_path, space, 5, capacity=3)
    observations = {key: np.stack([box.sample(), box.sample()]) for key, box in space.items()}
    actions = np.arange(10, dtype=np.float32).reshape(2, 5)
    store.add(observations, actions)
    store.add(observations, actions)
    assert store.rows == 3
    np.testing.assert_array_equal(store.actions[2], actions[0])
    ((batch, labels),) = store.batches(3, np.random.default_rng(0))
    assert batch["image"].dtype == np.uint8
    assert sorted(labels[:, 0].tolist()) == [0.0, 0.0, 5.0]


@pytest.mark.parametrize(
    ("mixture", "fraction", "expected"),
    [
        (MILD, 0.25, [5, 5, 5, 17]),
        (Mixture(sets=("none", "train"), fractions=(0.5, 0.5)), 0.5, [5, 5, 17, 17]),  # cells in turn
    ],
)
def test_short_episodes_show_more_scenes_and_do_not_count_as_failures(
    tmp_path: Path, mixture: Mixture, fraction: float, expected: list[int]
) -> None:
    starts = np.zeros(4, dtype=int)

    class Watching(Expert):
        def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
            starts[list(range(cells) if indices is None else indices)] += 1

    config = DemonstrationConfig(
        steps=640, rounds=1, short_fraction=fraction, short_steps=10, mixture=mixture
    )
    env = PoolVecEnv.make(
        PROBE_ID, cells=4, workers=2, privileged=True, episode_steps=40, max_episode_steps=40
    )
    with contextlib.closing(env):
        space: Any = env.observation_space
        demonstrations = Demonstrations(
            config,
            env,
            policy=CellPPO(CellActorCritic, env, policy_kwargs=POLICY).policy,
            expert=Watching(),
            store=DemonstrationStore(tmp_path, space, 5, capacity=640),
            threads=StepThreads(1, adaptive=False),
            rng=np.random.default_rng(0),
        )
        success_rate = demonstrations.collect(0, lambda _: None)
        env.reset()
        ended = [env.step(np.zeros((4, 5), np.float32))[3] for _ in range(40)]
        assert [[info["episode"]["l"] for info in infos if "episode" in info] for infos in ended] == [
            *[[]] * 39,
            [40] * 4,
        ]
    assert starts.tolist() == expected
    assert success_rate > 0.9


@pytest.mark.parametrize(("first", "cells"), [(0.5, 16), (0.625, 16), (0.5, 8)])
def test_whole_episodes_are_shown_under_every_set(first: float, cells: int) -> None:
    sets = Mixture(sets=("wide", "hard"), fractions=(first, 1.0 - first)).assign(cells)
    short = short_cells(sets, 0.5)
    for name in ("wide", "hard"):
        own = [cell for cell, each in enumerate(sets) if each == name]
        assert len(set(short) & set(own)) == len(own) // 2
    assert short_cells(sets, 0.0) == []
    assert short_cells(sets, 1.0) == list(range(cells))


def test_one_in_so_many_steps_is_kept_and_the_store_is_filled_all_the_same(tmp_path: Path) -> None:
    config = DemonstrationConfig(steps=64, rounds=1, keep_every=5, mixture=MILD)
    env = PoolVecEnv.make(PROBE_ID, cells=4, workers=2, privileged=True, episode_steps=200)
    marks = []

    class Counting(Expert):
        calls = 0

        def act_batch(self, observations: Any) -> Any:
            self.calls += 1
            return np.full_like(super().act_batch(observations), 1e-3 * self.calls)

    with contextlib.closing(env):
        space: Any = env.observation_space
        store = DemonstrationStore(tmp_path, space, 5, capacity=64)
        expert = Counting()
        Demonstrations(
            config,
            env,
            policy=CellPPO(CellActorCritic, env, policy_kwargs=POLICY).policy,
            expert=expert,
            store=store,
            threads=StepThreads(1, adaptive=False),
            rng=np.random.default_rng(0),
        ).collect(0, marks.append)
    assert (store.rows, expert.calls, marks) == (64, 80, [4] * 16)
    np.testing.assert_allclose(store.actions[::4, 0], 1e-3 * np.arange(1, 81, 5))


def test_progress_counts_the_steps_that_are_not_kept_too(tmp_path: Path) -> None:
    demonstrations = DemonstrationConfig(
        steps=1_600, rounds=2, keep_every=3, epochs=1, final_epochs=0, batch_size=64
    )
    config = dataclasses.replace(SMALL, steps=0, demonstrations=demonstrations)
    reports = Reports()
    train(config, tmp_path / "run", seed=0, expert=Expert(), report=reports)
    collected = [report for report in reports if report.stage == "demonstrations"]
    assert {report.total for report in collected} == {4_800}
    assert collected[-1].steps == 4_800
    (learnt,) = [report for report in reports if report.stage == "imitation" and report.steps == 800][-1:]
    rate = [report.steps_per_s for report in collected if report.steps <= 2_400][-1]
    assert learnt.seconds_left == pytest.approx(2_400 / rate + 1_600 / learnt.steps_per_s)


def test_views_are_shifted_each_by_itself_and_repeat_their_edges() -> None:
    ramp = torch.arange(64, dtype=torch.uint8).expand(64, 64)
    images = torch.stack([ramp, ramp.T]).expand(50, 2, 64, 64)
    moved = shifted(images, 5, np.random.default_rng(0))
    along = moved[:, 0, 0].int() - torch.arange(64)
    assert set(along[:, 30].tolist()) == set(range(-5, 6))
    assert (along[:, 5:59] == along[:, 30:31]).all()
    assert not torch.equal(along[:, 30], moved[:, 1, 30, 0].int() - 30)
    assert moved.max() == 63
    assert torch.equal(shifted(images, 0, np.random.default_rng(0)), images)


def test_the_rate_is_that_of_the_recent_steps() -> None:
    rate = RecentRate(window=3)
    assert rate.mark(0, now_s=0.0) == 0.0
    assert rate.mark(10, now_s=10.0) == 1.0
    rate.mark(110, now_s=20.0)
    assert rate.mark(210, now_s=30.0) == 10.0


def test_gradient_steps_move_to_the_faster_number_of_threads() -> None:
    threads = StepThreads(2, adaptive=True)
    threads.record(1.0, trial=False)
    threads.record(2.0, trial=True)
    assert threads.threads == 2
    threads.record(0.5, trial=True)
    assert threads.threads == 1


def test_trials_of_another_number_of_threads_become_rare_while_they_lose() -> None:
    threads = StepThreads(2, adaptive=True)
    used = []
    for _ in range(100):
        with threads.step():
            used.append(torch.get_num_threads())
            time.sleep(1e-4 if torch.get_num_threads() == 2 else 2e-3)
    trials = [step for step, count in enumerate(used) if count == 1]
    assert trials == [16, 49]
    torch.set_num_threads(1)
