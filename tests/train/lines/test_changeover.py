"""What a change costs, on sequences of which the answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_train.lines.changeover import BACK_AT, Changeover, changeovers, parts_until_back
from cellwright_train.lines.contenders import Contender
from cellwright_train.lines.walk import Walk
from cellwright_train.results.intervals import Estimate, proportion
from tests.train.lines.conftest import inserted, line

PEGS = '[[batch]]\nproduct = "round-8-0.5"\n'
MOVED = '[[batch.change]]\nline_change = "moved-fixture"\n'


def bools(text: str) -> list[bool]:
    """`g` is good."""
    return [each == "g" for each in text]


@pytest.mark.parametrize(
    ("after", "back"),
    [
        ("gggggggg", 0),
        ("bbbggggg", 3),
        ("bbbbbbbb", 8),
        ("gbbbgggg", 4),
        ("ggggggbg", 0),  # one of eight, late: nothing that 20 parts before contradict
        ("gbgbgbgggggggggg", 6),
        ("b", 1),
        ("", 0),
    ],
)
def test_the_line_is_back_from_where_no_running_yield_is_too_low(after: str, back: int) -> None:
    assert parts_until_back(bools(after), proportion(20, 20)) == back


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 30), st.integers(1, 30))
def test_it_is_the_first_part_from_which_all_running_yields_suffice(
    good: list[bool], successes: int, more: int
) -> None:
    steady = proportion(successes, successes + more)
    back = parts_until_back(good, steady)

    def suffices(begin: int) -> bool:
        yields = (np.mean(good[begin:end]) for end in range(begin + 1, len(good) + 1))
        return all(value >= BACK_AT * steady.low - 1e-9 for value in yields)

    assert 0 <= back <= len(good)
    assert suffices(back)
    assert not any(suffices(begin) for begin in range(back))


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40))
def test_a_good_part_more_brings_the_line_back_no_later(good: list[bool], place: int) -> None:
    better = [*good]
    if place < len(good):
        better[place] = True
    steady = proportion(18, 20)
    assert parts_until_back(better, steady) <= parts_until_back(good, steady)


def test_chance_alone_costs_little_and_a_real_drop_what_it_is() -> None:
    rng = np.random.default_rng(1)
    chance, drop = [], []
    for _ in range(400):
        before = proportion(int(rng.binomial(20, 0.9)), 20)
        for found, bad in ((chance, 0), (drop, 8)):
            good = [*(rng.random(bad) < 0.1), *(rng.random(20 - bad) < 0.9)]
            until = parts_until_back(good, before)
            found.append(before.value * until - sum(good[:until]))
    assert np.mean(chance) < 0.6
    assert np.mean(drop) == pytest.approx(8 * (0.9 - 0.1), abs=0.5)


def costs(text: str, results: str, policy: str = "oracle") -> list[Changeover]:
    made = line(text)
    walk = Walk(made, Contender.resolve(policy, made.cells))
    while works := walk.ahead():
        walk.settle([inserted(good=results[work.part.index] == "g") for work in works])
    return changeovers(made, walk.rows)


def test_a_change_costs_the_good_parts_that_are_missing_and_their_time() -> None:
    (found,) = costs(f"{PEGS}parts = 20\n{MOVED}after = 10\n", "ggggggggggbbbbgggggg")
    assert found.steady == proportion(10, 10)
    assert (found.parts, found.parts_until_back, found.is_back) == (10, 4, True)
    assert (found.lost_parts, found.lost_s) == (pytest.approx(4.0), pytest.approx(24.0))
    assert (found.stopped_s, found.until_back_s) == (0.0, pytest.approx(24.0))


def test_good_parts_before_the_line_is_back_are_not_missing() -> None:
    (found,) = costs(f"{PEGS}parts = 20\n{MOVED}after = 10\n", "ggggggggggbgbbgggggg")
    assert (found.parts_until_back, found.lost_parts) == (4, pytest.approx(3.0))


def test_stops_until_the_line_is_back_belong_to_the_change() -> None:
    text = f"reteaching_s = 60\nbad_in_a_row = 3\n{PEGS}parts = 20\n{MOVED}after = 10\n"
    (found,) = costs(text, "ggggggggggbbbggggggg", "spiral-search")
    assert (found.parts_until_back, found.stopped_s) == (3, 60.0)
    assert (found.lost_s, found.until_back_s) == (pytest.approx(60.0 + 18.0), pytest.approx(60.0 + 18.0))
    (announced,) = costs(f"{text}announced = true\n", "g" * 20, "spiral-search")
    assert (announced.parts_until_back, announced.lost_parts, announced.lost_s) == (0, 0.0, 60.0)


def test_the_time_until_a_cell_is_back_goes_on_while_other_cells_work() -> None:
    text = f"{PEGS}parts = 12\n{MOVED}after = 10\n"
    text += f'[[batch]]\ncell = "gear-mesh"\nproduct = "train"\nparts = 3\n{PEGS}parts = 6\n'
    (found,) = costs(text, "g" * 10 + "bb" + "ggg" + "gggggg")
    assert (found.parts_until_back, found.lost_s) == (2, pytest.approx(2 * 6.0))
    assert found.until_back_s == pytest.approx((2 + 3) * 6.0)


def test_a_line_that_does_not_come_back_has_lost_until_the_next_change() -> None:
    first, second = costs(
        f'{PEGS}parts = 20\n{MOVED}after = 10\n[[batch.change]]\nline_change = "dim-light"\nafter = 15\n',
        "ggggggggggbbbbbggggg",
    )
    assert (first.parts, first.is_back, first.parts_until_back, first.until_back_s) == (5, False, None, None)
    assert (first.lost_parts, first.lost_s) == (pytest.approx(5.0), pytest.approx(30.0))
    assert (second.steady, second.lost_parts) == (first.steady, 0.0)


def test_before_five_parts_nothing_is_known() -> None:
    (found,) = costs(f"{PEGS}parts = 10\n{MOVED}after = 4\n", "ggggbbbbbb")
    assert (found.steady, found.lost_parts, found.lost_s, found.parts_until_back) == (None,) * 4


def test_a_line_without_a_good_part_before_has_none_to_lose() -> None:
    (found,) = costs(f"{PEGS}parts = 10\n{MOVED}after = 5\n", "bbbbbbbbbb")
    assert found.steady is not None
    assert (found.steady.value, found.lost_parts, found.lost_s, found.parts_until_back) == (0.0, 0.0, 0.0, 0)


def test_changes_of_one_cell_cost_that_cell_alone() -> None:
    gears = '[[batch]]\ncell = "gear-mesh"\nproduct = "train"\nparts = 6\n'
    text = f"{PEGS}parts = 6\n{gears}{PEGS}parts = 6\n{MOVED}"
    (found,) = costs(text, "gggggg" + "bbbbbb" + "bbgggg")
    assert (found.event.cell, found.parts, found.parts_until_back) == ("peg-insertion", 6, 2)
    assert isinstance(found.steady, Estimate)
    assert found.steady.value == 1.0
