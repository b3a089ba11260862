"""Tables of settings: any dataclass, the presets of training, the ranges of tuning."""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cellwright_train.experts.tuning import TRIM_RANGES
from cellwright_train.learning.curriculum import Mixture
from cellwright_train.learning.presets import PRESETS, TrainConfig
from tools.documentation.markdown import measured, shown, table
from tools.documentation.source import field_texts

MOST_NAMES = 6
"""Longer lists are below the table of presets."""


def fields(where: str) -> str:
    """Fields of the dataclass MODULE:NAME with docstrings, and with defaults where there are any."""
    module, _, name = where.partition(":")
    return fields_of(getattr(importlib.import_module(module), name))


def fields_of(kind: type) -> str:
    """Fields of a dataclass, those of its bases first."""
    texts = field_texts(kind)
    rows = [(f"`{f.name}`", shown(_default(f)), texts[f.name]) for f in dataclasses.fields(kind)]
    if any(default for _, default, _ in rows):
        return table(("field", "default", "meaning"), rows)
    return table(("field", "meaning"), [(name, meaning) for name, _, meaning in rows])


def ranges_of(*kinds: Any) -> str:
    """What each field that has a range may be, and what it means, class by class."""
    rows = []
    for kind in kinds:
        texts = field_texts(kind)
        rows += [(f"`{name}`", measured(name, bounds), texts[name]) for name, bounds in kind.ranges.items()]
    return table(("field", "range", "meaning"), rows)


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def presets() -> str:
    """Every setting that a preset changes, and its default; long lists of names stand below the table."""
    default = _flat(TrainConfig(env_id=""))
    flat = {name: _flat(config) for name, config in PRESETS.items()}
    keys = dict.fromkeys(key for values in (default, *flat.values()) for key in values)
    # Settings of something optional are there only where it is.
    default, *others = ({key: values.get(key) for key in keys} for values in (default, *flat.values()))
    flat = dict(zip(flat, others, strict=True))
    changed = [key for key in keys if any(values[key] != default[key] for values in flat.values())]
    rows = [(f"`{key}`", *(_short(values[key]) for values in (default, *flat.values()))) for key in changed]
    return "\n\n".join([table(("setting", "default", *flat), rows), *_long_lists(flat, changed)])


def _long_lists(flat: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> Iterator[str]:
    """Lists that are too long for the table, each once for all presets that have it."""
    for key in keys:
        for value in dict.fromkeys(values[key] for values in flat.values() if _is_long(values[key])):
            names = [f"`{name}`" for name, values in flat.items() if values[key] == value]
            yield f"`{key}` of {' and '.join(names)}: {shown(value)}."


def _short(value: Any) -> str:
    return f"{len(value)} names" if _is_long(value) else shown(value)


def _is_long(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > MOST_NAMES


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        name, value = f"{prefix}{field.name}", getattr(config, field.name)
        nested = dataclasses.is_dataclass(value) and not isinstance(value, Mixture)
        values |= _flat(value, f"{name}.") if nested else {name: value}
    return values


def search_ranges() -> str:
    """Gains that `python -m cellwright_train.experts.tuning` searches."""
    rows = [(f"`{each.name}`", f"{each.low:g}", f"{each.high:g}") for each in TRIM_RANGES]
    return table(("gain", "lowest", "highest"), rows)
