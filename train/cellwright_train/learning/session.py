"""A run in progress: demonstrations, critic warm-up, PPO with a curriculum."""

from __future__ import annotations

import contextlib
import dataclasses
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

from cellwright_envs.vector.pool import CellWorkerKilledError
from cellwright_policies.experts import make_expert
from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO
from cellwright_policies.threads import StepThreads
from cellwright_train.errors import UsageError, one_line
from cellwright_train.learning.curriculum import make_curriculum, set_disturbances
from cellwright_train.learning.demonstrations import Controller, Demonstrations, DemonstrationStore
from cellwright_train.learning.metrics import MetricsFile
from cellwright_train.learning.presets import TrainConfig
from cellwright_train.learning.progress import Clock, Progress, Rates, Reporter
from cellwright_train.learning.runs import RunDirectory, RunState, reading
from cellwright_train.learning.testing import evaluate_in_training
from cellwright_train.learning.training_cells import aux_indices, privileged_names
from cellwright_train.learning.vec_env import PoolVecEnv

_MOST_SEED_SHIFT = 2**31
_NEVER = 2**62
_METRICS = "metrics.csv"


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
            policy_kwargs={
                "network": config.network,
                "aux_indices": aux_indices(config, privileged_names(env)),
            },
            seed=seed,
            device=config.device,
        )
        self.curriculum = make_curriculum(config.curriculum, env)
        self.rounds_collected = self.rounds_done = self.passes_done = 0
        self.best_score = run.best_score
        self._resets = 0
        self.parts = 0
        """Episodes of PPO that have ended."""
        self.tested_at: int | None = -1
        """Control steps of PPO before the last test, as in `RunState`."""
        self._expert = expert
        self.rates = Rates()
        self._metrics_rows = 0
        if config.ppo.teacher_coefficient > 0:
            self._teacher()  # an unknown name is reported before anything is done

    def restore(self, checkpoint: Path) -> None:
        """Go on from `checkpoint`."""
        state = self.run.state(checkpoint)
        self.run.restore(checkpoint, self.model)
        self.rounds_collected, self.rounds_done = state.rounds_collected, state.rounds_done
        self.passes_done = state.passes_done
        self._resets, self.parts = state.resets, state.parts
        self.tested_at = state.tested_at
        self.clock.spent_before_s = state.seconds
        with reading(checkpoint / "state.json", f"remove {checkpoint} to go on from the one before it"):
            self.curriculum.restore(dict(state.curriculum))
        self._metrics_rows = state.metrics_rows
        torch.manual_seed(self.seed + self.model.num_timesteps)

    @property
    def has_learnt(self) -> bool:
        """Whether it is past its first moment."""
        return self.model.num_timesteps > 0 or self.rounds_collected > 0

    def begin_with(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Go on from a policy's `state_dict`."""
        self.model.policy.load_state_dict(weights)
        self._metrics_rows = 0

    def run_to_end(self) -> None:
        """Do what is left of the run."""
        self._begin_logs()
        if self.config.ppo.teacher_coefficient > 0:
            self.model.teacher = self._teacher().act_batch
        try:
            self._demonstrate()
            self._learn()
        except (KeyboardInterrupt, CellWorkerKilledError):
            self.save()
            raise
        finally:
            with contextlib.suppress(OSError):  # a full disk was reported by what failed first
                self.logger.close()

    def reset_cells(self) -> Any:
        """Start new episodes, never the same twice in a run, and return the first observations."""
        self._resets += 1
        self.env.seed((self.seed + 1_000_003 * self._resets) % _MOST_SEED_SHIFT)
        return self.env.reset()

    def save(self) -> None:
        """Write a checkpoint."""
        self.run.save_checkpoint(self.model, self._state())

    def test(self) -> dict[str, float]:
        """Test the policy on the fixed episodes and keep it if it is the best; cells need a reset then."""
        config = self.config.evaluation
        names = self.curriculum.begin_test(config.mixture)
        scores = evaluate_in_training(self.model.policy, self.env, config, names)
        self.tested_at = self.model.num_timesteps
        score = (scores["success_rate"], scores["return"])
        if score > self.best_score:
            self.run.save_best(self.model, dataclasses.replace(self._state(), scores=scores))
            self.best_score = score
        return scores

    def begin_episodes(self) -> None:
        """Let PPO go on from new episodes of the curriculum in every cell."""
        self.curriculum.apply()
        self.model._last_obs = self.reset_cells()
        self.model._last_episode_starts = np.ones(self.env.num_envs, dtype=bool)
        for cell in range(self.env.num_envs):
            self.curriculum.start_episode(cell)

    def _begin_logs(self) -> None:
        """Go on in the files of the run, after what the checkpoint knows of."""
        self._metrics = MetricsFile(self.run.path / _METRICS, rows=self._metrics_rows)
        logs: list[KVWriter] = [TensorBoardOutputFormat(str(self.run.path / "tensorboard")), self._metrics]
        self.logger = Logger(None, logs)
        self.model.set_logger(self.logger)

    def _teacher(self) -> Controller:
        if self._expert is not None:
            return self._expert
        try:
            return make_expert(
                self.config.env_id, self.config.demonstrations.expert, privileged_names(self.env)
            )
        except ValueError as error:
            raise UsageError(one_line(error)) from error

    def _state(self) -> RunState:
        return RunState(
            steps=self.model.num_timesteps,
            rounds_collected=self.rounds_collected,
            rounds_done=self.rounds_done,
            passes_done=self.passes_done,
            resets=self._resets,
            seconds=self.clock.spent_s(),
            metrics_rows=self._metrics.rows,
            parts=self.parts,
            tested_at=self.tested_at,
            curriculum=self.curriculum.state(),
        )

    def _demonstrate(self) -> None:
        """Warm-start the actor, round by round; a stop loses at most a pass or a round's collecting."""
        config = self.config.demonstrations
        if config.steps == 0 or self.rounds_done >= config.rounds:
            return
        directory = self.run.path / "demonstrations"
        space = self.env.observation_space
        assert isinstance(space, spaces.Dict)
        assert self.env.action_space.shape is not None
        store = DemonstrationStore(
            directory,
            space,
            self.env.action_space.shape[0],
            config.steps,
            rows=self._rows_of_a_round * self.rounds_collected,
        )
        begun = [self.passes_done] if self.passes_done else []
        demonstrations = Demonstrations(
            config,
            self.env,
            policy=self.model.policy,
            expert=self._teacher(),
            store=store,
            threads=StepThreads(self.config.ppo.update_threads, adaptive=self.config.ppo.adaptive_threads),
            rng=np.random.default_rng([self.seed, self.rounds_done, *begun]),
            has_learnt=self.run.given.exists(),
        )
        set_disturbances(self.env, config.mixture.assign(self.env.num_envs))
        shown: dict[str, float] = {}
        while self.rounds_done < config.rounds and not self.clock.is_over():
            if self.rounds_collected == self.rounds_done:
                shown["success"] = self._collect_round(demonstrations, store, shown)
            self._learn_round(demonstrations, store, shown)
        if self.rounds_done >= config.rounds:
            shutil.rmtree(directory)

    @property
    def _rows_of_a_round(self) -> int:
        config, cells = self.config.demonstrations, self.env.num_envs
        return max(1, config.steps // config.rounds // cells) * cells

    def _collect_round(
        self, demonstrations: Demonstrations, store: DemonstrationStore, shown: Mapping[str, float]
    ) -> float:
        """Collect the steps of the next round; returns the success rate."""
        each = self.config.demonstrations.keep_every
        total = self.config.demonstrations.steps * each
        self.reset_cells()
        self.rates.collecting.pause()

        def on_steps(_: int) -> None:
            if store.rows % (self.env.num_envs * 50) == 0:
                rate = self.rates.collecting.mark(store.rows * each)
                self.report_on("demonstrations", store.rows * each, total, rate, shown)

        success_rate = demonstrations.collect(self.rounds_done, on_steps)
        self.rounds_collected += 1
        rate = self.rates.collecting.mark(store.rows * each)
        self.report_on("demonstrations", store.rows * each, total, rate, shown)
        self.logger.record("demonstrations/success_rate", success_rate)
        self.save()
        return success_rate

    def _learn_round(
        self, demonstrations: Demonstrations, store: DemonstrationStore, shown: dict[str, float]
    ) -> None:
        """Learn from the rounds so far; stops between passes where the time is up."""
        passes = len(self.config.demonstrations.rates(self.rounds_done))
        total, learnt = passes * store.rows, self.passes_done * store.rows
        self.rates.imitation.pause()

        def on_rows(count: int) -> None:
            nonlocal learnt
            learnt += count
            rate = self.rates.imitation.mark(learnt)
            self.report_on("imitation", min(learnt, total), total, rate, shown)

        on_rows(0)
        for losses in demonstrations.learn(self.rounds_done, self.passes_done, on_rows):
            self.passes_done += 1
            learnt = self.passes_done * store.rows  # what is left of the rows is no whole batch
            shown["loss"] = losses.imitation
            if self.passes_done == passes:
                self.rounds_done, self.passes_done = self.rounds_done + 1, 0
                self.logger.record("demonstrations/imitation_loss", losses.imitation)
                self.logger.record("demonstrations/aux_loss", losses.aux)
                self.logger.dump(step=store.rows)
            self.save()
            self.report_on("imitation", learnt, total, self.rates.imitation.last, shown)
            if self.clock.is_over():
                return

    def _learn(self) -> None:
        left = max(0, self.config.steps - self.model.num_timesteps)
        if self.clock.is_over() or (not left and self._state().is_tested):
            return
        self.begin_episodes()  # where nothing is left but the last test, `learn` makes that
        self.model.learn(
            left, callback=_TrainingCallback(self), log_interval=_NEVER, reset_num_timesteps=False
        )

    def report_on(
        self, stage: str, steps: int, total: int, steps_per_s: float, metrics: Mapping[str, float]
    ) -> None:
        """Tell the reporter how far `stage` is."""
        self.report(
            Progress(
                stage=stage,
                steps=steps,
                total=total,
                steps_per_s=steps_per_s,
                seconds_left=min(self._left_s(stage, steps), self.clock.left_s()),
                metrics=metrics,
            )
        )

    def _left_s(self, stage: str, done: int) -> float:
        """Seconds that the rest of the run takes at recent rates, after `done` of the present stage."""
        config = self.config.demonstrations
        rounds = range(self.rounds_done, config.rounds) if config.steps else range(0)
        rows = {number: self._rows_of_a_round * (number + 1) for number in rounds}
        collecting = self._rows_of_a_round * (len(rounds) - (self.rounds_collected - self.rounds_done))
        collecting *= config.keep_every
        imitation = sum(rows[number] * len(config.rates(number)) for number in rounds)
        ppo = self.config.steps - self.model.num_timesteps
        if stage == "demonstrations":
            collecting = config.steps * config.keep_every - done
        elif stage == "imitation" and rounds and self.rounds_collected > self.rounds_done:
            imitation -= done
        return self.rates.left_s(collecting, imitation, ppo, self.config.ppo.epochs)


class _TrainingCallback(BaseCallback):
    """Watches PPO: metrics, curriculum, tests, checkpoints, time limit, report."""

    model: CellPPO

    def __init__(self, session: TrainingSession) -> None:
        super().__init__()
        self._session = session
        self._rate = session.rates.ppo
        self._terms: dict[str, float] = {}
        self._term_steps = 0
        self._episodes: dict[str, deque[tuple[float, float, float]]] = {}
        self._sets: list[str] = []
        self._saved_s = self._tested_s = time.monotonic()
        self._tested_at = session.model.num_timesteps
        self._shown: dict[str, float] = {}

    def _on_training_start(self) -> None:
        self._sets = list(self._session.curriculum.sets)
        if self._session.run.given.exists() and self.num_timesteps == 0:
            self.test()  # nothing that PPO makes is kept where it is worse than what PPO began with

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
        if not self.model.warming_up and self._is_test_due(now_s):
            self.test()
            self._tested_s, self._tested_at = now_s, self.num_timesteps
        if now_s - self._saved_s > 60 * session.config.checkpoint_minutes:
            session.save()
            self._saved_s = now_s
        if session.curriculum.update(self.num_timesteps):
            self._episodes.clear()
        stage = "critic" if self.model.warming_up else "ppo"
        session.report_on(stage, self.num_timesteps, session.config.steps, rate, self._shown)

    def _is_test_due(self, now_s: float) -> bool:
        config = self._session.config.evaluation
        if config.every_steps is not None:
            return self.num_timesteps - self._tested_at >= config.every_steps
        return now_s - self._tested_s > 60 * config.every_minutes

    def _on_training_end(self) -> None:
        self._record_time()
        self.test()
        self.logger.dump(step=self.num_timesteps)
        self._session.save()
        self._session.report_on(
            "ppo", self.num_timesteps, self._session.config.steps, self._rate.last, self._shown
        )

    def test(self) -> None:
        """Test the policy; the cells start new training episodes, which the rollouts go on with."""
        for name, value in self._session.test().items():
            self.logger.record(f"test/{name}", value)
            if name == "success_rate":
                self._shown["test"] = value
        self._session.begin_episodes()
        self._sets = list(self._session.curriculum.sets)

    def _end_episode(self, cell: int, info: Mapping[str, Any]) -> None:
        name = self._sets[cell]
        self._session.parts += 1
        success = bool(info.get("is_success", False))
        episodes = self._episodes.setdefault(name, deque(maxlen=100))
        episodes.append((float(success), info["episode"]["r"], info["episode"]["l"]))
        curriculum = self._session.curriculum
        curriculum.record(cell, success)
        curriculum.start_episode(cell)
        self._sets[cell] = curriculum.sets[cell]  # what its next episode meets

    def _record(self, steps_per_s: float) -> None:
        for name, total in self._terms.items():
            self.logger.record(f"reward/{name}", total / self._term_steps)
        self._terms.clear()
        self._term_steps = 0
        for name, episodes in self._episodes.items():
            success, reward, length = np.mean(episodes, axis=0)
            self.logger.record(f"rollout/success_rate_{name}", success)
            self.logger.record(f"rollout/return_{name}", reward)
            self.logger.record(f"rollout/length_{name}", length)
            self._shown[name] = float(success)
        self._record_time()
        self.logger.record("time/steps_per_s", steps_per_s)
        for name, value in self._session.curriculum.metrics().items():
            self.logger.record(f"curriculum/{name}", value)

    def _record_time(self) -> None:
        self.logger.record("time/parts", self._session.parts)
        self.logger.record("time/minutes", self._session.clock.spent_s() / 60)
