"""Blocks on scenarios and suites: keys of their files, the list of scenarios, what is compared."""

import ast
import importlib
import inspect
import textwrap
from typing import Any

import msgspec

from cellwright_train.regression.yardsticks import MEASURES, SUCCESS_MARGIN
from cellwright_train.scenarios.catalogue import scenario, scenario_names
from cellwright_train.scenarios.scenario import Scenario
from cellwright_train.scenarios.shift_scenario import ShiftScenario
from tools.documentation.markdown import shown, table
from tools.documentation.source import attribute_texts


def keys(where: str) -> str:
    """Keys of the table MODULE:NAME of a file that people write, with their defaults."""
    module, _, name = where.partition(":")
    kind = getattr(importlib.import_module(module), name)
    node = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(node, ast.ClassDef)
    texts = dict(attribute_texts(node.body))
    rows = [(f"`{each.name}`", _default(each), texts[each.name]) for each in msgspec.structs.fields(kind)]
    return table(("key", "default", "meaning"), rows)


def _default(field: Any) -> str:
    if field.required:
        return "needed"
    return shown(field.default) if field.default not in (msgspec.NODEFAULT, None, ()) else ""


def scenarios() -> str:
    """Every scenario that ships."""
    found = [scenario(name) for name in scenario_names()]
    rows = [(f"`{each.name}`", each.pain, _under(each), str(each.bar), each.bar.reason) for each in found]
    return table(("scenario", "what hurts", "disturbances", "bar", "why"), rows)


def _under(each: Scenario | ShiftScenario) -> str:
    return each.line.file.disturbances if isinstance(each, ShiftScenario) else each.disturbances


def measures() -> str:
    """What a regression compares, with the margins."""
    rows = [
        (family, f"`{each.name}`", f"{each.margin:g} {each.unit}")
        for family, of_family in MEASURES.items()
        for each in of_family
    ]
    rows.append(("both", "`success`", f"{SUCCESS_MARGIN:g} of all parts"))
    return table(("cells", "measure", "margin"), rows)
