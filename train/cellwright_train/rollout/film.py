"""Parts at work as moving or still pictures, for eyes and for the report."""

import io
from collections.abc import Sequence
from typing import Any, BinaryIO

import gymnasium
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from cellwright_train.rollout.cell import Episode, EpisodePolicy, control_rate_hz
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.recording import PartRecord, record_part
from cellwright_train.rollout.trial import Trial

FORMATS = (".gif", ".png")
PICTURE_PX = (480, 360)
CAMERA_PX = 168
MARGIN_PX = 8
BAR_PX = 26
FRAMES = 48
"""Pictures of a part on a page; each takes the renderer about a second."""
_STRIP_FRAMES = 6
_COLOURS = 96
_INK, _PAPER = (235, 235, 235), (24, 26, 30)


def film(trial: Trial, suffix: str) -> tuple[bytes, list[str]]:
    """Work on the parts of `trial`, whose cell keeps traces and pictures; the film, and a line per part."""
    env, policy = trial.workplace
    every = max(1, round(family_of(env).picture_period_s * control_rate_hz(env)))
    frames: list[Image.Image] = []
    captions: list[str] = []
    for episode in tqdm(trial.plan, desc=trial.policy.name, unit="part", leave=False):
        part = record_part(env, policy, episode, picture_every=every)
        frames += compose(part)
        captions.append(f"{part.result.product}, seed {episode.seed}: {part.result.outcome}")
    file = io.BytesIO()
    if suffix == ".png":
        _strip(frames).save(file, "PNG")
    else:
        write_gif(frames, file)
    return file.getvalue(), captions


def filmed(
    env: gymnasium.Env[Any, Any],
    policy: EpisodePolicy,
    episode: Episode,
    *,
    steps: int = 0,
    frames: int = FRAMES,
) -> PartRecord[Any]:
    """One part with some `frames` pictures; `steps` is how long it takes, 0 where that is to be found out."""
    steps = steps or len(record_part(env, policy, episode).actions)
    return record_part(env, policy, episode, picture_every=max(1, steps // frames))


def compose(part: PartRecord[Any]) -> list[Image.Image]:
    """The cell, beside it what the camera saw unless it is in the picture; one frame per recorded picture."""
    return [_frame(part, index, time_s) for index, time_s in enumerate(part.picture_times_s)]


def write_gif(frames: Sequence[Image.Image], out: BinaryIO) -> None:
    """A looping animation at 10 pictures a second, one palette for all frames."""
    palette = frames[len(frames) // 2].quantize(_COLOURS)
    indexed = [frame.quantize(_COLOURS, palette=palette, dither=Image.Dither.NONE) for frame in frames]
    indexed[0].save(out, "GIF", save_all=True, append_images=indexed[1:], duration=100, loop=0, optimize=True)


def camera_image(channel: np.ndarray[Any, np.dtype[np.uint8]], size_px: int) -> Image.Image:
    """One camera channel (H, W), enlarged without smoothing so that the pixels stay visible."""
    return Image.fromarray(channel).resize((size_px, size_px), Image.Resampling.NEAREST).convert("RGB")


def _frame(part: PartRecord[Any], index: int, time_s: float) -> Image.Image:
    beside = 0 if part.views_in_picture else MARGIN_PX + CAMERA_PX
    frame = Image.new("RGB", (PICTURE_PX[0] + beside, PICTURE_PX[1] + BAR_PX), _PAPER)
    picture = Image.fromarray(part.pictures[index])
    frame.paste(picture.resize(PICTURE_PX, Image.Resampling.LANCZOS), (0, 0))
    draw = ImageDraw.Draw(frame)
    font = ImageFont.load_default(12)
    if beside:
        left = PICTURE_PX[0] + MARGIN_PX
        for row, (channel, name) in enumerate(zip(part.camera[index], part.views, strict=True)):
            top = row * (CAMERA_PX + MARGIN_PX)
            frame.paste(camera_image(channel, CAMERA_PX), (left, top))
            draw.text((left + 4, top + 2), f"camera: {name}", fill=_INK, font=font)
    text = f"{part.policy}   {part.result.product}   {time_s:5.1f} s"
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
