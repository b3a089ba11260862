"""Calibrating a camera from pictures of a chessboard, and its mounting from the robot's poses beside them.

OpenCV finds the corners and fits lens and board poses (`calibrateCamera`, after Zhang 2000). The mounting
solves A X = X B for all pairs of poses: the rotation in closed form after Park and Martin (1994), and the
translation by least squares. Both mounting and the board's place are then refined together, so that the
corners, carried through the robot's poses, come to lie where the pictures show them. OpenCV 5 has no
`calibrateHandEye` in its wheels, so the closed form is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.camera import CameraModel
from cellwright_perception.opencv import opencv
from cellwright_runtime.camera.lens import Lens
from cellwright_runtime.files.reading import FileError

Array = NDArray[np.float64]

LEAST_PICTURES = 6
LEAST_POSES = 4
LEAST_TURN_RAD = 0.2
"""Between the poses: with less turning, the place of the camera does not show."""
_MOST_REFINEMENTS = 50
_STEP = 1e-6


class CalibrationError(FileError):
    """Pictures or poses that give no calibration; one line says why and what would help."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A chessboard."""

    columns: int
    """Inner corners along a row of squares, one fewer than squares."""
    rows: int
    square_m: float
    """Side of a square."""

    def __post_init__(self) -> None:
        if min(self.columns, self.rows) < 3 or (self.columns + self.rows) % 2 == 0:
            raise CalibrationError(
                "a board needs 3 inner corners each way or more, an odd number one way and an even number "
                f"the other, or it looks the same turned round; got {self.columns} x {self.rows}"
            )
        if not 0.001 <= self.square_m <= 0.5:
            raise CalibrationError(f"a square's side must be from 0.001 to 0.5 m, got {self.square_m:g}")

    @property
    def corners(self) -> Array:
        """Inner corners (N, 3) [m] in the board's frame: x along the columns, y along the rows."""
        grid = np.zeros((self.rows * self.columns, 3))
        grid[:, :2] = np.mgrid[: self.columns, : self.rows].T.reshape(-1, 2) * self.square_m
        return grid

    def find(self, image: NDArray[np.uint8]) -> Array | None:
        """Inner corners (N, 2) [px] in a picture, in the order of `corners`; None where the board is not
        seen."""
        cv2 = opencv()
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
        there, found = cv2.findChessboardCornersSB(grey, (self.columns, self.rows), flags=flags)
        return self._turned_right(np.asarray(found, np.float64).reshape(-1, 2), grey) if there else None

    def _turned_right(self, corners: Array, grey: NDArray[np.uint8]) -> Array:
        """`corners` so that the square within the first four is dark: half a turn would exchange the
        colours."""
        grid = corners.reshape(self.rows, self.columns, 2)
        middles = 0.25 * (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:])
        at = np.clip(np.rint(middles).astype(int), 0, np.array(grey.shape)[::-1] - 1)
        levels = grey[at[..., 1], at[..., 0]].astype(float)
        even = np.indices(levels.shape).sum(axis=0) % 2 == 0
        return corners if levels[even].mean() < levels[~even].mean() else corners[::-1]


@dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """A lens, and where it saw the board in each picture."""

    lens: Lens
    residual_px: float
    """Root mean square distance of corners from where the model puts them."""
    board_poses: Array
    """(N, 4, 4): board in the camera frame."""


@dataclass(frozen=True, kw_only=True)
class Mounting:
    """Where a camera is mounted."""

    transform: Array
    """(4, 4): the camera in the frame of its mount, flange or base."""
    board: Array
    """(4, 4): the board in the other one of the two."""
    residual_px: float
    """Root mean square distance of corners, carried through the robot's poses, from where the pictures show
    them."""
    residual_mm: float
    """The same in space, at the board's distance."""


