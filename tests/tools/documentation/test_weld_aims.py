"""Aims of welds are held against what was recorded, among it the parts that can be made good."""

import json
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.errors import UsageError
from tools.documentation.weld_aims import SEARCHED, weld_aims


def part(seed: int, *, good: bool, product: str, defect_mm: float, off_mm: float) -> dict[str, Any]:
    return {
        "seed": seed,
        "product": product,
        "passed": {"B": False, "C": good, "D": True},
        "defect_mm": {"total": defect_mm, "by_code": {}},
        "seam_mm": 100.0,
        "tracking_error_mm": {"mean": off_mm, "p95": 1.0},
        "cycle_time_s": 20.0,
        "crashed": False,
        "cut_off": False,
        "iso_edition": "2023",
    }


def record(
    directory: Path,
    policy: str,
    products: str,
    disturbances: str,
    *,
    good: str,
    product: str = "lap-arc-3.2",
    defect_mm: float = 1.0,
    off_mm: float = 0.1,
    **more: Any,
) -> None:
    """A part for every letter of `good`: y for one that passes level C, from seed 100."""
    parts = [
        part(100 + i, good=letter == "y", product=product, defect_mm=defect_mm, off_mm=off_mm)
        for i, letter in enumerate(good)
    ]
    told = {"policy": policy, "env": "cellwright/WeldSeam-v1", "products": products, "seed": 100}
    told |= {"disturbances": disturbances, "per_episode": parts, **more}
    words = [policy.replace(":", "-"), products, disturbances, *filter(None, [more.get("line_change")])]
    (directory / ("--".join(words) + ".json")).write_text(json.dumps(told))


def row(table: str, *parts: str) -> str:
    (found,) = (each for each in table.splitlines() if all(part in each for part in parts))
    return found


def test_parts_at_level_c_are_counted_and_butts_among_them(tmp_path: Path) -> None:
    assert weld_aims(tmp_path) == "No evaluation has been recorded yet."
    record(tmp_path, "zoo:weld-seam", "train", "train", good="y" * 24 + "n")
    table = weld_aims(tmp_path)
    assert "| >= 96 % | 96.0 % (80.5 to 99.3) | yes |" in row(table, "`zoo:weld-seam`", "training parts")
    assert "| not recorded | no |" in row(table, "`zoo:weld-seam`", "butts"), "there were laps only"
    assert "| not recorded | no |" in row(table, "`zoo:weld-seam-without-pool`", "training parts")
    record(tmp_path, "zoo:weld-seam", "train", "train", good="ynyyy", product="butt-arc-3.2")
    assert "| >= 90 % | 80.0 % (37.6 to 96.4) | no |" in row(weld_aims(tmp_path), "`zoo:weld-seam`", "butts")


def test_a_change_of_the_line_and_what_was_never_trained_have_rows_of_their_own(tmp_path: Path) -> None:
    record(tmp_path, "zoo:weld-seam", "train", "train", good="y" * 20, line_change="dim-light")
    record(tmp_path, "zoo:weld-seam", "tee-saddle-3.2", "train", good="yn", off_mm=0.45)
    record(tmp_path, "seam-tracker", "tee-saddle-3.2", "train", good="nn", off_mm=0.2)
    table = weld_aims(tmp_path)
    assert "| 100.0 % (83.9 to 100.0) | yes |" in row(table, "after dim-light")
    assert "| not recorded | no |" in row(table, "after new-batch")
    assert "| 50.0 % (9.5 to 90.5) | no |" in row(table, "the saddle, at level C")
    assert "| 0.45 against 0.20 mm | yes |" in row(table, "off the seam, the saddle")
    record(tmp_path, "seam-tracker", "tee-saddle-3.2", "train", good="nn", off_mm=0.1)
    assert "| 0.45 against 0.10 mm | no |" in row(weld_aims(tmp_path), "off the seam, the saddle")


def test_defects_are_those_beside_the_best_scripted_controller(tmp_path: Path) -> None:
    record(tmp_path, "zoo:weld-seam", "train", "train", good="yy", defect_mm=0.5)
    record(tmp_path, "seam-tracker", "train", "train", good="yy", defect_mm=9.0)
    assert "| 5.0 against 90.0 mm/m | yes |" in row(weld_aims(tmp_path), "defect length, train")
    record(tmp_path, "adaptive-tracker", "train", "train", good="yy", defect_mm=4.0)
    assert "| 5.0 against 40.0 mm/m | no |" in row(weld_aims(tmp_path), "defect length, train")


def test_yields_under_hard_are_of_parts_that_can_be_made_good(tmp_path: Path) -> None:
    record(tmp_path, "zoo:weld-seam", "held-out", "hard", good="ynny")
    assert "| not recorded | no |" in row(weld_aims(tmp_path), "can be made good")
    (tmp_path / SEARCHED).mkdir()
    record(tmp_path / SEARCHED, "oracle", "held-out", "hard", good="yynn", tries=16)
    searched = tmp_path / SEARCHED / "oracle--held-out--hard.json"
    searched = searched.rename(searched.with_name("weld-seam--held-out--hard.json"))
    # Two that the search made good, and one more that the policy did.
    assert "| 66.7 % (20.8 to 93.9), 3 of 4 parts | no |" in row(weld_aims(tmp_path), "can be made good")
    searched.write_text(
        searched.read_text().replace('"seed": 100, "disturbances"', '"seed": 7, "disturbances"')
    )
    with pytest.raises(UsageError, match="is of seed 7, not 100"):
        weld_aims(tmp_path)
