"""Fuzzing of the readers of single files, each compared with an independent reader."""

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from cellwright_runtime.files.archive import npz_bytes, read_npz
from cellwright_runtime.files.json_text import canonical_json, parse_json
from cellwright_runtime.files.tensors import tensor_shapes
from cellwright_runtime.graph.bounds import require_bounded
from cellwright_runtime.graph.model import Model, read_model
from tools.fuzz import mutations
from tools.fuzz.campaign import Tally, attempt, generator
from tools.fuzz.mutations import Mutation


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader, the sample that is damaged for it, and an independent reader that must agree."""

    name: str
    sample: bytes
    mutation: Mutation
    read: Callable[[bytes], Any]
    """Raises `FileError` for what it does not accept."""
    same: Callable[[bytes, Any], bool]
    """Whether the independent reader finds the content that was read."""


def fuzz_readers(mutants: int, seed: int) -> dict[str, Tally]:
    """Divide `mutants` equally among the readers; counts by name of the reader."""
    every = targets()
    return {target.name: _fuzz(target, mutants // len(every), seed) for target in every}


def _fuzz(target: Target, mutants: int, seed: int) -> Tally:
    tally, rng = Tally(), generator(seed, target.name)
    for _ in range(mutants):
        mutant = target.mutation(target.sample, rng)
        attempt(tally, partial(target.read, mutant), partial(target.same, mutant))
    return tally


def targets() -> tuple[Target, ...]:
    """All readers of single files."""
    return (
        Target(
            name="json",
            sample=canonical_json(_MANIFEST),
            mutation=mutations.chosen((mutations.json_tokens, mutations.json_tokens, mutations.blind)),
            read=lambda data: parse_json(data, "file"),
            same=same_json,
        ),
        Target(
            name="npz",
            sample=npz_bytes(_ARRAYS),
            mutation=mutations.chosen((mutations.npz_member, mutations.npz_member, mutations.blind)),
            read=lambda data: read_npz(data, "file"),
            same=same_arrays,
        ),
        Target(
            name="safetensors",
            sample=safetensors.numpy.save({name.replace(".", "/"): each for name, each in _ARRAYS.items()}),
            mutation=mutations.chosen(
                (mutations.safetensors_header, mutations.safetensors_body, mutations.blind)
            ),
            read=lambda data: tensor_shapes(data, "file"),
            same=_same_shapes,
        ),
        Target(
            name="graph",
            sample=_graph(),
            mutation=mutations.chosen((mutations.graph_field, mutations.graph_field, mutations.blind)),
            read=_bounded_graph,
            same=same_graph,
        ),
    )


_MANIFEST = {
    "schema_version": 2,
    "name": "sample",
    "control_rate_hz": 25.0,
    "observation": [{"name": "seam", "shape": [2], "components": [{"low": -1e-3, "high": 0.002}, None]}],
    "frames": {"pose": "nominal_fixture", "wrench": "tool é"},
    "passed": {"B": True, "C": False},
}
_ARRAYS: dict[str, Any] = {
    "action": np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2),
    "observation.image": np.arange(24, dtype=np.uint8).reshape(3, 2, 2, 2),
    "on_policy": np.array(2, np.int64),
    "flags": np.array([True, False]),
}


def _graph() -> bytes:
    """A small graph with most kinds of operators that policies use."""
    constants: dict[str, Any] = {
        "scale": np.float32(255),
        "weight": np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 2, 2),
        "shape": np.array([1, -1], np.int64),
        "matrix": np.linspace(-1, 1, 96, dtype=np.float32).reshape(8, 12),
        "axes": np.array([1], np.int64),
        "first": np.array([0, 2], np.int64),
        "low": np.float32(-1),
        "high": np.float32(1),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "scale"], ["light"]),
        helper.make_node(
            "Conv", ["light", "weight"], ["map"], strides=[2, 2], pads=[0, 0, 0, 0], kernel_shape=[2, 2]
        ),
        helper.make_node("Relu", ["map"], ["bright"]),
        helper.make_node("Reshape", ["bright", "shape"], ["flat"], allowzero=1),
        helper.make_node("Gemm", ["flat", "matrix"], ["hidden"], transB=1),
        helper.make_node("Softmax", ["hidden"], ["weights"], axis=-1),
        helper.make_node("ReduceMax", ["weights", "axes"], ["peak"], keepdims=1),
        helper.make_node("Gather", ["hidden", "first"], ["picked"], axis=1),
        helper.make_node("Concat", ["peak", "picked"], ["answer"], axis=1),
        helper.make_node("Clip", ["answer", "low", "high"], ["action"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def _bounded_graph(data: bytes) -> Model:
    model = read_model(data, "file")
    require_bounded(model, "file")
    return model


def same_json(data: bytes, value: Any) -> bool:
    """Whether the standard library finds the same value."""
    return bool(canonical_json(json.loads(data)) == canonical_json(value))


def same_arrays(data: bytes, arrays: dict[str, Any]) -> bool:
    """Whether NumPy finds the same arrays, bit for bit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive = np.load(io.BytesIO(data), allow_pickle=False)
    theirs = {name: archive[name] for name in archive.files}
    return theirs.keys() == arrays.keys() and all(
        (each.dtype, each.shape, each.tobytes())
        == (arrays[name].dtype, arrays[name].shape, arrays[name].tobytes())
        for name, each in theirs.items()
    )


def _same_shapes(data: bytes, shapes: dict[str, tuple[int, ...]]) -> bool:
    return {name: each.shape for name, each in safetensors.numpy.load(data).items()} == shapes


def same_graph(data: bytes, model: Model) -> bool:
    """Whether `onnx` finds the same operators, constants and shapes."""
    proto = onnx.load_model_from_string(data)
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True).graph
    constants = {each.name: numpy_helper.to_array(each).tobytes() for each in inferred.initializer}
    shapes = {each.name: _shape(each) for each in (*inferred.input, *inferred.output)}
    return (
        [(each.op_type, tuple(each.input), tuple(each.output)) for each in inferred.node]
        == [(each.kind, each.inputs, each.outputs) for each in model.operators]
        and constants == {name: _bytes(each.constant) for name, each in model.constants.items()}
        and shapes == {name: each.shape for name, each in {**model.inputs, **model.outputs}.items()}
    )


def _bytes(values: Any) -> bytes:
    return bytes(np.asarray(values).tobytes())


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
