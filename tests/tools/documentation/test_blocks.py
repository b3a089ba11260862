from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cellwright_runtime.vocabulary import Component
from cellwright_train.learning.curriculum import CurriculumConfig, FactorConfig
from cellwright_train.learning.presets import PRESETS
from tools.documentation import __main__ as command
from tools.documentation import settings
from tools.documentation.__main__ import ROOT
from tools.documentation.environments import environment_ids, folded, page_of, parts
from tools.documentation.errors import DocumentationError
from tools.documentation.pages import blocks, filled, stale_pages
from tools.documentation.source import assumptions_in, field_texts


def test_assumptions_are_found_in_docstrings_and_comments() -> None:
    source = '''
LEG = 1.0
"""Fullness: an assumption."""
RAMP = 2.0  # assumption
# Inertia of a rod (an assumption).
ROD = 3.0
def pool():
    """Return the pool. Its depth law is an assumption. Its width is published."""
    # Half of the heat stays (an assumption).
    return 0.5
'''
    assert dict(assumptions_in(source)) == {
        "LEG": "Fullness: an assumption.",
        "RAMP": "assumption",
        "ROD": "Inertia of a rod (an assumption).",
        "pool": "Half of the heat stays (an assumption).",
    }


def test_components_alike_but_for_a_number_are_one_row() -> None:
    names = ("current_lag_0", "voltage_lag_0", "current_lag_8", "voltage_lag_8", "seam_done")
    components = [Component(name=each, unit="1", low=0.0, high=1.0) for each in names]
    assert [(shown, where) for shown, where, _ in folded(components)] == [
        ("current_lag_{0,8}", [0, 2]),
        ("voltage_lag_{0,8}", [1, 3]),
        ("seam_done", [4]),
    ]


def test_a_stale_block_is_found_and_only_it_is_changed(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "environments" / "weld-seam.md"
    page.parent.mkdir(parents=True)
    current = (ROOT / "docs" / "environments" / "weld-seam.md").read_text()
    page.write_text(current)
    assert page not in stale_pages(tmp_path)
    page.write_text(current.replace("| `lateral_offset` | -0.0015 |", "| `lateral_offset` | -0.004 |"))
    assert stale_pages(tmp_path)[page] == current


def test_a_missing_page_is_begun_from_a_template(tmp_path: Path) -> None:
    stale = stale_pages(tmp_path)
    assert set(stale) == {tmp_path / "docs" / page_of(each) for each in environment_ids()}
    assert "| 0 | `lateral_offset` |" in stale[tmp_path / "docs" / "environments" / "weld-seam.md"]


def test_blocks_of_the_readme_are_filled_and_a_readme_without_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n")
    assert readme not in stale_pages(tmp_path)
    readme.write_text("# Title\n\n<!-- generated: results train train -->\n<!-- end -->\n")
    assert "No evaluation has been recorded yet." in stale_pages(tmp_path)[readme]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!-- generated: actoins -->\n<!-- end -->\n", "unknown block 'actoins'"),
        ("<!-- generated: limits -->\n", "has no end"),
        ("<!-- generated: limits -->\n<!-- generated: limits -->\n<!-- end -->\n", "no end"),
        ("<!-- generated: limits B -->\n<!-- end -->\n", r"block limits takes \(\)"),
        ("<!-- generated: actions -->\n<!-- end -->\n", "missing a required argument: 'env_id'"),
        ("<!-- generated: disturbances wleding -->\n<!-- end -->\n", "known: welding, assembly"),
        ("<!-- generated: results train -->\n<!-- end -->\n", "name the disturbances too"),
    ],
)
def test_wrong_markers_are_told(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentationError, match=told):
        filled(text, blocks(tmp_path))


def test_check_names_the_stale_page_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "docs" / "limits.md"
    page.parent.mkdir()
    monkeypatch.setattr(command, "ROOT", tmp_path)
    page.write_text("<!-- generated: limits -->\nold\n<!-- end -->\n")
    assert command.main(["--check"]) == 1
    assert "docs/limits.md is stale" in capsys.readouterr().err
    assert "old" in page.read_text()
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    assert "| 401 |" in page.read_text()


def test_parts_are_listed_in_millimetres_with_their_split_and_what_they_share_once() -> None:
    text = parts("cellwright/PegInsertion-v1")
    assert "| `round-4-0.3-chamfer` | 4 mm | 0.3 mm | 0.5 mm | 20 N | round | train |" in text
    assert "| `hexagonal-12-0.3` | 12 mm | 0.3 mm | 0 mm | 30 N | hexagonal | held out |" in text
    assert text.endswith("All: depth 25 mm, length 60 mm, friction 0.2.")


@dataclass
class Shared:
    first: float = 1.0
    """Of the base."""


@dataclass
class Own(Shared):
    second: float = 2.0
    """Of the task."""


def test_fields_of_a_base_are_documented_with_those_of_the_task() -> None:
    assert field_texts(Own) == {"first": "Of the base.", "second": "Of the task."}


def test_settings_of_something_optional_stand_in_the_presets_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    debug, widening = PRESETS["debug"], CurriculumConfig(factors=FactorConfig(disturbances="train"))
    monkeypatch.setattr(settings, "PRESETS", {"debug": debug, "wide": replace(debug, curriculum=widening)})
    rows = [line for line in settings.presets().splitlines() if "curriculum.factors.disturbances" in line]
    assert rows == ["| `curriculum.factors.disturbances` | `None` | `None` | `train` |"]
