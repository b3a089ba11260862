"""Blocks of an environment's page, and the page that a new environment begins with."""

import ast
import dataclasses
import functools
import importlib
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium

from cellwright_envs import ENVIRONMENTS
from cellwright_runtime.vocabulary import Component
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import measured, one_line, shown, table, words
from tools.documentation.settings import fields_of, ranges_of
from tools.documentation.source import attribute_texts

SECTIONS = {
    "summary": "",
    "actions": "Action space",
    "observations": "Observation space",
    "privileged": "Privileged state",
    "rewards": "Rewards",
    "arguments": "Arguments",
}
"""Blocks of an environment's page with their headings."""


def environment_ids() -> tuple[str, ...]:
    """Ids that this distribution registers."""
    return tuple(ENVIRONMENTS)


def slug_of(env_id: str) -> str:
    """`peg-insertion` for `cellwright/PegInsertion-v1`."""
    name = env_id.split("/")[1].rsplit("-v", 1)[0]
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def page_of(env_id: str) -> str:
    """Path of an environment's page below docs/."""
    return f"environments/{slug_of(env_id)}.md"


def template(env_id: str) -> str:
    """The page that a new environment begins with, its blocks still empty."""
    parts = [f"# {env_id.split('/')[1]}", one_line(inspect.getdoc(type(_made(env_id))) or "")]
    for block, heading in SECTIONS.items():
        parts += [f"## {heading}"] if heading else []
        parts.append(f"<!-- generated: {block} {env_id} -->\n<!-- end -->")
    return "\n\n".join(parts) + "\n"


def summary(env_id: str) -> str:
    """Id, spaces, rate and time limit of an environment."""
    env = _made(env_id)
    limit_s = env.config.time_limit_s
    groups = ", ".join(f"`{name}`" for name in _actor_groups(env))
    rows = (
        ("Make", f'`gymnasium.make("cellwright_envs:{env_id}")`'),
        ("Action space", f"`{env.action_space}`"),
        ("Observation space", f"`Dict` of {groups}; and `privileged` where made with it"),
        ("Control rate", f"{env.control_rate_hz:g} Hz"),
        (
            "Cut off after",
            f"{limit_s * env.control_rate_hz:g} control steps; later where the part takes longer",
        ),
    )
    return table(("", ""), rows)


def actions(env_id: str) -> str:
    """Commands behind the actions."""
    rows = [(index, *_described(c.name, c)) for index, c in enumerate(_made(env_id).action_components)]
    return table(("#", "command", "at -1", "at +1", "unit"), rows)


def observations(env_id: str) -> str:
    """Every group an actor may see."""
    env = _made(env_id)
    return "\n\n".join(_group(env, name) for name in _actor_groups(env))


def privileged(env_id: str) -> str:
    """The true state."""
    return _group(_made(env_id), "privileged")


def rewards(env_id: str) -> str:
    """Weights of the reward terms, from the dict that the task's file calls REWARD_WEIGHTS."""
    module = importlib.import_module(type(_made(env_id)).__module__)
    weights = getattr(module, "REWARD_WEIGHTS", None)
    if not isinstance(weights, Mapping):
        raise DocumentationError(f"{module.__name__} has no REWARD_WEIGHTS, so {env_id} has no reward table")
    text = dict(attribute_texts(ast.parse(inspect.getsource(module)).body))["REWARD_WEIGHTS"]
    rows = [(f"`{name}`", f"{weight:g}") for name, weight in weights.items()]
    return f"{table(('term', 'weight'), rows)}\n\n{text}".rstrip()


def arguments(env_id: str) -> str:
    """Keyword arguments of `gymnasium.make`."""
    _, *parameters = inspect.signature(type(_made(env_id)).__init__).parameters.values()
    rows = [(f"`{p.name}`", f"`{p.annotation}`", shown(p.default)) for p in parameters]
    return table(("argument", "type", "default"), rows)


def settings(env_id: str) -> str:
    """Fields of the environment's `config`."""
    return fields_of(type(_made(env_id).config))


