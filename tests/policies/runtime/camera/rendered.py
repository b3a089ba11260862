"""A real camera, rendered: the cells' rasteriser, a lens that distorts, and 1280 x 960 pixels."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.rendering.scene import Light, Scene
from cellwright_perception.camera import CameraModel
from cellwright_perception.opencv import opencv
from cellwright_runtime.camera.calibration import Board
from cellwright_runtime.camera.lens import Lens

Array = NDArray[np.float64]

LENS = Lens(
    pinhole=CameraModel(width=1280, height=960, fx=1480.0, fy=1472.0, cx=655.0, cy=468.0),
    distortion=(-0.21, 0.09, 0.0008, -0.0006, 0.01),
)
"""A small industrial lens: barrel distortion of some 30 px in the corners."""
_WIDER = 1.25


def photograph(scene: Scene, camera_from_world: Array, lens: Lens, *, samples: int = 1) -> NDArray[np.uint8]:
    """Grey picture (H, W) of a scene through a lens: rendered without distortion, wider, then bent.

    `samples` squared are averaged in each pixel of the wider picture.
    """
    cv2 = opencv()
    flat, across, down = _bending(lens)
    light = Light(ambient=0.9, diffuse=0.1)
    frame = scene.render(
        camera_from_world,
        samples * flat.fx,
        samples * flat.fy,
        samples * (flat.cx + 0.5) - 0.5,
        samples * (flat.cy + 0.5) - 0.5,
        samples * flat.width,
        samples * flat.height,
        light=light,
    )
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    if samples > 1:
        grey = cv2.resize(grey, (flat.width, flat.height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.remap(grey, across, down, cv2.INTER_LINEAR))


@cache
def _bending(lens: Lens) -> tuple[CameraModel, NDArray[np.float32], NDArray[np.float32]]:
    """A wider pinhole without distortion, and where in its picture each pixel of the lens lies."""
    pinhole = lens.pinhole
    width, height = int(_WIDER * pinhole.width), int(_WIDER * pinhole.height)
    flat = replace(pinhole, width=width, height=height, cx=0.5 * (width - 1), cy=0.5 * (height - 1))
    px = np.stack(np.meshgrid(np.arange(pinhole.width), np.arange(pinhole.height)), axis=-1)
    at = flat.project(lens.rays(px.reshape(-1, 2))).reshape(px.shape).astype(np.float32)
    return flat, np.ascontiguousarray(at[..., 0]), np.ascontiguousarray(at[..., 1])


def chessboard(board: Board) -> Scene:
    """A board on a white sheet, its frame at the first inner corner, seen from z < 0 as OpenCV has it."""
    scene, side = Scene(), board.square_m
    vertices: list[Any] = []
    faces: list[Any] = []
    colours: list[Any] = []

    def tile(x: float, y: float, width: float, height: float, level: float, z: float) -> None:
        start = len(vertices)
        vertices.extend([(x, y, z), (x + width, y, z), (x + width, y + height, z), (x, y + height, z)])
        faces.extend([(start, start + 1, start + 2), (start, start + 2, start + 3)])
        colours.extend([(level,) * 3] * 2)

    columns, rows = board.columns + 1, board.rows + 1
    tile(-2 * side, -2 * side, (columns + 2) * side, (rows + 2) * side, 0.95, 2e-4)
    for i in range(columns):
        for j in range(rows):
            if (i + j) % 2 == 0:  # the square within the first four inner corners is (1, 1): dark
                tile((i - 1) * side, (j - 1) * side, side, side, 0.05, 0.0)
    scene.add_body("board", np.array(vertices), np.array(faces), colour=np.array(colours), segmentation_id=1)
    return scene


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    assert opencv().imwrite(str(path), image)
