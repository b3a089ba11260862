import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.cell_env import Component
from cellwright_train import documentation
from cellwright_train.cli import _parse
from cellwright_train.documentation import DOCS, DocumentationError

ROOT = DOCS.parent
PAGES = sorted(DOCS.rglob("*.md"))
CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def command_lines(page: Path) -> Iterator[str]:
    for _, block in CODE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.strip().removeprefix("$ ").removeprefix(".venv/bin/")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_blocks_are_current() -> None:
    stale = documentation.stale_pages(DOCS)
    told = ", ".join(name(page) for page in stale)
    assert not stale, f"{told}: run python -m cellwright_train.documentation"


@pytest.mark.parametrize("env_id", documentation.environment_ids())
def test_every_environment_has_a_page_with_every_block(env_id: str) -> None:
    text = (DOCS / documentation.page_of(env_id)).read_text()
    for block in ("summary", "actions", "observations", "privileged", "rewards", "arguments"):
        assert f"generated: {block} {env_id} -->" in text


@pytest.mark.parametrize("env_id", documentation.environment_ids())
def test_the_documented_reward_terms_are_those_of_a_step(env_id: str) -> None:
    env = gymnasium.make(env_id, disable_env_checker=True)
    env.reset(seed=0)
    info = env.step(np.zeros(env.action_space.shape or (), np.float32))[4]
    env.close()
    listed = re.findall(r"^\| `(\w+)` \|", documentation.rewards(env_id), re.MULTILINE)
    assert listed == list(info["reward_terms"])
    page = (DOCS / documentation.page_of(env_id)).read_text()
    assert all(page.count(f"`{term}`") > 1 for term in listed), "explain every term beside the table"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name)
def test_relative_links_resolve(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        where, _, anchor = target.partition("#")
        file = (page.parent / where) if where else page
        assert file.exists(), f"{name(page)} links to {target}"
        assert not anchor or anchor in anchors(file), f"{name(page)} links to {target}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=name)
def test_command_lines_parse(page: Path) -> None:
    for line in command_lines(page):
        words = shlex.split(line, comments=True) if line.startswith(("cellwright", "python -m")) else []
        if words[:1] == ["cellwright"]:
            assert not isinstance(_parse(words[1:]), int), f"{name(page)}: {line}"
        elif words and words[2].startswith("cellwright"):
            assert find_spec(words[2]) is not None, f"{name(page)}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_examples_compile(page: Path) -> None:
    for language, block in CODE.findall(page.read_text()):
        if language == "python":
            compile(block, name(page), "exec")


def test_the_index_links_every_page() -> None:
    linked = {(DOCS / target).resolve() for target in LINK.findall((DOCS / "README.md").read_text())}
    assert not [name(page) for page in PAGES if page not in linked | {DOCS / "README.md"}]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(n for extra in project["optional-dependencies"].values() for n in extra),
    ]
    reasons = (DOCS / "dependencies.md").read_text()
    packages = [re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in wanted]
    assert not [package for package in packages if f"| `{package}` |" not in reasons]


def test_every_constant_marked_as_an_assumption_is_listed() -> None:
    page = (DOCS / "assumptions.md").read_text()
    texts = documentation.field_texts(documentation.ProcessConstants)
    assumed = [field for field, text in texts.items() if "ssumption" in text]
    assert len(assumed) > 30
    assert not [field for field in assumed if f"| `{field}` |" not in page]


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
    assert dict(documentation.assumptions_in(source)) == {
        "LEG": "Fullness: an assumption.",
        "RAMP": "assumption",
        "ROD": "Inertia of a rod (an assumption).",
        "pool": "Half of the heat stays (an assumption).",
    }


def test_components_alike_but_for_a_number_are_one_row() -> None:
    names = ("current_lag_0", "voltage_lag_0", "current_lag_8", "voltage_lag_8", "seam_done")
    components = [Component(name=each, unit="1", low=0.0, high=1.0) for each in names]
    folded = documentation.folded(components)
    assert [(shown, where) for shown, where, _ in folded] == [
        ("current_lag_{0,8}", [0, 2]),
        ("voltage_lag_{0,8}", [1, 3]),
        ("seam_done", [4]),
    ]


