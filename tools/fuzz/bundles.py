"""Fuzzing of whole bundles on disk: damaged, with hashes corrected or not, and loaded up to a decision."""

import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cellwright_runtime.bundle.container import MANIFEST, manifest_digest
from cellwright_runtime.bundle.policy import (
    POLICY,
    SCORECARD,
    WEIGHTS,
    ObservationGroup,
    PolicySpec,
    headline,
    write_bundle,
)
from cellwright_runtime.bundle.vectors import GOLDEN, Golden
from cellwright_runtime.files.archive import npz_bytes
from cellwright_runtime.files.json_text import canonical_json
from cellwright_runtime.runtime import Runtime
from cellwright_runtime.vocabulary import Component
from tools.fuzz import mutations
from tools.fuzz.campaign import Tally, attempt, generator
from tools.fuzz.mutations import Mutation
from tools.fuzz.readers import same_arrays, same_graph, same_json

_MUTATIONS: Mapping[str, Mutation] = {
    MANIFEST: mutations.json_tokens,
    SCORECARD: mutations.json_tokens,
    GOLDEN: mutations.npz_member,
    WEIGHTS: mutations.npz_member,
    POLICY: mutations.graph_field,
}
_OTHER_READERS: Mapping[str, Callable[[bytes, Any], bool]] = {
    SCORECARD: lambda data, bundle: same_json(data, bundle.scorecard),
    GOLDEN: lambda data, bundle: same_arrays(data, _arrays(bundle.golden)),
    WEIGHTS: lambda data, bundle: same_arrays(data, bundle.weights),
    POLICY: lambda data, bundle: same_graph(data, bundle.model),
}
_SEALED_AGAIN = 0.8
"""Fraction of the mutants whose hashes are corrected; the others are like bundles after an accident."""


def fuzz_bundles(mutants: int, seed: int, sample: Path | None = None) -> Tally:
    """Damage copies of the bundle `sample`, or of a small one, and decide once with each that loads."""
    tally, rng = Tally(), generator(seed, "bundles")
    with tempfile.TemporaryDirectory() as scratch:
        original = sample or _small_bundle(Path(scratch) / "small")
        for _ in range(mutants):
            directory = Path(scratch) / "mutant"
            shutil.copytree(original, directory)
            _damage(directory, rng)
            attempt(tally, partial(_decided, directory), partial(_same, directory))
            shutil.rmtree(directory)
    return tally


def _damage(directory: Path, rng: random.Random) -> None:
    name = rng.choice(sorted(_MUTATIONS))
    path = directory / name
    if rng.random() < 0.02:
        _misplace(path, rng)
        return
    mutation = rng.choice((_MUTATIONS[name], _MUTATIONS[name], mutations.blind))
    path.write_bytes(mutation(path.read_bytes(), rng))
    if rng.random() < _SEALED_AGAIN:
        _seal(directory)


def _misplace(path: Path, rng: random.Random) -> None:
    """Put something else in the place of a file, or a file that does not belong there."""
    match rng.randrange(4):
        case 0:
            path.unlink()
        case 1:
            path.rename(path.with_name("elsewhere"))
            path.symlink_to(path.with_name("elsewhere"))
        case 2:
            path.unlink()
            path.mkdir()
        case _:
            (path.parent / "extra").write_bytes(b"")


def _seal(directory: Path) -> None:
    """Correct sizes and hashes in the manifest, as somebody who forges a bundle would."""
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        for name, entry in manifest["files"].items():
            data = (directory / name).read_bytes()
            entry.update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        manifest["manifest_sha256"] = manifest_digest(manifest)
        path.write_bytes(canonical_json(manifest))
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError):
        return  # too damaged to be corrected


def _decided(directory: Path) -> Any:
    """The bundle, loaded, after one decision."""
    runtime = Runtime(directory)
    runtime.decide({name: rows[0] for name, rows in runtime.bundle.golden.observations.items()})
    return runtime.bundle


def _same(directory: Path, bundle: Any) -> bool:
    """Whether independent readers find in each file what was loaded from it."""
    manifest = json.loads((directory / MANIFEST).read_bytes())
    return manifest["name"] == bundle.spec.name and all(
        same((directory / name).read_bytes(), bundle)
        for name, same in _OTHER_READERS.items()
        if name in bundle.files
    )


def _arrays(golden: Golden) -> dict[str, Any]:
    arrays: dict[str, Any] = {f"observation.{name}": rows for name, rows in golden.observations.items()}
    arrays |= {"action": golden.action, "action_preclip": golden.action_preclip}
    return arrays | {"on_policy": np.array(golden.on_policy, np.int64)}


def _small_bundle(directory: Path) -> Path:
    """The bundle of a policy with every part of a real one, which loads in milliseconds."""
    spec = PolicySpec(
        name="small",
        environment="cellwright/WeldSeam-v1",
        control_rate_hz=25.0,
        observation=(
            ObservationGroup(
                name="image",
                dtype="uint8",
                shape=(2, 4, 4),
                components=tuple(_component(name, "1", 255.0) for name in ("overview", "stripe")),
            ),
            ObservationGroup(
                name="seam",
                dtype="float32",
                shape=(2,),
                components=tuple(_component(name, "m", 0.02) for name in ("left", "right")),
            ),
        ),
        action=tuple(_component(name, "m", 0.005) for name in ("lateral_offset", "height_offset", "depth")),
        training={"command": "cellwright train debug --seed 1", "seed": 1},
    )
    rng = np.random.default_rng(0)
    rows = {
        "image": rng.integers(0, 256, (4, 2, 4, 4), np.uint8),
        "seam": rng.uniform(0, 0.02, (4, 2)).astype(np.float32),
    }
    episode = {"seed": 1, "product": "lap", "passed": {"B": True, "C": True, "D": True}, "crashed": False}
    card = {"policy": "run", "episodes": 1, "per_episode": [episode], "disturbances": "train"}
    files = {
        POLICY: _policy(),
        SCORECARD: canonical_json(card),
        WEIGHTS: npz_bytes({"w": rows["seam"]}),
    }
    answers = np.zeros((4, 3), np.float32)
    files[GOLDEN] = Golden(observations=rows, action_preclip=answers, action=answers, on_policy=2).to_bytes()
    scored = PolicySpec(**{**vars(spec), "scores": headline(card)})
    write_bundle(directory, scored, files)
    return directory


def _component(name: str, unit: str, high: float) -> Component:
    return Component(name=name, unit=unit, low=0.0, high=high)


def _policy() -> bytes:
    constants: dict[str, Any] = {
        "weight": np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 2, 2),
        "shape": np.array([1, -1], np.int64),
        "matrix": np.linspace(-1, 1, 42, dtype=np.float32).reshape(3, 14),
        "low": np.float32(-1),
        "high": np.float32(1),
        "speed": np.float32(0.005),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["pixels", "weight"], ["map"], strides=[2, 2], kernel_shape=[2, 2]),
        helper.make_node("Relu", ["map"], ["bright"]),
        helper.make_node("Reshape", ["bright", "shape"], ["flat"]),
        helper.make_node("Concat", ["flat", "seam"], ["seen"], axis=1),
        helper.make_node("Gemm", ["seen", "matrix"], ["action_preclip"], transB=1),
        helper.make_node("Clip", ["action_preclip", "low", "high"], ["action"]),
        helper.make_node("Mul", ["action", "speed"], ["command"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 2, 4, 4]),
            helper.make_tensor_value_info("seam", TensorProto.FLOAT, [1, 2]),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3])
            for name in ("action", "action_preclip", "command")
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
