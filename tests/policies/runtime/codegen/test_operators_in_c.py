"""Every operator that a policy may have, alone and joined with others, gives in C what ONNX Runtime gives."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from cellwright_runtime.codegen import lowering
from cellwright_runtime.codegen.c_text import (
    TYPES,
    arguments,
    constant_text,
    index_text,
    kernel_text,
    own_functions,
)
from cellwright_runtime.codegen.elementwise import RULES as ELEMENTWISE
from cellwright_runtime.codegen.figures import constants_of
from cellwright_runtime.codegen.lowering import ARRANGING, COMPUTING, Program, program_of
from cellwright_runtime.codegen.memory import plan
from cellwright_runtime.codegen.program import Array, arrays
from cellwright_runtime.codegen.tensors import Tensor
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph.bounds import known_values
from cellwright_runtime.graph.model import read_model
from cellwright_runtime.graph.operators import RULES
from tests.policies.runtime.codegen.code import SANITIZED, compile_c
from tests.policies.runtime.graph.test_operators import GOOD, X, ints, one

Constants = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Some operators from an input x like `X`, and an image v, to outputs."""

    nodes: Sequence[onnx.NodeProto]
    constants: Constants
    outputs: Sequence[str] = ("y",)

    def model(self) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [
                helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape),
                helper.make_tensor_value_info("v", TensorProto.UINT8, IMAGE.shape),
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs],
            [numpy_helper.from_array(values, name) for name, values in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        return bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())


RNG = np.random.default_rng(5)
IMAGE = RNG.integers(0, 256, (1, 2, 6, 8), np.uint8)


def drawn(constants: Constants) -> Constants:
    """Random numbers in the place of ones, so that an order that is mistaken shows."""
    return {
        name: RNG.normal(size=values.shape).astype(np.float32)
        if values.dtype == np.float32 and values.ndim
        else values
        for name, values in constants.items()
    }


