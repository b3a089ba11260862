import io
from typing import Any

import pytest
from rich.console import Console

from cellwright_train.report.tables import evaluation_table
from cellwright_train.results.welds import WeldEvaluation, WeldResult

TOP_LEVEL = {
    "policy", "env", "episodes", "seed", "first_pass_yield", "defect_mm_per_m", "tracking_error_mm",
    "cycle_time_s", "crashes", "cut_off", "iso_edition", "per_episode",
}  # fmt: skip


def result(seed: int = 0, **changed: Any) -> WeldResult:
    values = {
        "seed": seed,
        "product": "lap",
        "passed": {"B": False, "C": True, "D": True},
        "defect_mm": 4.0,
        "defect_mm_by_code": {"5011": 3.0, "2017": 2.0},
        "seam_mm": 160.0,
        "tracking_mean_mm": 0.2,
        "tracking_p95_mm": 0.5,
        "cycle_time_s": 20.0,
        "crashed": False,
        "iso_edition": "2023",
    }
    return WeldResult(**(values | changed))


def evaluation(*results: WeldResult) -> WeldEvaluation:
    return WeldEvaluation(policy="p", env="e", seed=0, results=results)


def test_the_json_has_the_documented_keys_and_no_others() -> None:
    told = evaluation(result(), result(1)).as_json()
    assert set(told) == TOP_LEVEL
    assert set(told["first_pass_yield"]) == {"B", "C", "D"}
    assert set(told["defect_mm_per_m"]) == {"total", "by_code"}
    assert set(told["tracking_error_mm"]) == {"mean", "p95"}
    assert {"seed", "product", "passed", "defect_mm", "cycle_time_s", "tracking_error_mm", "crashed"} <= set(
        told["per_episode"][0]
    )


def test_yields_count_parts_and_defects_count_millimetres_per_metre() -> None:
    scrap = result(1, passed={"B": False, "C": False, "D": False}, defect_mm=80.0, seam_mm=80.0, crashed=True)
    told = evaluation(result(), scrap).as_json()
    assert told["first_pass_yield"] == {"B": 0.0, "C": 0.5, "D": 0.5}
    assert told["defect_mm_per_m"]["total"] == pytest.approx(84.0 / 0.24)
    assert told["defect_mm_per_m"]["by_code"]["5011"] == pytest.approx(6.0 / 0.24)
    assert told["crashes"] == 1
    assert told["cut_off"] == 0


def test_parts_that_were_cut_off_are_counted() -> None:
    told = evaluation(result(), result(1, cut_off=True)).as_json()
    assert told["cut_off"] == 1
    assert [entry["cut_off"] for entry in told["per_episode"]] == [False, True]


def test_a_result_comes_back_from_its_json() -> None:
    assert WeldResult.from_json(result(3).as_json()) == result(3)


def test_results_say_by_which_edition_they_were_graded() -> None:
    told = evaluation(result(iso_edition="2023"), result(1, iso_edition="2023")).as_json()
    assert told["iso_edition"] == "2023"
    assert [entry["iso_edition"] for entry in told["per_episode"]] == ["2023", "2023"]
    assert WeldResult.from_json(told["per_episode"][1]).iso_edition == "2023"


def test_a_result_from_before_editions_were_recorded_is_refused_with_what_to_do() -> None:
    entry = {name: value for name, value in result().as_json().items() if name != "iso_edition"}
    with pytest.raises(ValueError, match=r"evaluate the policy again, by one of 2023, 2023-en1090, 2014$"):
        WeldResult.from_json(entry)


def test_an_edition_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'2007'; there are 2023"):
        WeldResult.from_json(result().as_json() | {"iso_edition": "2007"})


def test_parts_of_two_editions_have_no_yield_in_common() -> None:
    mixed = evaluation(result(iso_edition="2014"), result(1, iso_edition="2023"))
    with pytest.raises(ValueError, match="2014 and 2023"):
        mixed.as_json()


def test_a_table_says_by_which_edition_parts_were_graded() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(evaluation_table([evaluation(result(iso_edition="2023"))], "train products"))
    assert "1 parts, train products, graded by ISO 5817, edition 2023" in console.export_text()


def digits(table: str) -> list[str]:
    return sorted(character for character in table if character.isdigit())


@pytest.mark.parametrize("width", [80, 100, 132])
def test_no_number_is_cut_short_in_a_narrow_table(width: int) -> None:
    several = evaluation(result(), result(1, defect_mm=120.0, cycle_time_s=131.0), result(2))
    shown = []
    for columns in (width, 400):
        console = Console(width=columns, record=True, file=io.StringIO())
        console.print(evaluation_table([several], "train"))
        shown.append(digits(console.export_text()))
    assert shown[0] == shown[1]
