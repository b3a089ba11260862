"""An ONNX file as a list of operators with their inputs, outputs, attributes and constants.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. What no policy needs is
refused: functions, sub-graphs, data in other files, sparse and quantised tensors.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph.wire import Field, Reader, Schema, WireError

Shape = tuple[int, ...]
OLDEST_OPSET, NEWEST_OPSET = 18, 20
"""From 18 on, axes of reductions are inputs; 20 is the newest that small inference engines support."""
FLOAT, UINT8, INT64 = "float32", "uint8", "int64"
MOST_OPERATORS = 1000
MOST_AXES = 8
MOST_SIZE = 2**24
"""Elements along one axis."""

_TYPES = {1: FLOAT, 2: UINT8, 7: INT64}
"""`TensorProto.DataType` to name, for the types that a policy uses."""
_EXTERNAL = 1
_NOTE: Schema = {1: Field("key", "text"), 2: Field("value", "bytes")}
_TENSOR: Schema = {
    1: Field("dims", "int", many=True),
    2: Field("data_type", "int"),
    3: Field("a segment", None),
    4: Field("float_data", "float", many=True),
    7: Field("int64_data", "int", many=True),
    8: Field("name", "text"),
    9: Field("raw_data", "bytes"),
    12: Field("doc_string", "text"),
    13: Field("external_data", _NOTE, many=True),
    14: Field("data_location", "int"),
    16: Field("metadata_props", _NOTE, many=True),
}
_ATTRIBUTE: Schema = {
    1: Field("name", "text"),
    2: Field("f", "float"),
    3: Field("i", "int"),
    4: Field("s", "bytes"),
    5: Field("t", _TENSOR),
    6: Field("a sub-graph", None),
    7: Field("floats", "float", many=True),
    8: Field("ints", "int", many=True),
    11: Field("sub-graphs", None),
    13: Field("doc_string", "text"),
    20: Field("type", "int"),
}
_ATTRIBUTE_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}
"""`AttributeProto.AttributeType` to the field that holds the value."""
_NODE: Schema = {
    1: Field("input", "text", many=True),
    2: Field("output", "text", many=True),
    3: Field("name", "text"),
    4: Field("op_type", "text"),
    5: Field("attribute", _ATTRIBUTE, many=True),
    6: Field("doc_string", "text"),
    7: Field("domain", "text"),
    9: Field("metadata_props", _NOTE, many=True),
}
_DIMENSION: Schema = {
    1: Field("dim_value", "int"),
    2: Field("dim_param", "text"),
    3: Field("denotation", "text"),
}
_TENSOR_SHAPE: Schema = {1: Field("dim", _DIMENSION, many=True)}
_TENSOR_TYPE: Schema = {1: Field("elem_type", "int"), 2: Field("shape", _TENSOR_SHAPE)}
_TYPE: Schema = {1: Field("tensor_type", _TENSOR_TYPE), 6: Field("denotation", "text")}
_VALUE: Schema = {
    1: Field("name", "text"),
    2: Field("type", _TYPE),
    3: Field("doc_string", "text"),
    4: Field("metadata_props", _NOTE, many=True),
}
_GRAPH: Schema = {
    1: Field("node", _NODE, many=True),
    2: Field("name", "text"),
    5: Field("initializer", _TENSOR, many=True),
    10: Field("doc_string", "text"),
    11: Field("input", _VALUE, many=True),
    12: Field("output", _VALUE, many=True),
    13: Field("value_info", _VALUE, many=True),
    14: Field("quantised tensors", None),
    15: Field("sparse tensors", None),
    16: Field("metadata_props", _NOTE, many=True),
}
_OPERATOR_SET: Schema = {1: Field("domain", "text"), 2: Field("version", "int")}
_MODEL: Schema = {
    1: Field("ir_version", "int"),
    2: Field("producer_name", "text"),
    3: Field("producer_version", "text"),
    4: Field("domain", "text"),
    5: Field("model_version", "int"),
    6: Field("doc_string", "text"),
    7: Field("graph", _GRAPH),
    8: Field("opset_import", _OPERATOR_SET, many=True),
    14: Field("metadata_props", _NOTE, many=True),
    20: Field("training steps", None),
    25: Field("functions", None),
}


@dataclass(frozen=True, kw_only=True)
class Value:
    """What is known about a tensor before the graph runs."""

    shape: Shape
    dtype: str
    constant: NDArray[Any] | None = None
    """Its elements where they are constant."""

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One node of the graph."""

    kind: str
    inputs: tuple[str, ...]
    """Names of tensors; empty where an optional input is left out."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A graph that was read; `require_bounded` checks its operators and its cost."""

    opset: int
    operators: tuple[Operator, ...]
    constants: Mapping[str, Value]
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    said: Mapping[str, Value]
    """Shapes and types that the file states for intermediate tensors."""


def read_model(data: bytes, name: str) -> Model:
    """The graph in `data`, the content of the file `name`.

    Raises `FileError` where `data` is not an ONNX file, or uses features that no policy needs.
    """
    try:
        return _model(Reader().message(memoryview(data), _MODEL, "model"))
    except WireError as error:
        raise FileError(f"{name} is not a policy's ONNX graph: {error}") from None


