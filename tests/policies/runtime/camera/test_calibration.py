"""Chessboard pictures of a rendered camera with known lens and mounting, calibrated through the command."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverted, product
from cellwright_perception.opencv import opencv
from cellwright_runtime.camera.calibration import (
    Board,
    CalibrationError,
    Intrinsics,
    calibrate_lens,
    calibrate_mounting,
)
from cellwright_runtime.cell.calibrating import read_poses
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.files.strict_toml import TomlText
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector
from cellwright_train.cli import main
from tests.policies.runtime.camera.rendered import LENS, chessboard, photograph, write_picture

Array = NDArray[np.float64]

BOARD = Board(columns=8, rows=5, square_m=0.012)
FLANGE_FROM_CAMERA = np.eye(4)
FLANGE_FROM_CAMERA[:3, :3] = rotation_rows(0.1, -0.05, 1.2)
FLANGE_FROM_CAMERA[:3, 3] = (0.06, -0.02, 0.09)
BASE_FROM_BOARD = np.eye(4)
BASE_FROM_BOARD[:3, :3] = rotation_rows(3.0, 0.2, 0.1)
BASE_FROM_BOARD[:3, 3] = (0.6, 0.05, 0.1)


def views(count: int, seed: int = 0) -> list[Array]:
    """Board in the camera (4, 4): in view, from different sides, 0.16 to 0.24 m away."""
    rng = np.random.default_rng(seed)
    middle = 0.5 * BOARD.square_m * np.array([BOARD.columns - 1, BOARD.rows - 1, 0.0])
    found = []
    for _ in range(count):
        pose = np.eye(4)
        pose[:3, :3] = rotation_rows(*rng.uniform(-0.45, 0.45, 2), rng.uniform(-0.6, 0.6))
        away = np.array([*rng.uniform(-0.02, 0.02, 2), rng.uniform(0.16, 0.24)])
        pose[:3, 3] = away - (pose[:3, :3] * middle).sum(axis=1)
        found.append(pose)
    return found


def flange_pose(camera_from_board: Array) -> Array:
    """Flange in base for a camera on the flange that sees the board so."""
    base_from_camera = product(BASE_FROM_BOARD, inverted(camera_from_board))
    return product(base_from_camera, inverted(FLANGE_FROM_CAMERA))


def toml_of(poses: dict[str, Array]) -> str:
    lines = []
    for name, pose in poses.items():
        turn = rotation_vector(tuple(map(tuple, pose[:3, :3].tolist())))  # type: ignore[arg-type]
        lines.append(f'[[pose]]\npicture = "{name}"\nposition_m = {pose[:3, 3].tolist()}\n')
        lines.append(f"rotation_rad = {list(turn)}\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of 1280 x 960 pixels and the poses of the flange."""
    directory, scene, poses = tmp_path_factory.mktemp("pictures"), chessboard(BOARD), {}
    for index, pose in enumerate(views(8)):
        write_picture(directory / f"{index}.png", photograph(scene, pose, LENS, samples=2))
        poses[f"{index}.png"] = flange_pose(pose)
    (directory / "poses.toml").write_text(toml_of(poses))
    return directory


