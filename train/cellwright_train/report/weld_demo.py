"""report.html: one self-contained page that tells what was welded, how well, and what the policy saw."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from cellwright_train.results.intervals import Estimate
from cellwright_train.results.welds import LEVELS, WeldEvaluation, WeldResult
from cellwright_train.rollout.film import camera_image
from cellwright_train.rollout.recording import PartRecord

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
_INK = "#010203"  # replaced by currentColor, so that plots follow the page's light or dark scheme
_LINES = ("#7f8794", "#e08214", "#2f8fd8", "#3aa655")
_PICTURE_PX = (560, 420)
_STRIP_PX = 300
_WEBP_QUALITY = 62


@dataclass(frozen=True, kw_only=True)
class PolicyStory:
    """One controller's parts, in the order in which they were welded."""

    label: str
    explanation: str
    """What it is, in one plain sentence."""
    welds: tuple[PartRecord[WeldResult], ...]

    def evaluation(self, first: int = 0, last: int | None = None) -> WeldEvaluation:
        """Numbers of the parts `first` to `last`."""
        results = tuple(weld.result for weld in self.welds[first:last])
        return WeldEvaluation(policy=self.label, env="", seed=results[0].seed, results=results)


@dataclass(frozen=True, kw_only=True)
class Story:
    """Everything the page tells."""

    policies: tuple[PolicyStory, ...]
    change_at: int
    """Index of the first part after the line change."""
    change: str
    """What changed, in one sentence."""
    film: PartRecord[WeldResult] | None = None
    """A weld with pictures."""
    fine_tuning: Mapping[str, str] = field(default_factory=dict)
    """What the fine-tuning run did, label to value; empty: it was not run."""
    checks: Sequence[tuple[str, bool, str]] = ()
    """Name, verdict and detail of every check on the exported bundle."""
    notes: Sequence[str] = ()
    """What the reader should know about this run, one sentence each."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Command, seed, versions, machine."""


