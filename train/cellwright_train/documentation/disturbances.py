"""Tables of what goes wrong in a cell."""

import dataclasses
import inspect
import math
from collections.abc import Iterator
from typing import Any

from cellwright_envs.disturbances import LINE_CHANGES, NAMED, WeldDisturbances
from cellwright_train.documentation.markdown import one_line, table
from cellwright_train.documentation.source import field_texts, is_assumed

LEVELS = ("train", "hard")
UNITS = (
    ("_per_s", "1/s", 1.0),
    ("_m_s", "m/s", 1.0),
    ("_l_min", "l/min", 1.0),
    ("_rad", "°", 180.0 / math.pi),
    ("_m", "mm", 1e3),
    ("_v", "V", 1.0),
    ("_s", "s", 1.0),
    ("_px", "px", 1.0),
    ("_levels", "grey levels", 1.0),
    ("_level", "grey levels", 1.0),
    ("_k", "K", 1.0),
)
"""End of a field's name, unit in the tables, and factor from SI; the first that fits counts."""


def kinds() -> dict[str, type]:
    """Class of each disturbance."""
    return {f.name: type(getattr(NAMED["none"], f.name)) for f in dataclasses.fields(WeldDisturbances)}


def disturbances() -> str:
    """Every field of every disturbance with what `train` and `hard` set it to."""
    rows: list[tuple[str, ...]] = []
    for name, kind in kinds().items():
        rows.append((f"**{name}**", one_line(inspect.getdoc(kind) or ""), *[""] * len(LEVELS)))
        rows += [(f"`{field}`", text, *values) for field, text, values in _settings(name)]
    return table(("disturbance", "meaning", *LEVELS), rows)


def assumed_disturbances() -> str:
    """Ranges of disturbances that are assumptions."""
    rows = [
        (f"`{name}.{field}`", text, *values)
        for name in kinds()
        for field, text, values in _settings(name)
        if is_assumed(text)
    ]
    return table(("field", "what is assumed", *LEVELS), rows)


def line_changes() -> str:
    """Lasting changes of the line by name."""
    rows = [(f"`{name}`", change.description) for name, change in LINE_CHANGES.items()]
    return table(("name", "what changes"), rows)


def _settings(disturbance: str) -> Iterator[tuple[str, str, list[str]]]:
    """Field, docstring and its values at each of `LEVELS`."""
    drawn = [getattr(NAMED[level], disturbance) for level in LEVELS]
    for field, text in field_texts(type(drawn[0])).items():
        yield field, text, [_with_unit(field, getattr(each, field)) for each in drawn]


def _with_unit(name: str, value: Any) -> str:
    unit, factor = next(((unit, factor) for end, unit, factor in UNITS if name.endswith(end)), ("", 1.0))
    values = value if isinstance(value, tuple) else (value,)
    separator = " to " if len(values) == 2 else ", "
    return f"{separator.join(f'{factor * x:.4g}' for x in values)} {unit}".rstrip()
