"""What differs between two bundles: the fields of their files, their graphs, and their decisions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import POLICY, Bundle
from cellwright_runtime.bundle.safety import SAFETY
from cellwright_runtime.parity import replay
from cellwright_runtime.runtime import Runtime

_NAMES = ("name", "group", "view", "seed")
"""Fields by which the entries of a list are told apart."""
_NOT_COMPARED = ("files", "manifest_sha256")
_ABSENT = "–"
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that differs; the texts are for people."""

    where: str
    first: str
    second: str


def differences(first: Bundle, second: Bundle) -> list[Difference]:
    """Everything that differs, the decisions first; empty where only the signatures may differ."""
    if first.digest == second.digest:
        return []
    found = list(_decisions(first, second))
    found += _graphs(first, second)
    for where, read in (("manifest", _manifest), ("safety", _safety), ("scorecard", _scorecard)):
        ours, theirs = (dict(_flat(read(bundle), where)) for bundle in (first, second))
        found += [
            Difference(where=name, first=_told(ours, name), second=_told(theirs, name))
            for name in dict.fromkeys([*ours, *theirs])
            if name not in ours or name not in theirs or ours[name] != theirs[name]
        ]
    for name in sorted({*first.files, *second.files}):
        if first.files.get(name) != second.files.get(name):
            sizes = (f"{len(b.files[name])} bytes" if name in b.files else _ABSENT for b in (first, second))
            found.append(
                Difference(where=f"file {name}", **dict(zip(("first", "second"), sizes, strict=True)))
            )
    return found


def _decisions(first: Bundle, second: Bundle) -> Iterator[Difference]:
    """How far the actions are apart on the observations of the first, where the second takes the same."""
    same_inputs = first.spec.observation == second.spec.observation
    if not same_inputs or [each.name for each in first.spec.action] != [
        each.name for each in second.spec.action
    ]:
        return
    answers = [
        np.stack([each.action for each in replay(Runtime(bundle), first.golden.observations)])
        for bundle in (first, second)
    ]
    apart = np.abs(answers[0] - answers[1])
    if not apart.any():
        return
    row, column = np.unravel_index(int(np.argmax(apart)), apart.shape)
    name = first.spec.action[int(column)].name
    yield Difference(
        where=f"action {name} on recorded observation {row} (mean difference {apart.mean():.2g})",
        first=f"{answers[0][row, column]:.4f}",
        second=f"{answers[1][row, column]:.4f}",
    )


def _graphs(first: Bundle, second: Bundle) -> Iterator[Difference]:
    if first.files[POLICY] == second.files[POLICY]:
        return
    kinds = [[operator.kind for operator in bundle.model.operators] for bundle in (first, second)]
    if kinds[0] != kinds[1]:
        yield Difference(
            where="graph operators", first=f"{len(kinds[0])}", second=f"{len(kinds[1])}, or in another order"
        )
    ours, theirs = _constants(first), _constants(second)
    changed = [name for name in ours if name in theirs and not np.array_equal(ours[name], theirs[name])]
    if changed or set(ours) != set(theirs):
        shared = len(set(ours) & set(theirs))
        yield Difference(
            where="graph constants",
            first=f"{len(ours)}",
            second=f"{len(theirs)}, {shared - len(changed)} of them equal by name and value",
        )


def _constants(bundle: Bundle) -> dict[str, NDArray[Any]]:
    return {name: each.constant for name, each in bundle.model.constants.items() if each.constant is not None}


def _manifest(bundle: Bundle) -> Any:
    content = json.loads(bundle.container.manifest)
    return {name: value for name, value in content.items() if name not in _NOT_COMPARED}


def _safety(bundle: Bundle) -> Any:
    return json.loads(bundle.files[SAFETY]) if SAFETY in bundle.files else {}


def _scorecard(bundle: Bundle) -> Any:
    return dict(bundle.scorecard)


def _flat(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested data, each with its place."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(each, f"{where} {name}")
    elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        for index, each in enumerate(value):
            name = next((each[key] for key in _NAMES if key in each), index)
            yield from _flat(
                {key: rest for key, rest in each.items() if key not in _NAMES}, f"{where} {name}"
            )
    else:
        yield where, value


def _told(leaves: Mapping[str, Any], name: str) -> str:
    if name not in leaves:
        return _ABSENT
    text = json.dumps(leaves[name], ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
