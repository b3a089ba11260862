"""A POLICY argument, found and read once: a bundle, a run directory, an expert's name, or `zoo:<name>`."""

import hashlib
import pickle
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

import cellwright_envs
from cellwright_policies import zoo
from cellwright_policies.experts import EXPERTS, NAMES, PRIVILEGED_EXPERTS, Expert, make_expert
from cellwright_runtime.bundle.container import is_bundle
from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.environments import env_from_file
from cellwright_train.errors import UsageError, one_line, unknown
from cellwright_train.rollout.cell import EpisodePolicy, Observation

if TYPE_CHECKING:
    from cellwright_policies.networks import CellActorCritic

ZOO_PREFIX = "zoo:"
RUN_MARKER = "config.json"


@dataclass(frozen=True, kw_only=True)
class PolicyReference(ABC):
    """A policy that was found and read; it travels to worker processes, which need no file any more."""

    kind: ClassVar[str]
    needs_privileged: ClassVar[bool] = False
    name: str
    """As the user wrote it."""

    @property
    @abstractmethod
    def environment(self) -> str | None:
        """Id of the environment it was trained in; None for an expert."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A hash that differs for every policy that acts differently."""

    @abstractmethod
    def load(self, env: gymnasium.Env[Any, Any]) -> EpisodePolicy:
        """Make it act in `env`; raises BundleError or `UsageError` where it cannot."""

    def require_fit(self, env_id: str) -> None:
        """Raise `UsageError` where it belongs to another environment than `env_id`."""
        if self.environment != env_id:
            raise UsageError(
                f"{self.name} was trained in {self.environment} and does not act in {env_id}; leave --env out"
            )


@dataclass(frozen=True, kw_only=True)
class BundleReference(PolicyReference):
    """A bundle, with all its files."""

    kind: ClassVar[str] = "bundle"
    bundle: Bundle

    @cached_property
    def environment(self) -> str:
        """That of its manifest."""
        return env_from_file(self.bundle.spec.environment, f"the manifest of {self.name}")

    @property
    def digest(self) -> str:
        """Of its manifest, which has the hashes of all files."""
        return self.bundle.digest

    def load(self, env: gymnasium.Env[Any, Any]) -> EpisodePolicy:
        """In ONNX Runtime."""
        return BundlePolicy(self.name, self.bundle)


