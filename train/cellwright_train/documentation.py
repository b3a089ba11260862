"""`python -m cellwright_train.documentation [--check]`: fill the generated blocks of docs/ from the code.

A block begins with `<!-- generated: NAME ARGUMENT -->` and ends with `<!-- end -->`; `blocks` has the names.
What stands outside of blocks is written by hand and left alone. Every registered environment has a page; one
that is missing is begun from a template. `--check` writes nothing and exits 1 where a page is not current.
"""

import ast
import dataclasses
import functools
import importlib
import inspect
import io
import itertools
import json
import math
import re
import sys
import textwrap
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import tyro

import cellwright_assets
import cellwright_envs
import cellwright_perception
from cellwright_envs.cell_env import Component
from cellwright_envs.disturbances import LINE_CHANGES, NAMED, WeldDisturbances
from cellwright_envs.welding import product, quality
from cellwright_envs.welding.constants import ProcessConstants
from cellwright_train import tuning
from cellwright_train.cell import LEVELS, EpisodeResult
from cellwright_train.curriculum import Mixture
from cellwright_train.evaluation import Evaluation
from cellwright_train.intervals import Estimate, proportion
from cellwright_train.presets import PRESETS, TrainConfig

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCANNED = (cellwright_envs, cellwright_perception, cellwright_assets)
"""Packages searched for what their authors call an assumption."""

Block = Callable[[str], str]
_BLOCK = re.compile(r"<!-- generated: (\S+)([^\n]*?) -->\n(.*?)<!-- end -->", re.DOTALL)
_OPENING = "<!-- generated: "
_UNITS = (
    ("_per_s", "1/s", 1.0),
    ("_m_s", "m/s", 1.0),
    ("_l_min", "l/min", 1.0),
    ("_rad", "°", 180.0 / math.pi),
    ("_m", "mm", 1e3),
    ("_v", "V", 1.0),
    ("_s", "s", 1.0),
    ("_px", "px", 1.0),
    ("_levels", "grey levels", 1.0),
    ("_level", "grey levels", 1.0),
    ("_k", "K", 1.0),
)
"""End of a field's name, unit in the tables, and factor from SI."""


class DocumentationError(ValueError):
    """A page cannot be filled; the message names the page or file and what would be right."""


# Reading the code


def field_texts(kind: type) -> dict[str, str]:
    """Docstring under each field of a dataclass; 'As above.' repeats the one before."""
    node = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(node, ast.ClassDef)
    texts: dict[str, str] = {}
    last = ""
    for name, text in _attributes(node.body):
        last = last if text == "As above." else text
        texts[name] = last
    return texts