def test_a_rendered_camera_is_found_again(
    taken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "camera.toml"
    board = ["--columns", "8", "--rows", "5", "--square-m", "0.012"]
    poses = ["--poses", str(taken / "poses.toml")]
    assert main(["calibrate", str(taken), *board, *poses, "--name", "hand", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "over 8 pictures" in told
    assert " mm\n" in told
    robot = '[robot]\nmodel = "UR10e"\njoints = ["a"]\n'
    (camera,) = CellFile(TomlText.parse(robot + out.read_text(), "cell.toml")).cell.camera
    pinhole = LENS.pinhole
    np.testing.assert_allclose(camera.focal_px, (pinhole.fx, pinhole.fy), rtol=0.004)
    np.testing.assert_allclose(camera.principal_px, (pinhole.cx, pinhole.cy), atol=6.0)
    assert camera.residual_px is not None
    assert camera.residual_mm is not None
    assert camera.residual_px < 0.25
    assert camera.residual_mm < 0.2
    np.testing.assert_allclose(camera.position_m, FLANGE_FROM_CAMERA[:3, 3], atol=0.8e-3)
    off = np.array(rotation_rows(*camera.rotation_rad)).T @ FLANGE_FROM_CAMERA[:3, :3]
    assert np.arccos(np.clip((np.trace(off) - 1.0) / 2.0, -1.0, 1.0)) < 4e-3


def test_an_opencv_that_does_not_load_is_one_line_with_the_fix(
    taken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file")

    opencv.cache_clear()
    monkeypatch.setattr("cellwright_perception.opencv.importlib.import_module", load)
    out = tmp_path / "camera.toml"
    board = ["--columns", "8", "--rows", "5", "--square-m", "0.012"]
    assert main(["calibrate", str(taken), *board, "--name", "hand", "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "cellwright: OpenCV does not load (libGL.so.1: cannot open shared object file); fix: "
    )
    assert told.count("\n") == 1
    assert not out.exists()


def corners(poses: list[Array], noise_px: float = 0.0) -> list[Array]:
    rng = np.random.default_rng(3)
    return [
        LENS.project(BOARD.corners @ pose[:3, :3].T + pose[:3, 3]) + rng.normal(0.0, noise_px, (40, 2))
        if noise_px
        else LENS.project(BOARD.corners @ pose[:3, :3].T + pose[:3, 3])
        for pose in poses
    ]


@pytest.mark.parametrize("on_flange", [True, False])
def test_the_mounting_of_exact_corners_is_exact(on_flange: bool) -> None:
    """Both kinds of mounting: a camera on the flange, and one on the base that sees a board on the flange."""
    seen_poses = views(8, seed=5)
    if on_flange:
        flange = [flange_pose(pose) for pose in seen_poses]
        wanted, board = FLANGE_FROM_CAMERA, BASE_FROM_BOARD
    else:
        wanted, board = BASE_FROM_BOARD, FLANGE_FROM_CAMERA  # any two poses: camera in base, board in flange
        flange = [product(product(wanted, pose), inverted(board)) for pose in seen_poses]
    found = Intrinsics(lens=LENS, residual_px=0.0, board_poses=np.stack(seen_poses))
    mounting = calibrate_mounting(found, corners(seen_poses), BOARD, np.stack(flange), on_flange=on_flange)
    np.testing.assert_allclose(mounting.transform, wanted, atol=1e-7)
    np.testing.assert_allclose(mounting.board, board, atol=1e-7)
    assert mounting.residual_px < 1e-4
    assert mounting.residual_mm < 1e-4


def test_refining_brings_the_corners_nearer_than_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    from cellwright_runtime.camera import calibration

    poses = views(10, seed=2)
    seen = corners(poses, noise_px=0.4)
    intrinsics = calibrate_lens(seen, BOARD, (1280, 960))
    flange = np.stack([flange_pose(pose) for pose in poses])
    refined = calibrate_mounting(intrinsics, seen, BOARD, flange, on_flange=True)
    monkeypatch.setattr(calibration, "_refined", lambda camera, board, *rest: (camera, board))
    closed = calibrate_mounting(intrinsics, seen, BOARD, flange, on_flange=True)
    assert refined.residual_px < 0.9 * closed.residual_px
    assert 0.4 < refined.residual_px < 0.8  # of both axes; the noise is 0.57 px


def test_a_robot_that_reports_wrong_poses_shows_in_the_residual() -> None:
    poses = views(8, seed=4)
    intrinsics = calibrate_lens(corners(poses), BOARD, (1280, 960))
    flange = np.stack([flange_pose(pose) for pose in poses])
    flange[3, 0, 3] += 0.004
    wrong = calibrate_mounting(intrinsics, corners(poses), BOARD, flange, on_flange=True)
    assert wrong.residual_mm > 0.5
    assert wrong.residual_px > 3.0


def test_poses_that_turn_about_one_axis_are_refused() -> None:
    poses = []
    for index in range(8):
        pose = np.eye(4)
        pose[:3, :3] = rotation_rows(0.0, 0.0, 0.2 * index)
        pose[:3, 3] = (-0.04, -0.02, 0.2)
        poses.append(pose)
    found = Intrinsics(lens=LENS, residual_px=0.0, board_poses=np.stack(poses))
    flange = np.stack([flange_pose(pose) for pose in poses])
    with pytest.raises(CalibrationError, match=r"turn it by 0.2 rad and more about two axes"):
        calibrate_mounting(found, corners(poses), BOARD, flange, on_flange=True)


@pytest.mark.parametrize(
    ("columns", "square_m", "told"),
    [
        ("7", "0.012", "an odd number one way and an even number the other"),
        ("8", "12", "a square's side must be from 0.001 to 0.5 m, got 12"),
        ("10", "0.012", "the board was found in 0 pictures, 6 are needed"),
    ],
)
def test_a_wrong_board_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: str, square_m: str, told: str
) -> None:
    write_picture(tmp_path / "a.png", np.full((96, 128), 90, np.uint8))
    command = ["calibrate", str(tmp_path), "--columns", columns, "--rows", "5", "--square-m", square_m]
    assert main(command) == 2
    complaint = capsys.readouterr().err
    assert told in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("position_m = [600.0, 0.0, 100.0]", "pose 1, position_m"),
        ("position_m = [0, 0, 0]\nrotation_rad = [180.0, 0.0, 0.0]", "rotation_rad"),
        ("position_mm = [0, 0, 0]", "did you mean 'position_m'?"),
        ("position_m = [0, 0, 0]\n[[pose]]\npicture = 'a'\nposition_m = [0, 0, 0]", "has a pose already"),
    ],
)
def test_a_wrong_pose_names_file_line_and_key(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "poses.toml").write_text(f"[[pose]]\npicture = 'a'\n{text}\n")
    with pytest.raises(FileError, match=r"poses.toml:\d+: ") as refused:
        read_poses(tmp_path / "poses.toml")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
