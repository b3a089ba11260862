"""Pages hold what they promise, for both kinds of work, in one file."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_train.cli import main
from cellwright_train.report.demo_page import PolicyStory, Story, demo_page
from cellwright_train.report.insertions import _torque_panel, force_over_depth, torque_over_turns
from cellwright_train.rollout.cell import CellChoice, Episode
from cellwright_train.rollout.evaluation import record
from cellwright_train.rollout.families import FAMILIES
from cellwright_train.rollout.film import compose, filmed
from cellwright_train.rollout.policies import resolve_policy
from cellwright_train.rollout.recording import PartRecord
from cellwright_train.rollout.trial import Trial

PEG = "cellwright/PegInsertion-v1"
NUT = "cellwright/NutFastening-v2"
CELL = CellChoice(env=PEG, disturbances="none")
pytestmark = pytest.mark.usefixtures("plain_pictures")


def traced(policy: str, cell: CellChoice, *plan: Episode, pictures: bool = False) -> Trial:
    return Trial(policy=resolve_policy(policy), cell=cell, plan=plan, trace=True, pictures=pictures)


@pytest.fixture(scope="module")
def inserted() -> PartRecord:
    trial = traced("oracle", CELL, Episode(3, "round-16-1"), pictures=True)
    return filmed(*trial.workplace, trial.plan[0], steps=30, frames=4)


@pytest.fixture(scope="module")
def fastened() -> PartRecord:
    choice = CellChoice(env=NUT, disturbances="none")
    return record(traced("oracle", choice, Episode(3, "M16")), workers=1, progress=False)[0]


@pytest.fixture(scope="module")
def welded() -> PartRecord:
    choice = CellChoice(disturbances="none")
    trial = traced("seam-tracker", choice, Episode(3, "tee-straight-3.2"), pictures=True)
    return filmed(*trial.workplace, trial.plan[0], steps=400, frames=3)


def self_contained(page: str) -> bool:
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    return bool(sources) and all(source.startswith(("data:", "#")) for source in sources)


def test_the_page_of_insertions_tells_every_part_its_force_and_what_the_cameras_saw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "page.html"
    chosen = ["--env", PEG, "--episodes", "3", "--seed", "7", "--products", "held-out", "--workers", "1"]
    assert main(["evaluate", "oracle", *chosen, "--report", str(target)]) == 0
    assert "open it in a browser" in capsys.readouterr().out
    page = target.read_text()
    assert self_contained(page)
    assert "3 pegs by oracle" in page
    for product, seed in (("hexagonal-8-0.5-chamfer", 7), ("hexagonal-12-0.3", 8), ("hexagonal-16-0.2-", 9)):
        assert page.count(product) >= 2, "in the list and above its plot"
        assert f"<td>{seed}</td>" in page
    assert page.count('class="dot seated"') == 3
    assert "contact force [N]" in page
    assert "Torque over turns" not in page, "nothing is turned"
    assert "torque [N m]" not in page
    assert page.count('alt="hand camera at ') == page.count('alt="fixed camera at ') >= 4
    assert 'class="eyes' not in page, "the picture shows both cameras already"
    assert f"cellwright evaluate oracle --env {PEG} --episodes 3 --seed 7 --products held-out" in page


def told(page: str) -> str:
    """The text of a page, less its pictures, scripts and style."""
    text = re.sub(r"<(style|script|svg)[ >].*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def test_the_page_of_nuts_shows_torque_over_turns_and_calls_a_nut_a_nut(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    chosen = ["--env", NUT, "--episodes", "1", "--seed", "7", "--products", "M16", "--disturbances", "none"]
    assert main(["evaluate", "oracle", *chosen, "--workers", "1", "--report", str(target)]) == 0
    page = target.read_text()
    assert page.count("Torque over turns") == page.count("torque [N m]") == 1
    text = told(page)
    assert "1 nut by oracle" in text
    assert "finds the bolt" in text
    assert "relative to the bolt's end" in text.replace("&#39;", "'")
    assert "of 0.96–1.44" in text
    assert not re.search(r"\b(hole|peg|insertion|inserted)s?\b", text)


def test_a_panel_of_torque_has_the_window_the_limit_and_the_nut_from_where_its_threads_caught(
    fastened: PartRecord,
) -> None:
    axis = Figure().subplots()
    _torque_panel(axis, [fastened])
    (window,) = axis.patches
    assert (window.get_y(), window.get_y() + window.get_height()) == pytest.approx((0.96, 1.44))
    limit, line, end = axis.lines
    assert list(limit.get_ydata()) == pytest.approx([1.92, 1.92])
    turns, torque = line.get_data()
    trace = fastened.trace
    first = int(np.flatnonzero(trace["engaged"])[0])
    assert 0 < first < len(trace["turns"]) - 20
    np.testing.assert_array_equal(turns, trace["turns"][first:])
    np.testing.assert_array_equal(torque, trace["spindle_torque_n_m"][first:])
    assert 0.96 <= float(end.get_ydata()[0]) <= 1.44


def test_only_what_was_turned_has_a_plot_of_torque(fastened: PartRecord, inserted: PartRecord) -> None:
    assert "turns on the thread" in torque_over_turns([fastened])
    assert torque_over_turns([inserted]) == ""
    assert "below the bolt's end [mm]" in force_over_depth([fastened])
    assert "below the hole's mouth [mm]" in force_over_depth([inserted])


def test_the_page_of_welds_shows_every_seam(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    chosen = ["--episodes", "1", "--products", "tee-straight-3.2", "--disturbances", "none", "--workers", "1"]
    assert main(["evaluate", "seam-tracker", *chosen, "--report", str(target)]) == 0
    page = target.read_text()
    assert self_contained(page)
    assert page.count('<svg class="strip"') == 1
    assert "current [A]" in page
    assert 'class="eyes' in page
    assert "Products: tee-straight-3.2. Disturbances: none." in heading(page)
    assert "the quality levels of ISO 5817, edition 2023; B is the strictest" in page
    assert "line change" not in heading(page)


def heading(page: str) -> str:
    """The paragraph below a page's title."""
    return told(page[page.index('<p class="lead">') :].partition("</p>")[0])


