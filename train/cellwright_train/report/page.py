"""The elements of every page: its template, pictures inside it, numbers with their intervals."""

import base64
import io
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import jinja2
from PIL import Image

from cellwright_train.results.intervals import Estimate
from cellwright_train.results.result import Figure
from cellwright_train.rollout.film import camera_image
from cellwright_train.rollout.recording import PartRecord

Cell = dict[str, str]
PICTURE_PX = (560, 420)
VIEW_PX = 192
_WEBP_QUALITY = 62


def page(template: str, **context: Any) -> str:
    """The page from this template and `context`; it needs no other file and no network."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cellwright_train"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(**context)


def provenance(command: str, seconds: float) -> dict[str, str]:
    """How a page was made, label to value."""
    packages = ("cellwright", "pybullet", "numpy", "torch", "stable-baselines3", "onnxruntime")
    return {
        "command": command,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "took": f"{seconds:.0f} s",
    }


def figure_cell(figure: Figure) -> Cell:
    """A figure as text: `heading`, `value` with its unit, and `interval`, empty where there is none."""
    heading = {"heading": figure.heading, "unit": figure.unit}
    if not isinstance(figure.value, Estimate):
        return heading | {"value": "–" if figure.value is None else str(figure.value), "interval": ""}
    if figure.unit == "%":
        return heading | percent(figure.value)
    return heading | number(figure.value, figure.digits)


def percent(estimate: Estimate) -> Cell:
    """A fraction in per cent."""
    return {
        "value": f"{100 * estimate.value:.0f} %",
        "interval": f"{100 * estimate.low:.0f}–{100 * estimate.high:.0f}",
    }


def number(estimate: Estimate, digits: int) -> Cell:
    """A value with `digits` decimals."""
    return {
        "value": f"{estimate.value:.{digits}f}",
        "interval": f"{estimate.low:.{digits}f}–{estimate.high:.{digits}f}",
    }


def player(part: PartRecord[Any]) -> dict[str, Any]:
    """The frames of a part's film and what the camera saw with each, as the template's player takes them."""
    shown = () if part.views_in_picture else part.camera
    return {
        "frames": [webp(Image.fromarray(picture).resize(PICTURE_PX)) for picture in part.pictures],
        "camera": [
            webp(side_by_side([camera_image(channel, VIEW_PX) for channel in camera])) for camera in shown
        ],
        "times": [f"{time_s:.1f}" for time_s in part.picture_times_s],
        "policy": part.policy,
        "product": part.result.product,
        "outcome": part.result.outcome,
    }


def side_by_side(images: Sequence[Image.Image], gap_px: int = 8) -> Image.Image:
    """One image of several of equal height."""
    width = sum(image.width for image in images) + gap_px * (len(images) - 1)
    joined = Image.new("RGB", (width, images[0].height))
    left = 0
    for image in images:
        joined.paste(image, (left, 0))
        left += image.width + gap_px
    return joined


def webp(image: Image.Image, quality: int = _WEBP_QUALITY) -> str:
    """The image as a data URL."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
