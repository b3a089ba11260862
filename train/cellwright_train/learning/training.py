"""One training run from start to end: demonstrations, critic warm-up, PPO with a curriculum."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shutil
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat

from cellwright_policies.experts import make_expert
from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO
from cellwright_policies.threads import StepThreads
from cellwright_train.errors import UsageError, one_line
from cellwright_train.learning.curriculum import make_curriculum, set_levels
from cellwright_train.learning.demonstrations import Controller, Demonstrations, DemonstrationStore
from cellwright_train.learning.presets import EvaluationConfig, TrainConfig
from cellwright_train.learning.progress import Clock, Progress, ProgressBar, RecentRate, Reporter
from cellwright_train.learning.runs import MetricsFile, NoCheckpointError, RunDirectory, reading
from cellwright_train.learning.training_cells import aux_indices, make_cells, privileged_names
from cellwright_train.learning.vec_env import PoolVecEnv

_MOST_SEED_SHIFT = 2**31
_NEVER = 2**62


def train(
    config: TrainConfig,
    run_dir: Path | str,
    *,
    seed: int,
    minutes: float | None = None,
    expert: Controller | None = None,
    initial_weights: Mapping[str, torch.Tensor] | None = None,
    report: Reporter | None = None,
    command: str = "",
) -> Path:
    """Train as `config` says and return the run directory.

    `minutes` bounds the wall-clock time: the run then stops, tests, saves, and can be resumed. `expert`
    stands in for the scripted expert that `config` names. `initial_weights` are a policy's `state_dict`, from
    which training goes on. `report` hears how far it is; a bar is drawn where it is None. `command` is noted
    in the run as what trained it. Ctrl-C saves and stops. Raises `RunExistsError` where `run_dir` is not
    empty.
    """
    _require_device(config.device)
    run = RunDirectory.create(Path(run_dir), config, seed)
    if command:
        run.note_command(command)
    with _session(run, run.config, minutes, expert, report) as session:
        if initial_weights is not None:
            session.model.policy.load_state_dict(initial_weights)
        session.run_to_end()
    return run.path


def resume(
    run_dir: Path | str,
    *,
    minutes: float | None = None,
    expert: Controller | None = None,
    workers: int | None = None,
    device: str | None = None,
    report: Reporter | None = None,
    command: str = "",
) -> Path:
    """Go on with a stopped run from its newest checkpoint.

    Counters, weights, optimizer, schedules, curriculum and logs go on as they were; cells start new episodes.
    `workers` and `device` stand in for those of the run, which may have begun on another machine. Raises
    `NoCheckpointError` where `run_dir` is no run, and `UsageError` where a file of it is missing or wrong.
    """
    run = RunDirectory.open(Path(run_dir))
    config = on_machine(run.config, workers=workers, device=device)
    _require_device(config.device)
    with _session(run, config, minutes, expert, report) as session:
        with contextlib.suppress(NoCheckpointError):
            session.restore(run.last_checkpoint())
        run.note_versions()
        if command:
            run.note_command(command)
        session.run_to_end()
    return run.path


def on_machine(config: TrainConfig, *, workers: int | None, device: str | None) -> TrainConfig:
    """Return `config` with as many processes and the device given; None keeps its own."""
    given: dict[str, Any] = {
        name: value for name, value in (("workers", workers), ("device", device)) if value is not None
    }
    return dataclasses.replace(config, **given)


def _require_device(name: str) -> None:
    """Raise `UsageError` where torch cannot compute on the device called `name`."""
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        have = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        raise UsageError(f"no device {name!r} here; there is: {', '.join(have)}") from error


@contextlib.contextmanager
def _session(
    run: RunDirectory,
    config: TrainConfig,
    minutes: float | None,
    expert: Controller | None,
    report: Reporter | None,
) -> Any:
    seed = run.seed
    env = make_cells(config)
    try:
        with contextlib.ExitStack() as stack:
            reporter = stack.enter_context(ProgressBar()) if report is None else report
            yield TrainingSession(
                run, config, env, seed=seed, minutes=minutes, expert=expert, report=reporter
            )
    finally:
        env.close()


class TrainingSession:
    """A run in progress: model, cells, curriculum, logs and clock."""

    def __init__(
        self,
        run: RunDirectory,
        config: TrainConfig,
        env: PoolVecEnv,
        *,
        seed: int,
        minutes: float | None,
        expert: Controller | None,
        report: Reporter,
    ) -> None:
        self.run = run
        self.config = config
        self.seed = seed
        self.env = env
        self.clock = Clock(minutes)
        self.report = report
        self.model = CellPPO(
            CellActorCritic,
            env,
            config=config.ppo,
            policy_kwargs={"network": config.network, "aux_indices": aux_indices(config, env)},
            seed=seed,
            device=config.device,
        )
        self.curriculum = make_curriculum(config.curriculum, env)
        self.rounds_done = 0
        self.best_score: tuple[float, float] = (-1.0, -math.inf)
        self._resets = 0
        self._saves = 0
        self._expert = expert
        self._logs: list[KVWriter] = [
            TensorBoardOutputFormat(str(run.path / "tensorboard")),
            MetricsFile(run.path / "metrics.csv"),
        ]
        self.logger = Logger(None, self._logs)
        self._set_up_model()

    def restore(self, checkpoint: Path) -> None:
        """Go on from `checkpoint`."""
        advice = f"remove {checkpoint} to go on from the checkpoint before it"
        with reading(checkpoint / "model.zip", advice):
            self.model = CellPPO.load(checkpoint / "model.zip", env=self.env, device=self.config.device)
        self.model.config = self.config.ppo  # the run's file counts, which somebody may have edited
        with reading(checkpoint / "state.json", advice):
            state = json.loads((checkpoint / "state.json").read_text())
            self.rounds_done = state["rounds_done"]
            self.best_score = (state["best_score"][0], state["best_score"][1])
            self._resets = state["resets"]
            self._saves = state["saves"]
            self.clock.spent_before_s = state["seconds"]
            self.curriculum.restore(state["curriculum"])
        torch.manual_seed(self.seed + self.model.num_timesteps)
        self._set_up_model()

    def run_to_end(self) -> None:
        """Do what is left of the run."""
        try:
            self._demonstrate()
            self._learn()
        except KeyboardInterrupt:
            self.save()
        finally:
            self.logger.close()

    def reset_cells(self) -> Any:
        """Start new episodes, never the same twice in a run, and return the first observations."""
        self._resets += 1
        self.env.seed((self.seed + 1_000_003 * self._resets) % _MOST_SEED_SHIFT)
        return self.env.reset()

    def save(self) -> None:
        """Write a checkpoint."""
        self._saves += 1
        self.run.save_checkpoint(self.model, self._state(), self._saves)

    def test(self) -> dict[str, float]:
        """Test the policy on the fixed episodes and keep it if it is the best; cells need a reset then."""
        scores = evaluate_in_training(self.model.policy, self.env, self.config.evaluation)
        score = (scores["success_rate"], scores["return"])
        if score > self.best_score:
            self.best_score = score
            self.run.save_best(self.model, self._state() | {"scores": scores})
        return scores

    def begin_episodes(self) -> None:
        """Let PPO go on from new episodes of the curriculum in every cell."""
        self.curriculum.apply()
        self.model._last_obs = self.reset_cells()
        self.model._last_episode_starts = np.ones(self.env.num_envs, dtype=bool)
        for cell in range(self.env.num_envs):
            self.curriculum.start_episode(cell)

    def _set_up_model(self) -> None:
        self.model.set_logger(self.logger)
        if self.config.ppo.teacher_coefficient > 0:
            self.model.teacher = self._teacher().act_batch

    def _teacher(self) -> Controller:
        if self._expert is not None:
            return self._expert
        try:
            return make_expert(
                self.config.env_id, self.config.demonstrations.expert, privileged_names(self.env)
            )
        except ValueError as error:
            raise UsageError(one_line(error)) from error

    def _state(self) -> dict[str, Any]:
        return {
            "steps": self.model.num_timesteps,
            "rounds_done": self.rounds_done,
            "best_score": self.best_score,
            "resets": self._resets,
            "saves": self._saves,
            "seconds": self.clock.spent_s(),
            "curriculum": self.curriculum.state(),
        }

    def _demonstrate(self) -> None:
        """Warm-start the actor, round by round; a stop loses at most the round it falls in."""
        config = self.config.demonstrations
        if config.steps == 0 or self.rounds_done == config.rounds:
            return
        directory = self.run.path / "demonstrations"
        space = self.env.observation_space
        assert isinstance(space, spaces.Dict)
        assert self.env.action_space.shape is not None
        store = DemonstrationStore(directory, space, self.env.action_space.shape[0], config.steps)
        store.rows = config.steps // config.rounds // self.env.num_envs * self.env.num_envs * self.rounds_done
        rng = np.random.default_rng([self.seed, self.rounds_done])
        demonstrations = Demonstrations(
            config,
            self.env,
            policy=self.model.policy,
            expert=self._teacher(),
            store=store,
            threads=StepThreads(self.config.ppo.update_threads, adaptive=self.config.ppo.adaptive_threads),
            rng=rng,
        )
        set_levels(self.env, config.mixture.assign(self.env.num_envs))
        rate = RecentRate()
        shown: dict[str, float] = {}

        def on_steps(_: int) -> None:
            if store.rows % (self.env.num_envs * 50) == 0:
                self._report("demonstrations", store.rows, config.steps, rate.mark(store.rows), shown)

        while self.rounds_done < config.rounds and not self.clock.is_over():
            self.reset_cells()

            done = demonstrations.run_round(self.rounds_done, on_steps)
            self.rounds_done += 1
            self.save()
            shown |= {"loss": done.imitation_loss, "success": done.success_rate}
            for name in ("imitation_loss", "aux_loss", "success_rate"):
                self.logger.record(f"demonstrations/{name}", getattr(done, name))
            self.logger.dump(step=done.steps)
            self._report("demonstrations", store.rows, config.steps, rate.mark(store.rows), shown)
        if self.rounds_done == config.rounds:
            shutil.rmtree(directory)

    def _learn(self) -> None:
        left = self.config.steps - self.model.num_timesteps
        if left <= 0 or self.clock.is_over():
            return
        self.begin_episodes()
        self.model.learn(
            left, callback=_TrainingCallback(self), log_interval=_NEVER, reset_num_timesteps=False
        )

    def _report(
        self, stage: str, steps: int, total: int, steps_per_s: float, metrics: Mapping[str, float]
    ) -> None:
        left_s = (total - steps) / steps_per_s if steps_per_s > 0 else math.inf
        self.report(
            Progress(
                stage=stage,
                steps=steps,
                total=total,
                steps_per_s=steps_per_s,
                seconds_left=min(left_s, self.clock.left_s()),
                metrics=metrics,
            )
        )


class _TrainingCallback(BaseCallback):
    """Watches PPO: metrics, curriculum, tests, checkpoints, time limit, report."""

    model: CellPPO

    def __init__(self, session: TrainingSession) -> None:
        super().__init__()
        self._session = session
        self._rate = RecentRate()
        self._terms: dict[str, float] = {}
        self._term_steps = 0
        self._episodes: dict[str, deque[tuple[float, float, float]]] = {}
        self._levels: list[str] = []
        self._saved_s = self._tested_s = time.monotonic()
        self._shown: dict[str, float] = {}

    def _on_training_start(self) -> None:
        self._levels = list(self._session.curriculum.levels)

    def _on_step(self) -> bool:
        for cell, info in enumerate(self.locals["infos"]):
            for name, value in info.get("reward_terms", {}).items():
                self._terms[name] = self._terms.get(name, 0.0) + value
            if "episode" in info:
                self._end_episode(cell, info)
        self._term_steps += len(self.locals["infos"])
        return not self._session.clock.is_over()

    def _on_rollout_start(self) -> None:
        if self.logger.name_to_value:  # recorded by the rollout and the update before
            self.logger.dump(step=self.num_timesteps)

    def _on_rollout_end(self) -> None:
        session = self._session
        rate = self._rate.mark(self.num_timesteps)
        self._record(rate)
        now_s = time.monotonic()
        if (
            not self.model.warming_up
            and now_s - self._tested_s > 60 * session.config.evaluation.every_minutes
        ):
            self.test()
            self._tested_s = now_s
        if now_s - self._saved_s > 60 * session.config.checkpoint_minutes:
            session.save()
            self._saved_s = now_s
        if session.curriculum.update(self.num_timesteps):
            self._episodes.clear()
        stage = "critic" if self.model.warming_up else "ppo"
        session._report(stage, self.num_timesteps, session.config.steps, rate, self._shown)

    def _on_training_end(self) -> None:
        self.test()
        self.logger.dump(step=self.num_timesteps)
        self._session.save()
        self._session._report("ppo", self.num_timesteps, self._session.config.steps, 0.0, self._shown)

    def test(self) -> None:
        """Test the policy; the cells start new training episodes, which the rollouts go on with."""
        for name, value in self._session.test().items():
            self.logger.record(f"test/{name}", value)
            if name == "success_rate":
                self._shown["test"] = value
        self._session.begin_episodes()
        self._levels = list(self._session.curriculum.levels)

    def _end_episode(self, cell: int, info: Mapping[str, Any]) -> None:
        level = self._levels[cell]
        success = bool(info.get("is_success", False))
        episodes = self._episodes.setdefault(level, deque(maxlen=100))
        episodes.append((float(success), info["episode"]["r"], info["episode"]["l"]))
        curriculum = self._session.curriculum
        curriculum.record(cell, success)
        curriculum.start_episode(cell)
        self._levels[cell] = curriculum.levels[cell]  # what its next episode meets

    def _record(self, steps_per_s: float) -> None:
        for name, total in self._terms.items():
            self.logger.record(f"reward/{name}", total / self._term_steps)
        self._terms.clear()
        self._term_steps = 0
        for level, episodes in self._episodes.items():
            success, reward, length = np.mean(episodes, axis=0)
            self.logger.record(f"rollout/success_rate_{level}", success)
            self.logger.record(f"rollout/return_{level}", reward)
            self.logger.record(f"rollout/length_{level}", length)
            self._shown[level] = float(success)
        self.logger.record("time/steps_per_s", steps_per_s)
        self.logger.record("time/minutes", self._session.clock.spent_s() / 60)
        for name, value in self._session.curriculum.metrics().items():
            self.logger.record(f"curriculum/{name}", value)


def evaluate_in_training(
    policy: CellActorCritic, env: PoolVecEnv, config: EvaluationConfig
) -> dict[str, float]:
    """Run the deterministic policy over the first episodes of each cell, always from the same seeds.

    Counting the same number of episodes in every cell keeps short episodes, which are often the failures,
    from counting more than long ones.
    """
    each = max(1, config.episodes // env.num_envs)
    set_levels(env, config.mixture.assign(env.num_envs))
    env.seed(config.seed)
    observations: Any = env.reset()
    outcomes: list[list[tuple[float, float, float]]] = [[] for _ in range(env.num_envs)]
    while any(len(done) < each for done in outcomes):
        observations, _, _, infos = env.step(policy.act_batch(observations))
        for info, done in zip(infos, outcomes, strict=True):
            if "episode" in info and len(done) < each:
                success = float(info.get("is_success", False))
                done.append((success, info["episode"]["r"], info["episode"]["l"]))
    success_rate, mean_return, length = np.mean([outcome for done in outcomes for outcome in done], axis=0)
    return {"success_rate": float(success_rate), "return": float(mean_return), "length": float(length)}
