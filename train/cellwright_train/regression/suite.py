"""A suite: which scenarios guard which policies, and how sure a verdict has to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from msgspec import Meta, Struct

from cellwright_envs.conditions import conditions_hash
from cellwright_runtime.files.strict_toml import WrongValueError, converted
from cellwright_train.errors import UsageError, unknown
from cellwright_train.lines.cells import cell_id, cells
from cellwright_train.lines.strict import TomlText
from cellwright_train.regression.measure import SUCCESS, Measure
from cellwright_train.regression.yardsticks import MEASURES, SUCCESS_MARGIN
from cellwright_train.rollout.families import cell_class
from cellwright_train.scenarios.catalogue import cell_scenario, scenario, scenario_names
from cellwright_train.scenarios.scenario import Scenario

Fraction = Annotated[float, Meta(gt=0.0, lt=1.0)]


class SuiteFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of a suite says."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    scenarios: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Names of scenarios of one cell, or `all` of these."""
    policies: dict[str, str]
    """Policy of each cell, by the cell's task: `weld-seam = "zoo:weld-seam"`."""
    parts: Annotated[int, Meta(ge=1, le=2000)] = 60
    """Parts of a scenario that a baseline records, and so the most pairs that can be weighed."""
    live: Annotated[int, Meta(ge=0, le=2000)] = 0
    """Parts that also have to come to what the baseline recorded before a scenario is UNCHANGED."""
    false_alarms: Fraction = 0.01
    """Probability that anything at all is called a regression where nothing got worse."""
    margins: dict[str, Annotated[float, Meta(gt=0.0)]] = {}
    """How much worse "no regression" has to exclude, by measure; `success` is a fraction of parts. What is
    surely worse is a REGRESSION, however small."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite whose every name was found."""

    name: str
    scenarios: tuple[Scenario, ...]
    policies: Mapping[str, str]
    """By id of the environment."""
    parts: int
    live: int
    false_alarms: float
    margins: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `FileError` or `UsageError`, with the line of the fault."""
        text = TomlText.read(path)
        try:
            return cls._checked(converted(text.content, SuiteFile))
        except WrongValueError as error:
            raise text.refusal(error) from None

    @classmethod
    def _checked(cls, held: SuiteFile) -> Self:
        names = held.scenarios
        if names == ("all",):
            names = tuple(name for name in scenario_names() if isinstance(scenario(name), Scenario))
        chosen = []
        for number, name in enumerate(names):
            try:
                chosen.append(cell_scenario(name))
            except UsageError as error:
                raise WrongValueError(("scenarios", number), str(error)) from None
        if len(set(names)) < len(names):
            raise WrongValueError(("scenarios",), "names a scenario twice")
        _require_own_seeds(chosen, held.parts)
        policies = {}
        for task, policy in held.policies.items():
            try:
                policies[cell_id(task)] = policy
            except UsageError as error:
                raise WrongValueError(("policies", task), str(error)) from None
        tasks = {env: task for task, env in cells().items()}
        if lacking := [tasks[each.env] for each in chosen if each.env not in policies]:
            raise WrongValueError(("policies",), f"needs a policy of {lacking[0]}")
        known = [SUCCESS, *(measure.name for family in MEASURES.values() for measure in family)]
        for name in held.margins:
            if name not in known:
                raise WrongValueError(("margins", name), str(unknown("measure", name, dict.fromkeys(known))))
        if held.margins.get(SUCCESS, SUCCESS_MARGIN) >= 1.0:
            raise WrongValueError(("margins", SUCCESS), "is a fraction of parts and must be below 1")
        return cls(
            name=held.name,
            scenarios=tuple(chosen),
            policies=policies,
            parts=held.parts,
            live=held.live,
            false_alarms=held.false_alarms,
            margins=held.margins,
        )

    @property
    def identity(self) -> str:
        """Hash of what decides its verdicts, policies and false alarms aside."""
        return conditions_hash(
            scenarios=[(each.name, each.identity) for each in self.scenarios],
            parts=self.parts,
            live=self.live,
            margins=self.margins,
        )

    @property
    def success_margin(self) -> float:
        """Drop of the fraction of good parts that is no regression yet."""
        return self.margins.get(SUCCESS, SUCCESS_MARGIN)

    def measures(self, chosen: Scenario) -> tuple[Measure, ...]:
        """What is compared of the parts of a scenario."""
        return tuple(
            dataclasses.replace(measure, margin=self.margins.get(measure.name, measure.margin))
            for measure in MEASURES[cell_class(chosen.env).family]
        )

    def shard(self, text: str) -> tuple[Scenario, ...]:
        """The scenarios of shard `i/n`, from 1; raises `UsageError`."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"--shard must be i/n with i from 1 to n, such as 1/4, got {text!r}")
        return self.scenarios[int(number) - 1 :: int(count)]


def _require_own_seeds(scenarios: Sequence[Scenario], parts: int) -> None:
    """Raise where two scenarios of a cell share seeds: the pooled test needs independent parts."""
    ordered = sorted(scenarios, key=lambda each: (each.env, each.seed))
    for one, other in pairwise(ordered):
        if one.env == other.env and other.seed - one.seed < parts:
            raise WrongValueError(
                ("parts",),
                f"{one.name} and {other.name} share seeds with {parts} parts; take at most "
                f"{other.seed - one.seed}, or another seed",
            )


def named(scenarios: Sequence[Scenario], names: Sequence[str]) -> tuple[Scenario, ...]:
    """Those called `names`; raises `UsageError` for one that is not among them."""
    by_name = {each.name: each for each in scenarios}
    for name in names:
        if name not in by_name:
            raise unknown("scenario of this suite", name, by_name)
    return tuple(by_name[name] for name in names)
