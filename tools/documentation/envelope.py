"""Tables of the envelope's page: states, faults, and what was measured of them."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from enum import Enum
from pathlib import Path
from typing import Any

from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.states import TRANSITIONS, Event, State
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import table
from tools.documentation.source import attribute_texts


def states() -> str:
    """What may happen in every state."""
    return table(
        ("state", "what happens"), [(f"`{state.name}`", _told(State, state.name)) for state in State]
    )


def transitions() -> str:
    """Which event leads from where to where."""
    rows = []
    for event in Event:
        ways = [(state, to) for (state, each), to in TRANSITIONS.items() if each is event]
        targets = {to for _, to in ways}
        for to in sorted(targets, key=lambda state: list(State).index(state)):
            begins = ", ".join(f"`{state.name}`" for state, target in ways if target is to)
            rows.append((f"`{event.value}`", begins, f"`{to.name}`", _told(Event, event.name)))
    return table(("event", "from", "to", "when"), rows)


def kinds_of_faults() -> str:
    """What is watched at which stage, and what follows."""
    rows = [(each.value.stage.value, each.value.meaning, each.value.reaction.value) for each in Fault]
    return table(("stage", "fault", "reaction"), rows)


def fault_times(recorded: Path) -> str:
    """Detection and reaction of every injected fault."""
    rows = [
        (
            f"{each['name']}: {each['words']}",
            f"`{each['found']}`",
            f"{1e3 * each['detection_s']:.0f}",
            f"{1e3 * each['reaction_s']:.0f}",
            f"`{each['last'].upper()}`",
        )
        for each in _recorded(recorded, "faults.json")["outcomes"]
    ]
    return table(("fault", "found as", "detection [ms]", "reaction [ms]", "ends in"), rows)


def setpoint_counts(recorded: Path) -> str:
    """How many setpoints of adversaries were outside."""
    rows = []
    for kind, told in (("pose", "pose"), ("joints", "joints"), ("c", "pose, in C")):
        count = _recorded(recorded, f"setpoints-{kind}.json")
        largest = count["largest"]
        fractions = ", ".join(
            f"{name} {largest[name]:.4f}" for name in ("position", "velocity", "acceleration", "jerk")
        )
        rows.append((told, f"{count['setpoints']:,}", str(sum(count["outside"].values())), fractions))
    return table(("robot takes", "setpoints", "outside", "largest fraction of the declared limit"), rows)


def _recorded(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    if not path.is_file():
        raise DocumentationError(f"{path} is missing; `python -m tools.envelope` writes it")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _told(kind: type[Enum], member: str) -> str:
    """The docstring under a member of an enumeration, in one line."""
    node = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(node, ast.ClassDef)
    return dict(attribute_texts(node.body))[member]
