"""The table of parts in closed loop, out of result files."""

import json
from pathlib import Path

import pytest

from tools.documentation.closed_loop import closed_loop
from tools.documentation.errors import DocumentationError


def recorded(directory: Path, *, parts: int) -> None:
    about = {"bundle": "some-seam", "client": "ur", "disturbances": "train", "time": "lock-step"}
    wanted = {str(seed): {"verdict": "passes C, D"} for seed in range(parts)}
    got = {str(seed): {"verdict": "passes C, D", "holds": []} for seed in range(parts)}
    if parts:
        got["0"] = {"verdict": "passes D", "holds": ["a frame is old"]}
    path = directory / "closed-loop-some-seam-ur.json"
    path.write_text(json.dumps({"about": about, "environment": wanted, "ur": got}))


def test_a_row_counts_equal_and_good_parts_and_those_that_were_held(tmp_path: Path) -> None:
    assert closed_loop(tmp_path) == "Nothing is recorded yet."
    recorded(tmp_path, parts=2)
    row = closed_loop(tmp_path).splitlines()[-1]
    assert row == (
        "| `some-seam`, `train` | `ur`, lock-step | 2 | 1 | 0.013 to 0.987 | 1 and 2 | 1.000 | 1 |"
    )


def test_a_file_without_parts_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path, parts=0)
    with pytest.raises(DocumentationError, match="has no part"):
        closed_loop(tmp_path)
