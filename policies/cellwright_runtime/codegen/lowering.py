"""From the graph of a policy to a program of loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cellwright_runtime.codegen import contractions, elementwise, layout, reductions, windows
from cellwright_runtime.codegen.program import Array, Kernel, sized
from cellwright_runtime.codegen.site import Arrays, Chain, Site
from cellwright_runtime.codegen.tensors import Tensor, dense
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph.model import UINT8, Model, Operator, Value

Values = Mapping[str, Value]
"""What is known about every tensor of a graph, by name."""

COMPUTING: Mapping[str, Callable[[Site], None]] = {
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), reductions.reduced),
    "AveragePool": windows.average_pool,
    "Conv": contractions.convolution,
    "Gemm": contractions.gemm,
    "GlobalAveragePool": reductions.global_average_pool,
    "LayerNormalization": reductions.layer_norm,
    "MatMul": contractions.matmul,
    "MaxPool": windows.max_pool,
    "Softmax": reductions.softmax,
}
"""Operators that compute float32 in loops of their own."""
ARRANGING: Mapping[str, Callable[[Site], list[Tensor]]] = {
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), layout.reshaped),
    "Concat": layout.concat,
    "Gather": layout.gather,
    "GatherND": layout.gather_nd,
    "Identity": layout.same,
    "Slice": layout.sliced,
    "Split": layout.split,
    "Transpose": layout.transposed,
}
"""Operators that select and rearrange."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A graph as kernels, in the order in which they run."""

    inputs: Mapping[str, Tensor]
    """Groups of the observation by name."""
    prelude: tuple[Kernel, ...]
    """What depends on no input."""
    views: tuple[Kernel, ...]
    """What depends on images alone."""
    heads: tuple[Kernel, ...]
    """All that follows."""
    features: tuple[Tensor, ...]
    """What the heads take from the views."""
    outputs: Mapping[str, Tensor]
    """Outputs of the graph by name."""

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """All of them."""
        return (*self.prelude, *self.views, *self.heads)


def program_of(model: Model, values: Values, name: str) -> Program:
    """The program that computes what `model`, the graph in the file `name`, computes.

    Raises `FileError` where the graph has an operator that no code is written for.
    """
    return _Lowering(model, values, name).program()


class _Lowering:
    def __init__(self, model: Model, values: Values, name: str) -> None:
        self._model, self._values, self._file = model, values, name
        self._arrays = Arrays()
        self._operators = [each for each in _needed(model) if self._values[each.outputs[0]].constant is None]
        self._tensors: dict[str, Tensor] = {}
        for index, (given, value) in enumerate(model.inputs.items()):
            # Not by its own name, which may be anything that can be printed.
            array = Array(name=f"input_{index + 1}", dtype=value.dtype, size=value.size, given=True)
            self._tensors[given] = dense(array, value.shape)
        for known, value in values.items():
            if value.constant is not None:
                self._tensors[known] = self._arrays.constant(value.constant)
        self._users: dict[str, list[Operator]] = {}
        for operator in self._operators:
            for used in dict.fromkeys(operator.inputs):
                self._users.setdefault(used, []).append(operator)

    def program(self) -> Program:
        prelude, views, heads = _parted(self._model, self._operators)
        made = {output for operator in views for output in operator.outputs}
        taken = dict.fromkeys(name for operator in heads for name in operator.inputs)
        self._features = [name for name in taken if name in made]
        self._kernels: list[Kernel] = []
        self._done: set[int] = set()
        stages = [self._lower(operators) for operators in (prelude, views, heads)]
        return Program(
            inputs={name: self._tensors[name] for name in self._model.inputs},
            prelude=stages[0],
            views=stages[1],
            heads=stages[2],
            features=tuple(self._tensors[name] for name in self._features),
            outputs={name: self._tensors[name] for name in self._model.outputs},
        )

    def _lower(self, operators: Sequence[Operator]) -> tuple[Kernel, ...]:
        """The kernels of one stage."""
        before = len(self._kernels)
        self._stage = {id(operator) for operator in operators}
        for operator in operators:
            if id(operator) not in self._done:
                self._one(operator)
        return tuple(self._kernels[before:])

    def _one(self, operator: Operator) -> None:
        shapes = [self._values[name].shape for name in operator.outputs]
        if operator.kind in ARRANGING:
            site = Site(operator, self._tensors, self._arrays, shapes, Chain(operators=(), before=""))
            for name, result in zip(operator.outputs, ARRANGING[operator.kind](site), strict=True):
                seen = name in self._features and result.reshape((sized(result.shape),)) is None
                self._tensors[name] = site.moved(result) if seen else result
        else:
            begins = operator.kind in elementwise.RULES
            chain = self._chain(operator, begins)
            site = Site(operator, self._tensors, self._arrays, shapes, chain)
            if begins:
                site.compute(chain)
            elif operator.kind in COMPUTING:
                COMPUTING[operator.kind](site)
            else:
                raise FileError(f"{self._file} uses {operator.kind}, for which no code can be generated")
            last = (chain.operators or (operator,))[-1]
            self._tensors[last.outputs[0]] = site.result()
            self._done |= {id(each) for each in chain.operators}
        if site.writer.blocks[0]:
            self._kernels.append(site.kernel(f"step_{len(self._kernels) + 1}"))

    def _chain(self, operator: Operator, begins: bool) -> Chain:
        """`operator`, where it begins the chain, and what may follow it at once, element by element."""
        found = [operator] if begins else []
        name = operator.outputs[0]
        kept = {*self._features, *self._model.outputs}
        while name not in kept:
            users = self._users.get(name, [])
            if len(users) != 1 or users[0].kind not in elementwise.RULES or id(users[0]) not in self._stage:
                break
            (user,) = users
            others = [each for each in user.inputs if each and each != name]
            same = self._values[user.outputs[0]].shape == self._values[name].shape
            if not same or not all(each in self._tensors for each in others):
                break
            found.append(user)
            name = user.outputs[0]
        return Chain(operators=tuple(found), before="" if begins else operator.outputs[0])


def _needed(model: Model) -> list[Operator]:
    """The operators that an output depends on."""
    wanted = set(model.outputs)
    found = []
    for operator in reversed(model.operators):
        if wanted & set(operator.outputs):
            wanted |= set(operator.inputs)
            found.append(operator)
    return found[::-1]


def _parted(model: Model, operators: Sequence[Operator]) -> list[list[Operator]]:
    """The operators that depend on no input, those that depend on images alone, and the others."""
    after = {name: 1 if value.dtype == UINT8 else 2 for name, value in model.inputs.items()}
    stages: list[list[Operator]] = [[], [], []]
    for operator in operators:
        stage = max((after.get(name, 0) for name in operator.inputs), default=0)
        after |= dict.fromkeys(operator.outputs, stage)
        stages[stage].append(operator)
    return stages
