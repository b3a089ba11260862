"""Docstrings under names, and sentences of the code that call something an assumption."""

import ast
import dataclasses
import inspect
import io
import itertools
import re
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from tokenize import TokenInfo
from typing import NamedTuple

from tools.documentation.markdown import one_line


def field_texts(kind: type) -> dict[str, str]:
    """Docstring under each field of a dataclass and its bases; 'As above.' repeats the one before."""
    texts: dict[str, str] = {}
    for base in filter(dataclasses.is_dataclass, reversed(kind.__mro__)):
        node = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(node, ast.ClassDef)
        last = ""
        for name, text in attribute_texts(node.body):
            last = last if text == "As above." else text
            texts[name] = last
    return texts


def attribute_texts(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Names assigned in `body` with the docstring under each, empty where there is none."""
    for statement, following in itertools.pairwise([*body, None]):
        if (target := _target(statement)) is None:
            continue
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = one_line(inspect.cleandoc(str(following.value.value)))
        yield target, text


def is_assumed(text: str) -> bool:
    """Whether a text calls something an assumption, or assumed."""
    return re.search(r"[Aa]ssum(ption|ed)", text) is not None


def assumptions_in(source: str) -> Iterator[tuple[str, str]]:
    """Name and sentences of everything a source calls an assumption, in docstrings and comments."""
    body = ast.parse(source).body
    yield from _in_docstrings(body)
    scopes = list(_scopes(body))
    for comment in _comments(source):
        if marked := _assumed_sentences(comment.text):
            yield _scope_of(comment, scopes), marked


class _Lines(NamedTuple):
    """A name with the lines it is defined on, or a comment with its own."""

    first: int
    last: int
    text: str


def _in_docstrings(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, text in attribute_texts(body):
        if is_assumed(text):
            yield prefix + name, text
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = prefix + node.name
            if marked := _assumed_sentences(ast.get_docstring(node) or ""):
                yield name, marked
            if isinstance(node, ast.ClassDef):
                yield from _in_docstrings(node.body, f"{name}.")


def _scopes(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[_Lines]:
    """Everything of `body` that has a name, what is inside a class after the class."""
    for node in body:
        name = node.name if isinstance(node, ast.ClassDef | ast.FunctionDef) else _target(node)
        if name is not None:
            yield _Lines(node.lineno, node.end_lineno or node.lineno, prefix + name)
        if isinstance(node, ast.ClassDef):
            yield from _scopes(node.body, f"{prefix}{node.name}.")


def _scope_of(comment: _Lines, scopes: Sequence[_Lines]) -> str:
    """Name of what the comment stands in or right above."""
    near = [s.text for s in scopes if s.first <= comment.first <= s.last or s.first == comment.last + 1]
    return near[-1] if near else "module"


def _comments(source: str) -> Iterator[_Lines]:
    """Each comment; those on lines of their own that follow each other are one."""
    run: list[TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if run and not _follows(run[-1], token):
            yield _joined(run)
            run = []
        run.append(token)
    if run:
        yield _joined(run)


def _follows(before: TokenInfo, after: TokenInfo) -> bool:
    alone = all(token.line.lstrip().startswith("#") for token in (before, after))
    return alone and after.start[0] == before.start[0] + 1


def _joined(run: Sequence[TokenInfo]) -> _Lines:
    text = " ".join(token.string.lstrip("# ") for token in run)
    return _Lines(run[0].start[0], run[-1].start[0], text)


def _assumed_sentences(text: str) -> str:
    return " ".join(filter(is_assumed, re.split(r"(?<=\.)\s+", one_line(text))))


def _target(statement: ast.stmt | None) -> str | None:
    """Name that a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0])
    return ast.unparse(statement.target) if isinstance(statement, ast.AnnAssign) else None
