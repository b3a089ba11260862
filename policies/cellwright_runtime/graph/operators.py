"""The operators of a policy: the shapes that each one gives, and its cost.

The rules are those of https://onnx.ai/onnx/operators for opsets 18 to 20, restricted to what a policy needs:
operators compute in float32, and every input that sets a shape or selects an element is a constant of the
file, checked to be in range. So no operator divides whole numbers, reads outside an array, or has a cost that
depends on the observation.
"""

from collections.abc import Callable, Mapping, Sequence

from cellwright_runtime.graph import arithmetic, layout, windows
from cellwright_runtime.graph.model import Operator, Value
from cellwright_runtime.graph.rules import Call, OperatorError, Outcome


def outcome(operator: Operator, inputs: Sequence[Value | None]) -> Outcome:
    """Outputs and cost of `operator` for `inputs`, None for one that is left out; raises `OperatorError`."""
    rule = RULES.get(operator.kind)
    if rule is None:
        raise OperatorError(f"uses {operator.kind}, which is not on the list of operators")
    try:
        result = rule(Call(operator, inputs))
    except (OperatorError, ValueError) as error:  # ValueError: raised by NumPy
        raise OperatorError(f"{operator.kind} {', '.join(operator.outputs)[:80]}: {error}") from None
    if len(result.outputs) != len(operator.outputs):
        raise OperatorError(f"{operator.kind} has {len(operator.outputs)} outputs, not {len(result.outputs)}")
    return result


RULES: Mapping[str, Callable[[Call], Outcome]] = {
    **dict.fromkeys(
        "Abs Exp HardSwish Log Neg Reciprocal Relu Sigmoid Softplus Sqrt Tanh".split(),  # noqa: SIM905
        arithmetic.unary(),
    ),
    **dict.fromkeys(("Elu", "LeakyRelu"), arithmetic.unary("alpha")),
    "Selu": arithmetic.unary("alpha gamma"),
    "Gelu": arithmetic.gelu,
    **dict.fromkeys(("Add", "Div", "Mul", "Pow", "Sub"), arithmetic.elementwise(2, 2)),
    **dict.fromkeys(("Max", "Min"), arithmetic.elementwise(1, 16)),
    "AveragePool": windows.pool("count_include_pad"),
    "Cast": arithmetic.cast,
    "Clip": arithmetic.clip,
    "Concat": layout.concat,
    "Constant": layout.constant,
    "Conv": windows.convolution,
    "Flatten": layout.flatten,
    "Gather": layout.gather,
    "GatherND": layout.gather_nd,
    "Gemm": arithmetic.gemm,
    "GlobalAveragePool": windows.global_pool,
    "Identity": layout.identity,
    "LayerNormalization": arithmetic.layer_norm,
    "MatMul": arithmetic.matmul,
    "MaxPool": windows.pool("storage_order"),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), arithmetic.reduced),
    "Reshape": layout.reshape,
    "Slice": layout.sliced,
    "Softmax": arithmetic.softmax,
    "Split": layout.split,
    "Squeeze": layout.squeeze,
    "Transpose": layout.transpose,
    "Unsqueeze": layout.unsqueeze,
}
"""Deterministic, stateless operators that small inference engines and code generators support."""
