"""Shapes of operators are those that ONNX Runtime gives; what it would choke on is refused first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from cellwright_policies import zoo
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph.bounds import MOST_ELEMENTS, MOST_MULTIPLICATIONS, require_bounded
from cellwright_runtime.graph.model import read_model
from cellwright_runtime.graph.operators import RULES

Constants = Mapping[str, np.ndarray]
X = np.linspace(-1, 1, 2 * 3 * 4 * 6, dtype=np.float32).reshape(2, 3, 4, 6)
INTS = np.int64
UNARY = (
    "Abs Exp Gelu HardSwish Identity Log Neg Reciprocal Relu Selu Sigmoid Softplus Sqrt Tanh".split()  # noqa: SIM905
)
BINARY = ("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub")


def ints(*values: int) -> np.ndarray:
    return np.array(values, INTS)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    outputs: Mapping[str, Sequence[int]],
    constants: Constants,
    opset: int = 20,
) -> bytes:
    """A graph from an input x with the shape of `X`."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return bytes(model.SerializeToString())


def one(kind: str, *inputs: str, outputs: Sequence[str] = ("y",), **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, outputs, **attributes)


def run(node: onnx.NodeProto, constants: Constants) -> dict[str, tuple[int, ...]]:
    """The shapes that ONNX Runtime gives for a node."""
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers = session.run(None, {"x": X})
    return {name: answer.shape for name, answer in zip(node.output, answers, strict=True)}


