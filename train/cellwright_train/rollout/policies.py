"""A POLICY argument: a bundle, a run directory, an expert's name, or `zoo:<name>`."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_policies import zoo
from cellwright_policies.experts import EXPERTS, NAMES, PRIVILEGED_EXPERTS, Expert, make_expert
from cellwright_runtime.bundle.container import is_bundle
from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.errors import UsageError, one_line, unknown
from cellwright_train.rollout.cell import CellChoice, EpisodePolicy, Observation

ZOO_PREFIX = "zoo:"
RUN_MARKER = "config.json"


@dataclass(frozen=True, kw_only=True)
class PolicyReference:
    """A policy that exists, small enough to send to a worker process, which loads it."""

    name: str
    """As the user wrote it."""
    kind: Literal["bundle", "run", "expert"]
    path: Path | None = None

    @property
    def needs_privileged(self) -> bool:
        """Whether it acts on the true state."""
        return self.kind == "expert" and self.name in PRIVILEGED_EXPERTS

    def load(self, env: gymnasium.Env[Any, Any]) -> EpisodePolicy:
        """Load it to act in `env`; raises BundleError or `UsageError` where it is damaged."""
        if self.kind == "bundle":
            return BundlePolicy(self.name, _path(self))
        if self.kind == "run":
            return RunPolicy(self.name, _path(self))
        names = env.get_wrapper_attr("privileged_names") if self.needs_privileged else ()
        try:
            return ExpertPolicy(self.name, make_expert(str(env.spec and env.spec.id), self.name, names))
        except ValueError as error:
            raise UsageError(one_line(error)) from error

    @property
    def environment(self) -> str | None:
        """Id of the environment it was trained in; None for an expert."""
        if self.kind == "bundle":
            return Bundle.load(_path(self)).spec.environment
        if self.kind == "run":
            from cellwright_train.learning.runs import load_run_config

            return str(load_run_config(_path(self)).env_id)
        return None

    def require_fit(self, env_id: str) -> None:
        """Raise `UsageError` where it belongs to another environment than `env_id`."""
        if self.kind == "expert":
            homes = [home for home, experts in EXPERTS.items() if self.name in experts]
            if homes and env_id not in homes:
                raise UsageError(
                    f"{self.name} is an expert of {' and '.join(homes)}, not of {env_id}; choose with --env"
                )
        elif self.environment != env_id:
            raise UsageError(
                f"{self.name} was trained in {self.environment} and does not act in {env_id}; leave --env out"
            )

    def open(
        self, choice: CellChoice, *, trace: bool = False, render: bool = False
    ) -> tuple[gymnasium.Env[Any, Any], EpisodePolicy]:
        """The cell of `choice` with what this policy needs to see, and the policy; the caller closes it."""
        env = choice.make(privileged=self.needs_privileged, trace=trace, render=render)
        return env, self.load(env)


def resolve_policy(text: str) -> PolicyReference:
    """Find what `text` means and check that it is there; raises `UsageError` or BundleError."""
    if text.startswith(ZOO_PREFIX):
        name = text.removeprefix(ZOO_PREFIX)
        if name not in zoo.names():
            raise unknown(
                "zoo policy", text, [ZOO_PREFIX + known for known in zoo.names()] or ["none installed"]
            )
        return PolicyReference(name=text, kind="bundle", path=_sound(zoo.path(name)))
    if text in NAMES:
        return PolicyReference(name=text, kind="expert")
    path = Path(text)
    if is_bundle(path):
        return PolicyReference(name=text, kind="bundle", path=_sound(path))
    if (path / RUN_MARKER).is_file():
        return PolicyReference(name=text, kind="run", path=path)
    if path.is_dir():
        raise UsageError(
            f"{text} is neither a bundle (no manifest.json) nor a run directory (no {RUN_MARKER})"
        )
    known = [*NAMES, *(ZOO_PREFIX + name for name in zoo.names())]
    raise unknown("policy", text, known, note=", or a bundle or run directory; that path does not exist")


class BundlePolicy:
    """A bundle in ONNX Runtime."""

    def __init__(self, name: str, directory: Path) -> None:
        from cellwright_runtime.runtime import Runtime

        self.name = name
        self.runtime = Runtime(directory)

    def reset(self) -> None:
        """Bundles carry no state between steps."""

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1]."""
        return self.runtime.act(observation)


class RunPolicy:
    """The best checkpoint of a training run in torch, on one thread as workers need it."""

    def __init__(self, name: str, directory: Path) -> None:
        import torch

        from cellwright_train.learning.runs import load_policy_from_run

        torch.set_num_threads(1)
        self.name = name
        self.network = load_policy_from_run(directory)
        self.actor = self.network.actor_module()

    def reset(self) -> None:
        """The history is part of the observation, so there is nothing to forget."""

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Deterministic action (actions,) in [-1, 1]."""
        import torch

        arrays = (torch.from_numpy(np.asarray(observation[key])[np.newaxis]) for key in self.actor.input_keys)
        with torch.no_grad():
            preclip = self.actor(*arrays)
        return preclip[0].clamp(-1.0, 1.0).numpy()


class ExpertPolicy:
    """A scripted controller."""

    def __init__(self, name: str, expert: Expert) -> None:
        self.name = name
        self._expert = expert

    def reset(self) -> None:
        """Forget integrators and filters."""
        self._expert.reset(1)

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1]."""
        batch = {key: np.asarray(value)[np.newaxis] for key, value in observation.items()}
        return np.asarray(self._expert.act_batch(batch)[0], np.float32)


def decision_time_s(policy: EpisodePolicy, observation: Observation, repeats: int) -> NDArray[np.float64]:
    """Seconds that each of `repeats` decisions took."""
    times = np.empty(repeats)
    for index in range(repeats):
        begin = time.perf_counter()
        policy.act(observation)
        times[index] = time.perf_counter() - begin
    return times


def _path(reference: PolicyReference) -> Path:
    if reference.path is None:
        raise UsageError(f"{reference.name} has no directory")
    return reference.path


def _sound(directory: Path) -> Path:
    Bundle.load(directory)
    return directory