def calibrate_lens(
    seen: Sequence[Array], board: Board, size: tuple[int, int], *, coefficients: int = 5
) -> Intrinsics:
    """Lens from corners (N, 2) [px] of some pictures of `size` (width, height); raises `CalibrationError`.

    With 5 `coefficients` the distortion has k1, k2, p1, p2, k3; with 4 no k3, which a narrow lens does not
    show.
    """
    if len(seen) < LEAST_PICTURES:
        raise CalibrationError(
            f"the board was found in {len(seen)} pictures, {LEAST_PICTURES} are needed: hold it nearer, "
            "tilted, wholly in view, in even light"
        )
    cv2 = opencv()
    flags = cv2.CALIB_FIX_K3 if coefficients == 4 else 0
    points = [board.corners.astype(np.float32)] * len(seen)
    pixels = [each.astype(np.float32).reshape(-1, 1, 2) for each in seen]
    rms, matrix, distortion, turns, shifts = cv2.calibrateCamera(
        points, pixels, size, None, None, flags=flags
    )
    numbers = np.asarray(distortion, np.float64).ravel()[:coefficients]
    if not (np.isfinite(rms) and np.isfinite(matrix).all() and np.isfinite(numbers).all()):
        raise CalibrationError("the pictures fit no lens; are they all of one camera, at one zoom?")
    (fx, _, cx), (_, fy, cy), _ = np.asarray(matrix, np.float64).tolist()
    pinhole = CameraModel(width=size[0], height=size[1], fx=fx, fy=fy, cx=cx, cy=cy)
    poses = [_pose(turn, shift) for turn, shift in zip(turns, shifts, strict=True)]
    return Intrinsics(
        lens=Lens(pinhole=pinhole, distortion=tuple(numbers.tolist())),
        residual_px=float(rms),
        board_poses=np.stack(poses),
    )


def calibrate_mounting(
    found: Intrinsics, seen: Sequence[Array], board: Board, flange_poses: Array, *, on_flange: bool
) -> Mounting:
    """Mounting from the robot's poses (N, 4, 4), flange in base, of the same pictures; raises
    `CalibrationError`.

    A camera `on_flange` looks at a board that stands still; another one stands still, and the board is on the
    flange.
    """
    if len(flange_poses) != len(seen) or len(seen) < LEAST_POSES:
        raise CalibrationError(
            f"{len(seen)} pictures with the board and {len(flange_poses)} poses; "
            f"{LEAST_POSES} of each are needed"
        )
    # From the board's frame to the mount's: what stands still is the same in all pictures.
    mount_poses = flange_poses if on_flange else np.stack([np.linalg.inv(pose) for pose in flange_poses])
    _require_turning(mount_poses)
    camera = _closed_form(mount_poses, found.board_poses)
    board_pose = mount_poses[0] @ camera @ found.board_poses[0]
    camera, board_pose = _refined(camera, board_pose, mount_poses, found.lens, seen, board)
    errors = _errors_px(camera, board_pose, mount_poses, found.lens, seen, board)
    return Mounting(
        transform=camera,
        board=board_pose,
        residual_px=float(np.sqrt(np.square(errors).sum(axis=-1).mean())),
        residual_mm=_residual_mm(camera, board_pose, mount_poses, found.board_poses, board),
    )


def _require_turning(poses: Array) -> None:
    """Raise unless the poses turn about two axes: about one alone, the camera may be anywhere along it."""
    turns = np.array([_log(poses[0][:3, :3].T @ pose[:3, :3]) for pose in poses[1:]])
    spread = np.linalg.svd(turns, compute_uv=False) / np.sqrt(len(turns))
    if spread[1] < 0.5 * LEAST_TURN_RAD:
        raise CalibrationError(
            f"the poses turn the flange by {spread[0]:.2f} rad about one axis and {spread[1]:.2f} rad about "
            f"another; turn it by {LEAST_TURN_RAD:g} rad and more about two axes"
        )


