"""Operations on fields of disturbances as a file writes them, checked one by one where they apply."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from cellwright_envs.disturbances.line_change import LineChange, Operation, plus, times, to
from cellwright_runtime.files.places import Place
from cellwright_runtime.files.strict_toml import WrongValueError, converted
from cellwright_train.errors import one_line
from cellwright_train.lines.cells import belongs_elsewhere
from cellwright_train.lines.file import Operations


def operations(content: Mapping[str, Any], place: Place) -> dict[str, Operation]:
    """The operations of a table at `place` of a file, by field; raises `WrongValueError`."""
    if not content:
        raise WrongValueError(place, "changes nothing; name a field with times, plus or to")
    return {name: _operation(steps, (*place, name)) for name, steps in content.items()}


def _operation(content: Any, place: Place) -> Operation:
    given = converted(content, Operations, place)
    pairs = ((times, given.times), (plus, given.plus), (to, given.to))
    found = [make(value) for make, value in pairs if value is not None]
    if len(found) != 1:
        raise WrongValueError(place, "needs one of times, plus and to")
    return found[0]


def applied(cell: Any, disturbances: Any, change: LineChange, place: Place) -> Any:
    """A set of disturbances of the class `cell` after `change`; raises `WrongValueError` for what it refuses.

    Where the file gives the fields themselves, in a table `set` at `place`, the one that is refused is named.
    """
    for name, operation in change.changes.items():
        single = LineChange(description=change.description, changes={name: operation})
        try:
            disturbances = single.apply(disturbances)
        except ValueError as error:
            where = (*place, name) if place[-1] == "set" else place
            what = re.sub(r"^line change of [^:]*: ", "", one_line(error))
            raise WrongValueError(where, _elsewhere(cell, name) or what) from error
    return disturbances


def _elsewhere(cell: Any, field: str) -> str:
    kind = field.partition(".")[0]
    return belongs_elsewhere(cell, lambda other: hasattr(other.disturbance_sets["none"], kind), repr(kind))


def worn_by(parts: int, law: Mapping[str, Operation]) -> dict[str, Operation]:
    """What `parts` parts do together, where each does what `law` says."""
    return {name: _repeated(operation, parts) for name, operation in law.items()}


def _repeated(operation: Operation, parts: int) -> Operation:
    def number(value: float) -> float:
        try:
            return value**parts if operation.how == "times" else value * parts
        except OverflowError:
            return math.inf  # which no field takes

    value = operation.value
    return Operation(
        how=operation.how, value=tuple(map(number, value)) if isinstance(value, tuple) else number(value)
    )
