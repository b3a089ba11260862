"""Tables of welding: products, constants of the process, limits of inspection, assumptions."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cellwright_assets
import cellwright_envs
import cellwright_perception
import cellwright_train.lines
from cellwright_envs.welding.inspection.editions import EDITIONS, NEWEST, Edition, edition_of
from cellwright_envs.welding.inspection.quality import ANY, NONE, Feature, Limit, LimitRow
from cellwright_envs.welding.part.product import PRODUCTS, SPLITS, WeldProcedure, WeldProduct
from cellwright_envs.welding.process.constants import ProcessConstants
from cellwright_train.results.welds import LEVELS
from tools.documentation.disturbances import SETS, kinds
from tools.documentation.markdown import table
from tools.documentation.settings import ranges_of
from tools.documentation.source import assumptions_in, field_texts, is_assumed

SCANNED = (cellwright_envs, cellwright_perception, cellwright_assets, cellwright_train.lines)
"""Packages that are searched for assumptions."""


def products() -> str:
    """The catalogue with its procedures."""
    units = ("seam mm", "plate mm", "gap mm", "A", "V", "mm/s", "wire m/min", "CTWD mm")
    rows = [
        (
            f"`{name}`",
            part.joint,
            _course(part.path),
            *_numbers(part),
            part.procedure.gas,
            f"{1e3 * part.procedure.wire_diameter_m:g}",
            f"{math.degrees(part.procedure.work_angle_rad):.0f}",
            f"{math.degrees(part.procedure.push_angle_rad):.0f}",
            next(split for split in SPLITS if split != "all" and name in SPLITS[split]),
        )
        for name, part in PRODUCTS.items()
    ]
    return table(("product", "joint", "path", *units, "gas", "wire mm", "work °", "push °", "split"), rows)


def product_ranges() -> str:
    """What the fields of a product and of its procedure may be."""
    return ranges_of(WeldProduct, WeldProcedure)


def _numbers(part: WeldProduct) -> tuple[str, ...]:
    procedure = part.procedure
    values = (
        1e3 * part.path.length_m,
        1e3 * part.thickness_m,
        1e3 * part.gap_m,
        procedure.current_a,
        procedure.voltage_v,
        1e3 * procedure.travel_speed_m_s,
        60.0 * procedure.wire_feed_m_s,
        1e3 * procedure.contact_tip_distance_m,
    )
    return tuple(f"{value:.3g}" for value in values)


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


def assumed_constants() -> str:
    """Constants of the process model that are assumptions, in part at least."""
    rows = [row for row in _constants() if is_assumed(row[-1])]
    return table(("constant", "value", "drawn per weld", "what is assumed"), rows)


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


def assumed_elsewhere() -> str:
    """Assumptions in formulas, geometry and settings that no episode changes."""
    drawn = (kind for family in SETS for kind in kinds(family).values())
    listed = tuple(f"{kind.__name__}." for kind in (ProcessConstants, *drawn))
    rows = [
        (f"`{where}`", f"`{name}`", text)
        for where, source in _sources()
        for name, text in assumptions_in(source)
        if not name.startswith(listed)
    ]
    return table(("file", "where", "what is assumed"), rows)


def _sources() -> Iterator[tuple[str, str]]:
    """Path below its source root and text of every file of `SCANNED`."""
    for package in SCANNED:
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            yield f"{root.name}/{path.relative_to(root)}", path.read_text()


def limits() -> str:
    """The limits of the newest edition of ISO 5817."""
    lines = (line for row in edition_of(NEWEST).rows for line in _lines(row))
    return table(("code", "size", "joints", "plate", *LEVELS), lines)


def editions() -> str:
    """The editions of ISO 5817 by name."""
    return table(("name", "what it is"), ((f"`{each.name}`", each.meaning) for each in EDITIONS.values()))


def other_limits() -> str:
    """Where the limits of other editions are not those of the newest."""
    lines = (line for edition in EDITIONS.values() for line in _others(edition))
    return table(("edition", "code", "size", "joints", "plate", *LEVELS), lines)


def _others(edition: Edition) -> Iterator[tuple[object, ...]]:
    own = [line for row in edition.rows for line in _lines(row)]
    newest = [line for row in edition_of(NEWEST).rows for line in _lines(row)]
    for line in own:
        if line not in newest:
            yield f"`{edition.name}`", *line
    for line in newest:
        if line[0] not in edition.codes:
            yield f"`{edition.name}`", *line[:4], "any", "any", "any"


def _lines(row: LimitRow) -> Iterator[tuple[object, ...]]:
    """One line of the table, or two where thin plates have limits of their own."""
    joints = ", ".join(joint.name.lower() for joint in row.joints) if len(row.joints) < 3 else "all"
    size, reference = (item.name.lower().replace("_", " ") for item in (row.feature, row.reference))
    told: Callable[[Limit], str] = partial(_limit, reference=reference)
    if row.feature is Feature.TOE_RISE_RAD:
        size, told = "toe angle", _toe_angle
    plates = {"up to 3 mm": row.thin, "above 3 mm": row.thick}
    for plate, at in {"any": row.thin}.items() if row.thin == row.thick else plates.items():
        yield row.code, size, joints, plate, *map(told, at)


def _toe_angle(limit: Limit) -> str:
    return f"at least {180 - math.degrees(limit[0]):g}°"


def _limit(limit: Limit, reference: str) -> str:
    constant_m, slope, cap_m, short = limit
    if limit == NONE:
        return "no"
    if limit == ANY:
        return "any"
    parts = [f"{1e3 * constant_m:g} mm"] if constant_m else []
    parts += [f"{slope:g} {reference}"] if slope else []
    most = f", at most {1e3 * cap_m:g} mm" if math.isfinite(cap_m) else ""
    return f"{'short: ' if short else ''}{' + '.join(parts)}{most}"
