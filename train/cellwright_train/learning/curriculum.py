"""The curriculum: the disturbances of each cell, and when they become harder."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stable_baselines3.common.vec_env import VecEnv

from cellwright_train.learning.line_conditions import StretchConfig


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Named sets of disturbances that train side by side, each on a fraction of the cells."""

    sets: tuple[str, ...]
    """Names of sets, as the environment's `set_disturbances` takes them."""
    fractions: tuple[float, ...]
    """Fraction of the cells for each set; they add up to 1."""

    def __post_init__(self) -> None:
        if len(self.sets) != len(self.fractions) or not self.sets:
            raise ValueError(f"need one fraction for each set, got {self.sets=} {self.fractions=}")
        if min(self.fractions) < 0 or abs(sum(self.fractions) - 1.0) > 1e-6:
            raise ValueError(f"fractions must add up to 1, got {self.fractions=}")

    def assign(self, cells: int) -> list[str]:
        """Return the set of each cell, spread so that every worker gets its part of each set."""
        counts = [0] * len(self.sets)
        assigned = []
        for cell in range(cells):
            owed = [
                fraction * (cell + 1) - count for fraction, count in zip(self.fractions, counts, strict=True)
            ]
            chosen = owed.index(max(owed))
            counts[chosen] += 1
            assigned.append(self.sets[chosen])
        return assigned


UNDISTURBED = Mixture(sets=("none",), fractions=(1.0,))


@dataclass(frozen=True, kw_only=True)
class FactorConfig:
    """Disturbances that are widened one by one, as automatic domain randomisation does (arXiv:1910.07113)."""

    disturbances: str
    """Named set of disturbances whose full strength is the aim."""
    start: float = 0.5
    """Width of every disturbance at the beginning, 0 being off and 1 the full strength."""
    step: float = 0.25
    """Change of a width at once."""
    widen_at: float = 0.8
    """Success rate of a disturbance's trials at which it is widened."""
    narrow_at: float = 0.5
    """Success rate below which it is narrowed."""
    trials: int = 24
    """Number of trials of a disturbance between two verdicts. A trial is an episode in which it is drawn a
    step wider."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.start <= 1.0 or not 0.0 < self.step <= 1.0:
            raise ValueError(f"need 0 <= {self.start=} <= 1 and 0 < {self.step=} <= 1")
        if not 0.0 <= self.narrow_at < self.widen_at <= 1.0:
            raise ValueError(f"need 0 <= {self.narrow_at=} < {self.widen_at=} <= 1")
        if self.trials < 1:
            raise ValueError(f"need {self.trials=} >= 1")


@dataclass(frozen=True, kw_only=True)
class CurriculumConfig:
    """Mixtures from easy to hard, or disturbances that widen one by one."""

    factors: FactorConfig | None = None
    """Settings for widening each disturbance by itself; None goes through `mixtures` instead."""
    line: StretchConfig | None = None
    """A change of a line to adapt to, instead of `mixtures`."""

    mixtures: tuple[Mixture, ...] = (UNDISTURBED,)
    """Disturbances of the cells, stage by stage."""
    promote_at: float = 0.8
    """Success rate over the recent episodes of a stage at which the next stage begins."""
    window_episodes: int = 64
    """Number of episodes that count as recent."""
    longest_stage_steps: int = 300_000
    """Steps after which the next stage starts in any case."""

    def __post_init__(self) -> None:
        if not self.mixtures:
            raise ValueError(f"need at least one stage, got {self.mixtures=}")
        if self.factors is not None and self.line is not None:
            raise ValueError("need one of self.factors and self.line, got both")
        if not 0.0 <= self.promote_at <= 1.0:
            raise ValueError(f"need 0 <= {self.promote_at=} <= 1")
        if self.window_episodes < 1 or self.longest_stage_steps < 1:
            raise ValueError(f"need {self.window_episodes=} >= 1 and {self.longest_stage_steps=} >= 1")


class Curriculum(Protocol):
    """Chooses the disturbances of cells from their next reset on, by the success rate."""

    sets: list[str]
    """Name of the set under which each cell's next episode counts."""

    def apply(self) -> None:
        """Give each cell its disturbances, from its next reset on."""

    def start_episode(self, cell: int) -> None:
        """A cell was reset."""

    def begin_test(self, mixture: Mixture) -> list[str]:
        """Give each cell what a test of the policy meets, `mixture` where nothing else is asked for.

        Returns the name of each cell's set. `apply` brings the training back.
        """

    def record(self, cell: int, success: bool) -> None:
        """Count an episode that has just ended in `cell`."""

    def update(self, steps: int) -> bool:
        """Begin the next stage if it is time; return whether success rates are no longer comparable."""

    def metrics(self) -> dict[str, float]:
        """What to log."""

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""


