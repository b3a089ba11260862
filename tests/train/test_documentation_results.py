import json
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.documentation.errors import DocumentationError
from cellwright_train.documentation.results import bench, defect_codes, evaluations, results


def record(directory: Path, file: str, **changes: Any) -> None:
    told = evaluation(passed=[True, True, True, False]) | changes
    (directory / file).write_text(json.dumps(told))


def evaluation(*, passed: list[bool], defect_mm: float = 16.0) -> dict[str, Any]:
    part = {
        "product": "lap-straight-1.6",
        "defect_mm": {"total": defect_mm, "by_code": {"5011": defect_mm}},
        "seam_mm": 160.0,
        "tracking_error_mm": {"mean": 0.2, "p95": 0.5},
        "cycle_time_s": 20.0,
        "crashed": False,
    }
    levels = [{"B": False, "C": good, "D": True} for good in passed]
    return {
        "policy": "zoo:weld-seam",
        "env": "cellwright/WeldSeam-v0",
        "products": "held-out",
        "disturbances": "hard",
        "seed": 0,
        "per_episode": [{"seed": i, "passed": level, **part} for i, level in enumerate(levels)],
    }


def test_recorded_evaluations_become_a_table_with_intervals(tmp_path: Path) -> None:
    assert results(tmp_path) == "No evaluation has been recorded yet."
    record(tmp_path, "zoo-weld-seam--held-out--hard.json")
    text = results(tmp_path)
    assert "| held-out | hard | `zoo:weld-seam` | 4 from 0 | 0 (0 to 49) | 75 (30 to 95) |" in text
    assert "| 100.0 (100.0 to 100.0) | 0.20 (0.20 to 0.20) |" in text
    assert "| held-out | hard | `zoo:weld-seam` | 100.0 |" in defect_codes(tmp_path)


def test_a_comparison_holds_only_the_products_and_disturbances_it_names(tmp_path: Path) -> None:
    record(tmp_path, "zoo-weld-seam--held-out--hard.json")
    assert results(tmp_path, "train", "train") == "No evaluation has been recorded yet."
    assert "| `zoo:weld-seam` | 75 (30 to 95) | 100.0 (100.0 to 100.0) | 0.20 | 20.0 | 0 |" in results(
        tmp_path, "held-out", "hard"
    )


def test_the_policy_with_the_least_defects_comes_first(tmp_path: Path) -> None:
    record(tmp_path, "oracle--train--train.json", policy="oracle", products="train", disturbances="train")
    record(tmp_path, "zoo-weld-seam--held-out--hard.json")
    better = evaluation(passed=[True], defect_mm=1.0) | {"policy": "runs/a"}
    record(tmp_path, "runs-a--held-out--hard.json", **better)
    found = [each.evaluation.policy for each in evaluations(tmp_path)]
    assert found == ["oracle", "runs/a", "zoo:weld-seam"]


@pytest.mark.parametrize(
    "file",
    [
        "seam-tracker--held-out--hard.json",
        "zoo-weld-seam--train--hard.json",
        "zoo-weld-seam--held-out--train.json",
        "result.json",
    ],
)
def test_a_file_whose_name_disagrees_with_its_content_is_refused(tmp_path: Path, file: str) -> None:
    record(tmp_path, file)
    with pytest.raises(DocumentationError, match=r"name it zoo-weld-seam--held-out--hard\.json"):
        results(tmp_path)


def test_a_file_that_does_not_tell_what_was_welded_is_refused(tmp_path: Path) -> None:
    told = evaluation(passed=[True])
    del told["products"]
    (tmp_path / "zoo-weld-seam--held-out--hard.json").write_text(json.dumps(told))
    with pytest.raises(DocumentationError, match="does not tell its 'products'; evaluate again"):
        results(tmp_path)


def test_recorded_figures_are_held_against_their_aims(tmp_path: Path) -> None:
    def figure(value: float, aim: str) -> dict[str, Any]:
        return {"value": value, "low": value, "high": value, "repeats": 3, "unit": "x", "aim": aim}

    figures = {
        "fast": figure(9.0, ">= 8"),
        "slow": figure(1.7, "<= 1.6"),
        "absent": {"missing": "panda-gym is not installed", "unit": "x", "aim": ">= 30"},
    }
    machine = {"cpu": "a processor", "cores": 2, "system": "Linux", "python": "3.11"}
    told = {"figures": figures, "machine": machine, "versions": {"numpy": "2.4"}, "quick": False}
    (tmp_path / "bench.json").write_text(json.dumps(told))
    text = bench(tmp_path)
    assert "| fast | 9 x | 9 to 9, 3 repeats | >= 8 | yes |" in text
    assert "| slow | 1.7 x | 1.7 to 1.7, 3 repeats | <= 1.6 | no |" in text
    assert "| absent | panda-gym is not installed |  | >= 30 |  |" in text
