"""The page of `cellwright regress`: every verdict, the pairs behind it, and the part that shows it best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from cellwright_train.regression.measure import SUCCESS, Measure
from cellwright_train.regression.outcome import EXIT_CODES
from cellwright_train.regression.told import Told
from cellwright_train.report import welds
from cellwright_train.report.page import page, webp
from cellwright_train.report.plots import INK, dress, plot
from cellwright_train.report.regression_table import found_in_words
from cellwright_train.results.welds import WeldResult
from cellwright_train.rollout.recording import PartRecord

_WORSE, _BETTER, _EQUAL = "#d6453d", "#2e9e6b", "#7f8794"
_MOST_MARGINS = 4.0
"""Differences beyond are drawn there, as triangles."""
_PICTURE_PX = (480, 360)


def regression_page(
    told: Told, pictures: Mapping[str, PartRecord[Any]], provenance: Mapping[str, str]
) -> str:
    """The page of what was `told`; `pictures` are the worst parts under the candidate, by scenario."""
    return page(
        "regression.html.j2",
        told=told,
        counts={verdict: _count(told, verdict) for verdict in EXIT_CODES},
        rows=[_row(name, told.scenarios.get(name)) for name in told.expected],
        weighed=[
            _weighed(name, told.scenarios[name], pictures.get(name))
            for name in told.expected
            if name in told.scenarios and told.scenarios[name]["rows"]
        ],
        provenance=provenance,
    )


def _count(told: Told, verdict: str) -> int:
    return sum(entry["verdict"] == verdict for entry in told.scenarios.values())


def _row(name: str, entry: Mapping[str, Any] | None) -> dict[str, Any]:
    if entry is None:
        return {"name": name, "verdict": "not examined", "pairs": "", "words": "", "policy": ""}
    return {
        "name": name,
        "verdict": entry["verdict"],
        "pairs": entry["pairs"] or "",
        "words": found_in_words(entry),
        "policy": entry["policy"],
    }


def _weighed(name: str, entry: Mapping[str, Any], picture: PartRecord[Any] | None) -> dict[str, Any]:
    return {
        "name": name,
        "verdict": entry["verdict"],
        "policy": entry["policy"],
        "differences": entry["differences"],
        "findings": [_finding(each) for each in entry["findings"] or ()],
        "pairs": _pairs(entry),
        "worst": entry["worst"],
        "since_seed": entry["since_seed"],
        "shown": None if picture is None else _shown(picture),
    }


def _finding(finding: Mapping[str, Any]) -> dict[str, str]:
    value, low, high = finding["difference"]
    unit = finding["unit"]
    return {
        "measure": str(finding["measure"]),
        "worse": str(finding["worse"]),
        "better": str(finding["better"]),
        "equal": str(finding["equal"]),
        "difference": "–" if value is None else f"{value:+.3g} {unit}",
        "interval": "" if low is None or high is None else f"{low:+.3g} to {high:+.3g}",
        "margin": f"{finding['margin']:g} {unit}",
        "excluded": "yes" if finding["margin_excluded"] else "no",
    }


def _pairs(entry: Mapping[str, Any]) -> str:
    """Worsening of every pair in the order of the plan, a strip per measure, in margins."""
    findings = entry["findings"]
    with plot(9.2, 0.5 + 0.85 * len(findings)) as drawn:
        axes = drawn.figure.subplots(len(findings), 1, sharex=True, squeeze=False)[:, 0]
        for axis, finding in zip(axes, findings, strict=True):
            _strip(axis, finding, entry)
        axes[-1].set_xlabel("pair", color=INK)
    return drawn.svg


def _strip(axis: Any, finding: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    sizes = worsenings(finding, entry["rows"])
    numbers = np.arange(1, len(sizes) + 1)
    drawn = np.clip(sizes, -_MOST_MARGINS, _MOST_MARGINS)
    dress(axis)
    axis.set_ylabel(finding["measure"], color=INK, rotation=0, ha="right", va="center", fontsize=8)
    axis.axhspan(-1.0, 1.0, color=INK, alpha=0.07, lw=0)
    axis.axhline(0.0, color=INK, lw=0.6, alpha=0.5)
    for chosen, colour in ((sizes > 0, _WORSE), (sizes < 0, _BETTER), (sizes == 0, _EQUAL)):
        inside = chosen & (np.abs(sizes) <= _MOST_MARGINS)
        axis.scatter(numbers[inside], drawn[inside], s=11, color=colour, lw=0)
        axis.scatter(numbers[chosen & ~inside], drawn[chosen & ~inside], s=18, color=colour, lw=0, marker="^")
    if entry["decided_after"] is not None:
        axis.axvline(entry["decided_after"] + 0.5, color=INK, lw=0.9, ls=":", alpha=0.7)
    axis.set_ylim(-_MOST_MARGINS - 0.6, _MOST_MARGINS + 0.6)
    axis.set_yticks([-_MOST_MARGINS, 0.0, _MOST_MARGINS])


def worsenings(finding: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> np.ndarray[Any, Any]:
    """How much worse each pair is, in margins (pairs,); NaN where neither part has a value."""
    measure = Measure(
        name=finding["measure"], unit=finding["unit"], margin=finding["margin"], worse=finding["worse_is"]
    )
    if measure.name == SUCCESS:
        values = [tuple(map(float, row["good"])) for row in rows]
    else:
        values = [tuple(row["values"][measure.name]) for row in rows]
    return np.array([measure.worsening(*each) for each in values]) / measure.margin


def _shown(record: PartRecord[Any]) -> dict[str, Any]:
    is_weld = isinstance(record.result, WeldResult)
    return {
        "picture": webp(Image.fromarray(record.pictures[-1]).resize(_PICTURE_PX), quality=72),
        "product": record.result.product,
        "outcome": record.result.outcome,
        "seam": welds.seam(record) if is_weld else None,
    }
