"""The contents of a page on welds: bead quality along every seam, signals of one weld, camera images."""

import html
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from cellwright_train.report.page import player, webp
from cellwright_train.report.plots import INK, dress, plot
from cellwright_train.results.welds import LEVELS, WeldResult
from cellwright_train.rollout.film import camera_image
from cellwright_train.rollout.recording import PartRecord

Weld = PartRecord[WeldResult]

GRADES = ("passes B", "passes C", "passes D", "fails D", "not welded")
"""Meaning of `bead_grade`; the page's classes are g0 to g4."""
ISO_6520 = {
    "401": "lack of fusion",
    "402": "incomplete penetration",
    "4021": "incomplete root penetration",
    "502": "excess weld metal",
    "503": "excessive convexity",
    "504": "excessive penetration",
    "506": "overlap",
    "507": "plates misaligned",
    "510": "burn-through",
    "511": "groove not filled",
    "512": "legs of unequal length",
    "617": "gap too wide",
    "2011": "gas pore",
    "2017": "surface pore",
    "5011": "undercut",
    "5012": "intermittent undercut",
    "5213": "throat too thin",
    "5214": "throat too thick",
}
"""Names of the imperfections, ISO 6520-1."""
_LINES = ("#7f8794", "#e08214", "#2f8fd8", "#3aa655")
_STRIP_PX = 300


def seam(weld: Weld) -> dict[str, Any]:
    """One seam as a coloured strip, the strictest level it passes, and its worst defects."""
    return {"strip": _strip(weld), "verdict": _verdict(weld.result), "defects": _defects(weld.result)}


def codes(welds: Iterable[Weld]) -> list[tuple[str, str]]:
    """Every ISO 6520-1 code on these welds with its name."""
    seen = {str(code) for weld in welds for code in np.unique(weld.trace["bead_code"]) if code}
    return [(code, ISO_6520.get(code, "")) for code in sorted(seen, key=int)]


def _verdict(result: WeldResult) -> str:
    if result.crashed:
        return "scrap"
    return next((level for level in LEVELS if result.passed[level]), "–")


def _defects(result: WeldResult) -> str:
    worst = sorted(result.defect_mm_by_code.items(), key=lambda item: -item[1])
    return ", ".join(f"{code} ({length:.0f} mm)" for code, length in worst[:2] if length > 0)


def _strip(weld: PartRecord[WeldResult]) -> str:
    """The seam from start to end as coloured runs of equal grade and code, one unit per millimetre."""
    grades = np.asarray(weld.trace["bead_grade"]).astype(int)
    codes = np.asarray(weld.trace["bead_code"]).astype(int)
    edges = np.flatnonzero((np.diff(grades) != 0) | (np.diff(codes) != 0)) + 1
    runs = zip(np.r_[0, edges], np.r_[edges, len(grades)], strict=True)
    bars = "".join(_run(int(a), int(b), int(grades[a]), int(codes[a])) for a, b in runs if b > a)
    title = html.escape(f"bead quality along {weld.result.product}, welded by {weld.policy}")
    return (
        f'<svg class="strip" viewBox="0 0 {max(len(grades), 1)} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}">{bars}</svg>'
    )


def _run(begin_mm: int, end_mm: int, grade: int, code: int) -> str:
    label = GRADES[grade] + (f", {code} {ISO_6520.get(str(code), '')}" if code else "")
    return (
        f'<rect class="g{grade}" x="{begin_mm}" width="{end_mm - begin_mm}" height="10">'
        f"<title>{begin_mm}–{end_mm} mm: {html.escape(label)}</title></rect>"
    )


_CURVES = (
    ("lateral_error_m", 1e3, 0.0, "wire off seam [mm]"),
    ("gap_m", 1e3, 0.0, "gap [mm]"),
    ("current_a", 1.0, 0.0, "current [A]"),
    ("voltage_v", 1.0, 0.0, "voltage [V]"),
    ("temperature_k", 1.0, -273.15, "plate [°C]"),
    ("speed_m_s", 6e3, 0.0, "speed [cm/min]"),
)


def signals(welds: Mapping[str, Weld]) -> str:
    """Signals over the seam as SVG, every controller in its colour by its label."""
    with plot(9.2, 6.4) as drawn:
        axes = drawn.figure.subplots(3, 2, sharex=True)
        for axis, (name, scale, offset, label) in zip(axes.flat, _CURVES, strict=True):
            for (controller, weld), colour in zip(welds.items(), _LINES, strict=False):
                along_mm = 1e3 * np.asarray(weld.trace["path_position_m"])
                welding = along_mm >= 0
                values = scale * np.asarray(weld.trace[name]) + offset
                axis.plot(along_mm[welding], values[welding], color=colour, lw=1.1, label=controller)
            dress(axis, label)
        for axis in axes[-1]:
            axis.set_xlabel("along the seam [mm]", color=INK)
        axes[0, 0].legend(frameon=False, labelcolor=INK, fontsize=8)
    return drawn.svg


def film(weld: Weld) -> dict[str, Any]:
    """The animation, a still of the cell, and each camera view enlarged; `pool` where there is one."""
    still = len(weld.pictures) // 2
    views = [webp(camera_image(view, _STRIP_PX), quality=85) for view in weld.camera[still]]
    return player(weld) | {
        "picture": webp(Image.fromarray(weld.pictures[still]), quality=80),
        "overview": views[0],
        "stripe": views[1],
        "pool": views[2] if len(views) > 2 else None,
        "verdict": _verdict(weld.result).replace("–", "none"),
    }
