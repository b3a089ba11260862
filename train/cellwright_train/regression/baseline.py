"""A recorded baseline: what each scenario's parts came to, as text, and one tape of each beside it.

`suite.json` has a line per part, so that a change of it can be read as a difference of texts. The arrays of
the tapes are in a compressed file beside it, whose name begins like the text's and ends with its hash: a
baseline that is being replaced is whole at every moment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np

from cellwright_runtime.files.archive import npz_bytes, read_npz
from cellwright_runtime.files.json_text import parse_json
from cellwright_runtime.files.reading import read_file
from cellwright_train.errors import UsageError, one_line
from cellwright_train.outputs import Output
from cellwright_train.regression.tape import Tape

SCHEMA = 1
_MOST_BYTES, _MOST_TAPE_BYTES = 1 << 24, 1 << 26
_DIGITS = 6
_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From the schema that is the key to the next one."""


class Part(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One part of a scenario."""

    conditions: str
    """`CellEnv.conditions_hash`."""
    good: bool
    values: tuple[float | None, ...]
    """Of the record's measures, with six digits; None where the part has no such value."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One scenario under the policy of the baseline."""

    env: str
    policy: str
    policy_sha256: str
    scenario: str
    """Hash of what decides its parts, their number aside."""
    graded_by: str
    measures: tuple[str, ...]
    parts: tuple[Part, ...]
    tape: Tape
    """Of the first part."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a suite came to when it was last accepted."""

    suite: str
    cellwright: str
    """Version of the package that recorded it."""
    reason: str
    """Why it was accepted."""
    records: Mapping[str, Record] = field(default_factory=dict)
    """By name of the scenario."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `FileError` for what cannot be read, and `UsageError` for what is no baseline."""
        data = parse_json(read_file(path, most_bytes=_MOST_BYTES), str(path))
        held = _converted(path, _migrated(path, data))
        tapes = path.parent / held.tapes
        packed = read_file(tapes, most_bytes=_MOST_TAPE_BYTES)
        arrays = read_npz(packed, str(tapes))
        if not tapes.stem.endswith(f"-{_hash(packed)}"):
            raise UsageError(f"{tapes} is not what {path} was recorded with: its name says another hash")
        try:
            records = {name: _record(name, each, arrays) for name, each in held.scenarios.items()}
        except (KeyError, IndexError, ValueError) as error:
            raise UsageError(f"{tapes} does not belong to {path}: {one_line(error)}") from None
        return cls(suite=held.suite, cellwright=held.cellwright, reason=held.reason, records=records)

    def write(self, output: Output) -> None:
        """Write it to `output` and the tapes beside it; the tapes that it replaces are removed last."""
        path = output.path
        arrays = npz_bytes(_arrays(self.records))
        tapes = path.with_name(f"{path.stem}-{_hash(arrays)}.npz")
        replaced = _named_tapes(path)
        if not tapes.exists():
            with Output(tapes) as file:
                file.write(arrays)
        output.write(_text(self, tapes.name).encode())
        if replaced is not None and replaced != tapes:
            replaced.unlink(missing_ok=True)


def _hash(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()[:8]


def _named_tapes(path: Path) -> Path | None:
    """The tapes that the baseline at `path` names, where there is one."""
    try:
        name = json.loads(path.read_bytes())["tapes"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    is_ours = isinstance(name, str) and re.fullmatch(r"[^/]+-[0-9a-f]{8}\.npz", name)
    return path.with_name(name) if is_ours else None


def rounded(value: float | None) -> float | None:
    """As a baseline keeps it."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")


class _Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    env: str
    policy: str
    policy_sha256: str
    scenario: str
    graded_by: str
    measures: tuple[str, ...]
    tape_conditions: str
    probe_steps: tuple[int, ...]
    parts: tuple[Part, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    suite: str
    cellwright: str
    reason: str
    tapes: str
    scenarios: dict[str, _Scenario]


def _migrated(path: Path, data: Any) -> Any:
    """`data` in the present schema; raises `UsageError` where there is no way to it."""
    schema = data.get("schema") if isinstance(data, dict) else None
    if type(schema) is not int:
        raise UsageError(f"{path} is no baseline: it has no whole number as schema; `--accept` writes one")
    while schema in _MIGRATIONS:
        data = _MIGRATIONS[schema](data)
        schema = data["schema"]
    if schema != SCHEMA:
        raise UsageError(f"{path} has schema {schema}, this cellwright reads up to {SCHEMA}; update it")
    return data


def _converted(path: Path, data: Any) -> _File:
    try:
        held = msgspec.convert(data, _File)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} is no baseline: {one_line(error)}") from None
    if Path(held.tapes).name != held.tapes:
        raise UsageError(f"{path} names tapes in another directory: {held.tapes[:80]!r}")
    for name, scenario in held.scenarios.items():
        for number, part in enumerate(scenario.parts):
            if len(part.values) != len(scenario.measures):
                raise UsageError(
                    f"{path} {name} part {number} has {len(part.values)} values, "
                    f"for {len(scenario.measures)} measures"
                )
    return held


def _record(name: str, held: _Scenario, arrays: Mapping[str, Any]) -> Record:
    hashes, groups = arrays[f"{name}/hashes"], bytes(arrays[f"{name}/groups"]).decode().split()
    probes = f"{name}/probe/"
    tape = Tape(
        actions=arrays[f"{name}/actions"],
        hashes=dict(zip(groups, hashes, strict=True)),
        conditions=held.tape_conditions,
        probes={key.removeprefix(probes): rows for key, rows in arrays.items() if key.startswith(probes)},
        probe_steps=held.probe_steps,
    )
    if tape.actions.ndim != 2 or hashes.shape[1:] != (len(tape.actions) + 1,):
        raise ValueError(f"{name} has hashes {hashes.shape} of actions {tape.actions.shape}")
    if any(len(rows) != len(tape.probe_steps) for rows in tape.probes.values()):
        raise ValueError(f"{name} has not {len(tape.probe_steps)} observations")
    return Record(
        env=held.env,
        policy=held.policy,
        policy_sha256=held.policy_sha256,
        scenario=held.scenario,
        graded_by=held.graded_by,
        measures=held.measures,
        parts=held.parts,
        tape=tape,
    )


def _arrays(records: Mapping[str, Record]) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for name, record in records.items():
        tape = record.tape
        arrays[f"{name}/actions"] = tape.actions
        arrays[f"{name}/groups"] = np.frombuffer(" ".join(tape.hashes).encode(), np.uint8)
        arrays[f"{name}/hashes"] = np.stack(list(tape.hashes.values()))
        arrays |= {f"{name}/probe/{group}": rows for group, rows in tape.probes.items()}
    return arrays


def _text(baseline: Baseline, tapes: str) -> str:
    head = {
        "schema": SCHEMA,
        "suite": baseline.suite,
        "cellwright": baseline.cellwright,
        "reason": baseline.reason,
        "tapes": tapes,
    }
    scenarios = (_scenario_text(name, baseline.records[name]) for name in sorted(baseline.records))
    lines = _entries(head.items(), 1)
    return "{\n" + ",\n".join([*lines, ' "scenarios": {\n' + ",\n".join(scenarios) + "\n }"]) + "\n}\n"


def _scenario_text(name: str, record: Record) -> str:
    head = {
        "env": record.env,
        "policy": record.policy,
        "policy_sha256": record.policy_sha256,
        "scenario": record.scenario,
        "graded_by": record.graded_by,
        "measures": record.measures,
        "tape_conditions": record.tape.conditions,
        "probe_steps": record.tape.probe_steps,
    }
    rows = ",\n".join(f"    {_json([part.conditions, part.good, part.values])}" for part in record.parts)
    lines: Sequence[str] = [*_entries(head.items(), 3), '   "parts": [\n' + rows + "\n   ]"]
    return f"  {_json(name)}: {{\n" + ",\n".join(lines) + "\n  }"


def _entries(pairs: Iterable[tuple[str, Any]], depth: int) -> list[str]:
    return [f"{' ' * depth}{_json(key)}: {_json(value)}" for key, value in pairs]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
