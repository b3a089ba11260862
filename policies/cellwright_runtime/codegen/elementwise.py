"""Operators that compute element by element, as expressions; formulas are those of https://onnx.ai/onnx/operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from cellwright_runtime.codegen.program import Apply, Expression, Literal, Read, Writer, add, mul
from cellwright_runtime.graph.model import FLOAT, Operator

Arguments = Sequence[Expression | None]
"""One for each input of the operator; None for one that is left out."""
Rule = Callable[[Writer, Operator, Arguments], Expression]

_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
_ONE, _HALF = Literal(1.0), Literal(0.5)


def computed(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    """The value of `operator`, which has to be one of `RULES`; what is used twice becomes a scalar first."""
    return RULES[operator.kind](writer, operator, arguments)


def _first(arguments: Arguments) -> Expression:
    assert arguments[0] is not None
    return arguments[0]


def _function(name: str) -> Rule:
    def rule(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
        return Apply(name, tuple(each for each in arguments if each is not None))

    return rule


def _folded(name: str) -> Rule:
    def rule(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
        value = _first(arguments)
        for other in arguments[1:]:
            assert other is not None
            value = Apply(name, (writer.let(value), writer.let(other)))
        return value

    return rule


def _clip(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    low, high = (*arguments[1:], None, None)[:2]
    value = writer.let(_first(arguments))
    if low is not None and high is not None:
        return Apply("clip", (value, low, high))
    if low is not None:
        return Apply("max", (value, low))
    return value if high is None else Apply("min", (value, high))


def _power(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    base, exponent = _first(arguments), arguments[1]
    assert exponent is not None
    if exponent == Literal(2.0):
        base = writer.let(base)
        return mul(base, base)
    return Apply("pow", (base, exponent))


def _relu(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    return Apply("below_zero", (value, Literal(0.0), value))


def _leaky_relu(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    return Apply("below_zero", (value, mul(_attribute(operator, "alpha", 0.01), value), value))


def _exponential_below_zero(writer: Writer, value: Expression) -> Expression:
    """exp(x) - 1 where x is negative; elsewhere something finite, which nobody uses."""
    return Apply("sub", (Apply("exp", (Apply("min", (value, Literal(0.0))),)), _ONE))


def _elu(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    below = mul(_attribute(operator, "alpha", 1.0), _exponential_below_zero(writer, value))
    return Apply("below_zero", (value, below, value))


def _selu(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    below = mul(_attribute(operator, "alpha", _SELU_ALPHA), _exponential_below_zero(writer, value))
    return mul(
        _attribute(operator, "gamma", _SELU_GAMMA),
        Apply("below_zero", (value, below, value)),
    )


def _sigmoid(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    decayed = writer.let(_decayed(value))  # at most 1, so that nothing overflows
    whole = writer.let(add(_ONE, decayed))
    return Apply("below_zero", (value, Apply("div", (decayed, whole)), Apply("div", (_ONE, whole))))


def _softplus(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    return add(Apply("max", (value, Literal(0.0))), Apply("log", (add(_ONE, _decayed(value)),)))


def _decayed(value: Expression) -> Expression:
    """exp(-|x|)"""
    return Apply("exp", (Apply("negative", (Apply("abs", (value,)),)),))


def _hard_swish(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    gate = writer.let(add(mul(Literal(1.0 / 6.0), value), _HALF))
    return mul(value, Apply("clip", (gate, Literal(0.0), _ONE)))


def _gelu(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = writer.let(_first(arguments))
    if operator.attributes.get("approximate", b"none") == b"none":
        inner: Expression = Apply("erf", (mul(Literal(math.sqrt(0.5)), value),))
    else:
        cubed = mul(Literal(0.044715), mul(value, mul(value, value)))
        inner = Apply("tanh", (writer.let(mul(Literal(math.sqrt(2.0 / math.pi)), add(value, cubed))),))
    return mul(mul(_HALF, value), add(_ONE, inner))


def _reciprocal(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    return Apply("div", (_ONE, _first(arguments)))


def _cast(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    value = _first(arguments)
    whole = isinstance(value, Read) and value.place.array.dtype != FLOAT
    return Apply("float", (value,)) if whole else value


def _tanh(writer: Writer, operator: Operator, arguments: Arguments) -> Expression:
    return Apply("tanh", (writer.let(_first(arguments)),))


def _attribute(operator: Operator, name: str, default: float) -> Literal:
    return Literal(operator.attributes.get(name, default))


RULES: Mapping[str, Rule] = {
    "Abs": _function("abs"),
    "Add": _function("add"),
    "Cast": _cast,
    "Clip": _clip,
    "Div": _function("div"),
    "Elu": _elu,
    "Exp": _function("exp"),
    "Gelu": _gelu,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "Log": _function("log"),
    "Max": _folded("max"),
    "Min": _folded("min"),
    "Mul": _function("mul"),
    "Neg": _function("negative"),
    "Pow": _power,
    "Reciprocal": _reciprocal,
    "Relu": _relu,
    "Selu": _selu,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "Sqrt": _function("sqrt"),
    "Sub": _function("sub"),
    "Tanh": _tanh,
}
"""Every operator of the list that works on one element at a time."""
