"""Values as they stand in tables."""

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cellwright_train.curriculum import Mixture


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
        shares = zip(value.levels, value.shares, strict=True)
        return ", ".join(f"{level} {100 * share:g} %" for level, share in shares)
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
