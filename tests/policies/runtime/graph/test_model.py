"""A graph is read without `onnx` as `onnx` reads it, but for what a policy does not need."""

import struct
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cellwright_policies import zoo
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph import wire
from cellwright_runtime.graph.model import read_model


def graph() -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Elu", ["y"], ["z"], alpha=0.5)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2])],
        [weight],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_a_graph_is_read_as_onnx_reads_it() -> None:
    model = read_model(graph().SerializeToString(), "graph")
    assert [(each.kind, each.inputs, each.outputs) for each in model.operators] == [
        ("MatMul", ("x", "w"), ("y",)),
        ("Elu", ("y",), ("z",)),
    ]
    assert model.operators[1].attributes == {"alpha": 0.5}
    assert (model.opset, model.inputs["x"].shape, model.outputs["z"].dtype) == (20, (1, 3), "float32")
    np.testing.assert_array_equal(model.constants["w"].constant, [[0, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize("name", zoo.names())
def test_constants_of_a_shipped_policy_are_those_that_onnx_reads(name: str) -> None:
    data = (zoo.path(name) / "policy.onnx").read_bytes()
    constants = read_model(data, "policy.onnx").constants
    theirs = {tensor.name: tensor for tensor in onnx.load_model_from_string(data).graph.initializer}
    assert constants.keys() == theirs.keys()
    for each, value in constants.items():
        np.testing.assert_array_equal(value.constant, numpy_helper.to_array(theirs[each]))


def test_numbers_may_be_listed_instead_of_packed() -> None:
    model = graph()
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.FLOAT, [2], [1.5, 2.5]))
    model.graph.initializer.append(helper.make_tensor("i", TensorProto.INT64, [2], [-1, 2**40]))
    constants = read_model(model.SerializeToString(), "graph").constants
    assert constants["c"].constant is not None
    assert constants["i"].constant is not None
    assert (constants["c"].constant.tolist(), constants["i"].constant.tolist()) == ([1.5, 2.5], [-1, 2**40])


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def subgraph(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("If", ["x"], ["q"], then_branch=graph().graph))


def typed(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = TensorProto.STRING


def infinite(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = np.full(6, np.inf, np.float32).tobytes()


def huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**40]


def negative(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-3, -2]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (external, "keeps w in an external data file; a bundle needs one self-contained file"),
        (subgraph, "has a sub-graph, which no policy needs"),
        (lambda m: m.functions.add(), "model has functions, which no policy needs"),
        (lambda m: m.training_info.add(), "model has training steps, which no policy needs"),
        (lambda m: m.graph.sparse_initializer.add(), "has sparse tensors, which no policy needs"),
        (lambda m: m.ClearField("graph"), "it holds no graph"),
        (
            lambda m: m.opset_import.add(domain="com.microsoft", version=1),
            "operator sets ai.onnx, com.microsoft",
        ),
        (lambda m: m.opset_import.add(version=20), "operator sets ai.onnx; only"),
        (lambda m: m.ClearField("opset_import"), "operator sets none"),
        (lambda m: setattr(m.opset_import[0], "version", 21), "needs opset 21, from 18 to 20 are allowed"),
        (
            lambda m: setattr(m.graph.node[0], "domain", "com.microsoft"),
            "MatMul is of the domain com.microsoft",
        ),
        (lambda m: m.graph.node[1].attribute.append(m.graph.node[1].attribute[0]), "has an attribute twice"),
        (lambda m: setattr(m.graph.node[1].attribute[0], "i", 3), "alpha is of a type that no policy needs"),
        (lambda m: setattr(m.graph.node[1].attribute[0], "ref_attr_name", "a"), "has a field 21"),
        (typed, "constant w is no tensor of float32 or int64"),
        (infinite, "constant w holds a number that is not finite"),
        (huge, "w has the shape"),
        (negative, "w has the shape"),
        (lambda m: m.graph.initializer[0].dims.append(2), "constant w does not hold its shape"),
        (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "names of tensors come twice"),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "n"),
            "dynamic shape",
        ),
        (lambda m: m.graph.input[0].type.tensor_type.ClearField("shape"), "x is no tensor of"),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.DOUBLE),
            "x is no tensor",
        ),
        (lambda m: setattr(m.graph.node[0], "op_type", "Mat\nMul"), "cannot be printed"),
        (lambda m: m.graph.node.extend([m.graph.node[0]] * 1000), "it has 1002 operators, 1000 are allowed"),
    ],
)
def test_what_no_policy_needs_is_named(edit: Callable[[onnx.ModelProto], object], told: str) -> None:
    model = graph()
    edit(model)
    with pytest.raises(FileError) as caught:
        read_model(model.SerializeToString(), "graph")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def varint(value: int) -> bytes:
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x08", "it is cut off"),
        (b"\x08" + b"\xff" * 10, "a number beyond 64 bits"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "a number beyond 64 bits"),
        (b"\x08\x01\x08\x02", "model.ir_version comes twice"),
        (b"\x0d\x00\x00\x00\x00", "model.ir_version is of another type"),
        (b"\x0b\x0c", "model.ir_version is of another type"),
        (b"\x12\x02\xff\xff", "model.producer_name is not UTF-8"),
        (b"\x12\x7f", "model.producer_name is cut off"),
        (b"\x9a\x06\x00", "model has a field 99"),
        (b"\x00\x00", "model has a field 0"),
        (b"\x72\x00" * 100_001 + b"\x08\x0a" * 100_000, "comes twice"),
        (b"\x72\x00" * (wire.MOST_FIELDS + 1), "it has more than 200,000 fields"),
    ],
)
def test_bytes_that_are_no_message_are_told(data: bytes, told: str) -> None:
    with pytest.raises(FileError) as caught:
        read_model(data, "graph")
    assert told in str(caught.value)


def test_packed_numbers_count_as_fields_so_that_they_cannot_take_all_memory() -> None:
    floats = struct.pack("<f", 1.0) * (wire.MOST_FIELDS + 1)
    tensor = b"\x22" + varint(len(floats)) + floats
    inside = b"\x2a" + varint(len(tensor)) + tensor
    with pytest.raises(FileError, match="more than 200,000 fields"):
        read_model(b"\x3a" + varint(len(inside)) + inside, "graph")
