"""Values as text in tables."""

import dataclasses
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cellwright_train.learning.curriculum import Mixture

UNITS = (
    ("_per_s", "1/s", 1.0),
    ("_m_s", "m/s", 1.0),
    ("_l_min", "l/min", 1.0),
    ("_rad", "°", 180.0 / math.pi),
    ("_n_s", "N/s", 1.0),
    ("_n_m", "N m", 1.0),
    ("_n", "N", 1.0),
    ("_m", "mm", 1e3),
    ("_v", "V", 1.0),
    ("_a", "A", 1.0),
    ("_s", "s", 1.0),
    ("_px", "px", 1.0),
    ("_levels", "grey values", 1.0),
    ("_level", "grey values", 1.0),
    ("_k", "K", 1.0),
)
"""End of a field's name, unit in the tables, and factor from SI; the first that fits counts."""


def table(headings: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    lines.insert(1, ["---"] * len(headings))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def one_line(text: str) -> str:
    """`text` with single spaces only."""
    return " ".join(text.split())


def shown(value: Any) -> str:
    """A setting's value; nothing where there is none."""
    if value is dataclasses.MISSING or value is inspect.Parameter.empty:
        return ""
    if isinstance(value, Mixture):
        parts = zip(value.sets, value.fractions, strict=True)
        return ", ".join(f"{name} {100 * fraction:g} %" for name, fraction in parts)
    if isinstance(value, tuple):
        stages = any(isinstance(each, Mixture) for each in value)
        return ("; then " if stages else ", ").join(map(shown, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={shown(each)}" for key, each in value.items())
    return f"`{type(value).__name__}()`" if dataclasses.is_dataclass(value) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return f"`{value}`"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    return f"{value:g}" if isinstance(value, float) else f"`{value or repr('')}`"


def words(name: str) -> str:
    """A field's name without its unit, in words."""
    unit = next((end for end, *_ in UNITS if name.endswith(end)), "")
    return name.removesuffix(unit).replace("_", " ")


def measured(name: str, value: Any) -> str:
    """A field's value in the unit that its name ends with, two values as a range; text as it is."""
    if isinstance(value, str):
        return value
    unit, factor = next(((unit, factor) for end, unit, factor in UNITS if name.endswith(end)), ("", 1.0))
    values = value if isinstance(value, tuple) else (value,)
    separator = " to " if len(values) == 2 else ", "
    return f"{separator.join(f'{factor * x:.4g}' for x in values)} {unit}".rstrip()