def write_report(story: Story, out: Path) -> None:
    """Write the page; it needs no other file and no network."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cellwright_train"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    part = _telling_part(story)
    page = environment.get_template("report.html.j2").render(
        story=story,
        rows=[_row(story, policy) for policy in story.policies],
        parts=_parts(story),
        grades=GRADES,
        codes=_codes(story),
        traces=_traces(story, part),
        trace_part=part + 1,
        trace_product=story.policies[0].welds[part].result.product,
        film=_film(story.film) if story.film is not None and story.film.pictures else None,
        levels=LEVELS,
    )
    out.write_text(page, encoding="utf-8")


def _row(story: Story, policy: PolicyStory) -> dict[str, Any]:
    everything = policy.evaluation()
    return {
        "label": policy.label,
        "explanation": policy.explanation,
        "yields": [_percent(everything.first_pass_yield(level)) for level in LEVELS],
        "before": _percent(policy.evaluation(last=story.change_at).first_pass_yield("C")),
        "after": _percent(policy.evaluation(first=story.change_at).first_pass_yield("C")),
        "defects": _number(everything.defect_mm_per_m, 1),
        "tracking": _number(everything.tracking_mean_mm, 2),
        "cycle": _number(everything.cycle_time_s, 1),
        "crashes": everything.crashes,
    }


def _percent(estimate: Estimate) -> dict[str, str]:
    return {
        "value": f"{100 * estimate.value:.0f} %",
        "interval": f"{100 * estimate.low:.0f}–{100 * estimate.high:.0f}",
        "share": f"{100 * estimate.value:.0f}",
    }


def _number(estimate: Estimate, digits: int) -> dict[str, str]:
    return {
        "value": f"{estimate.value:.{digits}f}",
        "interval": f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}",
    }


def _parts(story: Story) -> list[dict[str, Any]]:
    count = len(story.policies[0].welds)
    return [
        {
            "number": index + 1,
            "product": story.policies[0].welds[index].result.product,
            "changed": index == story.change_at,
            "welds": [_weld(policy.welds[index]) for policy in story.policies],
        }
        for index in range(count)
    ]


def _weld(weld: PartRecord[WeldResult]) -> dict[str, Any]:
    return {"strip": _strip(weld), "verdict": _verdict(weld.result), "defects": _defects(weld.result)}


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
    told = GRADES[grade] + (f", {code} {ISO_6520.get(str(code), '')}" if code else "")
    return (
        f'<rect class="g{grade}" x="{begin_mm}" width="{end_mm - begin_mm}" height="10">'
        f"<title>{begin_mm}–{end_mm} mm: {html.escape(told)}</title></rect>"
    )


def _codes(story: Story) -> list[tuple[str, str]]:
    seen = {
        str(code) for p in story.policies for w in p.welds for code in np.unique(w.trace["bead_code"]) if code
    }
    return [(code, ISO_6520.get(code, "")) for code in sorted(seen, key=int)]


def _telling_part(story: Story) -> int:
    """The part after the change on which the first and the last controller differ most."""
    first, last = story.policies[0].welds, story.policies[-1].welds
    gains = [a.result.defect_mm - b.result.defect_mm for a, b in zip(first, last, strict=True)]
    after = range(min(story.change_at, len(gains) - 1), len(gains))
    return max(after, key=lambda index: gains[index])


_CURVES = (
    ("lateral_error_m", 1e3, 0.0, "wire off seam [mm]"),
    ("gap_m", 1e3, 0.0, "gap [mm]"),
    ("current_a", 1.0, 0.0, "current [A]"),
    ("voltage_v", 1.0, 0.0, "voltage [V]"),
    ("temperature_k", 1.0, -273.15, "plate [°C]"),
    ("speed_m_s", 6e3, 0.0, "speed [cm/min]"),
)


def _traces(story: Story, part: int) -> str:
    """Signals of one part over its seam, every controller in its colour."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cellwright", "font.size": 9}):
        figure = Figure(figsize=(9.2, 6.4), layout="constrained")
        axes = figure.subplots(3, 2, sharex=True)
        for axis, (name, scale, offset, label) in zip(axes.flat, _CURVES, strict=True):
            for policy, colour in zip(story.policies, _LINES, strict=False):
                trace = policy.welds[part].trace
                along_mm = 1e3 * np.asarray(trace["path_position_m"])
                welding = along_mm >= 0
                values = scale * np.asarray(trace[name]) + offset
                axis.plot(along_mm[welding], values[welding], color=colour, lw=1.1, label=policy.label)
            _dress(axis, label)
        for axis in axes[-1]:
            axis.set_xlabel("along the seam [mm]", color=_INK)
        axes[0, 0].legend(frameon=False, labelcolor=_INK, fontsize=8)
        figure.patch.set_alpha(0.0)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    drawing = target.getvalue()
    return drawing[drawing.index("<svg") :].replace(_INK, "currentColor")


def _dress(axis: Any, label: str) -> None:
    axis.set_ylabel(label, color=_INK)
    axis.patch.set_alpha(0.0)
    axis.grid(color=_INK, alpha=0.12, lw=0.6)
    axis.tick_params(colors=_INK, length=2)
    for side, spine in axis.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
        spine.set_alpha(0.4)


def _film(weld: PartRecord[WeldResult]) -> dict[str, Any]:
    still = len(weld.pictures) // 2
    return {
        "frames": [_webp(Image.fromarray(picture).resize(_PICTURE_PX)) for picture in weld.pictures],
        "camera": [
            _webp(_side_by_side([camera_image(channel, 192) for channel in camera])) for camera in weld.camera
        ],
        "times": [f"{time_s:.1f}" for time_s in weld.picture_times_s],
        "still": still,
        "picture": _webp(Image.fromarray(weld.pictures[still]), quality=80),
        "overview": _webp(camera_image(weld.camera[still][0], _STRIP_PX), quality=85),
        "stripe": _webp(camera_image(weld.camera[still][1], _STRIP_PX), quality=85),
        "policy": weld.policy,
        "product": weld.result.product,
        "verdict": _verdict(weld.result).replace("–", "none"),
    }


def _side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    width = sum(image.width for image in images) + 8 * (len(images) - 1)
    joined = Image.new("RGB", (width, images[0].height))
    left = 0
    for image in images:
        joined.paste(image, (left, 0))
        left += image.width + 8
    return joined


def _webp(image: Image.Image, quality: int = _WEBP_QUALITY) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