def test_a_page_tells_the_line_change_and_the_play_that_it_left(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    chosen = ["--env", PEG, "--episodes", "1", "--seed", "7", "--products", "round-16-1", "--workers", "1"]
    changed = ["--disturbances", "none", "--line-change", "new-batch", "--report", str(target)]
    assert main(["evaluate", "oracle", *chosen, *changed]) == 0
    page = target.read_text()
    assert (
        "Products: round-16-1. Disturbances: none. After the line change new-batch: "
        f"{PegInsertion.line_changes['new-batch'].description}"
    ) in heading(page)
    assert "true clearance,<br>mm per side" in page
    cells = re.findall(r"<td>(.*?)</td>", page[page.index("true clearance") :])
    assert cells[:2] == ["1", "0.850"], "15 % less than the millimetre on the drawing"


def test_a_page_that_cannot_be_written_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evaluate", "oracle", "--report", "/no/such/place/page.html"]) == 2
    assert "/no/such/place is no directory" in capsys.readouterr().err


def test_the_demo_page_shows_welds_and_one_insertion(
    tmp_path: Path, welded: PartRecord, inserted: PartRecord
) -> None:
    stories = tuple(PolicyStory(label=name, explanation="", welds=(welded, welded)) for name in ("a", "b"))
    story = Story(
        policies=stories, change_at=1, change="It moved.", film=welded, insertion=inserted, notes=["A note."]
    )
    page = demo_page(story)
    assert self_contained(page)
    assert page.count('<svg class="strip"') == 4
    assert "the line has changed" in page
    assert "the quality levels of ISO 5817, edition 2023; B is the strictest" in page
    assert page.count('<figure class="player"') == 2
    assert [page.count(f'alt="{view}"') for view in ("camera overview", "laser stripe", "weld pool")] == [
        1,
        1,
        1,
    ]
    blind = replace(welded, camera=[views[:2] for views in welded.camera])
    assert 'alt="weld pool"' not in demo_page(replace(story, film=blind))
    assert "round-16-1, by oracle: seated" in page
    plain = demo_page(Story(policies=stories, change_at=1, change=""))
    assert '<figure class="player"' not in plain


def test_one_panel_per_product_and_one_colour_per_outcome() -> None:
    plan = (Episode(1, "round-16-1"), Episode(2, "round-16-1"), Episode(3, "square-16-1"))
    parts = record(traced("oracle", CELL, *plan), workers=1, progress=False)
    drawing = force_over_depth(parts)
    assert drawing.count(">round-16-1<") == drawing.count(">square-16-1<") == 1
    assert "#2e9e6b" in drawing
    assert drawing == force_over_depth(parts), "equal content gives equal bytes"


def test_a_film_of_a_weld_has_the_camera_beside_the_cell_and_one_of_an_insertion_in_it(
    welded: PartRecord, inserted: PartRecord
) -> None:
    assert compose(welded)[0].width > compose(inserted)[0].width
    assert welded.views == ("overview", "stripe", "pool")
    assert inserted.views == ("hand", "fixed")


def test_watch_writes_an_animation_and_tells_how_the_part_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "assembly", replace(FAMILIES["assembly"], picture_period_s=0.5))
    target = tmp_path / "film.gif"
    assert main(["watch", "oracle", "--env", PEG, "--products", "round-16-1", "--out", str(target)]) == 0
    assert "seed 0: seated" in capsys.readouterr().out
    assert target.read_bytes()[:6] == b"GIF89a"
