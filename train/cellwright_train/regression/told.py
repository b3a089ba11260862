"""Results of a regression as a file, joined from shards, and as JUnit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite
from msgspec import Meta, Struct, ValidationError, convert

from cellwright_runtime.files.json_text import parse_json
from cellwright_runtime.files.reading import read_file
from cellwright_train.errors import UsageError, one_line
from cellwright_train.regression.outcome import EXIT_CODES, Verdict, gravest
from cellwright_train.regression.pooled import Pooled, pooled
from cellwright_train.regression.rule import Budget

_MOST_BYTES = 1 << 26
Count = Annotated[int, Meta(ge=0)]


class _Difference(Struct, frozen=True):
    kind: str
    group: str
    step: Count | None
    detail: str


class _Finding(Struct, frozen=True):
    measure: str
    unit: str
    margin: Annotated[float, Meta(gt=0.0)]
    worse_is: Literal["more", "less"]
    worse: Count
    better: Count
    equal: Count
    log_e: float
    margin_excluded: bool
    difference: tuple[float | None, float | None, float | None]


class _Pair(Struct, frozen=True):
    seed: int
    product: str
    good: tuple[bool, bool]
    values: dict[str, tuple[float | None, float | None]]


class _Worst(_Pair, frozen=True):
    replay: str


class _Entry(Struct, frozen=True):
    """What is read of `Outcome.as_json`, here and by the page."""

    verdict: Verdict
    policy: str
    other_policy: bool
    differences: tuple[_Difference, ...]
    not_comparable: str | None
    needed_pairs: Count | None
    pairs: Count
    decided_after: Count | None
    since_seed: int | None
    findings: tuple[_Finding, ...] | None
    worst: _Worst | None
    rows: tuple[_Pair, ...] | None


class _Results(Struct, frozen=True):
    """A file of results."""

    suite: str
    suite_identity: str
    cellwright: str
    baseline: str | None
    false_alarms: Annotated[float, Meta(gt=0.0, lt=1.0)]
    policies: dict[str, tuple[str, str]]
    scenarios: dict[str, _Entry | None]


_HEAD = ("suite", "suite_identity", "cellwright", "baseline", "false_alarms", "policies")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a regression says, as its file holds it."""

    head: Mapping[str, Any]
    """Suite, baseline, versions and the rate of false alarms: the same in every shard."""
    expected: tuple[str, ...]
    """Every scenario of the suite."""
    scenarios: Mapping[str, Any]
    """Entries of `Outcome.as_json` by scenario: those that were examined."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Scenarios that were not examined."""
        return tuple(name for name in self.expected if name not in self.scenarios)

    @property
    def pooled(self) -> Pooled | None:
        """What all scenarios say together; None where some are missing, or no pair was weighed."""
        columns = [
            {finding["measure"]: (finding["worse"], finding["better"]) for finding in entry["findings"]}
            for entry in self.scenarios.values()
            if entry["findings"]
        ]
        if self.missing or not columns:
            return None
        budget = Budget(scenarios=len(self.expected), alpha=self.head["false_alarms"])
        return pooled(columns, alpha=budget.pooled_alpha)

    @property
    def verdict(self) -> Verdict:
        """That of the gravest scenario, or of all together. What was not examined decides nothing."""
        verdicts: list[Verdict] = [entry["verdict"] for entry in self.scenarios.values()]
        if self.missing:
            verdicts.append("UNDERPOWERED")
        together = self.pooled
        if together is not None and together.regression:
            verdicts.append("REGRESSION")
        return gravest(verdicts)

    @property
    def exit_code(self) -> int:
        """0 unchanged or no regression, 1 regression, 2 not comparable, 3 underpowered."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """What is written; scenarios that were not examined are null."""
        together = self.pooled
        return {
            **self.head,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "pooled": None
            if together is None
            else {
                "regression": bool(together.regression),
                "log_e": together.log_e,
                "measure": together.column,
                "worse": together.worse,
                "better": together.better,
            },
            "scenarios": {name: self.scenarios.get(name) for name in self.expected},
        }

    def junit(self) -> bytes:
        """One test a scenario: a failure is a regression, an error is what could not be decided."""
        suite = TestSuite(f"cellwright regress {self.head['suite']}")
        for name in self.expected:
            case = TestCase(name, classname=str(self.head["suite"]))
            told, kind = _junit_result(self.scenarios.get(name))
            if kind is not None:
                result = kind(told)
                result.text = json.dumps(self.scenarios.get(name), indent=1)
                case.result = [result]
            suite.add_testcase(case)
        together = self.pooled
        if together is not None and together.regression:
            case = TestCase("all scenarios together", classname=str(self.head["suite"]))
            case.result = [Failure(f"{together.worse} pairs worse and {together.better} better")]
            suite.add_testcase(case)
        document = JUnitXml()
        document.add_testsuite(suite)
        document.update_statistics()  # type: ignore[no-untyped-call]
        text: bytes = document.tostring()  # type: ignore[no-untyped-call]
        return text


def read_shard(path: Path) -> Told:
    """What `cellwright regress --json` wrote; raises `FileError` or `UsageError`."""
    data = parse_json(read_file(path, most_bytes=_MOST_BYTES), str(path))
    try:
        convert(data, _Results)
    except ValidationError as error:
        raise UsageError(f"{path} holds no results of `cellwright regress`: {one_line(error)}") from None
    scenarios = {name: entry for name, entry in data["scenarios"].items() if entry is not None}
    for name, entry in scenarios.items():
        if entry["verdict"] == "REGRESSION" and not entry["findings"]:
            raise UsageError(f"{path} holds no results of `cellwright regress`: {name} has no findings")
    head = {name: data[name] for name in _HEAD}
    return Told(head=head, expected=tuple(data["scenarios"]), scenarios=scenarios)


def merged(shards: Sequence[tuple[Path, Told]]) -> Told:
    """One result of all; raises `UsageError` where they are of other work or share a scenario."""
    first_path, first = shards[0]
    scenarios: dict[str, Any] = {}
    for path, shard in shards:
        for name, value in first.head.items():
            if shard.head[name] != value:
                raise UsageError(
                    f"{path} has another {name.replace('_', ' ')} than {first_path}: "
                    f"{str(shard.head[name])[:80]}, not {str(value)[:80]}"
                )
        if shard.expected != first.expected:
            raise UsageError(f"{path} has other scenarios than {first_path}")
        if twice := scenarios.keys() & shard.scenarios.keys():
            raise UsageError(f"{path} repeats the scenario {min(twice)}")
        scenarios |= shard.scenarios
    return Told(head=first.head, expected=first.expected, scenarios=scenarios)


def _junit_result(entry: Mapping[str, Any] | None) -> tuple[str, type[Failure] | type[Error] | None]:
    if entry is None:
        return "not examined", Error
    verdict: Verdict = entry["verdict"]
    if verdict == "REGRESSION":
        return "REGRESSION", Failure
    if verdict == "NOT COMPARABLE":
        return f"NOT COMPARABLE: {entry['not_comparable']}", Error
    if verdict == "UNDERPOWERED":
        needed = entry["needed_pairs"]
        return f"UNDERPOWERED: {needed or 'an unknown number of'} pairs would decide", Error
    return verdict, None
