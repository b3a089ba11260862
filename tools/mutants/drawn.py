"""Random mutants: small mistakes drawn from the syntax trees of all packages."""

from __future__ import annotations

import ast
import copy
import itertools
import random
from collections.abc import Iterator
from typing import Any

from tools.mutants.modules import sources, tests_of
from tools.mutants.mutant import ROOT, Mutant

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
}
_TWINS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "sin": "cos", "cos": "sin"}


def drawn_mutants(seed: int, count: int) -> tuple[Mutant, ...]:
    """`count` different mutants; every mistake that `mistakes` finds in the packages is equally likely."""
    places = [(file, *each) for file in sources() for each in mistakes((ROOT / file).read_text())]
    chosen = random.Random(seed).sample(places, count)
    return tuple(_mutant(number, *each) for number, each in enumerate(chosen, start=1))


def _mutant(number: int, file: str, begin: int, end: int, changed: str) -> Mutant:
    source = (ROOT / file).read_text()
    line = source[:begin].count("\n") + 1
    return Mutant(
        name=f"{number}: {file}:{line}: {_one_line(source[begin:end])} -> {_one_line(changed)}",
        file=file,
        old=source,  # the whole file: the same text may occur in it more than once
        new=source[:begin] + changed + source[end:],
        tests=tuple(" ".join(each) for each in tests_of(file) if each),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:70]


def mistakes(source: str) -> Iterator[tuple[int, int, str]]:
    """Every possible mistake in `source`: indices where its text begins and ends, and the new text."""
    lines = source.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]

    def index(line: int, column: int) -> int:
        # Columns of the syntax tree count bytes of UTF-8.
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    for node in _places(ast.parse(source)):
        for changed in _changed(node):
            at: Any = node
            yield index(at.lineno, at.col_offset), index(at.end_lineno, at.end_col_offset), changed


def _places(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but those of annotations, docstrings, decorators and imports for type checkers."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_comment"):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            children = value if isinstance(value, list) else [value]
            pending += [each for each in children if isinstance(each, ast.AST) and not _is_text(each)]


def _is_text(node: ast.AST) -> bool:
    """Whether a node is text for people: a docstring, another text or a `raise` with its message."""
    value = node.value if isinstance(node, ast.Expr) else node
    return isinstance(value, ast.JoinedStr | ast.Raise) or (
        isinstance(value, ast.Constant) and isinstance(value.value, str)
    )


def _changed(node: ast.AST) -> Iterator[str]:
    """The mistakes that can be made at a node, each as the text that replaces it."""
    other = copy.copy(node)
    if isinstance(other, ast.Compare) and type(other.ops[0]) in _COMPARISONS:
        other.ops = [_COMPARISONS[type(other.ops[0])](), *other.ops[1:]]
        yield f"({ast.unparse(other)})"
    elif isinstance(other, ast.BinOp) and type(other.op) in _ARITHMETIC:
        other.op = _ARITHMETIC[type(other.op)]()
        yield f"({ast.unparse(other)})"
    elif isinstance(other, ast.BoolOp):
        other.op = ast.Or() if isinstance(other.op, ast.And) else ast.And()
        yield f"({ast.unparse(other)})"
    elif isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.Not | ast.USub):
        yield f"({ast.unparse(other.operand)})"
    elif isinstance(other, ast.Constant) and isinstance(other.value, bool | int | float):
        yield _other_number(other.value)
    elif isinstance(other, ast.IfExp):
        other.body, other.orelse = other.orelse, other.body
        yield f"({ast.unparse(other)})"
    elif isinstance(other, ast.Call) and (twin := _twin(other.func)):
        other.func = twin
        yield ast.unparse(other)
    elif isinstance(other, ast.AugAssign) or (
        isinstance(other, ast.Expr) and isinstance(other.value, ast.Call)
    ):
        yield "pass"


def _other_number(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return repr(not value)
    if isinstance(value, int):
        return repr(value + 1)
    return repr(2.0 * value) if value else "1.0"


def _twin(function: ast.expr) -> ast.expr | None:
    """The function to call instead, such as `max` for `min`; None where there is none."""
    if isinstance(function, ast.Name) and function.id in _TWINS:
        return ast.Name(id=_TWINS[function.id])
    if isinstance(function, ast.Attribute) and function.attr in _TWINS:
        return ast.Attribute(value=function.value, attr=_TWINS[function.attr])
    return None
