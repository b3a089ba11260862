"""What a page tells of insertions: how each part ended, force over depth, what both cameras saw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cellwright_train.film import camera_image
from cellwright_train.insertions import InsertionResult
from cellwright_train.recording import PartRecord
from cellwright_train.report.page import player, webp
from cellwright_train.report.plots import INK, dress, plot

Insertion = PartRecord[InsertionResult]

OUTCOMES = {"inserted": "#2e9e6b", "not inserted": "#f2b134", "broken": "#d6453d", "lost": "#8a63b8"}
"""Colour of each way to end that `InsertionResult.told` knows, in the plots and, as classes, in the page."""
MOMENTS = 7
_VIEW_PX = 128
_COLUMNS = 4


def part_row(number: int, part: Insertion) -> dict[str, Any]:
    """One line of the list of parts."""
    result, limit_n = part.result, part.product.force_limit_n
    return {
        "number": number,
        "seed": result.seed,
        "product": result.product,
        "clearance": f"{1e3 * part.product.clearance_m:.3g}",
        "outcome": result.told,
        "time": f"{result.cycle_time_s:.1f}",
        "depth": f"{100 * result.depth_share:.0f}",
        "force": f"{result.peak_force_n:.1f}",
        "limit": f"{limit_n:g}",
        "force_share": f"{100 * min(result.peak_force_n / limit_n, 1.0):.0f}",
        "lateral": f"{result.lateral_mm:.2f}",
        "slip": f"{result.slip_mm:.1f}",
    }


def force_over_depth(parts: Sequence[Insertion]) -> str:
    """Contact force over the depth of the tip as SVG, one panel per product, one line per part."""
    panels: dict[str, list[Insertion]] = {}
    for part in parts:
        panels.setdefault(part.result.product, []).append(part)
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    width_in = 9.2 if columns > 1 else 6.0
    with plot(width_in, 0.4 + (1.75 if rows > 1 else 2.6) * rows) as drawn:
        axes = drawn.figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axis in axes.flat:
            axis.set_visible(False)
        for axis, (product, same) in zip(axes.flat, panels.items(), strict=False):
            axis.set_visible(True)
            _panel(axis, product, same)
        for axis in axes.flat[max(len(panels) - columns, 0) : len(panels)]:
            axis.set_xlabel("tip below mouth [mm]", color=INK)
            axis.tick_params(labelbottom=True)
        limit_n = max(part.product.force_limit_n for part in parts)
        axes[0, 0].set_ylim(0.0, 1.08 * limit_n)
        for axis in axes[:, 0]:
            axis.set_ylabel("contact force [N]", color=INK)
    return drawn.svg


def _panel(axis: Any, product: str, parts: Sequence[Insertion]) -> None:
    dress(axis)
    axis.set_title(product, color=INK, fontsize=8.5, loc="left")
    for part in parts:
        depth_mm = -1e3 * np.asarray(part.trace["height_m"])
        colour = OUTCOMES[part.result.told]
        axis.plot(depth_mm, part.trace["force_n"], color=colour, lw=1.2, alpha=0.9)
        axis.plot(depth_mm[-1:], part.trace["force_n"][-1:], "o", color=colour, ms=3)
    axis.axhline(parts[0].product.force_limit_n, color=OUTCOMES["broken"], lw=0.9, ls=(0, (4, 3)))
    axis.axvline(0.0, color=INK, lw=0.7, alpha=0.5)
    axis.axvline(1e3 * parts[0].product.depth_m, color=INK, lw=0.7, alpha=0.5, ls=":")


def film(part: Insertion) -> Mapping[str, Any]:
    """The animation, a still of the cell, and what both cameras saw over time."""
    chosen = np.unique(np.linspace(0, len(part.pictures) - 1, MOMENTS).astype(int))
    height_m = np.asarray(part.trace["height_m"])
    return player(part) | {
        "moments": [
            {
                "time": f"{part.picture_times_s[index]:.1f} s",
                "height": _height(1e3 * height_m[max(part.picture_steps[index] - 1, 0)]),
                "views": [webp(camera_image(view, _VIEW_PX), quality=80) for view in part.camera[index]],
            }
            for index in chosen
        ],
        "view_names": part.views,
        "force": force_over_depth([part]),
    }


def _height(height_mm: float) -> str:
    return f"{height_mm:.0f} mm above" if height_mm >= 0.5 else f"{max(-height_mm, 0.0):.0f} mm in"