def controller(env_id: str) -> str:
    """Settings of a real cell for a policy of this environment."""
    rows = [
        (f"`{s.name}`", ", ".join(f"{value:g}" for value in s.value), s.unit, s.frame, s.meaning)
        for s in _made(env_id).layout.controller.settings
    ]
    return table(("setting", "value", "unit", "frame", "meaning"), rows)


def scorecard(env_id: str) -> str:
    """Fields of what `env.unwrapped.scorecard()` returns."""
    env = _made(env_id)
    env.reset(seed=0)
    return fields_of(type(env.scorecard()))


def part_ranges(env_id: str) -> str:
    """What the fields of an environment's parts may be."""
    return ranges_of(type(_products(env_id, "all")[0]))


def parts(env_id: str) -> str:
    """Products of an environment; values that all have in common are below the table."""
    catalogue = {split: _products(env_id, split) for split in ("all", "train")}
    trained = {part.name for part in catalogue["train"]}
    columns = [f.name for f in dataclasses.fields(catalogue["all"][0]) if f.name != "name"]
    shared = [name for name in columns if len({getattr(part, name) for part in catalogue["all"]}) == 1]
    own = [name for name in columns if name not in shared]
    rows = [
        (
            f"`{part.name}`",
            *(measured(name, getattr(part, name)) for name in own),
            "train" if part.name in trained else "held out",
        )
        for part in catalogue["all"]
    ]
    first = catalogue["all"][0]
    common = ", ".join(f"{words(name)} {measured(name, getattr(first, name))}" for name in shared)
    return table(("part", *map(words, own), "split"), rows) + (f"\n\nAll: {common}." if common else "")


def _products(env_id: str, split: str) -> tuple[Any, ...]:
    made: Any = gymnasium.make(env_id, product=split, disable_env_checker=True)
    made.close()
    return tuple(made.unwrapped.products)


def folded(components: Sequence[Component]) -> list[tuple[str, list[int], Component]]:
    """Name, indices and one example of components; those alike but for numbers in the name are one entry."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, c in enumerate(components):
        alike.setdefault((re.sub(r"\d+", "#", c.name), c.unit, c.low, c.high), []).append(index)
    return [
        (_common_name([components[i].name for i in indices]), indices, components[indices[0]])
        for indices in alike.values()
    ]


def _common_name(names: Sequence[str]) -> str:
    """`gap_{0,4}_mm` for `gap_0_mm` and `gap_4_mm`."""
    columns = zip(*(re.split(r"(\d+)", name) for name in names), strict=True)
    different = [list(dict.fromkeys(column)) for column in columns]
    return "".join(texts[0] if len(texts) == 1 else f"{{{','.join(texts)}}}" for texts in different)


def _indices(indices: Sequence[int]) -> str:
    if len(indices) > 1 and indices[-1] - indices[0] == len(indices) - 1:
        return f"{indices[0]}-{indices[-1]}"
    return ", ".join(map(str, indices))


def _group(env: Any, name: str) -> str:
    space = env.observation_space[name]
    rows = [
        (_indices(where), *_described(common, component))
        for common, where, component in folded(env.observation_components[name])
    ]
    heading = f"**`{name}`**: {space.dtype}, {' x '.join(map(str, space.shape))}"
    return f"{heading}\n\n{table(('#', 'component', 'low', 'high', 'unit'), rows)}"


def _described(name: str, component: Component) -> tuple[str, str, str, str]:
    unit = "" if component.unit == "1" else component.unit
    return f"`{name}`", f"{component.low:g}", f"{component.high:g}", unit


def _actor_groups(env: Any) -> Iterable[str]:
    return (name for name in env.observation_components if name != "privileged")


@functools.lru_cache
def _made(env_id: str) -> Any:
    if env_id not in environment_ids():
        raise DocumentationError(f"unknown environment {env_id!r}; known: {', '.join(environment_ids())}")
    return gymnasium.make(env_id, privileged=True, disable_env_checker=True).unwrapped
