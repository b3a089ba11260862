"""`CARD.md`: what a policy is, for people, made from its manifest and its envelope alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.bundle.safety import Bound, Safety
from cellwright_runtime.vocabulary import Component

_WARNING = (
    "This is a learned policy. Neither it nor its envelope is a certified safety function: the robot's own "
    "safety system has to keep people safe without them."
)
_TIMES = (
    ("control_period_s", "control period"),
    ("inference_deadline_s", "deadline of a decision"),
    ("latency_s", "latency in training"),
    ("image_age_s", "largest age of a frame"),
    ("observation_age_s", "largest age of another reading"),
)

_UNITS = {
    "_rad_s3": "rad/s^3",
    "_rad_s2": "rad/s^2",
    "_rad_s": "rad/s",
    "_m_s3": "m/s^3",
    "_m_s2": "m/s^2",
    "_m_s": "m/s",
    "_n_m": "N.m",
    "_n": "N",
    "_m": "m",
}
"""By the end of a field's name, the longest first."""


def model_card(spec: PolicySpec, safety: Safety | None) -> bytes:
    """The content of CARD.md; equal manifests give equal bytes."""
    lines = [
        f"# {_text(spec.name)}",
        "",
        _WARNING,
        "",
        f"A policy for `{spec.environment}`: {spec.control_rate_hz:g} decisions per second.",
        "",
        "## Trained",
        "",
        *_table(("", ""), _provenance(spec.training)),
        "",
        "## Scores",
        "",
        "From the parts in `scorecard.json`; `cellwright verify` computes them again and repeats the parts.",
        "",
        *_table(("score", "value"), _flat(spec.scores)),
        "",
        "## Observes",
        "",
        *_table(("group", "type", "shape", "elements"), (_group(each) for each in spec.observation)),
        "",
        "## Commands",
        "",
        *_table(("command", "lowest", "highest", "unit"), (_range(part) for part in spec.action)),
        "",
    ]
    if spec.cameras:
        views = (
            (
                view.view,
                f"{view.width_px} × {view.height_px} px",
                ", ".join(f"{value:.4g}" for value in view.focal_px),
                view.frame,
                ", ".join(f"{1e3 * value:.1f}" for value in view.centre_m),
            )
            for view in spec.cameras
        )
        lines += ["## Cameras", ""]
        lines += [*_table(("view", "size", "focal length [px]", "mounted in", "centre [mm]"), views), ""]
    if safety is not None:
        lines += ["## Envelope", "", *_envelope(safety), ""]
    return "\n".join(lines).encode()


def _envelope(safety: Safety) -> list[str]:
    rows = [(label, _shown(getattr(safety.timing, name)), "s") for name, label in _TIMES]
    for name in type(safety.tool).__dataclass_fields__:
        unit = next(ending for ending in _UNITS if name.endswith(ending))
        if (bound := getattr(safety.tool, name)) is not None:
            rows.append((f"tool, {name.removesuffix(unit).replace('_', ' ')}", _shown(bound), _UNITS[unit]))
    left = [f"- `{_text(name)}`: {_text(reason)}" for name, reason in sorted(safety.left_out.items())]
    told = ["", "Not stated:", "", *left] if left else []
    joints = f"{len(safety.joints.names)} joints"
    robot = f"Robot: {_text(safety.joints.robot)}, {joints}. Sources are in `safety.json`."
    return [robot, "", *_table(("bound", "value", "unit"), rows), *told]


def _provenance(training: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in sorted(training.items()):
        told = (
            ", ".join(f"{key} {each}" for key, each in sorted(value.items()))
            if isinstance(value, dict)
            else value
        )
        yield name.replace("_", " "), str(told)


def _flat(scores: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for name, value in sorted(scores.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)


def _group(group: Any) -> tuple[str, ...]:
    names = [part.name for part in group.components]
    shown = names if len(names) <= 4 else [*names[:3], "…", names[-1]]
    return group.name, group.dtype, " × ".join(map(str, group.shape)), ", ".join(shown)


def _range(part: Component) -> tuple[str, ...]:
    return part.name, f"{part.low:.4g}", f"{part.high:.4g}", part.unit


def _shown(bound: Bound) -> str:
    return " to ".join(f"{value:.4g}" for value in bound.value)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows)]


def _text(text: str) -> str:
    """`text` as a table's cell: whoever wrote a manifest must not write the page around it."""
    return "".join(f"\\{each}" if each in "|<>[]\\*" else each for each in text)
