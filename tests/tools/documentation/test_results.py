import json
from pathlib import Path
from typing import Any

import pytest

from tools.documentation.errors import DocumentationError
from tools.documentation.insertion_aims import insertion_aims
from tools.documentation.results import (
    bench,
    defect_codes,
    insertion_comparison,
    insertion_results,
    results,
    welds,
)


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
        "cut_off": False,
        "iso_edition": "2023",
    }
    levels = [{"B": False, "C": good, "D": True} for good in passed]
    return {
        "policy": "zoo:weld-seam",
        "env": "cellwright/WeldSeam-v1",
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
    assert text.endswith("|\n\nGraded by ISO 5817, edition 2023.")


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
    found = [each.evaluation.policy for each in welds(tmp_path)]
    assert found == ["oracle", "runs/a", "zoo:weld-seam"]


def insertion(*, success: bool, cycle_time_s: float = 2.0) -> dict[str, Any]:
    return {
        "seed": 0,
        "product": "round-8-0.5",
        "success": success,
        "loose_success": True,
        "broken": not success,
        "lost": False,
        "cut_off": False,
        "cycle_time_s": cycle_time_s,
        "depth_share": 1.0,
        "lateral_mm": 0.1,
        "tilt_deg": 0.1,
        "peak_force_n": 8.0,
        "slip_mm": 0.0,
    }


INSERTIONS = {
    "policy": "spiral-search",
    "env": "cellwright/PegInsertion-v1",
    "products": "train",
    "disturbances": "hard",
    "seed": 100,
    "per_episode": [insertion(success=True), insertion(success=True), insertion(success=False)],
}


def test_recorded_insertions_have_a_table_of_their_own(tmp_path: Path) -> None:
    assert insertion_results(tmp_path) == "No evaluation has been recorded yet."
    record(tmp_path, "zoo-weld-seam--held-out--hard.json")
    (tmp_path / "peg-insertion--spiral-search--train--hard.json").write_text(json.dumps(INSERTIONS))
    assert (
        "| `cellwright/PegInsertion-v1` | train | hard | `spiral-search` | 3 from 100 | 67 (21 to 94) "
        "| 100 (44 to 100) | 2.0 (2.0 to 2.0) | 8.0 (8.0 to 8.0) | 1 | 0 |"
    ) in insertion_results(tmp_path)
    assert "zoo:weld-seam" not in insertion_results(tmp_path)
    assert "spiral-search" not in results(tmp_path)


def test_a_policy_that_inserts_nothing_has_no_median_time(tmp_path: Path) -> None:
    told = INSERTIONS | {"per_episode": [insertion(success=False)]}
    (tmp_path / "peg-insertion--spiral-search--train--hard.json").write_text(json.dumps(told))
    assert "| 0 (0 to 79) | 100 (21 to 100) |  | 8.0 (8.0 to 8.0) | 1 | 0 |" in insertion_results(tmp_path)


def test_policies_are_compared_task_by_task_with_their_held_out_parts(tmp_path: Path) -> None:
    assert insertion_comparison(tmp_path) == "No evaluation has been recorded yet."
    for policy, products, disturbances, good in (
        ("spiral-search", "train", "train", True),
        ("spiral-search", "held-out", "train", False),
        ("spiral-search", "train", "hard", False),
        ("oracle", "train", "train", True),
        ("runs/a", "train", "train", True),
    ):
        told = INSERTIONS | {"policy": policy, "products": products, "disturbances": disturbances}
        told["per_episode"] = [insertion(success=good)]
        name = f"peg-insertion--{policy.replace('/', '-')}--{products}--{disturbances}.json"
        (tmp_path / name).write_text(json.dumps(told))
    rows = insertion_comparison(tmp_path).splitlines()[2:]
    assert rows == [
        "| `PegInsertion-v1` | `oracle` | 100 (21 to 100) |  | 2.0 (2.0 to 2.0) | 8.0 (8.0 to 8.0) |",
        "| `PegInsertion-v1` | `spiral-search` | 100 (21 to 100) | 0 (0 to 79) | 2.0 (2.0 to 2.0) "
        "| 8.0 (8.0 to 8.0) |",
    ]


def test_a_file_of_insertions_is_named_after_its_environment(tmp_path: Path) -> None:
    (tmp_path / "spiral-search--train--hard.json").write_text(json.dumps(INSERTIONS))
    with pytest.raises(DocumentationError, match=r"name it peg-insertion--spiral-search--train--hard\.json"):
        insertion_results(tmp_path)


def test_a_line_change_stands_in_the_name_and_in_the_table(tmp_path: Path) -> None:
    told = json.dumps(INSERTIONS | {"line_change": "dim-light"})
    (tmp_path / "peg-insertion--spiral-search--train--hard.json").write_text(told)
    named = r"name it peg-insertion--spiral-search--train--hard--dim-light\.json"
    with pytest.raises(DocumentationError, match=named):
        insertion_results(tmp_path)
    (tmp_path / "peg-insertion--spiral-search--train--hard.json").unlink()
    (tmp_path / "peg-insertion--spiral-search--train--hard--dim-light.json").write_text(told)
    assert "| train | hard, after dim-light | `spiral-search` |" in insertion_results(tmp_path)


def test_aims_are_held_against_what_was_recorded(tmp_path: Path) -> None:
    assert insertion_aims(tmp_path) == "No evaluation has been recorded yet."
    good, slow = insertion(success=True), insertion(success=True, cycle_time_s=4.0)
    for policy, parts in (
        ("zoo:peg-insertion", [good] * 30),
        ("spiral-search", [slow] * 29 + [insertion(success=False)]),
        ("visual-servo", [good] * 29 + [insertion(success=False)]),
    ):
        told = INSERTIONS | {"policy": policy, "disturbances": "train", "per_episode": parts}
        (tmp_path / f"peg-insertion--{policy.replace(':', '-')}--train--train.json").write_text(
            json.dumps(told)
        )
    table = insertion_aims(tmp_path)
    assert "| peg-insertion | training parts | >= 99 % | 100.0 % (88.6 to 100.0) | yes |" in table
    assert "| peg-insertion | held-out parts | >= 99 % | not recorded | no |" in table
    assert "| <= 15 N | 8.0 N (8.0 to 8.0) | yes |" in table
    assert "100.0 against 96.7 %, in 50 % of its time | yes |" in table
    assert "100.0 against 96.7 %, in 100 % of its time | no |" in table


def test_an_aim_that_is_just_missed_is_missed(tmp_path: Path) -> None:
    parts = [insertion(success=index >= 3) for index in range(200)]
    told = INSERTIONS | {"policy": "zoo:peg-insertion", "disturbances": "train", "per_episode": parts}
    (tmp_path / "peg-insertion--zoo-peg-insertion--train--train.json").write_text(json.dumps(told))
    assert "| >= 99 % | 98.5 % (95.7 to 99.5) | no |" in insertion_aims(tmp_path)


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