def make_curriculum(config: CurriculumConfig, env: VecEnv) -> Curriculum:
    """The curriculum that `config` describes."""
    if config.line is not None:
        return LineCurriculum(config.line, env)
    return StagedCurriculum(config, env) if config.factors is None else FactorCurriculum(config.factors, env)


class StagedCurriculum:
    """Follows success and moves the cells from one mixture to the next."""

    def __init__(self, config: CurriculumConfig, env: VecEnv) -> None:
        self._config = config
        self._env = env
        self.stage = 0
        self.stage_started_at = 0
        self._recent: deque[bool] = deque(maxlen=config.window_episodes)
        self.sets: list[str] = []

    def apply(self) -> None:
        """Give each cell the set of the present stage, from its next reset on."""
        self.sets = self._config.mixtures[self.stage].assign(self._env.num_envs)
        set_disturbances(self._env, self.sets)

    def start_episode(self, cell: int) -> None:
        """Nothing changes between stages."""

    def begin_test(self, mixture: Mixture) -> list[str]:
        """Spread `mixture` over the cells."""
        return _test_of(mixture, self._env)

    def record(self, cell: int, success: bool) -> None:
        """Count a finished training episode."""
        self._recent.append(success)

    def update(self, steps: int) -> bool:
        """Go to the next stage if it is time; say whether the stage changed."""
        full = len(self._recent) == self._config.window_episodes
        mastered = full and sum(self._recent) >= self._config.promote_at * len(self._recent)
        overdue = steps - self.stage_started_at >= self._config.longest_stage_steps
        if self.stage + 1 == len(self._config.mixtures) or not (mastered or overdue):
            return False
        self.stage += 1
        self.stage_started_at = steps
        self._recent.clear()
        self.apply()
        return True

    def metrics(self) -> dict[str, float]:
        """The stage."""
        return {"stage": self.stage}

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        started = self.stage_started_at
        return {"stage": self.stage, "stage_started_at": started, "recent": list(self._recent)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.stage = state["stage"]
        self.stage_started_at = state["stage_started_at"]
        self._recent.extend(state["recent"])
        self.apply()


class FactorCurriculum:
    """Widens each disturbance while the policy succeeds under it, and narrows it where it does not.

    Every episode is a trial of one disturbance: that one is drawn a step wider than its width, the others at
    their widths. After enough trials its width goes up, down, or stays.
    """

    def __init__(self, config: FactorConfig, env: VecEnv) -> None:
        self._config = config
        self._env = env
        names = env.env_method("disturbance_names", config.disturbances, indices=[0])[0]
        self.widths: dict[str, float] = dict.fromkeys(names, config.start)
        self._trials: dict[str, list[bool]] = {name: [] for name in names}
        self._turn = 0
        self._running = [names[0]] * env.num_envs
        self._next = [names[0]] * env.num_envs
        self.sets = [config.disturbances] * env.num_envs

    def apply(self) -> None:
        """Give each cell a trial, from its next reset on."""
        for cell in range(self._env.num_envs):
            self._assign(cell)

    def start_episode(self, cell: int) -> None:
        """Note which trial `cell` has begun and give it the one after."""
        self._running[cell] = self._next[cell]
        self._assign(cell)

    def begin_test(self, mixture: Mixture) -> list[str]:
        """Spread `mixture` over the cells."""
        return _test_of(mixture, self._env)

    def record(self, cell: int, success: bool) -> None:
        """Count the trial that has ended in `cell`; a verdict follows the last one that it needs."""
        name = self._running[cell]
        trials, config = self._trials[name], self._config
        trials.append(success)
        if len(trials) < config.trials:
            return
        rate = sum(trials) / len(trials)
        change = config.step * ((rate >= config.widen_at) - (rate < config.narrow_at))
        self.widths[name] = min(max(self.widths[name] + change, 0.0), 1.0)
        trials.clear()

    def update(self, steps: int) -> bool:
        """Return False: widths change all the time, and success rates stay comparable."""
        return False

    def metrics(self) -> dict[str, float]:
        """Every width, and their mean."""
        return {f"width_{name}": width for name, width in self.widths.items()} | {
            "mean_width": sum(self.widths.values()) / len(self.widths)
        }

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"widths": dict(self.widths), "trials": dict(self._trials), "turn": self._turn}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; raises ValueError where it is of other disturbances."""
        if state["widths"].keys() != self.widths.keys() or state["trials"].keys() != self.widths.keys():
            raise ValueError(f"its disturbances are not {', '.join(self.widths)}")
        self.widths = {name: min(max(float(state["widths"][name]), 0.0), 1.0) for name in self.widths}
        self._trials = {name: [bool(good) for good in state["trials"][name]] for name in self.widths}
        self._turn = state["turn"]
        self.apply()

    def _assign(self, cell: int) -> None:
        """Let the next episode of `cell` be a trial of the disturbance whose turn it is."""
        names = list(self.widths)
        name = names[self._turn % len(names)]
        self._turn += 1
        self._next[cell] = name
        widths = self.widths | {name: min(self.widths[name] + self._config.step, 1.0)}
        self._env.env_method("narrow_disturbances", self._config.disturbances, widths, indices=[cell])


class LineCurriculum:
    """Parts of a line after a change, and on some of the cells those before it.

    Conditions take turns, cell by cell and episode by episode.
    """

    def __init__(self, config: StretchConfig, env: VecEnv) -> None:
        self._config = config
        self._env = env
        self._known = env.get_attr("disturbance_sets", indices=[0])[0]
        self._sets = {
            name: [(each.product, each.disturbance_set(self._known)) for each in conditions]
            for name, conditions in (("before", config.before), ("after", config.after))
        }
        self._turns = {"before": 0, "after": 0}
        self.sets = Mixture(sets=("after", "before"), fractions=(1.0 - config.kept, config.kept)).assign(
            env.num_envs
        )

    def apply(self) -> None:
        """Give each cell its next part's conditions."""
        for cell in range(self._env.num_envs):
            self.start_episode(cell)

    def start_episode(self, cell: int) -> None:
        """Give `cell` what its next part meets."""
        self._give(cell, self.sets[cell], self._turns[self.sets[cell]])
        self._turns[self.sets[cell]] += 1

    def begin_test(self, mixture: Mixture) -> list[str]:
        """Half of the cells before the change, half after it, with the same conditions in every test."""
        names = [("after", "before")[cell % 2] for cell in range(self._env.num_envs)]
        for cell, name in enumerate(names):
            self._give(cell, name, cell // 2)
        return names

    def record(self, cell: int, success: bool) -> None:
        """Nothing depends on success."""

    def update(self, steps: int) -> bool:
        """Return False: nothing changes on the way."""
        return False

    def metrics(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"turns": dict(self._turns)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._turns = {name: int(state["turns"][name]) for name in self._turns}
        self.apply()

    def _give(self, cell: int, name: str, turn: int) -> None:
        product, disturbances = self._sets[name][turn % len(self._sets[name])]
        self._env.env_method("set_products", product, indices=[cell])
        self._env.env_method("set_disturbances", disturbances, indices=[cell])


def _test_of(mixture: Mixture, env: VecEnv) -> list[str]:
    names = mixture.assign(env.num_envs)
    set_disturbances(env, names)
    return names


def set_disturbances(env: VecEnv, sets: Sequence[str]) -> None:
    """Give cell i the disturbances of the set `sets[i]` from its next reset on."""
    for name in dict.fromkeys(sets):
        cells = [cell for cell, own in enumerate(sets) if own == name]
        env.env_method("set_disturbances", name, indices=cells)
