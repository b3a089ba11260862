"""A curve has what a run's metrics have, and its row the first, the best and the last test."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellwright_train.errors import UsageError
from tools.curve import COLUMNS, curve, main
from tools.documentation.curves import curves

METRICS = """\
step,time/minutes,demonstrations/success_rate,train/value_loss,test/success_rate
8000,1.5,0.9,,
16000,2.5,0.7,,
1024,4.0,,0.3,
2048,5.0,,0.2,0.5
3072,6.0,,0.1,0.75
4096,7.25,,0.1,0.625
"""


def test_a_curve_keeps_its_columns_and_every_row(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    lines = curve(tmp_path / "metrics.csv").splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert lines[1] == "8000,1.5,0.9,,,,,"
    assert lines[-1] == "4096,7.25,,,,,,0.625"
    assert len(lines) == 7


def test_the_table_has_the_first_the_best_and_the_last_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert curves(tmp_path) == "No training has been recorded yet."
    (tmp_path / "curves").mkdir()
    (tmp_path / "metrics.csv").write_text(METRICS)
    file = tmp_path / "curves" / "pegs.csv"
    monkeypatch.setattr("sys.argv", ["curve", str(tmp_path), "--csv", str(file)])
    assert main() == 0
    row = curves(tmp_path).splitlines()[-1]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "[pegs](results/curves/pegs.csv)",
        *("16,000", "4,096", "0.50 at 2,048", "0.75 at 3,072", "0.62 at 4,096", "7"),
    ]


def test_a_run_without_metrics_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give a directory that `cellwright train` wrote"):
        curve(tmp_path / "metrics.csv")
