"""The contents of a page on insertions: result of each part, force over depth, images of both cameras.

A plot of torque over turns is added where the traces have both.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cellwright_train.report.page import player, webp
from cellwright_train.report.plots import INK, dress, plot
from cellwright_train.results.insertions import InsertionResult
from cellwright_train.rollout.film import camera_image
from cellwright_train.rollout.recording import PartRecord

Insertion = PartRecord[InsertionResult]

OUTCOMES = {"seated": "#2e9e6b", "not seated": "#f2b134", "broken": "#d6453d", "lost": "#8a63b8"}
"""Colour of each `InsertionResult.outcome` in the plots and, as classes, in the page."""
MOMENTS = 7
_VIEW_PX = 128
_COLUMNS = 4


def words(part: Insertion) -> dict[str, str]:
    """Words for parts of this kind and for their fixture."""
    product = part.product
    return {"part": product.noun, "place": product.place, "mouth": f"{product.place}'s {product.mouth}"}


def part_row(number: int, part: Insertion) -> dict[str, Any]:
    """One line of the list of parts; `torque` is None where nothing was tightened."""
    result, limit_n = part.result, part.product.force_limit_n
    return {
        "number": number,
        "seed": result.seed,
        "product": result.product,
        "clearance": f"{1e3 * part.clearance_m:.3f}",
        "outcome": result.outcome,
        "time": f"{result.cycle_time_s:.1f}",
        "depth": f"{100 * result.depth_share:.0f}",
        "force": f"{result.peak_force_n:.1f}",
        "limit": f"{limit_n:g}",
        "force_share": f"{100 * min(result.peak_force_n / limit_n, 1.0):.0f}",
        "lateral": f"{result.lateral_mm:.2f}",
        "slip": f"{result.slip_mm:.1f}",
        "torque": _torque_cells(part) if _has_torque(part) else None,
    }


def _torque_cells(part: Insertion) -> dict[str, str]:
    low, high = part.product.torque_window_n_m
    return {
        "tightness": f"{part.trace['tightness_n_m'][-1]:.2f}",
        "window": f"{low:.2f}–{high:.2f}",
        "peak": f"{part.trace['peak_torque_n_m'][-1]:.2f}",
        "limit": f"{part.product.torque_limit_n_m:.2f}",
    }


def force_over_depth(parts: Sequence[Insertion]) -> str:
    """Contact force over the depth of the tip as SVG, one panel per product, one line per part."""
    return _panels(
        parts,
        _force_panel,
        below=f"below the {words(parts[0])['mouth']} [mm]",
        beside="contact force [N]",
        top=max(part.product.force_limit_n for part in parts),
    )


def torque_over_turns(parts: Sequence[Insertion]) -> str:
    """Torque of the spindle over the turns since the threads caught, as SVG; empty where a trace lacks it."""
    if not all(_has_torque(part) for part in parts):
        return ""
    return _panels(
        parts,
        _torque_panel,
        below="turns on the thread",
        beside="torque [N m]",
        top=max(part.product.torque_limit_n_m for part in parts),
    )


def _has_torque(part: Insertion) -> bool:
    return "spindle_torque_n_m" in part.trace


def _panels(
    parts: Sequence[Insertion],
    draw: Callable[[Any, Sequence[Insertion]], None],
    *,
    below: str,
    beside: str,
    top: float,
) -> str:
    """One panel per product, drawn by `draw`. `below` and `beside` label the axes, which show up to `top`."""
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
            dress(axis)
            axis.set_title(product, color=INK, fontsize=8.5, loc="left")
            draw(axis, same)
        for axis in axes.flat[max(len(panels) - columns, 0) : len(panels)]:
            axis.set_xlabel(below, color=INK, fontsize=8)
            axis.tick_params(labelbottom=True)
        axes[0, 0].set_ylim(0.0, 1.08 * top)
        for axis in axes[:, 0]:
            axis.set_ylabel(beside, color=INK, fontsize=8)
    return drawn.svg


def _force_panel(axis: Any, parts: Sequence[Insertion]) -> None:
    for part in parts:
        _line(axis, part, -1e3 * part.trace["height_m"], part.trace["force_n"])
    _limit(axis, parts[0].product.force_limit_n)
    axis.axvline(0.0, color=INK, lw=0.7, alpha=0.5)
    axis.axvline(1e3 * parts[0].product.depth_m, color=INK, lw=1.3, alpha=0.8, ls=":")


def _torque_panel(axis: Any, parts: Sequence[Insertion]) -> None:
    product = parts[0].product
    axis.axhspan(*product.torque_window_n_m, color=OUTCOMES["seated"], alpha=0.18, lw=0)
    _limit(axis, product.torque_limit_n_m)
    for part in parts:
        caught = (part.trace["engaged"] + part.trace["crossed"]) > 0
        _line(axis, part, part.trace["turns"][caught], part.trace["spindle_torque_n_m"][caught])


def _line(axis: Any, part: Insertion, across: np.ndarray[Any, Any], up: np.ndarray[Any, Any]) -> None:
    """One part's curve, its end marked."""
    colour = OUTCOMES[part.result.outcome]
    axis.plot(across, up, color=colour, lw=1.2, alpha=0.9)
    axis.plot(across[-1:], up[-1:], "o", color=colour, ms=3)


def _limit(axis: Any, limit: float) -> None:
    axis.axhline(limit, color=OUTCOMES["broken"], lw=0.9, ls=(0, (4, 3)))


def film(part: Insertion) -> Mapping[str, Any]:
    """The animation, a still of the cell, and the images of both cameras over time."""
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
        "words": words(part),
        "force": force_over_depth([part]),
    }


def _height(height_mm: float) -> str:
    if abs(height_mm) < 0.5:
        return "0 mm"
    return f"{abs(height_mm):.0f} mm {'above' if height_mm > 0.0 else 'below'}"
