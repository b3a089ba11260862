"""The page of a shift: everything on it, in one file."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cellwright_train.cli import main
from cellwright_train.lines import failures
from cellwright_train.lines.account import Account
from cellwright_train.lines.contenders import Contender
from cellwright_train.lines.failures import first_failures
from cellwright_train.lines.walk import Walk
from cellwright_train.report.shift_page import shift_page
from tests.train.lines.conftest import inserted, line

PEGS = '[[batch]]\nproduct = "round-8-0.5"\n'
MOVED = '[[batch.change]]\nline_change = "moved-fixture"\n'
TEXT = f'{PEGS}parts = 12\n{MOVED}after = 6\n[[batch.change]]\nline_change = "dim-light"\nafter = 9\n'


def account(policy: str, bad: set[int], text: str = TEXT) -> Account:
    made = line(text)
    walk = Walk(made, Contender.resolve(policy, made.cells))
    while works := walk.ahead():
        walk.settle([inserted(good=work.part.index not in bad) for work in works])
    return Account(name=policy, line=made, rows=walk.rows)


@pytest.fixture(scope="module")
def page() -> str:
    accounts = [account("spiral-search", {2, 6, 7}), account("oracle", set())]
    return shift_page(accounts, [], {"command": "cellwright shift"})


def test_the_strip_shows_every_part_and_every_stop_to_scale(page: str) -> None:
    spiral, oracle = re.findall(r'<svg class="shift".*?</svg>', page, re.DOTALL)
    assert (spiral.count('class="good"'), spiral.count('class="rework"')) == (9, 3)
    assert oracle.count('class="good"') == 12
    length_s = 12 * 6.0 + 900.0
    assert f'viewBox="0 0 {length_s:.0f} 10"' in spiral
    assert f'viewBox="0 0 {length_s:.0f} 10"' in oracle, "both have the same scale"
    assert '<rect class="stop" x="48.0" width="900.0"' in spiral
    assert "re-teaching, 15 min" in spiral
    assert '<rect class="good" x="948.0" width="6.0"' in spiral
    assert "part 7, round-8-0.5: not seated, rework" in spiral
    assert 'class="stop"' not in oracle


def test_changes_stand_above_each_strip_at_their_time(page: str) -> None:
    marks = re.findall(r'<div class="marks">(.*?)</div>', page)
    assert re.findall(r"left:([\d.]+)%\">(\d)", marks[0]) == [
        (f"{100 * 36 / 972:.2f}", "1"),
        (f"{100 * 954 / 972:.2f}", "2"),
    ]
    assert re.findall(r"left:([\d.]+)%", marks[1]) == [f"{100 * 36 / 972:.2f}", f"{100 * 54 / 972:.2f}"]


def test_the_page_says_what_changed_and_what_it_cost(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "12 parts, 2 changes, 2 ways to make them" in text
    assert "The fixture was put back 3 mm aside" in text
    assert "moved-fixture, not announced" in text
    assert "after 2 bad parts in a row at inspection, which takes every part" in text
    assert "stands still for 15 min" in text
    assert page.count('class="cost"') == 2 + 2 * 2
    assert page.count("<figure>") == 2
    assert "good parts made" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_the_first_failure_after_each_change_is_shown() -> None:
    accounts = [account("spiral-search", {2, 6, 7, 10}), account("oracle", {8})]
    found = [(each.contender, each.event.name, each.row.part.index) for each in first_failures(accounts)]
    assert found == [(0, "moved-fixture", 6), (1, "moved-fixture", 8), (0, "dim-light", 10)]


def test_a_report_has_pictures_of_failures(
    written: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "MOST", 1)
    away = '[[batch.change]]\nafter = 1\nname = "away"\ndescription = "Away."\n'
    field = 'set = { "fixture_pose.mean_m" = { plus = [9e-3, 0, 0] } }\n'
    path, target = written(f"{PEGS}parts = 2\n{away}{field}"), tmp_path / "page.html"
    command = ["shift", str(path), "--policies", "blind-insertion", "--workers", "1", "--report", str(target)]
    assert main(command) == 0
    page = target.read_text()
    assert page.count('<img src="data:image/webp;base64,') == 1
    assert "blind-insertion, part 2, round-8-0.5: not seated; rework" in re.sub(r"\s+", " ", page)
    assert f"cellwright shift {path} --policies blind-insertion" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