def _closed_form(mount_poses: Array, board_poses: Array) -> Array:
    """Camera in the mount's frame (4, 4) that solves A X = X B over pairs of pictures."""
    sums, rows, rights = np.zeros((3, 3)), [], []
    pairs = [(i, j) for i in range(len(mount_poses)) for j in range(i)]
    moves = [
        (
            np.linalg.inv(mount_poses[i]) @ mount_poses[j],
            board_poses[i] @ np.linalg.inv(board_poses[j]),
        )
        for i, j in pairs
    ]
    for a, b in moves:
        sums += np.outer(_log(b[:3, :3]), _log(a[:3, :3]))
    u, _, vt = np.linalg.svd(sums)
    rotation = vt.T @ np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    for a, b in moves:
        rows.append(a[:3, :3] - np.eye(3))
        rights.append(rotation @ b[:3, 3] - a[:3, 3])
    camera = np.eye(4)
    camera[:3, :3] = rotation
    camera[:3, 3] = np.linalg.lstsq(np.concatenate(rows), np.concatenate(rights), rcond=None)[0]
    return camera


def _refined(
    camera: Array, board_pose: Array, mount_poses: Array, lens: Lens, seen: Sequence[Array], board: Board
) -> tuple[Array, Array]:
    """Camera and board that put the corners best where the pictures show them (Gauss-Newton)."""

    def moved(change: NDArray[Any]) -> tuple[Array, Array]:
        return camera @ _small(change[:6]), board_pose @ _small(change[6:])

    last = np.inf
    for _ in range(_MOST_REFINEMENTS):
        errors = _errors_px(camera, board_pose, mount_poses, lens, seen, board).ravel()
        total = float(np.square(errors).sum())
        if not total < last * (1.0 - 1e-9):
            break
        last = total
        columns = [
            (_errors_px(*moved(_STEP * axis), mount_poses, lens, seen, board).ravel() - errors) / _STEP
            for axis in np.eye(12)
        ]
        change = np.linalg.lstsq(np.stack(columns, axis=1), -errors, rcond=None)[0]
        camera, board_pose = moved(change)
    return camera, board_pose


def _errors_px(
    camera: Array, board_pose: Array, mount_poses: Array, lens: Lens, seen: Sequence[Array], board: Board
) -> Array:
    """(pictures, corners, 2): corners through the robot's poses, less those in the pictures."""
    corners = board.corners
    errors = []
    for pose, pixels in zip(mount_poses, seen, strict=True):
        camera_from_board = np.linalg.inv(pose @ camera) @ board_pose
        points = corners @ camera_from_board[:3, :3].T + camera_from_board[:3, 3]
        errors.append(lens.project(points) - pixels)
    return np.nan_to_num(np.stack(errors), nan=1e3)


def _residual_mm(
    camera: Array, board_pose: Array, mount_poses: Array, board_poses: Array, board: Board
) -> float:
    """Root mean square distance [mm] between corners as the robot carries them and as each picture has
    them."""
    corners, squares = board.corners, []
    for pose, in_camera in zip(mount_poses, board_poses, strict=True):
        carried = np.linalg.inv(pose @ camera) @ board_pose
        here, there = (corners @ each[:3, :3].T + each[:3, 3] for each in (carried, in_camera))
        squares.append(np.square(here - there).sum(axis=1))
    return float(1e3 * np.sqrt(np.mean(squares)))


def _pose(turn: NDArray[Any], shift: NDArray[Any]) -> Array:
    pose = np.eye(4)
    pose[:3, :3] = opencv().Rodrigues(np.asarray(turn, np.float64))[0]
    pose[:3, 3] = np.asarray(shift, np.float64).ravel()
    return pose


def _small(change: NDArray[Any]) -> Array:
    return _pose(change[:3], change[3:])


def _log(rotation: Array) -> Array:
    return np.asarray(opencv().Rodrigues(np.ascontiguousarray(rotation))[0], np.float64).ravel()