@dataclass(frozen=True, kw_only=True)
class RunReference(PolicyReference):
    """The best policy of a training run."""

    kind: ClassVar[str] = "run"
    path: Path
    env_id: str
    network: bytes
    """The policy, pickled by this process for its workers; never from a file."""

    @property
    def environment(self) -> str:
        """That of its configuration."""
        return self.env_id

    @cached_property
    def digest(self) -> str:
        """Of its weights."""
        found = hashlib.sha256()
        for name, values in self.weights.items():
            found.update(name.encode() + values.tobytes())
        return found.hexdigest()

    def load(self, env: gymnasium.Env[Any, Any]) -> EpisodePolicy:
        """In torch; raises `UsageError` where `env` shows it something else than it was trained on."""
        policy = RunPolicy(self.name, self._policy)
        taken, shown = self._policy.observation_space, env.observation_space
        for key in policy.actor.input_keys:
            if not isinstance(shown, gymnasium.spaces.Dict) or shown.get(key) != taken[key]:
                raise UsageError(
                    f"{self.name} was trained on other observations than {self.environment} has now: {key}"
                )
        if self._policy.action_space != env.action_space:
            raise UsageError(f"{self.name} was trained with other actions than {self.environment} has now")
        return policy

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Of the whole training policy, by state-dict name."""
        return {name: values.numpy() for name, values in self._policy.state_dict().items()}

    @property
    def _policy(self) -> Any:
        return pickle.loads(self.network)


@dataclass(frozen=True, kw_only=True)
class ExpertReference(PolicyReference):
    """A scripted expert."""

    kind: ClassVar[str] = "expert"

    @property
    def needs_privileged(self) -> bool:  # type: ignore[override]
        """Whether it acts on the true state."""
        return self.name in PRIVILEGED_EXPERTS

    @property
    def environment(self) -> None:
        """It was not trained."""
        return

    @property
    def digest(self) -> str:
        """Its name."""
        return self.name

    def load(self, env: gymnasium.Env[Any, Any]) -> EpisodePolicy:
        """For the environment that `env` is."""
        names = env.get_wrapper_attr("privileged_names") if self.needs_privileged else ()
        try:
            return ExpertPolicy(self.name, make_expert(str(env.spec and env.spec.id), self.name, names))
        except ValueError as error:
            raise UsageError(one_line(error)) from error

    def require_fit(self, env_id: str) -> None:
        """Raise `UsageError` where it has no version for `env_id`."""
        homes = [home for home, experts in EXPERTS.items() if self.name in experts]
        if homes and env_id not in homes:
            shown = [home for home in homes if home in cellwright_envs.ENVIRONMENTS]
            raise UsageError(
                f"{self.name} is an expert of {' and '.join(shown)}, not of {env_id}; choose with --env"
            )


def resolve_policy(text: str) -> PolicyReference:
    """Find what `text` means and read it; raises `UsageError` or BundleError."""
    if text.startswith(ZOO_PREFIX):
        name = text.removeprefix(ZOO_PREFIX)
        if name not in zoo.names():
            raise unknown(
                "zoo policy", text, [ZOO_PREFIX + known for known in zoo.names()] or ["none installed"]
            )
        return BundleReference(name=text, bundle=Bundle.load(zoo.path(name)))
    if text in NAMES:
        return ExpertReference(name=text)
    path = Path(text)
    if is_bundle(path):
        return BundleReference(name=text, bundle=Bundle.load(path))
    if (path / RUN_MARKER).is_file():
        return _run(text, path)
    if path.is_dir():
        raise UsageError(
            f"{text} is neither a bundle (no manifest.json) nor a run directory (no {RUN_MARKER})"
        )
    if path.exists():
        raise UsageError(_wrong_file(path))
    known = [*NAMES, *(ZOO_PREFIX + name for name in zoo.names())]
    raise unknown("policy", text, known, note=", or a bundle or run directory; that path does not exist")


def _run(text: str, path: Path) -> RunReference:
    from cellwright_train.learning.runs import RunDirectory

    run = RunDirectory.open(path)
    return RunReference(
        name=text, path=path, env_id=run.config.env_id, network=pickle.dumps(run.load_policy())
    )


def _wrong_file(path: Path) -> str:
    """A message for a file that is no policy: what it is, and what would be right."""
    if path.name == "manifest.json":
        return f"{path} is a file of a bundle; name its directory, {path.parent}"
    if path.name == RUN_MARKER:
        return f"{path} is a file of a run; name its directory, {path.parent}"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if {"data", "policy.pth"} <= set(archive.namelist()):
                return (
                    f"{path} is a model of Stable-Baselines3, which holds pickles and is not loaded here; "
                    "export it to a bundle from Python, as docs/bundle.md shows"
                )
    if path.suffix == ".onnx":
        return f"{path} is a graph alone; a policy is a bundle, a directory that `cellwright export` writes"
    return f"{path} is a file; a policy is a bundle or run directory, an expert's name, or zoo:NAME"


class BundlePolicy:
    """A bundle in ONNX Runtime."""

    def __init__(self, name: str, bundle: Bundle) -> None:
        from cellwright_runtime.runtime import Runtime

        self.name = name
        self.runtime = Runtime(bundle)

    def reset(self) -> None:
        """Bundles carry no state between steps."""

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1]."""
        return self.runtime.act(observation)


class RunPolicy:
    """The best checkpoint of a training run in torch, on one thread as workers need it."""

    def __init__(self, name: str, network: "CellActorCritic") -> None:
        import torch

        torch.set_num_threads(1)
        self.name = name
        self.network = network
        self.actor = network.actor_module()

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
