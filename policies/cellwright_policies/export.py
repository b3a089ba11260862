"""Writing bundles: one ONNX graph from raw observation to physical command, proved against torch first."""

import copy
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from cellwright_runtime.bundle.cameras import TrainedView
from cellwright_runtime.bundle.card import model_card
from cellwright_runtime.bundle.container import BundleError, refuse_existing
from cellwright_runtime.bundle.leapp import leapp_yaml
from cellwright_runtime.bundle.policy import (
    CARD,
    LEAPP,
    OUTPUTS,
    POLICY,
    SCORECARD,
    WEIGHTS,
    Bundle,
    PolicySpec,
    headline,
    write_bundle,
)
from cellwright_runtime.bundle.safety import SAFETY, Safety
from cellwright_runtime.bundle.vectors import GOLDEN, Golden
from cellwright_runtime.files.archive import npz_bytes
from cellwright_runtime.files.json_text import canonical_json
from cellwright_runtime.graph.model import NEWEST_OPSET
from cellwright_runtime.parity import PARITY, edge_cases, parity, replay
from cellwright_runtime.runtime import Runtime

OPSET = NEWEST_OPSET
MIN_ON_POLICY = 128

Observations = Mapping[str, NDArray[Any]]


class ExportError(ValueError):
    """The policy and its exported graph disagree, so no bundle was written."""


