"""Welds as moving or still pictures, for eyes and for the report."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cellwright_train.cell import CellChoice, Episode
from cellwright_train.policies_by_name import PolicyReference
from cellwright_train.recording import PartRecord, record_part

FORMATS = (".gif", ".png")
PICTURE_PX = (480, 360)
CAMERA_PX = 168
MARGIN_PX = 8
BAR_PX = 26
_STRIP_FRAMES = 6
_COLOURS = 96
_INK, _PAPER = (235, 235, 235), (24, 26, 30)


def write_film(
    reference: PolicyReference, choice: CellChoice, plan: Sequence[Episode], out: Path
) -> Iterator[str]:
    """Weld the episodes of `plan`, write `out`, and yield one line per part and one for the file."""
    env, policy = reference.open(choice, trace=True, render=True)
    frames: list[Image.Image] = []
    try:
        for episode in plan:
            weld = record_part(env, policy, episode, picture_every=6)
            frames += compose(weld)
            yield f"{weld.result.product}, seed {episode.seed}: {weld.result.told}"
    finally:
        env.close()
    if out.suffix == ".png":
        _strip(frames).save(out)
    else:
        write_gif(frames, out)
    yield f"written to {out} ({out.stat().st_size / 1e6:.1f} MB)"


def compose(weld: PartRecord[Any]) -> list[Image.Image]:
    """The cell beside what its camera saw, one frame per recorded picture."""
    return [
        _frame(weld, picture, camera, time_s)
        for picture, camera, time_s in zip(weld.pictures, weld.camera, weld.picture_times_s, strict=True)
    ]


def write_gif(frames: Sequence[Image.Image], out: Path) -> None:
    """A looping animation at 10 pictures a second, one palette for all frames."""
    palette = frames[len(frames) // 2].quantize(_COLOURS)
    indexed = [frame.quantize(_COLOURS, palette=palette, dither=Image.Dither.NONE) for frame in frames]
    indexed[0].save(out, save_all=True, append_images=indexed[1:], duration=100, loop=0, optimize=True)


def camera_image(channel: np.ndarray[Any, np.dtype[np.uint8]], size_px: int) -> Image.Image:
    """One camera channel (H, W), enlarged without smoothing so that the pixels stay visible."""
    return Image.fromarray(channel).resize((size_px, size_px), Image.Resampling.NEAREST).convert("RGB")


def _frame(weld: PartRecord[Any], picture: Any, camera: Any, time_s: float) -> Image.Image:
    width = PICTURE_PX[0] + MARGIN_PX + CAMERA_PX
    frame = Image.new("RGB", (width, PICTURE_PX[1] + BAR_PX), _PAPER)
    frame.paste(Image.fromarray(picture).resize(PICTURE_PX, Image.Resampling.LANCZOS), (0, 0))
    left = PICTURE_PX[0] + MARGIN_PX
    draw = ImageDraw.Draw(frame)
    font = ImageFont.load_default(12)
    for index, (channel, title) in enumerate(
        zip(camera, ("camera: overview", "camera: laser stripe"), strict=False)
    ):
        top = index * (CAMERA_PX + MARGIN_PX)
        frame.paste(camera_image(channel, CAMERA_PX), (left, top))
        draw.text((left + 4, top + 2), title, fill=_INK, font=font)
    text = f"{weld.policy}   {weld.result.product}   {time_s:5.1f} s"
    draw.text((MARGIN_PX, PICTURE_PX[1] + 5), text, fill=_INK, font=font)
    return frame


def _strip(frames: Sequence[Image.Image]) -> Image.Image:
    chosen = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, _STRIP_FRAMES).astype(int))]
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    width, height = chosen[0].size
    strip = Image.new("RGB", (columns * width, rows * height), _PAPER)
    for index, frame in enumerate(chosen):
        strip.paste(frame, ((index % columns) * width, (index // columns) * height))
    return strip
