"""`cellwright calibrate`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from cellwright_train.errors import UsageError
from cellwright_train.outputs import reserved


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Make a camera's table for a cell's file from pictures of a chessboard and the robot's poses."""

    pictures: Positional[Annotated[Path, arg(metavar="PICTURES", help="a directory of pictures")]]
    columns: int
    """Inner corners of the board along a row: one fewer than squares."""
    rows: int
    """The same down a column."""
    square_m: float
    """Side of a square."""
    poses: Path | None = None
    """Poses of the flange, a TOML file; without it only the lens is calibrated."""
    mounted_on: Literal["flange", "base"] = "flange"
    """What the camera is mounted on. One on the base looks at a board that the flange carries."""
    name: str = "camera"
    """Name of the camera in the table."""
    views: str = "hand"
    """Views of the policy that the camera gives, several joined by +."""
    source: str = "device:0"
    """Where its frames come from, as a cell's file says it."""
    out: Path | None = None
    """Write the table here; default: print it."""

    extra: ClassVar[str] = "camera"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.camera.calibration import Board
        from cellwright_runtime.cell.calibrating import calibrate, camera_table, read_poses

        if any(mark in text for text in (self.name, self.views, self.source) for mark in '"\\\n'):
            raise UsageError("--name, --views and --source take no quotes, backslashes or line breaks")
        board = Board(columns=self.columns, rows=self.rows, square_m=self.square_m)
        with reserved(self.out, inputs=[self.poses]) as (file,):
            poses = None if self.poses is None else read_poses(self.poses)
            on_flange = self.mounted_on == "flange"
            found = calibrate(self.pictures, board, poses=poses, on_flange=on_flange)
            table = camera_table(
                found,
                name=self.name,
                views=self.views.split("+"),
                source=self.source,
                mounted_on=self.mounted_on,
            )
            if file is not None:
                file.write(table.encode())
        if self.out is None:
            print(table, end="")
        told = f"lens: {found.intrinsics.residual_px:.3f} px over {found.used} pictures"
        if found.without_board:
            told += f", none in {', '.join(found.without_board)[:80]}"
        if found.mounting is not None:
            told += f"; mounting: {found.mounting.residual_px:.3f} px, {found.mounting.residual_mm:.3f} mm"
        print(told, file=sys.stderr if self.out is None else sys.stdout)
        return 0
