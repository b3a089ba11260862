"""From a training run to a bundle: record the policy at work, score it, export it."""

import contextlib
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cellwright_policies.export import MIN_ON_POLICY, export_again, export_bundle
from cellwright_runtime.bundle.container import BundleError, refuse_existing
from cellwright_runtime.bundle.policy import MOST_EPISODES, Bundle, PolicySpec
from cellwright_runtime.files.fields import LONGEST_NAME
from cellwright_runtime.files.reading import printable, read_file
from cellwright_train.bundles.envelope import safety_envelope
from cellwright_train.bundles.observed import measure
from cellwright_train.bundles.scorecards import recorded_trial
from cellwright_train.errors import UsageError
from cellwright_train.learning.runs import RunDirectory
from cellwright_train.rollout import cell
from cellwright_train.rollout.cell import Episode, Observation, run_episode
from cellwright_train.rollout.evaluation import evaluate
from cellwright_train.rollout.policies import RunPolicy, RunReference
from cellwright_train.rollout.trial import Trial

GOLDEN_VECTORS = 160
_RECORDED_EPISODES = 4
_MOST_CONFIG_BYTES = 2**20
_PACKAGES = ("cellwright", "numpy", "onnx", "onnxscript", "torch")


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """How a run becomes a bundle."""

    name: str
    directory: Path
    command: str = ""
    """The command that trained the policy, for the manifest."""
    overwrite: bool = False
    workers: int = 2
    progress: bool = True
    with_weights: bool = True
    """Ship all weights of the training policy, so that training may go on from the bundle."""


def export_run(trial: Trial, config: ExportConfig) -> Bundle:
    """Export the policy of `trial`, which is a run's; its parts become the scorecard that `verify` repeats.

    Raises BundleError where the target exists, ExportError where ONNX Runtime and torch disagree.
    """
    refuse_existing(config.directory, overwrite=config.overwrite)
    if config.name != printable(config.name) or not 0 < len(config.name) <= LONGEST_NAME:
        told = ascii(config.name[:40])
        raise BundleError(f"the name {told} is not one of 1 to {LONGEST_NAME} printable characters")
    if len(trial.plan) > MOST_EPISODES:
        raise BundleError(f"a scorecard holds at most {MOST_EPISODES} episodes, got {len(trial.plan)}")
    env, policy = trial.workplace
    reference = trial.policy
    if not isinstance(policy, RunPolicy) or not isinstance(reference, RunReference):
        raise UsageError(f"{reference.name} is a {reference.kind}; a run is exported")
    try:
        recorder = _Recorder(policy.actor.input_keys)
        products = trial.cell.products or (None,)
        episodes = range(max(_RECORDED_EPISODES, len(products)))
        for index in tqdm(episodes, desc="recording", unit="part", disable=not config.progress, leave=False):
            product = products[index % len(products)]
            episode = Episode(trial.plan[0].seed - 1 - index, product)
            run_episode(env, policy, episode, watch=recorder)
        groups = cell.observation_groups(env, tuple(policy.actor.input_keys))
        actions, rate_hz = cell.action_components(env), cell.control_rate_hz(env)
        controller = cell.controller(env)
    finally:
        trial.close()
    scores = evaluate(trial, workers=config.workers, progress=config.progress)
    spec = PolicySpec(
        name=config.name,
        environment=trial.cell.env,
        control_rate_hz=rate_hz,
        observation=groups,
        action=actions,
        controller=controller,
        training=_provenance(reference.path, config),
    )
    with tempfile.TemporaryDirectory() as scratch:
        plain = export_bundle(
            policy.actor,
            spec=spec,
            observations=recorder.rows(GOLDEN_VECTORS),
            scorecard=scores.as_json() | {"disturbances": trial.cell.disturbances},
            directory=Path(scratch) / "plain",
            weights=_weights(policy) if config.with_weights else None,
        )
        return export_bundle_again(
            plain, config.directory, overwrite=config.overwrite, progress=config.progress
        )


def export_bundle_again(
    bundle: Bundle, directory: Path, *, name: str | None = None, overwrite: bool, progress: bool
) -> Bundle:
    """Write `bundle` with cameras and safety envelope, measured while it works on its recorded parts.

    It may get another name. The same bundle gives the same bytes, whether it had an envelope before or not,
    on processors of one class. Raises BundleError where the target exists or the scorecard records nothing to
    repeat.
    """
    refuse_existing(directory, overwrite=overwrite)
    spec = bundle.spec
    trial = recorded_trial(bundle)
    measured = measure(trial, spec, progress=progress)
    return export_again(
        replace(bundle, spec=spec if name is None else replace(spec, name=name)),
        cameras=cell.trained_views(spec),
        safety=safety_envelope(spec, measured),
        directory=directory,
        overwrite=overwrite,
    )


class _Recorder:
    """Keeps every observation the policy acted on."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._rows: dict[str, list[NDArray[Any]]] = {key: [] for key in keys}

    def __call__(
        self, env: gymnasium.Env[Any, Any], observation: Observation, action: NDArray[np.float32]
    ) -> None:
        for key, rows in self._rows.items():
            rows.append(np.array(observation[key]))

    def rows(self, count: int) -> dict[str, NDArray[Any]]:
        """`count` observations spread evenly over everything recorded (all, where there are fewer)."""
        total = len(next(iter(self._rows.values())))
        chosen = np.unique(np.linspace(0, total - 1, max(count, MIN_ON_POLICY)).astype(int))
        return {key: np.stack([rows[index] for index in chosen]) for key, rows in self._rows.items()}


def _weights(policy: RunPolicy) -> Mapping[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in policy.network.state_dict().items()}


def _provenance(directory: Path, config: ExportConfig) -> dict[str, Any]:
    run = RunDirectory(path=directory)
    command = config.command or "; ".join(run.commands) or f"Python code, run {directory.name}"
    configuration = read_file(directory / "config.json", most_bytes=_MOST_CONFIG_BYTES)
    facts: dict[str, Any] = {
        "command": printable(command),
        "config_sha256": hashlib.sha256(configuration).hexdigest(),
        "versions": run.versions,
        "exported_with": {name: version(name) for name in _PACKAGES},
    }
    if parent := run.parent:
        facts["parent"] = {name: printable(value) for name, value in parent.items()}
    with contextlib.suppress(UsageError):  # whoever lost the file has the policy all the same
        facts["seed"] = run.seed
    return facts
