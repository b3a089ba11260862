"""Plots that are part of a page as SVG and follow its light or dark scheme."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

INK = "#010203"
"""Becomes the page's own text colour."""


class Plot:
    """A figure and, once it is drawn, its SVG."""

    def __init__(self, figure: Figure) -> None:
        self.figure, self.svg = figure, ""


@contextmanager
def plot(width_in: float, height_in: float) -> Iterator[Plot]:
    """An empty figure; after the block its `svg` is set, and equal content gives equal text."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cellwright", "font.size": 9}):
        drawn = Plot(Figure(figsize=(width_in, height_in), layout="constrained"))
        yield drawn
        drawn.figure.patch.set_alpha(0.0)
        target = io.StringIO()
        drawn.figure.savefig(target, format="svg", metadata={"Date": None})
    drawing = target.getvalue()
    drawn.svg = drawing[drawing.index("<svg") :].replace(INK, "currentColor")


def dress(axis: Any, label: str = "") -> None:
    """Thin lines in the page's text colour, two spines."""
    axis.set_ylabel(label, color=INK)
    axis.patch.set_alpha(0.0)
    axis.grid(color=INK, alpha=0.12, lw=0.6)
    axis.tick_params(colors=INK, length=2)
    for side, spine in axis.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_alpha(0.4)