def test_a_stale_block_is_found_and_only_it_is_changed(tmp_path: Path) -> None:
    page = tmp_path / "environments" / "weld-seam.md"
    page.parent.mkdir()
    current = (DOCS / "environments" / "weld-seam.md").read_text()
    page.write_text(current)
    assert page not in documentation.stale_pages(tmp_path)
    page.write_text(current.replace("| `lateral_rate` | -0.005 |", "| `lateral_rate` | -0.004 |"))
    assert documentation.stale_pages(tmp_path)[page] == current


def test_a_missing_page_is_begun_from_a_template(tmp_path: Path) -> None:
    stale = documentation.stale_pages(tmp_path)
    assert set(stale) == {tmp_path / documentation.page_of(each) for each in documentation.environment_ids()}
    assert "| 0 | `lateral_rate` |" in stale[tmp_path / "environments" / "weld-seam.md"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<!-- generated: actoins -->\n<!-- end -->\n", "unknown block 'actoins'"),
        ("<!-- generated: limits -->\n", "has no end"),
        ("<!-- generated: limits -->\n<!-- generated: limits -->\n<!-- end -->\n", "no end"),
    ],
)
def test_wrong_markers_are_told(text: str, told: str) -> None:
    with pytest.raises(DocumentationError, match=told):
        documentation.filled(text, documentation.blocks(DOCS))


def test_check_names_the_stale_page_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    monkeypatch.setattr(documentation, "DOCS", docs)
    (docs / "limits.md").write_text("<!-- generated: limits -->\nold\n<!-- end -->\n")
    assert documentation.main(["--check"]) == 1
    assert "docs/limits.md is stale" in capsys.readouterr().err
    assert "old" in (docs / "limits.md").read_text()
    assert documentation.main([]) == 0
    assert documentation.main(["--check"]) == 0
    assert "| 401 |" in (docs / "limits.md").read_text()


def evaluation(policy: str, passed: list[bool]) -> dict[str, Any]:
    part = {
        "product": "lap-straight-1.6",
        "defect_mm": {"total": 16.0, "by_code": {"5011": 16.0}},
        "seam_mm": 160.0,
        "tracking_error_mm": {"mean": 0.2, "p95": 0.5},
        "cycle_time_s": 20.0,
        "crashed": False,
    }
    levels = [{"B": False, "C": good, "D": True} for good in passed]
    episodes = [{"seed": i, "passed": level, **part} for i, level in enumerate(levels)]
    return {"policy": policy, "env": "cellwright/WeldSeam-v0", "seed": 0, "per_episode": episodes}


def test_recorded_evaluations_become_a_table_with_intervals(tmp_path: Path) -> None:
    assert documentation.results(tmp_path) == "No evaluation has been recorded yet."
    told = evaluation("zoo:weld-seam", [True, True, True, False])
    (tmp_path / "zoo-weld-seam--held-out--hard.json").write_text(json.dumps(told))
    text = documentation.results(tmp_path)
    assert "| held-out | hard | `zoo:weld-seam` | 4 from 0 | 0 (0 to 49) | 75 (30 to 95) |" in text
    assert "| 100.0 (100.0 to 100.0) | 0.20 (0.20 to 0.20) |" in text
    assert "| held-out | hard | `zoo:weld-seam` | 100.0 |" in documentation.defect_codes(tmp_path)


def test_a_result_with_a_wrong_file_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "oracle--train--train.json").write_text(json.dumps(evaluation("seam-tracker", [True])))
    with pytest.raises(DocumentationError, match="name it seam-tracker--<products>--<disturbances>"):
        documentation.results(tmp_path)


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
    text = documentation.bench(tmp_path)
    assert "| fast | 9 x | 9 to 9, 3 repeats | >= 8 | yes |" in text
    assert "| slow | 1.7 x | 1.7 to 1.7, 3 repeats | <= 1.6 | no |" in text
    assert "| absent | panda-gym is not installed |  | >= 30 |  |" in text
