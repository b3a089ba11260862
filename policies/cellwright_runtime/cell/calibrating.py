"""From a directory of chessboard pictures and a file of robot poses to a camera's table in a cell's file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from cellwright_runtime.camera.calibration import (
    Board,
    CalibrationError,
    Intrinsics,
    Mounting,
    calibrate_lens,
    calibrate_mounting,
)
from cellwright_runtime.camera.sources import pictures, read_picture
from cellwright_runtime.cell.cell_file import transform
from cellwright_runtime.cell.schema import Frame
from cellwright_runtime.files.strict_toml import TomlText, WrongValueError, converted
from cellwright_runtime.interface.rotation import Rows, rotation_vector

Array = NDArray[np.float64]


class Pose(Frame, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the flange was, in the robot's base, when a picture was taken."""

    picture: Annotated[str, Meta(min_length=1, max_length=200)]
    """Name of the file in the directory of pictures."""


class Poses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of poses."""

    pose: Annotated[tuple[Pose, ...], Meta(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A camera as its pictures show it."""

    intrinsics: Intrinsics
    mounting: Mounting | None
    used: int
    """Pictures in which the board was found."""
    without_board: tuple[str, ...]
    """Names of the others."""


def read_poses(path: Path) -> dict[str, Array]:
    """Flange in base (4, 4) by the name of the picture; raises `FileError`."""
    text = TomlText.read(path)
    try:
        file = converted(text.content, Poses)
        found: dict[str, Array] = {}
        for index, pose in enumerate(file.pose):
            if pose.picture in found:
                raise WrongValueError(("pose", index, "picture"), f"{pose.picture!r} has a pose already")
            found[pose.picture] = transform(pose)
    except WrongValueError as error:
        raise text.refusal(error) from None
    return found


def calibrate(
    directory: Path, board: Board, *, poses: dict[str, Array] | None = None, on_flange: bool = True
) -> Calibrated:
    """Calibrate a camera; without `poses`, its lens alone. Raises `CalibrationError` or `CameraError`."""
    corners: dict[str, Array] = {}
    without, sizes = [], set()
    for path in pictures(directory):
        image = read_picture(path)
        sizes.add((image.shape[1], image.shape[0]))
        found = board.find(image)
        if found is None:
            without.append(path.name)
        else:
            corners[path.name] = found
    if len(sizes) > 1:
        told = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        raise CalibrationError(f"{directory} holds pictures of several sizes: {told}; one camera has one")
    intrinsics = calibrate_lens(list(corners.values()), board, sizes.pop())
    mounting = None
    if poses is not None:
        if missing := sorted(set(corners) - set(poses)):
            raise CalibrationError(f"there is no pose for {missing[0]}, which shows the board")
        flange = np.stack([poses[name] for name in corners])
        mounting = calibrate_mounting(intrinsics, list(corners.values()), board, flange, on_flange=on_flange)
    return Calibrated(
        intrinsics=intrinsics, mounting=mounting, used=len(corners), without_board=tuple(without)
    )


def camera_table(
    calibrated: Calibrated, *, name: str, views: Sequence[str], source: str, mounted_on: str
) -> str:
    """The table [[camera]] of a cell's file; a camera without poses lacks its mounting, as a comment says."""
    lens, mounting = calibrated.intrinsics.lens, calibrated.mounting
    pinhole = lens.pinhole
    lines = [
        "[[camera]]",
        f'name = "{name}"',
        f"views = {json.dumps(list(views))}",
        f'source = "{source}"',
        f"width_px = {pinhole.width}",
        f"height_px = {pinhole.height}",
        f"focal_px = {_list((pinhole.fx, pinhole.fy))}",
        f"principal_px = {_list((pinhole.cx, pinhole.cy))}",
        f"distortion = {_list(lens.distortion)}",
    ]
    if mounting is None:
        lines.append("# mounted_on, position_m and rotation_rad need poses of the robot")
        lines.append(f"residual_px = {calibrated.intrinsics.residual_px:.4g}")
        return "\n".join(lines) + "\n"
    rows: Rows = tuple(map(tuple, mounting.transform[:3, :3].tolist()))  # type: ignore[assignment]
    lines += [
        f'mounted_on = "{mounted_on}"',
        f"position_m = {_list(mounting.transform[:3, 3].tolist())}",
        f"rotation_rad = {_list(rotation_vector(rows))}",
        f"residual_px = {mounting.residual_px:.4g}",
        f"residual_mm = {mounting.residual_mm:.4g}",
    ]
    return "\n".join(lines) + "\n"


def _list(values: Sequence[float]) -> str:
    """Numbers as TOML has them: with a point, or they would be read as whole ones."""
    return f"[{', '.join(repr(round(float(value), 9) + 0.0) for value in values)}]"
