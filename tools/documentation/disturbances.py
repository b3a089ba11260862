"""Tables of disturbances and line changes."""

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from itertools import starmap
from typing import Any

from cellwright_envs.assembly import disturbances as assembly
from cellwright_envs.disturbances.line_change import LineChange, Operation
from cellwright_envs.welding import disturbances as welding
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import measured, one_line, shown, table
from tools.documentation.source import field_texts, is_assumed

LEVELS = ("train", "hard")
SETS: dict[str, Mapping[str, Any]] = {"welding": welding.NAMED, "assembly": assembly.NAMED}
"""Sets of disturbances by name, family by family."""
CHANGES: dict[str, Mapping[str, LineChange]] = {
    "welding": welding.LINE_CHANGES,
    "assembly": assembly.LINE_CHANGES,
}
"""Line changes by name, family by family."""


def kinds(family: str) -> dict[str, type]:
    """Class of each disturbance of a family; raises `DocumentationError` where it is unknown."""
    if family not in SETS:
        raise DocumentationError(f"unknown family {family!r}; known: {', '.join(SETS)}")
    off = SETS[family]["none"]
    return {field.name: type(getattr(off, field.name)) for field in dataclasses.fields(off)}


def disturbances(family: str = "welding") -> str:
    """Every field of every disturbance with what `train` and `hard` set it to."""
    rows: list[tuple[str, ...]] = []
    for name, kind in kinds(family).items():
        rows.append((f"**{name}**", one_line(inspect.getdoc(kind) or ""), *[""] * len(LEVELS)))
        rows += [(f"`{field}`", text, *values) for field, text, values in _settings(family, name)]
    return table(("disturbance", "meaning", *LEVELS), rows)


def assumed_disturbances(family: str = "welding") -> str:
    """Ranges of disturbances that are assumptions."""
    rows = [
        (f"`{name}.{field}`", text, *values)
        for name in kinds(family)
        for field, text, values in _settings(family, name)
        if is_assumed(text)
    ]
    return table(("field", "what is assumed", *LEVELS), rows)


def line_changes(family: str = "welding") -> str:
    """Lasting changes of the line by name, and what they do to the disturbances."""
    kinds(family)  # raises for an unknown family
    rows = [
        (f"`{name}`", change.description, "; ".join(starmap(_told, change.changes.items())))
        for name, change in CHANGES[family].items()
    ]
    return table(("name", "what changes", "fields"), rows)


def _told(field: str, operation: Operation) -> str:
    value = shown(operation.value) if operation.how == "times" else measured(field, operation.value)
    return f"`{field}` {operation.how} {value}"


def _settings(family: str, disturbance: str) -> Iterator[tuple[str, str, list[str]]]:
    """Field, docstring and its values at each of `LEVELS`."""
    drawn = [getattr(SETS[family][level], disturbance) for level in LEVELS]
    for field, text in field_texts(type(drawn[0])).items():
        yield field, text, [measured(field, getattr(each, field)) for each in drawn]
