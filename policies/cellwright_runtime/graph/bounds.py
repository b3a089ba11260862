"""The cost of a graph, computed before it runs: its multiplications and the sizes of its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass

from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph.model import MOST_AXES, Model, Operator, Value
from cellwright_runtime.graph.operators import outcome
from cellwright_runtime.graph.rules import OperatorError

MOST_MULTIPLICATIONS = 100_000_000
"""Per decision; the shipped policies need about 6 million."""
MOST_ELEMENTS = 8_000_000
"""Per decision, in all computed tensors and in the scratch memory of operators: 32 MB in float32. The shipped
policies need about 0.4 million."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Computation and memory that one decision takes."""

    multiplications: int
    elements: int
    """In all computed tensors and in the scratch memory of operators."""


def require_bounded(model: Model, name: str) -> Cost:
    """The cost of one run of `model`, the graph in the file `name`.

    Raises `FileError` where an operator is not on the list of operators or does not fit its inputs, and where
    the graph needs more than `MOST_MULTIPLICATIONS` or `MOST_ELEMENTS`.
    """
    return _bounded(model, name)[0]


def known_values(model: Model, name: str) -> Mapping[str, Value]:
    """Shape and type of every tensor of `model`, with its elements where they are constant, by name.

    Raises `FileError` as `require_bounded` does.
    """
    return _bounded(model, name)[1]


def _bounded(model: Model, name: str) -> tuple[Cost, Mapping[str, Value]]:
    try:
        return _run(model)
    except OperatorError as error:
        raise FileError(f"{name} {error}") from None


def _run(model: Model) -> tuple[Cost, Mapping[str, Value]]:
    if twice := model.constants.keys() & model.inputs.keys():
        raise OperatorError(f"has {min(twice)} as an input and as a constant")
    known = {**model.constants, **model.inputs}
    work = elements = 0
    for operator in model.operators:
        result = outcome(operator, [_input(known, operator, name) for name in operator.inputs])
        work += result.multiplications
        elements += sum(value.size for value in result.outputs) + result.scratch
        if work > MOST_MULTIPLICATIONS or elements > MOST_ELEMENTS:
            raise OperatorError(
                f"needs more than {MOST_MULTIPLICATIONS:,} multiplications or {MOST_ELEMENTS:,} intermediate "
                f"numbers, at {operator.kind} {', '.join(operator.outputs)[:80]}"
            )
        for output, value in zip(operator.outputs, result.outputs, strict=True):
            if output in known or not output or len(value.shape) > MOST_AXES:
                raise OperatorError(
                    f"{operator.kind} gives {output[:80]!r}: the name is empty or already in use, "
                    f"or the tensor has more than {MOST_AXES} axes"
                )
            known[output] = value
    _require_said(model.said, known)
    _require_said(model.outputs, known)
    return Cost(multiplications=work, elements=elements), known


def _input(known: Mapping[str, Value], operator: Operator, name: str) -> Value | None:
    if name and name not in known:
        raise OperatorError(f"{operator.kind} takes {name[:80]!r}, which nothing before it gives")
    return known[name] if name else None


def _require_said(said: Mapping[str, Value], known: Mapping[str, Value]) -> None:
    """Raise `OperatorError` where the file states another shape or type of a tensor than it has."""
    for name, value in said.items():
        found = known.get(name)
        if found is None or (found.shape, found.dtype) != (value.shape, value.dtype):
            real = f"{found.dtype} {list(found.shape)}" if found else "not in the graph"
            raise OperatorError(f"says {name[:80]} is {value.dtype} {list(value.shape)}, it is {real}")
