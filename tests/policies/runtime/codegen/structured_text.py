"""Runs one function block of Structured Text; written for the tests, apart from what generates it.

It refuses what is not declared, what is declared twice, and arrays that are not filled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

TOKEN = re.compile(
    r"\(\*.*?\*\)|\s+|(\d+\.\d+(?:E[+-]?\d+)?|\d+|[A-Za-z_]\w*|:=|<=|>=|<>|\.\.|\S)", re.DOTALL
)
KEYWORDS = {
    *("and", "array", "at", "constant", "do", "else", "elsif", "end_for", "end_function_block", "end_if"),
    *(
        "end_var",
        "for",
        "function_block",
        "if",
        "not",
        "of",
        "or",
        "then",
        "to",
        "var",
        "var_input",
        "var_output",
    ),
    *("step", "action", "transition", "exit", "return", "case", "while", "repeat", "mod", "xor", "by"),
}
TYPES = {"real": 0.0, "int": 0, "dint": 0, "usint": 0, "lint": 0}


def raised(power: Callable[..., float], *given: float) -> float:
    try:
        return power(*given)
    except OverflowError:
        return math.inf


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "exp": lambda x: raised(math.exp, x),
    "expt": lambda x, y: raised(math.pow, x, y),
    "limit": lambda low, x, high: min(max(low, x), high),
    "ln": math.log,
    "max": max,
    "min": min,
    "sel": lambda which, first, second: second if which else first,
    "sqrt": math.sqrt,
    "usint_to_real": float,
}


class Block:
    """A function block; its variables live in `state`, arrays as lists."""

    def __init__(self, text: str) -> None:
        self._tokens = [found for found in TOKEN.findall(text) if found]
        self._next = 0
        self.state: dict[str, Any] = {}
        self._expect("FUNCTION_BLOCK")
        self.name = self._take()
        while self._peek() in ("var", "var_input", "var_output"):
            self._declarations()
        lines = ["def run(state):", *(f"    {name} = state['{name}']" for name in self.state)]
        lines += self._statements(1, {"end_function_block"})
        self._expect("END_FUNCTION_BLOCK")
        assert self._next == len(self._tokens)
        scalars = [name for name, value in self.state.items() if not isinstance(value, list)]
        lines += [f"    state['{name}'] = {name}" for name in scalars]
        names = {f"f_{name}": function for name, function in FUNCTIONS.items()}
        exec("\n".join(lines), names)
        self._run = names["run"]

    def execute(self, **inputs: Sequence[float]) -> dict[str, Any]:
        """One call with arrays as inputs; returns all variables after it."""
        for name, values in inputs.items():
            assert len(values) == len(self.state[name])
            self.state[name] = [float(value) for value in values]
        self._run(self.state)
        return self.state

    def _peek(self) -> str:
        return self._tokens[self._next].lower()

    def _take(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1].lower()

    def _expect(self, *words: str) -> None:
        for word in words:
            found = self._take()
            assert found == word.lower(), f"{found!r} where {word!r} is needed, token {self._next}"

    def _declarations(self) -> None:
        self._take()
        if self._peek() == "constant":
            self._take()
        while self._peek() != "end_var":
            name = self._take()
            assert re.fullmatch(r"[a-z]\w*", name), name
            assert "__" not in name, name
            assert not name.endswith("_"), name
            assert name not in {*KEYWORDS, *FUNCTIONS, *TYPES, *self.state}, name
            self._expect(":")
            self.state[name] = self._array() if self._peek() == "array" else TYPES[self._take()]
            self._expect(";")
        self._take()

    def _array(self) -> list[Any]:
        self._expect("ARRAY", "[", "0", "..")
        size = int(self._take()) + 1
        self._expect("]", "OF")
        kind = self._take()
        if self._peek() != ":=":
            return [TYPES[kind]] * size
        self._expect(":=", "[")
        values = []
        while True:
            sign = -1 if self._peek() == "-" and self._take() else 1
            literal = self._take()
            assert (kind == "real") == ("." in literal), literal
            values.append(sign * (float(literal) if kind == "real" else int(literal)))
            if self._peek() == "]":
                break
            self._expect(",")
        self._expect("]")
        assert len(values) == size
        return values

    def _statements(self, depth: int, ends: set[str]) -> list[str]:
        indent, lines = "    " * depth, []
        while self._peek() not in ends:
            word = self._take()
            if word == "for":
                variable = self._take()
                assert isinstance(self.state[variable], int)
                self._expect(":=")
                begin = self._expression()
                self._expect("TO")
                end = self._expression()
                self._expect("DO")
                lines.append(f"{indent}for {variable} in range({begin}, {end} + 1):")
                lines += self._statements(depth + 1, {"end_for"})
                self._expect("END_FOR", ";")
            elif word == "if":
                lines.append(f"{indent}if {self._expression()}:")
                self._expect("THEN")
                lines += self._statements(depth + 1, {"end_if", "elsif", "else"})
                while (word := self._take()) != "end_if":
                    lines.append(
                        f"{indent}elif {self._expression()}:" if word == "elsif" else f"{indent}else:"
                    )
                    if word == "elsif":
                        self._expect("THEN")
                    lines += self._statements(depth + 1, {"end_if", "elsif", "else"})
                self._expect(";")
            else:
                self._next -= 1
                target = self._primary()
                self._expect(":=")
                lines.append(f"{indent}{target} = {self._expression()}")
                self._expect(";")
        return lines

    def _expression(self, level: int = 0) -> str:
        """By precedence: OR, AND, comparisons, sums, products, signs."""
        operators = ({"or"}, {"and"}, {"<", ">", "<=", ">=", "="}, {"+", "-"}, {"*", "/"})
        if level == len(operators):
            if self._peek() in ("-", "not"):
                return f"({self._take()} {self._expression(level)})"
            return self._primary()
        text = self._expression(level + 1)
        while self._peek() in operators[level]:
            word = self._take()
            text = f"({text} {'==' if word == '=' else word} {self._expression(level + 1)})"
        return text

    def _primary(self) -> str:
        word = self._take()
        if word == "(":
            text = self._expression()
            self._expect(")")
            return f"({text})"
        if word[0].isdigit():
            return word
        if self._peek() == "(":
            self._take()
            given = [self._expression()]
            while self._peek() == ",":
                self._take()
                given.append(self._expression())
            self._expect(")")
            assert word in FUNCTIONS, word
            return f"f_{word}({', '.join(given)})"
        assert word in self.state, f"{word} is not declared"
        if isinstance(self.state[word], list):
            self._expect("[")
            text = f"{word}[{self._expression()}]"
            self._expect("]")
            return text
        return word
