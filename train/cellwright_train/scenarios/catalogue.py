"""The scenarios that come with cellwright, a TOML file each, and those of a user's own file."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from cellwright_envs.disturbances.line_change import LineChange
from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_runtime.files.places import Place
from cellwright_runtime.files.strict_toml import WrongValueError, converted
from cellwright_train.errors import UsageError, one_line, unknown
from cellwright_train.lines.cells import cell_id, products
from cellwright_train.lines.file import LineFile, Name, Seed, Sentence
from cellwright_train.lines.line import expanded
from cellwright_train.lines.operations import applied, operations
from cellwright_train.lines.strict import TomlText
from cellwright_train.rollout.families import cell_class, require_line_change
from cellwright_train.scenarios.scenario import Bar, Scenario
from cellwright_train.scenarios.shift_scenario import ShiftScenario

_SUFFIX = ".toml"


class ChangeEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `line_change` and `set`."""

    line_change: Name | None = None
    """A change of the cell's catalogue, such as `moved-fixture`."""
    description: Sentence | None = None
    """One sentence for reports; needed with `set`, and only there."""
    set: dict[str, Any] = {}
    """Fields of disturbances with their operation: `set."exposure.mean_gain" = { times = 0.55 }`."""


class BarEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy has to reach: one of `good` and `kept`, and why."""

    good: float | None = None
    """Fraction of parts that are good."""
    kept: float | None = None
    """Fraction of good parts over that of the same parts without the changes."""
    reason: Sentence
    """Why so much, or from where."""


class ShiftHead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of a shift says beside the keys of a line. Of these it has neither name nor description."""

    pain: Sentence
    """What hurts, in one plain sentence."""
    bar: BarEntry
    """What a policy has to reach."""


class ScenarioFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of a scenario says. Its name is that of the scenario."""

    pain: Sentence
    """What hurts, in one plain sentence."""
    cell: Name
    """Task, such as `weld-seam`; its newest version is taken."""
    products: Annotated[str, Meta(min_length=1, max_length=400)] = "train"
    """A product, several joined by `+`, or a split: `train`, `held-out`, `all`."""
    disturbances: Name = "train"
    """Set of disturbances, or several joined by `+`."""
    seed: Seed
    """Part i has the seed `seed` + i."""
    change: tuple[ChangeEntry, ...] = ()
    """What came over the line before the parts, each under a header `[[change]]`."""
    bar: BarEntry
    """What a policy has to reach."""


@cache
def scenario_names() -> tuple[str, ...]:
    """Names of all scenarios that come with cellwright, in order."""
    found = files("cellwright_train.scenarios").joinpath("shipped").iterdir()
    return tuple(sorted(each.name.removesuffix(_SUFFIX) for each in found if each.name.endswith(_SUFFIX)))


def cell_scenario(name: str) -> Scenario:
    """The scenario of one cell called `name`, as `scenario` finds it; raises `UsageError` for a shift."""
    found = scenario(name)
    if isinstance(found, ShiftScenario):
        raise UsageError(f"{name} is a shift in several cells; name a scenario of one cell")
    return found


def scenario(name: str) -> Scenario | ShiftScenario:
    """The scenario called `name`, or that of a file ending in `.toml`; raises `UsageError` or `FileError`.

    A file with batches is that of a shift.
    """
    if name.endswith(_SUFFIX):
        path = Path(name)
        return _scenario(path.name.removesuffix(_SUFFIX), TomlText.read(path), name)
    return _shipped(name)


@cache
def _shipped(name: str) -> Scenario | ShiftScenario:
    if name not in scenario_names():
        raise unknown("scenario", name, scenario_names(), note=", or a file ending in .toml")
    text = files("cellwright_train.scenarios").joinpath("shipped", name + _SUFFIX).read_text("utf-8")
    return _scenario(name, TomlText.parse(text, name + _SUFFIX), name)


def _scenario(name: str, text: TomlText, reference: str) -> Scenario | ShiftScenario:
    try:
        if "batch" in text.content:
            return _shift(name, text, reference)
        return _checked(name, converted(text.content, ScenarioFile), reference)
    except WrongValueError as error:
        raise text.refusal(error) from None


def _shift(name: str, text: TomlText, reference: str) -> ShiftScenario:
    head = {key: text.content[key] for key in ("pain", "bar") if key in text.content}
    rest = {key: value for key, value in text.content.items() if key not in head}
    told = converted(head, ShiftHead)
    for key in ("name", "description"):
        if key in rest:
            raise WrongValueError((key,), "follows from the name of the file and from its pain; leave it out")
    line = expanded(converted({"name": name, "description": told.pain, **rest}, LineFile), text.text)
    bar = _bar(told.bar)
    _require_change(bar, any(part.episode.changes for part in line.parts))
    return ShiftScenario(
        name=name,
        pain=told.pain,
        line=line,
        bar=bar,
        reference=reference,
    )


def _bar(entry: BarEntry) -> Bar:
    try:
        return Bar(good=entry.good, kept=entry.kept, reason=entry.reason)
    except ValueError as error:
        raise WrongValueError(("bar",), one_line(error)) from None


def _require_change(bar: Bar, is_changed: bool) -> None:
    if bar.kept is not None and not is_changed:
        raise WrongValueError(
            ("bar", "kept"), "compares with the parts before a change, and there is no change"
        )


def _checked(name: str, held: ScenarioFile, reference: str) -> Scenario:
    try:
        env_id = cell_id(held.cell)
    except UsageError as error:
        raise WrongValueError(("cell",), one_line(error)) from None
    cell = cell_class(env_id)
    try:
        disturbances = resolve_named(held.disturbances, cell.disturbance_sets)
    except ValueError as error:
        raise WrongValueError(("disturbances",), one_line(error)) from None
    try:
        made = products(held.products, env_id)
    except UsageError as error:
        raise WrongValueError(("products",), one_line(error)) from None
    changes = []
    for number, entry in enumerate(held.change):
        change = _change(entry, cell, ("change", number))
        place: Place = ("change", number, "set" if entry.set else "line_change")
        disturbances = applied(cell, disturbances, change, place)
        changes.append(change)
    bar = _bar(held.bar)
    _require_change(bar, bool(changes))
    return Scenario(
        name=name,
        pain=held.pain,
        env=env_id,
        products=made,
        disturbances=held.disturbances,
        changes=tuple(changes),
        seed=held.seed,
        bar=bar,
        reference=reference,
    )


def _change(entry: ChangeEntry, cell: Any, place: Place) -> LineChange:
    if (entry.line_change is None) == (not entry.set):
        raise WrongValueError(place, "needs one of line_change and set")
    if entry.line_change is not None:
        if entry.description is not None:
            raise WrongValueError((*place, "description"), "belongs to set; a line_change has its own")
        try:
            found: LineChange = require_line_change(cell, entry.line_change)
        except UsageError as error:
            raise WrongValueError((*place, "line_change"), one_line(error)) from None
        return found
    if entry.description is None:
        raise WrongValueError(place, "needs a description beside its set")
    return LineChange(description=entry.description, changes=operations(entry.set, (*place, "set")))