GOOD: list[tuple[onnx.NodeProto, Constants]] = [
    *((one(kind, "x"), {}) for kind in UNARY),
    (one("Elu", "x", alpha=0.5), {}),
    (one("LeakyRelu", "x", alpha=0.5), {}),
    (one("Gelu", "x", approximate="tanh"), {}),
    *((one(kind, "x", "c"), {"c": ones(3, 1, 6)}) for kind in BINARY),
    (one("Add", "x", "c"), {"c": ones(5, 1, 3, 4, 6)[:, :, :1, :, :]}),
    (one("Max", "x"), {}),
    (one("Cast", "x", to=TensorProto.FLOAT), {}),
    (one("Cast", "c", to=TensorProto.FLOAT), {"c": ints(1, 2)}),
    (one("Clip", "x", "low", "high"), {"low": np.float32(-1), "high": np.float32(1)}),
    (one("Clip", "x", "", "high"), {"high": np.float32(1)}),
    (one("Concat", "x", "c", axis=-1), {"c": ones(2, 3, 4, 1)}),
    (one("Constant", value=numpy_helper.from_array(ones(2, 3))), {}),
    (one("Constant", value_float=1.5), {}),
    (one("Constant", value_floats=[1.5, 2.5]), {}),
    (one("Flatten", "x"), {}),
    (one("Flatten", "x", axis=0), {}),
    (one("Flatten", "x", axis=-2), {}),
    (one("Reshape", "x", "s"), {"s": ints(2, 3, 24)}),
    (one("Reshape", "x", "s"), {"s": ints(0, -1)}),
    (one("Reshape", "x", "s", allowzero=1), {"s": ints(6, -1)}),
    (one("Transpose", "x"), {}),
    (one("Transpose", "x", perm=[0, 2, 1, 3]), {}),
    (one("Unsqueeze", "x", "a"), {"a": ints(0, -1)}),
    (one("Squeeze", "c", "a"), {"c": ones(1, 2, 1), "a": ints(-1)}),
    (one("Squeeze", "c"), {"c": ones(1, 2, 1)}),
    (one("Softmax", "x", axis=1), {}),
    (one("ReduceMean", "x", "a"), {"a": ints(-1, 2)}),
    (one("ReduceMax", "x", "a", keepdims=0), {"a": ints(1)}),
    (one("ReduceSum", "x"), {}),
    (one("ReduceSum", "x", "a", noop_with_empty_axes=1), {"a": ints()}),
    (
        one("Slice", "x", "b", "e", "a", "s"),
        {"b": ints(1, -1), "e": ints(9, -9), "a": ints(1, 3), "s": ints(1, -2)},
    ),
    (one("Slice", "x", "b", "e"), {"b": ints(0), "e": ints(-1)}),
    (one("Gather", "x", "i", axis=1), {"i": np.array([[2, -3], [0, 1]], INTS)}),
    (one("GatherND", "x", "i"), {"i": np.array([[1, 2], [-1, 0], [0, 0]], INTS)}),
    (one("Split", "x", outputs=("y", "z"), axis=1, num_outputs=2), {}),
    (one("Split", "x", "s", outputs=("y", "z"), axis=3), {"s": ints(5, 1)}),
    (one("MatMul", "x", "c"), {"c": ones(3, 6, 5)}),
    (one("MatMul", "x", "c"), {"c": ones(6, 5)}),
    (one("Gemm", "c", "c", "b", transB=1, alpha=0.5), {"c": ones(4, 7), "b": ones(4)}),
    (one("Gemm", "c", "d", transA=1), {"c": ones(4, 7), "d": ones(4, 2)}),
    (
        one("Conv", "x", "w", "b", kernel_shape=[3, 2], pads=[1, 0, 1, 1]),
        {"w": ones(5, 3, 3, 2), "b": ones(5)},
    ),
    (one("Conv", "x", "w", strides=[2, 2], dilations=[1, 3], group=3), {"w": ones(6, 1, 2, 2)}),
    (one("Conv", "c", "w", pads=[2, 1]), {"c": ones(1, 2, 9), "w": ones(4, 2, 3)}),
    (one("MaxPool", "x", kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 2]), {}),
    (one("MaxPool", "x", kernel_shape=[2, 2], dilations=[1, 2]), {}),
    (one("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), {}),
    (one("GlobalAveragePool", "x"), {}),
    (one("LayerNormalization", "x", "g", "b", axis=-2), {"g": ones(4, 6), "b": ones(4, 6)}),
]


@pytest.mark.parametrize(("node", "constants"), GOOD, ids=lambda value: getattr(value, "op_type", ""))
def test_a_shape_is_that_of_onnx_runtime(node: onnx.NodeProto, constants: Constants) -> None:
    found = run(node, constants)
    assert (
        require_bounded(read_model(model_of([node], found, constants), "graph"), "graph").multiplications >= 0
    )


def test_every_operator_of_the_list_is_held_against_onnx_runtime() -> None:
    assert {node.op_type for node, _ in GOOD} == set(RULES)


BAD: list[tuple[onnx.NodeProto, Constants, str]] = [
    (one("Loop", "x", "x"), {}, "uses Loop, which is not on the list of operators"),
    (one("RandomNormalLike", "x"), {}, "uses RandomNormalLike, which is not on the list"),
    (one("Expand", "x", "s"), {"s": ints(10**6, 1, 1, 1, 1)}, "uses Expand, which is not on the list"),
    (one("Relu", "x", "x"), {}, "Relu y: it has 2 inputs, from 1 to 1 are needed"),
    (one("Relu", ""), {}, "Relu y: input 0 is missing"),
    (one("Relu", "x", alpha=1.0), {}, "attribute alpha is not known here"),
    (one("Relu", "q"), {}, "takes 'q', which nothing before it gives"),
    (one("Relu", "y"), {}, "takes 'y', which nothing before it gives"),
    (one("Relu", "x", outputs=("x",)), {}, "gives 'x': the name is empty or already in use"),
    (one("Relu", "x", outputs=("",)), {}, "gives '': the name is empty or already in use"),
    (one("Relu", "x", outputs=("y", "z")), {}, "Relu has 2 outputs, not 1"),
    (one("Elu", "x", alpha=1), {}, "attribute alpha has to be a finite number"),
    (one("Elu", "x", alpha=float("nan")), {}, "attribute alpha has to be a finite number"),
    (one("Div", "c", "c"), {"c": ints(1, 0)}, "input 0 is int64, need float32"),
    (one("Add", "x", "c"), {"c": ones(5)}, "do not go together"),
    (one("Cast", "x", to=TensorProto.INT32), {}, "it may give float32 only"),
    (one("Clip", "x", "c"), {"c": ones(6)}, "input 1 has to be one number"),
    (one("Concat", "x", "c", axis=4), {"c": ones(2, 3, 4, 1)}, "axis 4 is not one of 4 axes"),
    (one("Concat", "x", "c", axis=0), {"c": ones(2, 3, 4, 1)}, "do not go together"),
    (one("Concat", "x", "c", axis=0), {"c": ones(1)}, "do not go together"),
    (one("Gather", "x", "i", axis=1), {"i": ints(3)}, "an index is not among the 3 elements"),
    (one("Gather", "x", "i", axis=1), {"i": ints(-4)}, "an index is not among the 3 elements"),
    (one("Gather", "x", "c"), {"c": ones(2)}, "input 1 has to be a constant of int64"),
    (one("GatherND", "x", "i"), {"i": np.array([[0, 3]], INTS)}, "an index is not among the 3 elements"),
    (one("GatherND", "x", "i", batch_dims=1), {"i": np.array([[0]], INTS)}, "it needs batch_dims 0"),
    (one("Reshape", "x", "s"), {"s": ints(2, 3)}, "cannot become"),
    (one("Reshape", "x", "s"), {"s": ints(-1, -1)}, "cannot become"),
    (one("Reshape", "x", "s", allowzero=1), {"s": ints(0, -1)}, "cannot become"),
    (one("Reshape", "x", "s"), {"s": ints(1, 1, 1, 1, 0)}, "has no size to copy"),
    (one("Reshape", "x", "s"), {"s": np.array([[144]], INTS)}, "input 1 has to be a list"),
    (one("Transpose", "x", perm=[0, 0, 1, 2]), {}, "attribute perm has to order 4 axes"),
    (one("Squeeze", "x", "a"), {"a": ints(0)}, "cannot lose the axes"),
    (one("Unsqueeze", "x", "a"), {"a": ints(1, 1)}, "come twice"),
    (one("ReduceSum", "x", "a"), {"a": ints(4)}, "axis 4 is not one of 4 axes"),
    (one("ReduceSum", "x", keepdims=2), {}, "attribute keepdims is 2, need 0 or 1"),
    (one("Slice", "x", "b", "e"), {"b": ints(2), "e": ints(2)}, "nothing is left of axis 0"),
    (
        one("Slice", "x", "b", "e", "a", "s"),
        {"b": ints(0), "e": ints(1), "a": ints(0), "s": ints(0)},
        "no step 0",
    ),
    (one("Split", "x", "s", outputs=("y", "z"), axis=1), {"s": ints(2, 2)}, "do not add up to 3"),
    (one("Split", "x", outputs=("y",), axis=1, num_outputs=2), {}, "attribute num_outputs is 2"),
    (one("MatMul", "x", "c"), {"c": ones(5, 6)}, "cannot be multiplied"),
    (one("Gemm", "x", "c"), {"c": ones(6, 6)}, "cannot be multiplied"),
    (one("Gemm", "c", "c", "b"), {"c": ones(3, 3), "b": ones(2)}, "do not go together"),
    (one("Gemm", "c", "c", "b"), {"c": ones(3, 3), "b": ones(1, 3, 3)}, "cannot be added to"),
    (one("Conv", "x", "w"), {"w": ones(2, 4, 1, 1)}, "3 channels do not fit kernels"),
    (one("Conv", "x", "w", group=0), {"w": ones(2, 3, 1, 1)}, "do not fit kernels"),
    (one("Conv", "x", "w"), {"w": ones(2, 3, 5, 1)}, "does not fit into"),
    (one("Conv", "x", "w", strides=[0, 1]), {"w": ones(2, 3, 1, 1)}, "attribute strides goes from 1"),
    (one("Conv", "x", "w", pads=[-1, 0, 0, 0]), {"w": ones(2, 3, 1, 1)}, "attribute pads goes from 0"),
    (one("Conv", "x", "w", auto_pad="SAME_UPPER"), {"w": ones(2, 3, 1, 1)}, "auto_pad has to be NOTSET"),
    (one("Conv", "x", "w", kernel_shape=[2, 2]), {"w": ones(2, 3, 1, 1)}, "kernel_shape is not that of"),
    (one("Conv", "x", "w", "b"), {"w": ones(2, 3, 1, 1), "b": ones(3)}, "is no bias of 2 channels"),
    (
        one("MaxPool", "x", kernel_shape=[1, 1], pads=[1, 0, 0, 0]),
        {},
        "pads have to be smaller than its kernel",
    ),
    (one("MaxPool", "x"), {}, "attribute kernel_shape goes from 1"),
    (one("MaxPool", "x", kernel_shape=[2, 2], ceil_mode=1), {}, "without ceil_mode"),
    (one("LayerNormalization", "x", "g"), {"g": ones(4)}, "input 1 is not of the shape"),
    (one("Constant"), {}, "it needs one value"),
    (one("Constant", value_float=float("inf")), {}, "value_float has to be finite"),
]


@pytest.mark.parametrize(("node", "constants", "told"), BAD)
def test_an_operator_that_contradicts_its_inputs_is_named(
    node: onnx.NodeProto, constants: Constants, told: str
) -> None:
    with pytest.raises(FileError) as caught:
        require_bounded(read_model(model_of([node], {}, constants), "graph"), "graph")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_file_says_of_a_tensor_has_to_be_what_its_operators_give() -> None:
    with pytest.raises(FileError, match=r"says y is float32 \[9\], it is float32 \[2, 3, 4, 6\]"):
        require_bounded(read_model(model_of([one("Relu", "x")], {"y": [9]}, {}), "graph"), "graph")
    with pytest.raises(FileError, match=r"says z is float32 \[9\], it is not in the graph"):
        require_bounded(read_model(model_of([one("Relu", "x")], {"z": [9]}, {}), "graph"), "graph")


def test_matrices_that_would_take_minutes_are_refused_before_they_run() -> None:
    side = 500
    nodes = [one("MatMul", "w", "w")]
    with pytest.raises(FileError, match=f"more than {MOST_MULTIPLICATIONS:,} multiplications"):
        require_bounded(read_model(model_of(nodes, {}, {"w": ones(side, side)}), "graph"), "graph")
    cheap = {"w": ones(400, 400)}
    cost = require_bounded(read_model(model_of(nodes, {}, cheap), "graph"), "graph")
    assert cost.multiplications == 400**3
    with pytest.raises(FileError, match="multiplications"):
        require_bounded(
            read_model(model_of([*nodes, one("MatMul", "w", "y", outputs="z")], {}, cheap), "g"), "g"
        )


def test_a_tensor_that_grows_beyond_memory_is_refused_before_it_is_made() -> None:
    constants = {"row": ones(1, 50_000), "column": ones(50_000, 1)}
    with pytest.raises(FileError, match=f"{MOST_ELEMENTS:,} intermediate numbers"):
        require_bounded(read_model(model_of([one("Add", "row", "column")], {}, constants), "graph"), "graph")


def test_a_convolution_counts_the_patches_that_it_spreads_out() -> None:
    constants = {"c": ones(1, 2, 256, 256), "w": ones(1, 2, 9, 9)}
    with pytest.raises(FileError, match="intermediate numbers"):
        require_bounded(read_model(model_of([one("Conv", "c", "w")], {}, constants), "graph"), "graph")


@pytest.mark.parametrize("name", zoo.names())
def test_a_shipped_policy_costs_millions_and_its_shapes_are_those_of_onnx(name: str) -> None:
    data = (zoo.path(name) / "policy.onnx").read_bytes()
    model = read_model(data, "policy.onnx")
    assert 1e6 < require_bounded(model, "policy.onnx").multiplications < 1e7
    inferred = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(data), strict_mode=True)
    shapes = {
        each.name: tuple(size.dim_value for size in each.type.tensor_type.shape.dim)
        for each in inferred.graph.value_info
    }
    assert all(shapes[said] == value.shape for said, value in model.said.items())