def _model(proto: dict[str, Any]) -> Model:
    graph = proto.get("graph")
    if graph is None:
        raise WireError("it holds no graph")
    sets = {entry.get("domain") or "ai.onnx": entry.get("version", 0) for entry in proto["opset_import"]}
    if set(sets) != {"ai.onnx"} or len(proto["opset_import"]) != 1:
        raise WireError(f"it uses the operator sets {', '.join(sets) or 'none'}; only ai.onnx is allowed")
    if not OLDEST_OPSET <= sets["ai.onnx"] <= NEWEST_OPSET:
        raise WireError(
            f"it needs opset {sets['ai.onnx']}, from {OLDEST_OPSET} to {NEWEST_OPSET} are allowed"
        )
    if len(graph["node"]) > MOST_OPERATORS:
        raise WireError(f"it has {len(graph['node'])} operators, {MOST_OPERATORS} are allowed")
    return Model(
        opset=sets["ai.onnx"],
        operators=tuple(_operator(node) for node in graph["node"]),
        constants=_by_name([(each.get("name", ""), _constant(each)) for each in graph["initializer"]]),
        inputs=_by_name([_value(each) for each in graph["input"]]),
        outputs=_by_name([_value(each) for each in graph["output"]]),
        said=_by_name([_value(each) for each in graph["value_info"]]),
    )


def _by_name(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    found = dict(pairs)
    if len(found) < len(pairs) or "" in found:
        raise WireError("names of tensors come twice or are empty")
    return found


def _operator(node: dict[str, Any]) -> Operator:
    kind = node.get("op_type", "")
    if node.get("domain", "") not in ("", "ai.onnx"):
        raise WireError(f"{kind} is of the domain {node['domain']}; only ai.onnx is allowed")
    attributes = {each.get("name", ""): _attribute(each, kind) for each in node["attribute"]}
    if len(attributes) < len(node["attribute"]):
        raise WireError(f"{kind} has an attribute twice")
    return Operator(
        kind=kind, inputs=tuple(node["input"]), outputs=tuple(node["output"]), attributes=attributes
    )


def _attribute(proto: dict[str, Any], kind: str) -> Any:
    where = f"{kind} attribute {proto.get('name', '')}"
    held = _ATTRIBUTE_FIELDS.get(proto.get("type", 0))
    others = [
        name for name in _ATTRIBUTE_FIELDS.values() if name != held and proto.get(name) not in (None, [])
    ]
    if held is None or others:
        raise WireError(f"{where} is of a type that no policy needs")
    value = proto.get(held, {"f": 0.0, "i": 0, "s": memoryview(b""), "t": None}.get(held))
    if held == "s":
        return bytes(value)
    if held == "t":
        return _constant(value or {"dims": [], "float_data": [], "int64_data": [], "external_data": []})
    return tuple(value) if isinstance(value, list) else value


def _constant(proto: dict[str, Any]) -> Value:
    name, shape = proto.get("name", ""), tuple(proto["dims"])
    if proto["external_data"] or proto.get("data_location", 0) == _EXTERNAL:
        raise WireError(f"it keeps {name} in an external data file; a bundle needs one self-contained file")
    dtype = _TYPES.get(proto.get("data_type", 0), "")
    _require_sizes(name, shape, smallest=0 if dtype == INT64 else 1)  # a list of axes may be empty
    listed = {FLOAT: proto["float_data"], INT64: proto["int64_data"]}.get(dtype)
    raw = proto.get("raw_data")
    if listed is None or sum(bool(each) for each in (proto["float_data"], proto["int64_data"], raw)) > 1:
        raise WireError(f"constant {name} is no tensor of {FLOAT} or {INT64} whose values are given once")
    values: NDArray[Any]
    if raw is not None:
        if len(raw) != math.prod(shape) * np.dtype(dtype).itemsize:
            raise WireError(f"constant {name} does not hold its shape {list(shape)}")
        values = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<"))
    else:
        values = np.array(listed, dtype)
    if values.size != math.prod(shape):
        raise WireError(f"constant {name} does not hold its shape {list(shape)}")
    if not np.isfinite(values).all():
        raise WireError(f"constant {name} holds a number that is not finite")
    return Value(shape=shape, dtype=dtype, constant=values.reshape(shape))


def _value(proto: dict[str, Any]) -> tuple[str, Value]:
    name, tensor = proto.get("name", ""), proto.get("type", {}).get("tensor_type", {})
    dtype = _TYPES.get(tensor.get("elem_type", 0), "")
    if not dtype or "shape" not in tensor:
        raise WireError(f"{name} is no tensor of {', '.join(_TYPES.values())} with a shape")
    sizes = tensor["shape"]["dim"]
    if any("dim_param" in size or "dim_value" not in size for size in sizes):
        raise WireError(f"{name} has a dynamic shape; batch 1 must be static")
    shape = tuple(size["dim_value"] for size in sizes)
    _require_sizes(name, shape, smallest=1)
    return name, Value(shape=shape, dtype=dtype)


def _require_sizes(name: str, shape: Shape, *, smallest: int) -> None:
    if len(shape) > MOST_AXES or not all(smallest <= size <= MOST_SIZE for size in shape):
        raise WireError(
            f"{name} has the shape {list(shape[:MOST_AXES])}, sizes go from {smallest} to {MOST_SIZE}"
        )
