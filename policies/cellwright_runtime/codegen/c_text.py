"""Kernels and constants as C99."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.codegen.program import (
    Apply,
    Array,
    Coordinate,
    Expression,
    Kernel,
    Let,
    Literal,
    Loop,
    Name,
    Place,
    Read,
    Statement,
    arrays,
    parts,
    statements,
)

TYPES = {"float32": "float", "uint8": "uint8_t", "int32": "int32_t", "int64": "int64_t"}
WIDTH = 110
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_PATTERNS = {"negative": "-{}", "float": "(float){}", "below_zero": "{} < 0.0f ? {} : {}"}
_LIBRARY = {
    **{"abs": "fabsf", "exp": "expf", "log": "logf", "sqrt": "sqrtf"},
    **{"tanh": "tanhf", "erf": "erff", "pow": "powf"},
}
"""Functions of the C library."""
_OWN = {
    "max": "static float larger(float x, float y) { return x > y || x != x ? x : y; }",
    "min": "static float smaller(float x, float y) { return x < y || x != x ? x : y; }",
    "clip": (
        "static float clipped(float x, float low, float high) { return x < low ? low : x > high ? high : x; }"
    ),
}
_IN_COMMENTS = " _.,:;+-[]=<>%#/^"
_OWN_NAMES = {"max": "larger", "min": "smaller", "clip": "clipped"}


def used_functions(kernels: Iterable[Kernel]) -> set[str]:
    """Names of all functions that the kernels apply."""
    return {
        part.function
        for kernel in kernels
        for statement, _ in statements(kernel.body)
        for part in parts(statement.value)
        if isinstance(part, Apply)
    }


def own_functions(kernels: Iterable[Kernel]) -> list[str]:
    """Definitions of the functions that the C library lacks, or has with another answer to NaN."""
    used = used_functions(kernels)
    return [text for name, text in _OWN.items() if name in used]


def library_functions(kernels: Iterable[Kernel]) -> list[str]:
    """The functions of the C library that the kernels call."""
    used = used_functions(kernels)
    return sorted(text for name, text in _LIBRARY.items() if name in used)


def kernel_text(kernel: Kernel) -> list[str]:
    """A function whose arguments are the arrays that a kernel reads and writes, constants left out."""
    taken = [
        f"{'' if written else 'const '}{TYPES[array.dtype]} *restrict {array.name}"
        for array, written in arguments(kernel)
    ]
    lines = [f"/* {comment(kernel.told)} */", f"static void {kernel.name}({', '.join(taken) or 'void'}) {{"]
    lines += [f"    float {array.name}[{array.size}];" for array in kernel.local]
    lines += _body(kernel.body, 1)
    return [*lines, "}", ""]


def arguments(kernel: Kernel) -> list[tuple[Array, bool]]:
    """The arrays that a kernel is given, those that it writes last, and whether it writes them."""
    found = [(array, written) for array, written in arrays(kernel).items() if array.values is None]
    return sorted(found, key=lambda each: each[1])


def constant_text(array: Array) -> list[str]:
    """The definition of a constant array."""
    assert array.values is not None
    return definition(f"static const {TYPES[array.dtype]} {array.name}[{array.size}]", array.values)


def definition(declared: str, values: NDArray[Any]) -> list[str]:
    """`declared` with its values, in lines of a bounded width."""
    return [f"{declared} = {{", *rows(numbers(values)), "};"]


def numbers(values: NDArray[Any]) -> Iterator[str]:
    """Literals of C, those of float32 with as few digits as tell them apart."""
    if values.dtype.kind != "f":
        return map(str, values.ravel().tolist())
    return (literal(value) for value in values.ravel())


def literal(value: np.floating[Any] | float) -> str:
    """A number of float32."""
    return f"{real(value)}f"


def real(value: np.floating[Any] | float) -> str:
    """The shortest decimal number that float32 reads as `value`, with a point."""
    text = str(np.float32(value))
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent}" if exponent else mantissa


def rows(words: Iterable[str], indent: str = "    ") -> Iterator[str]:
    """Words with commas between them, in lines of a bounded width."""
    line: list[str] = []
    width = len(indent)
    for word in words:
        if line and width + len(word) + 2 > WIDTH:
            yield indent + ", ".join(line) + ","
            line, width = [], len(indent)
        line.append(word)
        width += len(word) + 2
    if line:
        yield indent + ", ".join(line)


def comment(text: str) -> str:
    """Text that can stand in a comment of C and of Structured Text, and cannot end it."""
    text = text.replace("//", "__")
    return "".join(
        each if each.isascii() and (each.isalnum() or each in _IN_COMMENTS) else "_" for each in text
    )


def string(text: str) -> str:
    """A string of C with the bytes of `text`."""
    return '"' + "".join(_escaped(byte) for byte in text.encode()) + '"'


def _escaped(byte: int) -> str:
    letter = chr(byte)
    plain = letter.isascii() and (letter.isalnum() or letter in " _.,:;+-/()[]=^")
    return letter if plain else f"\\{byte:03o}"


def _body(body: Sequence[Statement], depth: int) -> Iterator[str]:
    indent = "    " * depth
    for statement in body:
        if isinstance(statement, Loop):
            i = statement.variable
            yield f"{indent}for (int {i} = 0; {i} < {statement.count}; {i}++) {{"
            yield from _body(statement.body, depth + 1)
            yield f"{indent}}}"
        elif isinstance(statement, Let):
            changes = any(
                isinstance(each, Let) and each.again and each.name == statement.name
                for each, _ in statements(body)
            )
            kind = "" if statement.again else "float " if changes else "const float "
            yield f"{indent}{kind}{statement.name} = {expression(statement.value)};"
        else:
            yield f"{indent}{_element(statement.place)} = {expression(statement.value)};"


def expression(value: Expression) -> str:
    """An expression of float, or of the type of an element that is only read."""
    if isinstance(value, Literal):
        return literal(value.value)
    if isinstance(value, Name):
        return value.name
    return _element(value.place) if isinstance(value, Read) else _applied(value)


def _applied(value: Apply) -> str:
    texts = [_grouped(each) for each in value.arguments]
    if value.function in _INFIX:
        return f" {_INFIX[value.function]} ".join(texts)
    if value.function in _PATTERNS:
        return _PATTERNS[value.function].format(*texts)
    called = _OWN_NAMES.get(value.function) or _LIBRARY[value.function]
    return f"{called}({', '.join(expression(each) for each in value.arguments)})"


def _grouped(value: Expression) -> str:
    """An expression that stands beside an operator: in parentheses where it has one itself, or a sign."""
    text = expression(value)
    calls = isinstance(value, Apply) and (value.function in _OWN_NAMES or value.function in _LIBRARY)
    return text if not text.startswith("-") and (not isinstance(value, Apply) or calls) else f"({text})"


def _element(place: Place) -> str:
    index = index_text(place.offset, place.terms)
    if place.table is not None:
        looked_up = f"{place.table.name}[{index_text(0, place.entry)}]"
        index = looked_up if index == "0" else f"{index} + {looked_up}"
    return f"{place.array.name}[{index}]"


def index_text(offset: int, terms: Coordinate) -> str:
    """A sum of loop variables with their factors."""
    added = [
        variable if factor == 1 else f"{variable} * {factor}" for variable, factor in terms if factor > 0
    ]
    taken = [
        variable if factor == -1 else f"{variable} * {-factor}" for variable, factor in terms if factor < 0
    ]
    text = " + ".join([*added, *([str(offset)] if offset or not added else [])])
    return " - ".join([text, *taken])
