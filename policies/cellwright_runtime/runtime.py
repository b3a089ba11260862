"""Running a bundle: numpy and ONNX Runtime, nothing else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.container import BundleError
from cellwright_runtime.bundle.policy import OUTPUTS, POLICY, Bundle, ObservationGroup, PolicySpec

# From 1.31 on, importing ONNX Runtime starts telemetry: a thread, files below ~/.cache, look-ups of a host.
# Only the environment at the time of the import stops it, so nothing else may import ONNX Runtime first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

_WARM_UP_RUNS = 3  # the first runs allocate the memory arena


class ObservationError(ValueError):
    """An observation does not fit the policy; one line says which key, what came and what fits."""


class DecisionError(BundleError):
    """The policy gave no action for an observation that is fine; one line says what it gave."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the policy answers to one observation; all arrays are (actions,) float32."""

    action: NDArray[np.float32]
    """Clipped to [-1, 1]."""
    action_preclip: NDArray[np.float32]
    """As the network gave it; beyond ±1 the policy asks for more than the cell allows."""
    command: NDArray[np.float32]
    """Physical commands, in the order and units of `PolicySpec.action`."""


class Runtime:
    """A policy on one thread, from a bundle."""

    def __init__(self, bundle: str | Path | Bundle) -> None:
        """Load, unless that is done, and warm up; raises `BundleError` where the bundle is damaged."""
        self._bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        self._session = _session(self._bundle.files[POLICY])
        self._groups = {group.name: group for group in self.spec.observation}
        resting = {name: np.zeros(group.shape, group.dtype) for name, group in self._groups.items()}
        for _ in range(_WARM_UP_RUNS):
            self.decide(resting)

    @property
    def spec(self) -> PolicySpec:
        """Layout, rates, limits and provenance."""
        return self._bundle.spec

    @property
    def bundle(self) -> Bundle:
        """The files behind this policy."""
        return self._bundle

    def act(self, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1] for one observation.

        Keys that the policy does not take are ignored. Raises `ObservationError` where a key is missing or
        has the wrong shape or type, or holds a value that is not finite, and `DecisionError` where the policy
        answers with one.
        """
        return self.decide(observation).action

    def decide(self, observation: Mapping[str, NDArray[Any]]) -> Decision:
        """Action, the network's own answer before clipping, and the physical command; raises as `act`."""
        feed = {name: _checked(group, observation)[np.newaxis] for name, group in self._groups.items()}
        try:
            action, preclip, command = self._session.run(list(OUTPUTS), feed)
        except Exception as error:  # ONNX Runtime has no common exception type of its own
            raise DecisionError(f"{POLICY} cannot run: {_reason(error)}") from None
        if not (np.isfinite(preclip).all() and np.isfinite(command).all()):  # a clip hides an infinity
            index = int(np.argmin(np.isfinite(preclip) & np.isfinite(command)))
            raise DecisionError(
                f"{POLICY} answers {self.spec.action[index].name} with {preclip[0, index]}, "
                f"a command of {command[0, index]}: no finite action"
            )
        return Decision(action=action[0], action_preclip=preclip[0], command=command[0])


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # One thread that sleeps between runs: a spinning pool starves the servo loop beside it.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common exception type of its own
        raise BundleError(f"{POLICY} cannot be loaded: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _checked(group: ObservationGroup, observation: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    if group.name not in observation:
        raise ObservationError(
            f"observation lacks {group.name!r}; got {', '.join(sorted(observation)) or 'nothing'}"
        )
    value = np.asarray(observation[group.name])
    if value.shape != group.shape or value.dtype != group.dtype:
        raise ObservationError(
            f"observation {group.name!r} is {value.dtype} {value.shape}, "
            f"the policy takes {group.dtype} {group.shape}"
        )
    if group.dtype == "float32" and not np.isfinite(value).all():
        index = int(np.flatnonzero(~np.isfinite(value))[0])
        name = group.components[index].name
        raise ObservationError(
            f"observation {group.name!r} element {index} ({name}) is {value.flat[index]}, not finite"
        )
    return value
