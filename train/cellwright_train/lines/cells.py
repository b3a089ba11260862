"""Cells as a line's file names them: by their task, so that a file outlives their versions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import cellwright_envs
from cellwright_train.errors import UsageError, unknown
from cellwright_train.rollout.cell import products_of
from cellwright_train.rollout.families import cell_class


@cache
def cells() -> dict[str, str]:
    """Id of the newest version of every cell, by the name of its task."""
    newest: dict[str, tuple[int, str]] = {}
    for env_id in cellwright_envs.ENVIRONMENTS:
        name, version = env_id.split("/")[1].rsplit("-v", 1)
        task = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        newest[task] = max(newest.get(task, (-1, "")), (int(version), env_id))
    return {task: env_id for task, (_, env_id) in newest.items()}


def cell_id(name: str) -> str:
    """Id of the newest version of the cell called `name`; raises `UsageError`."""
    if name in cells().values():
        task = next(task for task, env_id in cells().items() if env_id == name)
        raise UsageError(f"a line names no version of a cell; write {task!r}")
    if name not in cells():
        raise unknown("cell", name, cells())
    return cells()[name]


@cache
def products(choice: str, env_id: str) -> tuple[str, ...]:
    """Names of the products that `choice` means; raises `UsageError`."""
    try:
        return products_of(choice, env_id)
    except UsageError as error:
        raise UsageError(str(error).removeprefix(f"{env_id}: ")) from error


def belongs_elsewhere(cell: Any, has: Callable[[Any], bool], what: str) -> str:
    """The sentence that `what` belongs to another family than the class `cell`, empty where it does not.

    `has` tells whether a class has it.
    """
    homes = {other.family for other in map(cell_class, cells().values()) if has(other)} - {cell.family}
    if not homes or has(cell):
        return ""
    return f"{what} belongs to {' and '.join(sorted(homes))}, and the cell here is one of {cell.family}"