def _attributes(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Names assigned in `body` with the docstring under each, empty where there is none."""
    for statement, following in itertools.pairwise([*body, None]):
        if isinstance(statement, ast.Assign):
            target: ast.expr = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        else:
            continue
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = inspect.cleandoc(str(following.value.value))
        yield ast.unparse(target), _line(text)


def assumptions_in(source: str) -> Iterator[tuple[str, str]]:
    """Name and sentences of everything a source calls an assumption, in docstrings and comments."""
    scopes: list[tuple[int, int, str]] = []
    yield from _marked_docstrings(ast.parse(source).body, "", scopes)
    for first, last, text in _comments(source):
        if marked := _sentences_on_assumptions(text):
            near = [name for low, high, name in scopes if low <= first <= high or low == last + 1]
            yield (near[-1] if near else "module"), marked


def _marked_docstrings(
    body: Sequence[ast.stmt], prefix: str, scopes: list[tuple[int, int, str]]
) -> Iterator[tuple[str, str]]:
    """Marked docstrings of `body`; `scopes` collects first line, last line and name of what has a name."""
    for name, text in _attributes(body):
        if "ssumption" in text:
            yield prefix + name, text
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            scopes.append((node.lineno, node.end_lineno or node.lineno, prefix + ast.unparse(target)))
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = prefix + node.name
            scopes.append((node.lineno, node.end_lineno or node.lineno, name))
            if marked := _sentences_on_assumptions(ast.get_docstring(node) or ""):
                yield name, marked
            yield from _marked_docstrings(
                node.body if isinstance(node, ast.ClassDef) else (), f"{name}.", scopes
            )


def _comments(source: str) -> Iterator[tuple[int, int, str]]:
    """First line, last line and text of each comment; whole lines that follow each other are one."""
    run: list[str] = []
    first = last = 0
    goes_on = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        whole_line = token.line.lstrip().startswith("#")
        if run and not (whole_line and goes_on and token.start[0] == last + 1):
            yield first, last, " ".join(run)
            run = []
        first = token.start[0] if not run else first
        last, goes_on = token.start[0], whole_line
        run.append(token.string.lstrip("# "))
    if run:
        yield first, last, " ".join(run)


def _sentences_on_assumptions(text: str) -> str:
    sentences = re.split(r"(?<=\.)\s+", _line(text))
    return " ".join(sentence for sentence in sentences if "ssumption" in sentence)


def environment_ids() -> tuple[str, ...]:
    """Ids that this distribution registers."""
    return tuple(name for name in gymnasium.registry if name.startswith("cellwright/"))


def page_of(env_id: str) -> str:
    """Path of an environment's page below docs/."""
    name = env_id.split("/")[1].rsplit("-v", 1)[0]
    return f"environments/{re.sub(r'(?<!^)(?=[A-Z])', '-', name).lower()}.md"


@functools.lru_cache
def _environment(env_id: str) -> Any:
    if env_id not in environment_ids():
        raise DocumentationError(f"unknown environment {env_id!r}; known: {', '.join(environment_ids())}")
    return gymnasium.make(env_id, privileged=True, disable_env_checker=True).unwrapped


# Environment pages


def summary(env_id: str) -> str:
    """What `gymnasium.make` gives."""
    env, spec = _environment(env_id), gymnasium.registry[env_id]
    groups = ", ".join(f"`{name}`" for name in env.observation_components if name != "privileged")
    return table(
        ("", ""),
        (
            ("Make", f'`gymnasium.make("cellwright_envs:{env_id}")`'),
            ("Action space", f"`{env.action_space}`"),
            ("Observation space", f"`Dict` of {groups}; and `privileged` where made with it"),
            ("Control rate", f"{env.control_rate_hz:g} Hz"),
            ("Cut off after", f"{spec.max_episode_steps} control steps"),
        ),
    )


def actions(env_id: str) -> str:
    """Commands behind the actions."""
    components = _environment(env_id).action_components
    rows = [
        (index, f"`{c.name}`", f"{c.low:g}", f"{c.high:g}", _unit(c)) for index, c in enumerate(components)
    ]
    return table(("#", "command", "at -1", "at +1", "unit"), rows)


def observations(env_id: str) -> str:
    """Every group an actor may see."""
    env = _environment(env_id)
    names = [name for name in env.observation_components if name != "privileged"]
    return "\n\n".join(_group(env, name) for name in names)


def privileged(env_id: str) -> str:
    """The true state."""
    return _group(_environment(env_id), "privileged")


def _group(env: Any, name: str) -> str:
    space, components = env.observation_space[name], env.observation_components[name]
    shape = " x ".join(map(str, space.shape))
    rows = [
        (_indices(where), f"`{shown}`", f"{c.low:g}", f"{c.high:g}", _unit(c))
        for shown, where, c in folded(components)
    ]
    heading = f"**`{name}`**: {space.dtype}, {shape}"
    return f"{heading}\n\n{table(('#', 'component', 'low', 'high', 'unit'), rows)}"


def folded(components: Sequence[Component]) -> list[tuple[str, list[int], Component]]:
    """Name, indices and one example of components; those alike but for numbers in the name are one entry."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, c in enumerate(components):
        alike.setdefault((re.sub(r"\d+", "#", c.name), c.unit, c.low, c.high), []).append(index)
    return [
        (_pattern([components[i].name for i in indices]), indices, components[indices[0]])
        for indices in alike.values()
    ]


def _pattern(names: Sequence[str]) -> str:
    numbers = [re.findall(r"\d+", name) for name in names]
    texts = re.split(r"\d+", names[0])
    shown = texts[0]
    for text, column in zip(texts[1:], zip(*numbers, strict=True), strict=True):
        different = list(dict.fromkeys(column))
        shown += (different[0] if len(different) == 1 else "{" + ",".join(different) + "}") + text
    return shown


def _indices(indices: Sequence[int]) -> str:
    if len(indices) > 1 and indices[-1] - indices[0] == len(indices) - 1:
        return f"{indices[0]}-{indices[-1]}"
    return ", ".join(map(str, indices))


def rewards(env_id: str) -> str:
    """Weights of the reward terms, from the dict that the task's file calls REWARD_WEIGHTS."""
    module = importlib.import_module(type(_environment(env_id)).__module__)
    weights = getattr(module, "REWARD_WEIGHTS", None)
    if not isinstance(weights, Mapping):
        raise DocumentationError(f"{module.__name__} has no REWARD_WEIGHTS, so {env_id} has no reward table")
    text = dict(_attributes(ast.parse(inspect.getsource(module)).body))["REWARD_WEIGHTS"]
    return (
        f"{table(('term', 'weight'), [(f'`{k}`', f'{v:g}') for k, v in weights.items()])}\n\n{text}".rstrip()
    )


def arguments(env_id: str) -> str:
    """Keyword arguments of `gymnasium.make`."""
    parameters = list(inspect.signature(type(_environment(env_id)).__init__).parameters.values())[1:]
    rows = [(f"`{p.name}`", f"`{p.annotation}`", _shown(p.default)) for p in parameters]
    return table(("argument", "type", "default"), rows)


# Tables of the project


def fields_of(where: str) -> str:
    """Fields of the dataclass MODULE:NAME with defaults and docstrings."""
    module, _, name = where.partition(":")
    kind = getattr(importlib.import_module(module), name)
    texts = field_texts(kind)
    rows = [(f"`{f.name}`", _shown(_default(f)), texts[f.name]) for f in dataclasses.fields(kind)]
    if all(row[1] == "" for row in rows):
        return table(("field", "meaning"), [(name, meaning) for name, _, meaning in rows])
    return table(("field", "default", "meaning"), rows)


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def disturbances() -> str:
    """Every field of every disturbance with what `train` and `hard` set it to."""
    rows: list[tuple[str, ...]] = []
    for each in dataclasses.fields(WeldDisturbances):
        kind = type(getattr(NAMED["none"], each.name))
        rows.append((f"**{each.name}**", _line(inspect.getdoc(kind) or ""), "", ""))
        rows += [(f"`{name}`", text, *values) for name, text, values in _settings(each.name)]
    return table(("disturbance", "meaning", "train", "hard"), rows)


def _settings(disturbance: str) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Field, docstring and its values in `train` and `hard`."""
    train, hard = (getattr(NAMED[level], disturbance) for level in ("train", "hard"))
    texts = field_texts(type(train))
    for field in dataclasses.fields(train):
        values = [_with_unit(field.name, getattr(drawn, field.name)) for drawn in (train, hard)]
        yield field.name, texts[field.name], (values[0], values[1])


def line_changes() -> str:
    """Lasting changes of the line by name."""
    return table(("name", "what changes"), [(f"`{k}`", v.description) for k, v in LINE_CHANGES.items()])


def products() -> str:
    """The catalogue with its procedures."""
    rows = []
    for name, part in product.PRODUCTS.items():
        p = part.procedure
        numbers = (
            1e3 * part.path.length_m,
            1e3 * part.thickness_m,
            1e3 * part.gap_m,
            p.current_a,
            p.voltage_v,
            1e3 * p.travel_speed_m_s,
            60.0 * p.wire_feed_m_s,
            1e3 * p.contact_tip_distance_m,
        )
        split = "held out" if name in product.HELD_OUT else "train"
        rows.append((f"`{name}`", part.joint, _course(part.path), *(f"{x:.3g}" for x in numbers), split))
    units = "seam mm", "plate mm", "gap mm", "A", "V", "mm/s", "wire m/min", "CTWD mm"
    return table(("product", "joint", "path", *units, "split"), rows)


def _course(path: Any) -> str:
    if not hasattr(path, "segments"):
        return f"saddle, {1e3 * path.branch_radius_m:g} on {1e3 * path.main_radius_m:g} mm radius"
    curvature = path.segments[0][0]
    if curvature == 0.0:
        return "straight"
    kind = "circle" if path.closed else "arc" if len(path.segments) == 1 else "S-curve"
    return f"{kind}, {1e3 / abs(curvature):.3g} mm radius"


def constants() -> str:
    """Every constant of the process model."""
    return table(("constant", "value", "drawn per weld", "source"), _constants())


def _constants() -> Iterator[tuple[str, str, str, str]]:
    texts = field_texts(ProcessConstants)
    for field in dataclasses.fields(ProcessConstants):
        yield f"`{field.name}`", f"{field.default:.4g}", _drawn(field.metadata), texts[field.name]


def _drawn(spreads: Mapping[str, float]) -> str:
    if spread := spreads.get("spread", 0.0):
        return f"normal, {100 * spread:g} %"
    if uniform := spreads.get("uniform", 0.0):
        return f"uniform, ±{uniform:g}"
    if logistic := spreads.get("logistic", 0.0):
        return f"logistic, scale {logistic:g}"
    return "fixed"


def assumed_constants() -> str:
    """Constants of the process model that are assumptions, in part at least."""
    rows = [row for row in _constants() if "ssumption" in row[3]]
    return table(("constant", "value", "drawn per weld", "what is assumed"), rows)


def assumed_disturbances() -> str:
    """Ranges of disturbances that are assumptions."""
    rows = [
        (f"`{each.name}.{name}`", text, *values)
        for each in dataclasses.fields(WeldDisturbances)
        for name, text, values in _settings(each.name)
        if "ssumption" in text
    ]
    return table(("field", "what is assumed", "train", "hard"), rows)


def assumed_elsewhere() -> str:
    """Assumptions in formulas, geometry and settings that no episode changes."""
    kinds = [type(getattr(NAMED["none"], f.name)).__name__ for f in dataclasses.fields(WeldDisturbances)]
    listed = ("ProcessConstants.", *(f"{kind}." for kind in kinds))
    rows = []
    for package in SCANNED:
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            where = f"{root.name}/{path.relative_to(root)}"
            for name, text in assumptions_in(path.read_text()):
                if not name.startswith(listed):
                    rows.append((f"`{where}`", f"`{name}`", text))
    return table(("file", "where", "what is assumed"), rows)


def limits() -> str:
    """The limits of ISO 5817 that welds are graded by."""
    rows = []
    for row in quality.ROWS:
        joints = ", ".join(name.name.lower() for name in row.joints) if len(row.joints) < 3 else "all"
        size, reference = (item.name.lower().replace("_", " ") for item in (row.feature, row.reference))
        sides = (("up to 3 mm", row.thin), ("above 3 mm", row.thick))
        for plate, at in (("any", row.thin),) if row.thin == row.thick else sides:
            rows.append((row.code, size, joints, plate, *(_limit(limit, reference) for limit in at)))
    return table(("code", "size", "joints", "plate", *LEVELS), rows)


def _limit(limit: quality.Limit, reference: str) -> str:
    constant_m, slope, cap_m, short = limit
    if limit == quality.NONE:
        return "no"
    if limit == quality.ANY:
        return "any"
    parts = [f"{1e3 * constant_m:g} mm"] if constant_m else []
    parts += [f"{slope:g} {reference}"] if slope else []
    most = f", at most {1e3 * cap_m:g} mm" if math.isfinite(cap_m) else ""
    return f"{'short: ' if short else ''}{' + '.join(parts)}{most}"


def presets() -> str:
    """Every setting that a preset changes, and its default; long lists of names stand below the table."""
    flat = {name: _flat(config) for name, config in PRESETS.items()}
    default = _flat(TrainConfig(env_id=""))
    changed = [key for key in default if any(values[key] != default[key] for values in flat.values())]
    rows = [(f"`{key}`", *(_short(values[key]) for values in (default, *flat.values()))) for key in changed]
    lists = [
        f"`{key}` of `{name}`: {_shown(values[key])}."
        for name, values in flat.items()
        for key in changed
        if _short(values[key]) != _shown(values[key])
    ]
    return "\n\n".join([table(("setting", "default", *flat), rows), *lists])


def _short(value: Any) -> str:
    return f"{len(value)} names" if isinstance(value, tuple) and len(value) > 6 else _shown(value)


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Mixture):
            values |= _flat(value, f"{prefix}{field.name}.")
        else:
            values[prefix + field.name] = value
    return values


def search_ranges() -> str:
    """Gains that `python -m cellwright_train.tuning` searches."""
    searched = (("seam-tracker", tuning.TRACKER_RANGES), ("adaptive-tracker", tuning.TRIM_RANGES))
    rows = [
        (f"`{expert}`", f"`{each.name}`", f"{each.low:g}", f"{each.high:g}")
        for expert, ranges in searched
        for each in ranges
    ]
    return table(("expert", "gain", "lowest", "highest"), rows)


# Results


def results(directory: Path) -> str:
    """One row for each recorded `cellwright evaluate --json`, with 95 % intervals."""
    rows = [
        (
            splits,
            level,
            f"`{found.policy}`",
            f"{len(found.results)} from {found.seed}",
            *(_percent(found.first_pass_yield(grade)) for grade in LEVELS),
            _interval(found.defect_mm_per_m, 1),
            _interval(found.tracking_mean_mm, 2),
            _interval(found.tracking_p95_mm, 2),
            _interval(found.cycle_time_s, 1),
            f"{found.crashes} ({_percent(proportion(found.crashes, len(found.results)))})",
        )
        for splits, level, found in evaluations(directory)
    ]
    if not rows:
        return "No evaluation has been recorded yet."
    numbers = ("defects mm/m", "off seam mm", "p95 off seam mm", "cycle s", "crashes (%)")
    yields = tuple(f"{level} %" for level in LEVELS)
    return table(("products", "disturbances", "policy", "parts, first seed", *yields, *numbers), rows)


def defect_codes(directory: Path) -> str:
    """Defects by ISO 6520-1 code of the same evaluations."""
    found = evaluations(directory)
    codes = sorted({code for *_, each in found for code in each.defect_mm_per_m_by_code}, key=int)
    if not codes:
        return "No evaluation with a defect has been recorded yet."
    rows = [
        (
            splits,
            level,
            f"`{e.policy}`",
            *(f"{e.defect_mm_per_m_by_code.get(code, 0.0):.1f}" for code in codes),
        )
        for splits, level, e in found
    ]
    return table(("products", "disturbances", "policy", *codes), rows)


def evaluations(directory: Path) -> list[tuple[str, str, Evaluation]]:
    """Products, disturbances and results of every `<policy>--<products>--<disturbances>.json`."""
    found = []
    for path, data in _recorded(directory):
        if "per_episode" in data:
            parts = path.stem.split("--")
            if len(parts) != 3 or parts[0] != data["policy"].replace(":", "-").replace("/", "-"):
                wanted = f"{data['policy'].replace(':', '-')}--<products>--<disturbances>.json"
                raise DocumentationError(f"{path.name} holds results of {data['policy']}; name it {wanted}")
            found.append((parts[1], parts[2], _evaluation(data)))
    return sorted(found, key=lambda row: (row[0], row[1], -row[2].defect_mm_per_m.value), reverse=True)


def _evaluation(data: Mapping[str, Any]) -> Evaluation:
    results = tuple(
        EpisodeResult(
            seed=entry["seed"],
            product=entry["product"],
            passed=entry["passed"],
            defect_mm=entry["defect_mm"]["total"],
            defect_mm_by_code=entry["defect_mm"]["by_code"],
            seam_mm=entry["seam_mm"],
            tracking_mean_mm=entry["tracking_error_mm"]["mean"],
            tracking_p95_mm=entry["tracking_error_mm"]["p95"],
            cycle_time_s=entry["cycle_time_s"],
            crashed=entry["crashed"],
        )
        for entry in data["per_episode"]
    )
    return Evaluation(policy=data["policy"], env=data["env"], seed=data["seed"], results=results)


def bench(directory: Path) -> str:
    """Figures of every recorded `cellwright bench --json`, with their aims."""
    told = [_bench(path.name, data) for path, data in _recorded(directory) if "figures" in data]
    return "\n\n".join(told) or "No benchmark has been recorded yet."


def _bench(name: str, data: Mapping[str, Any]) -> str:
    machine, versions = data["machine"], data["versions"]
    rows = []
    for key, figure in data["figures"].items():
        told, unit, aim = key.replace("_", " "), figure["unit"], figure["aim"]
        if "missing" in figure:
            rows.append((told, figure["missing"], "", aim, ""))
            continue
        spread = f"{figure['low']:.4g} to {figure['high']:.4g}, {figure['repeats']} repeats"
        rows.append((told, f"{figure['value']:.4g} {unit}", spread, aim, _reached(figure["value"], aim)))
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    used = ", ".join(f"{package} {version}" for package, version in versions.items())
    headings = ("figure", "median", "spread", "aim", "reached")
    quick = " (quick)" if data["quick"] else ""
    return f"`{name}`{quick}: {where}; {used}.\n\n{table(headings, rows)}"


def _reached(value: float, aim: str) -> str:
    sign, _, limit = aim.partition(" ")
    if sign not in (">=", "<="):
        return ""
    return "yes" if (value >= float(limit)) == (sign == ">=") or value == float(limit) else "no"


def _recorded(directory: Path) -> Iterator[tuple[Path, Any]]:
    for path in sorted(directory.glob("*.json")):
        yield path, json.loads(path.read_text())


# Text


def table(headings: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    lines.insert(1, ["---"] * len(headings))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _line(text: str) -> str:
    return " ".join(text.split())


def _unit(component: Component) -> str:
    return "" if component.unit == "1" else component.unit


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


def _interval(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _with_unit(name: str, value: Any) -> str:
    unit, factor = next(((unit, factor) for end, unit, factor in _UNITS if name.endswith(end)), ("", 1.0))
    values = value if isinstance(value, tuple) else (value,)
    separator = " to " if len(values) == 2 else ", "
    return f"{separator.join(f'{factor * x:.4g}' for x in values)} {unit}".rstrip()


def _shown(value: Any) -> str:
    """A setting's value for a table."""
    if value is dataclasses.MISSING or value is inspect.Parameter.empty:
        return ""
    if isinstance(value, tuple):
        # The only tuples of dataclasses are the stages of a curriculum.
        separator = "; then " if value and dataclasses.is_dataclass(value[0]) else ", "
        return separator.join(map(_shown, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_shown(each)}" for key, each in value.items())
    if isinstance(value, Mixture):
        shares = zip(value.levels, value.shares, strict=True)
        return ", ".join(f"{level} {100 * share:g} %" for level, share in shares)
    return f"`{type(value).__name__}()`" if dataclasses.is_dataclass(value) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return f"`{value}`"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    return f"{value:g}" if isinstance(value, float) else f"`{value or repr('')}`"


# Pages


def blocks(docs: Path) -> dict[str, Block]:
    """Blocks by name; each takes the rest of its marker."""
    directory = docs / "results"
    plain: dict[str, Callable[[], str]] = {
        "disturbances": disturbances,
        "line-changes": line_changes,
        "products": products,
        "constants": constants,
        "assumed-constants": assumed_constants,
        "assumed-disturbances": assumed_disturbances,
        "assumed-elsewhere": assumed_elsewhere,
        "limits": limits,
        "presets": presets,
        "search-ranges": search_ranges,
        "results": lambda: results(directory),
        "defect-codes": lambda: defect_codes(directory),
        "bench": lambda: bench(directory),
    }
    return {
        "summary": summary,
        "actions": actions,
        "observations": observations,
        "privileged": privileged,
        "rewards": rewards,
        "arguments": arguments,
        "fields": fields_of,
        **{name: _ignoring(write) for name, write in plain.items()},
    }


def _ignoring(write: Callable[[], str]) -> Block:
    return lambda _: write()


def filled(text: str, known: Mapping[str, Block], page: str = "page") -> str:
    """`text` with every generated block made anew; raises `DocumentationError` for a marker that is wrong."""

    def fill(found: re.Match[str]) -> str:
        name, argument, body = found.groups()
        if _OPENING in body:
            raise DocumentationError(f"{page}: block {name} has no end")
        if name not in known:
            raise DocumentationError(f"{page}: unknown block {name!r}; known: {', '.join(known)}")
        marker = found.group(0).partition("\n")[0]
        return f"{marker}\n\n{known[name](argument.strip())}\n\n<!-- end -->"

    if text.count(_OPENING) != len(_BLOCK.findall(text)):
        raise DocumentationError(f"{page}: a generated block has no end")
    return _BLOCK.sub(fill, text)


def template(env_id: str) -> str:
    """The page that a new environment begins with."""
    name = env_id.split("/")[1]
    text = _line(inspect.getdoc(type(_environment(env_id))) or "")
    headings = (
        ("", "summary"),
        ("Action space", "actions"),
        ("Observation space", "observations"),
        ("Privileged state", "privileged"),
        ("Rewards", "rewards"),
        ("Arguments", "arguments"),
    )
    sections = [
        (f"## {heading}\n\n" if heading else "") + f"{_OPENING}{block} {env_id} -->\n<!-- end -->"
        for heading, block in headings
    ]
    return "\n\n".join([f"# {name}", text, *sections]) + "\n"


def stale_pages(docs: Path) -> dict[Path, str]:
    """Pages that are not current, with the text they should have."""
    known = blocks(docs)
    texts = {path: path.read_text() for path in sorted(docs.rglob("*.md"))}
    for env_id in environment_ids():
        texts.setdefault(docs / page_of(env_id), "")
    stale = {}
    for path, text in texts.items():
        begun = text or template(next(i for i in environment_ids() if docs / page_of(i) == path))
        if (wanted := filled(begun, known, str(path.relative_to(docs.parent)))) != text:
            stale[path] = wanted
    return stale


def run(*, check: bool = False) -> int:
    """Fill the generated blocks of docs/.

    Args:
        check: change nothing; exit with 1 where a page is not current.
    """
    if not DOCS.is_dir():
        print(f"{DOCS} is missing: the pages are filled in a checkout of the repository", file=sys.stderr)
        return 2
    try:
        stale = stale_pages(DOCS)
    except DocumentationError as error:
        print(f"documentation: {error}", file=sys.stderr)
        return 2
    for path, text in stale.items():
        name = path.relative_to(DOCS.parent)
        if check:
            print(f"{name} is stale; run: python -m cellwright_train.documentation", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{name} written")
    return 1 if check and stale else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return tyro.cli(run, args=arguments, prog="python -m cellwright_train.documentation")


if __name__ == "__main__":
    sys.exit(main())