def some(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


ALONE = [
    Graph(nodes=[node], constants=drawn(constants), outputs=list(node.output)) for node, constants in GOOD
]
JOINED = [
    Graph(  # a convolution, a factor for each channel, what lies beside it, an activation
        nodes=[
            one("Conv", "x", "w", "b", outputs=["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            one("Mul", "c", "f", outputs=["m"]),
            one("Add", "x", "m", outputs=["a"]),
            one("LeakyRelu", "a", alpha=0.2),
        ],
        constants={"w": some(3, 3, 3, 3), "b": some(3), "f": some(1, 3, 1, 1)},
    ),
    Graph(  # maps whose channels lie side by side, in another shape
        nodes=[
            one("Conv", "x", "w", outputs=["c"]),
            one("Reshape", "c", "s", outputs=["r"]),
            one("Softmax", "r", outputs=["p"], axis=-1),
            one("MatMul", "p", "g", outputs=["q"]),
            one("Relu", "q"),
        ],
        constants={"w": some(5, 3, 2, 2), "s": ints(2, 5, 15), "g": some(15, 2)},
    ),
    Graph(  # the same in an order that only a copy gives
        nodes=[
            one("Conv", "x", "w", outputs=["c"]),
            one("Transpose", "c", outputs=["t"], perm=[0, 3, 1, 2]),
            one("Reshape", "t", "s", outputs=["r"]),
            one("Gemm", "r", "g", "b", outputs=["h"], transB=1, alpha=0.5, beta=2.0),
            one("Tanh", "h"),
        ],
        constants={"w": some(5, 3, 2, 2), "s": ints(2, 75), "g": some(9, 75), "b": some(9)},
    ),
    Graph(  # an image, standardised, and its pools
        nodes=[
            one("Cast", "v", outputs=["f"], to=TensorProto.FLOAT),
            one("ReduceMean", "f", "a", outputs=["m"]),
            one("Sub", "f", "m", outputs=["d"]),
            one("Pow", "d", "two", outputs=["e"]),
            one("AveragePool", "e", outputs=["p"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            one("MaxPool", "p", outputs=["q"], kernel_shape=[2, 2]),
            one("GlobalAveragePool", "q"),
        ],
        constants={"a": ints(2, 3), "two": np.float32(2.0)},
    ),
    Graph(  # elements of an image before they are numbers of float32
        nodes=[
            one("Slice", "v", "b", "e", "a", "s", outputs=["f"]),
            one("Gather", "f", "i", outputs=["g"], axis=3),
            one("Concat", "g", "f", outputs=["h"], axis=3),
            one("Cast", "h", to=TensorProto.FLOAT),
        ],
        constants={"b": ints(-1), "e": ints(-9), "a": ints(2), "s": ints(-2), "i": ints(7, 0, -2)},
    ),
    Graph(  # one value with several users, and twice in one operator
        nodes=[
            one("Add", "x", "c", outputs=["a"]),
            one("Mul", "a", "a", outputs=["b"]),
            one("Sub", "a", "b", outputs=["d"]),
            one("Max", "d", "a", "b", outputs=["e"]),
            one("Identity", "e"),
        ],
        constants={"c": some(1, 3, 1, 6)},
    ),
    Graph(  # parts of a row, weighed by numbers that are not constant
        nodes=[
            one("Split", "x", "s", outputs=["p", "q"], axis=3),
            one("Transpose", "q", outputs=["t"], perm=[0, 1, 3, 2]),
            one("MatMul", "t", "p"),
        ],
        constants={"s": ints(2, 4)},
    ),
    Graph(  # batches of products whose left side is constant
        nodes=[one("MatMul", "c", "x")],
        constants={"c": some(3, 7, 4)},
    ),
    Graph(  # what depends on nothing, and a normalisation that feeds a chain
        nodes=[
            one("Neg", "c", outputs=["n"]),
            one("LayerNormalization", "x", "g", outputs=["l"], axis=-1, epsilon=1e-3),
            one("Add", "l", "n", outputs=["a"]),
            one("Sigmoid", "a"),
        ],
        constants={"c": some(4, 6), "g": some(6)},
    ),
]
GRAPHS = [*ALONE, *JOINED]
NAMES = [f"{index}-{graph.nodes[-1].op_type}" for index, graph in enumerate(GRAPHS)]
MAIN = Template(f"""
#include <math.h>
#include <stdint.h>
#include <stdio.h>
$parts
static float x[{X.size}];
static uint8_t v[{IMAGE.size}];
int main(void) {{
    if (fread(x, sizeof x, 1, stdin) != 1 || fread(v, sizeof v, 1, stdin) != 1) {{
        return 1;
    }}
    $calls
    return 0;
}}
""")


def test_code_is_there_for_every_operator_of_the_list() -> None:
    # A `Constant` is no work: its value is known before.
    assert {*ELEMENTWISE, *COMPUTING, *ARRANGING, "Constant"} == set(RULES)


def test_an_operator_without_code_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(COMPUTING, "Conv")  # type: ignore[arg-type]
    model = read_model(JOINED[0].model(), "policy.onnx")
    with pytest.raises(FileError, match=r"^policy\.onnx uses Conv, for which no code can be generated$"):
        program_of(model, known_values(model, "policy.onnx"), "policy.onnx")
    assert lowering.COMPUTING is COMPUTING


def unit(program: Program, outputs: Sequence[str], index: int) -> str:
    """A function from x and v to the outputs, one after the other, with all that it needs."""
    where = plan(program.kernels, [program.outputs[name].array for name in outputs])

    given = {tensor.array: name for name, tensor in program.inputs.items()}

    def pointer(array: Array) -> str:
        if array in where.offsets:
            return f"memory + {where.offsets[array]}"
        return given.get(array, array.name)

    def element(tensor: Tensor) -> str:
        """The element that loops over all axes are at."""
        terms = tuple((f"i{axis}", stride) for axis, stride in enumerate(tensor.strides))
        return f"({pointer(tensor.array)})[{index_text(tensor.offset, terms)}]"

    kernels = program.kernels
    used = dict.fromkeys(array for kernel in kernels for array in arrays(kernel))
    outer = [tensor.array for tensor in program.outputs.values() if tensor.array.values is not None]
    lines: list[str] = []
    for constant in dict.fromkeys([*constants_of(kernels), *outer]):
        lines += constant_text(constant)
    lines.append(f"static float memory[{where.size + 1}];")
    for array in used:
        if array.values is None and not array.given and array not in where.offsets:
            lines.append(f"static {TYPES[array.dtype]} {array.name}[{array.size}];")
    lines += own_functions(kernels)
    for kernel in kernels:
        lines += kernel_text(kernel)
    lines.append(
        f"static void graph_{index}(const float *x, const uint8_t *v, float *y) {{ (void)x; (void)v;"
    )
    for kernel in kernels:
        lines.append(f"{kernel.name}({', '.join(pointer(array) for array, _ in arguments(kernel))});")
    lines.append("*y = memory[0];")  # also where no kernel runs
    for name in outputs:
        tensor = program.outputs[name]
        loops = [
            f"for (int i{axis} = 0; i{axis} < {size}; i{axis}++)" for axis, size in enumerate(tensor.shape)
        ]
        lines.append(f"{' '.join(loops)} *y++ = {element(tensor)};")
    own = r"\b(step_\d+|constant_\d+|value_\d+|memory|larger|smaller|clipped)\b"
    return re.sub(own, rf"\1_of_{index}", "\n".join([*lines, "}", ""]))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """What all graphs give in C, in one program under the sanitizers."""
    directory = tmp_path_factory.mktemp("graphs")
    parts, calls = [], []
    for index, graph in enumerate(GRAPHS):
        model = read_model(graph.model(), "graph")
        program = program_of(model, known_values(model, "graph"), "graph")
        parts.append(unit(program, graph.outputs, index))
        size = sum(int(np.prod(program.outputs[name].shape)) for name in graph.outputs)
        calls.append(f"{{ static float y[{size}]; graph_{index}(x, v, y); fwrite(y, sizeof y, 1, stdout); }}")
    (directory / "graphs.c").write_text(MAIN.substitute(parts="".join(parts), calls="\n".join(calls)))
    compile_c(*SANITIZED, "-o", directory / "graphs", directory / "graphs.c", "-lm")
    done = subprocess.run(
        [directory / "graphs"], input=X.tobytes() + IMAGE.tobytes(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    sizes = [sum(each.size for each in wanted(graph)) for graph in GRAPHS]
    found = np.frombuffer(done.stdout, np.float32)
    assert found.size == sum(sizes)
    return np.split(found, np.cumsum(sizes)[:-1])


def wanted(graph: Graph) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph.model(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(each) for each in session.run(list(graph.outputs), {"x": X, "v": IMAGE})]


@pytest.mark.parametrize("index", range(len(GRAPHS)), ids=NAMES)
def test_a_graph_gives_what_onnx_runtime_gives(index: int, answers: list[np.ndarray]) -> None:
    expected = np.concatenate([each.ravel() for each in wanted(GRAPHS[index])])
    np.testing.assert_allclose(answers[index], expected, rtol=1e-5, atol=1e-5)  # NaN where theirs is NaN
