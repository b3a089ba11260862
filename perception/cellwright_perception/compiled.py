"""How every package compiles what runs at each step; without numba the same functions run as Python.

What stands beside a robot gives the same bits either way: what would be slow as Python is written with
`cellwright_perception.columns`. The cells are not meant to run without numba.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

Result = TypeVar("Result")

try:
    from cellwright_perception import numba_compiler as _compiler
except ImportError:
    COMPILES = False
    """Whether numba is there."""
else:
    COMPILES = True


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Compile `function` at its first call and keep the code on disk where that is possible."""
    return _compiler.compiled(function) if COMPILES else function


def compiled_as(
    *, error_model: Literal["python", "numpy"] = "python", inline: Literal["never", "always"] = "never"
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Like `compiled`, with what numba calls by these names."""
    if not COMPILES:
        return lambda function: function
    return functools.partial(_compiler.compiled, error_model=error_model, inline=inline)


def compilable(function: Callable[..., Result]) -> Callable[..., Result]:
    """Let compiled functions call `function`, which stays a Python function for everyone else."""
    return _compiler.compilable(function) if COMPILES else function


def compile_as(function: Callable[..., Any], one_by_one: Callable[..., Any], *, inline: bool) -> None:
    """Have compiled functions that call `function` call `one_by_one` instead, or contain it where `inline`.

    `function` stays what it is for everyone else.
    """
    if COMPILES:
        _compiler.compile_as(function, one_by_one, inline=inline)


if TYPE_CHECKING or not COMPILES:

    def select(condition: bool, yes: Any, no: Any) -> Any:
        """`yes` where `condition` holds, else `no`, as one instruction where it is compiled."""
        return yes if condition else no

else:
    select = _compiler.select