class DeployedPolicy(nn.Module):
    """Raw observation arrays in manifest order to (action, action_preclip, command).

    Args:
        actor: takes the observation groups by position in manifest order (image uint8, the rest float32 in
            physical units, batch first) and returns the mean action before clipping, (batch, actions).
        spec: layout and limits; observations are held inside the bounds the actor was trained with.
    """

    def __init__(self, actor: nn.Module, spec: PolicySpec) -> None:
        super().__init__()
        self.actor = actor
        self._names = [group.name for group in spec.observation]
        for group in spec.observation:
            if group.dtype == "float32":
                self.register_buffer(f"{group.name}_low", torch.from_numpy(group.low))
                self.register_buffer(f"{group.name}_high", torch.from_numpy(group.high))
        self.register_buffer("command_low", torch.tensor([component.low for component in spec.action]))
        self.register_buffer("command_high", torch.tensor([component.high for component in spec.action]))

    def forward(self, *arrays: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Arrays (1, *shape) in manifest order; returns three (1, actions) tensors."""
        preclip = self.actor(
            *(self._bounded(name, array) for name, array in zip(self._names, arrays, strict=True))
        )
        action = torch.clamp(preclip, -1.0, 1.0)
        low, high = self.get_buffer("command_low"), self.get_buffer("command_high")
        command = low + 0.5 * (action + 1.0) * (high - low)
        return action, preclip, command

    def _bounded(self, name: str, array: torch.Tensor) -> torch.Tensor:
        if not array.is_floating_point():
            return array
        return torch.clamp(array, self.get_buffer(f"{name}_low"), self.get_buffer(f"{name}_high"))


def export_bundle(
    actor: nn.Module,
    *,
    spec: PolicySpec,
    observations: Observations,
    scorecard: Mapping[str, Any],
    directory: str | Path,
    weights: Mapping[str, NDArray[Any]] | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Export `actor`, replay its golden vectors through ONNX Runtime and write the bundle.

    All files are written beside `directory` first, so that it never holds a part of a bundle.

    Args:
        actor: see `DeployedPolicy`.
        spec: what the manifest will say, but for `scores`, which the scorecard gives.
        observations: at least 128 recorded on-policy observations, group name to (N, *shape).
        scorecard: JSON content of scorecard.json; the closed-loop gate reads its `episodes`.
        directory: the bundle to write.
        weights: all weights of the training policy, where training may go on from the bundle.
        overwrite: replace a bundle that is already there.

    Raises `BundleError` for a description that cannot be a bundle, `ExportError` where ONNX Runtime and torch
    disagree; nothing is written then.
    """
    directory = Path(directory)
    refuse_existing(directory, overwrite=overwrite)
    golden = golden_vectors(actor, spec, observations)
    files = {
        POLICY: to_onnx(actor, spec),
        GOLDEN: golden.to_bytes(),
        SCORECARD: canonical_json(dict(scorecard)),
    }
    if weights is not None:
        files[WEIGHTS] = npz_bytes(weights)
    return _write(replace(spec, scores=headline(scorecard)), files, directory, overwrite=overwrite)


def export_again(
    bundle: Bundle,
    *,
    cameras: tuple[TrainedView, ...],
    safety: Safety | None,
    directory: str | Path,
    overwrite: bool = False,
) -> Bundle:
    """Write `bundle` anew with this envelope, these cameras, and what follows from both.

    Its weights, golden vectors, scores and provenance stay, and so does what the graph computes: only
    annotations that nothing needs are dropped. Equal input gives equal bytes; a signature is not kept. Raises
    as `export_bundle` does.
    """
    directory = Path(directory)
    refuse_existing(directory, overwrite=overwrite)
    kept = {name: bundle.files[name] for name in (GOLDEN, SCORECARD, WEIGHTS) if name in bundle.files}
    graph = _without_traces(onnx.load_from_string(bundle.files[POLICY])).SerializeToString(deterministic=True)
    envelope = {} if safety is None else {SAFETY: safety.to_bytes()}
    files = {POLICY: graph, **envelope, **kept}
    return _write(replace(bundle.spec, cameras=cameras), files, directory, overwrite=overwrite)


def _write(spec: PolicySpec, files: dict[str, bytes], directory: Path, *, overwrite: bool) -> Bundle:
    """Add what follows from manifest and graph, replay the golden vectors, and write the bundle."""
    safety = Safety.from_bytes(files[SAFETY]) if SAFETY in files else None
    files = files | {LEAPP: leapp_yaml(files[POLICY], spec), CARD: model_card(spec, safety)}
    with _trial(spec, files) as runtime:
        golden = runtime.bundle.golden
        decisions = replay(runtime, golden.observations)
        refuse_disagreement(np.stack([decision.action_preclip for decision in decisions]), golden)
    write_bundle(directory, spec, files, overwrite=overwrite)
    return Bundle.load(directory)


def to_onnx(actor: nn.Module, spec: PolicySpec) -> bytes:
    """One static graph of batch size 1 that names no path of this machine; equal weights give equal bytes."""
    module = _frozen(actor, spec)
    resting = tuple(
        torch.zeros((1, *group.shape), dtype=getattr(torch, group.dtype)) for group in spec.observation
    )
    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            resting,
            input_names=[group.name for group in spec.observation],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export returned no program")
    return _without_traces(program.model_proto).SerializeToString(deterministic=True)


def golden_vectors(actor: nn.Module, spec: PolicySpec, observations: Observations) -> Golden:
    """Actions of torch for the recorded `observations` and for the edge cases of the observation space."""
    recorded = {
        group.name: _recorded(group.name, group.shape, group.dtype, observations)
        for group in spec.observation
    }
    count = min(len(rows) for rows in recorded.values())
    if count < MIN_ON_POLICY or any(len(rows) != count for rows in recorded.values()):
        raise BundleError(f"need the same number of observations in every group, at least {MIN_ON_POLICY}")
    edges = edge_cases(spec)
    everything = {name: np.concatenate([recorded[name], edges[name]]) for name in recorded}
    action, preclip = torch_actions(actor, spec, everything)
    return Golden(observations=everything, action_preclip=preclip, action=action, on_policy=count)


def torch_actions(
    actor: nn.Module, spec: PolicySpec, observations: Observations
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Clipped and pre-clip actions (N, actions) of torch, one row at a time as on the robot."""
    module = _frozen(actor, spec)
    rows = len(next(iter(observations.values())))
    answers = []
    with torch.no_grad():
        for row in range(rows):
            arrays = [torch.from_numpy(observations[group.name][row : row + 1]) for group in spec.observation]
            answers.append([output.numpy() for output in module(*arrays)[:2]])
    action, preclip = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    if not np.isfinite(preclip).all():
        raise ExportError("the policy answers NaN or infinity to an observation inside its bounds")
    return action, preclip


def refuse_disagreement(answer: NDArray[np.float32], golden: Golden) -> None:
    """Raise `ExportError` unless `answer` agrees with the golden pre-clip actions."""
    result = parity(answer, golden.action_preclip)
    if not result.ok:
        raise ExportError(
            f"ONNX Runtime and torch differ by {result.max_abs:.1e} before clipping "
            f"(golden row {result.worst_row}); the limit is {PARITY:.0e}, so no bundle was written"
        )


@contextmanager
def _trial(spec: PolicySpec, files: Mapping[str, bytes]) -> Iterator[Runtime]:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "trial"
        write_bundle(directory, spec, files)
        yield Runtime(directory)


def _frozen(actor: nn.Module, spec: PolicySpec) -> DeployedPolicy:
    module = DeployedPolicy(copy.deepcopy(actor).cpu(), spec)
    return module.eval().requires_grad_(False)


def _recorded(name: str, shape: Sequence[int], dtype: str, observations: Observations) -> NDArray[Any]:
    if name not in observations:
        raise BundleError(
            f"no observations were recorded for {name!r}; got {', '.join(sorted(observations))}"
        )
    rows = np.asarray(observations[name])
    if rows.shape[1:] != tuple(shape) or rows.dtype != dtype:
        raise BundleError(
            f"recorded {name!r} is {rows.dtype} {rows.shape}, need {dtype} (N, *{tuple(shape)})"
        )
    return rows


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's remarks about libraries that are not installed off the user's screen."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop stack traces and source paths that the exporter leaves, and the shapes that it noted in between.

    Those shapes are of the graph before it was optimised. Runtimes compute them anew, but quantisers believe
    them and then refuse the graph.
    """
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    return model
