"""The figures of a contender, checked by hand."""

import json

import pytest

from cellwright_train.lines.account import Account
from cellwright_train.lines.contenders import Contender
from cellwright_train.lines.fates import Fate, fate_of, has_crashed
from cellwright_train.lines.walk import Walk
from cellwright_train.results.intervals import proportion
from cellwright_train.results.result import EpisodeResult
from tests.train.lines.conftest import inserted, line, welded

PEGS = '[[batch]]\nproduct = "round-8-0.5"\n'


@pytest.mark.parametrize(
    ("result", "fate", "crashed"),
    [
        (welded(), Fate.GOOD, False),
        (welded(levels="CD"), Fate.GOOD, False),
        (welded(levels="D"), Fate.REWORK, False),
        (welded(levels=""), Fate.SCRAP, False),
        (welded(levels="D", crashed=True), Fate.SCRAP, True),
        (inserted(), Fate.GOOD, False),
        (inserted(good=False), Fate.REWORK, False),
        (inserted(good=False, cut_off=True), Fate.REWORK, False),
        (inserted(good=False, lost=True), Fate.SCRAP, False),
        (inserted(good=False, broken=True), Fate.SCRAP, True),
    ],
)
def test_a_part_is_good_reworked_or_scrap(result: EpisodeResult, fate: Fate, crashed: bool) -> None:
    assert fate_of(result) is fate
    assert has_crashed(result) is crashed


def account(text: str, results: list[EpisodeResult], policy: str = "spiral-search") -> Account:
    made = line(text)
    walk = Walk(made, Contender.resolve(policy, made.cells))
    while works := walk.ahead():
        walk.settle([results[work.part.index] for work in works])
    return Account(name=policy, line=made, rows=walk.rows)


@pytest.fixture(scope="module")
def shift() -> Account:
    """Ten parts of 6 s and a stop of 40 s: 100 s."""
    fates = [
        inserted(),
        inserted(good=False),
        inserted(),
        inserted(good=False, lost=True),
        inserted(good=False, broken=True),
        *(inserted() for _ in range(5)),
    ]
    head = "ideal_cycle_s = 1.0\nreteaching_s = 40\nrework_s = 30\n"
    return account(f"{head}{PEGS}parts = 10\n", fates)


def test_figures_are_those_of_the_parts_and_the_clock(shift: Account) -> None:
    assert (shift.count(Fate.GOOD), shift.count(Fate.REWORK), shift.count(Fate.SCRAP)) == (7, 1, 2)
    assert shift.crashes == 1
    assert shift.first_pass_yield == proportion(7, 10)
    assert (shift.elapsed_s, shift.stopped_s, shift.rework_s) == (pytest.approx(100.0), 40.0, 30.0)
    assert shift.cycle_s.value == pytest.approx(2.0)
    good = shift.good_per_hour
    assert good.value == pytest.approx(7 * 36.0)
    assert (good.low, good.high) == (
        pytest.approx(360 * shift.first_pass_yield.low),
        pytest.approx(360 * shift.first_pass_yield.high),
    )


def test_oee_is_the_product_of_its_factors(shift: Account) -> None:
    assert shift.availability == pytest.approx(0.6)
    assert shift.performance == pytest.approx(5.0 / 6.0), "4 s of handling and 1 s of cycle should take 5 s"
    assert shift.quality == pytest.approx(0.7)
    assert shift.oee == pytest.approx(0.6 * 5.0 / 6.0 * 0.7)


def test_without_an_ideal_for_each_part_there_is_no_performance() -> None:
    text = f"{PEGS}parts = 1\nideal_cycle_s = 1\n{PEGS}parts = 1\n"
    made = account(text, [inserted(), inserted()])
    assert (made.performance, made.oee) == (None, None)
    assert made.availability == 1.0


def test_the_cost_of_changes_adds_up_and_is_unknown_without_one() -> None:
    moved = '[[batch.change]]\nline_change = "moved-fixture"\n'
    results = [inserted(good=index not in (10, 11, 15)) for index in range(20)]
    dim = '[[batch.change]]\nline_change = "dim-light"\nafter = 15\n'
    made = account(f"{PEGS}parts = 20\n{moved}after = 10\n{dim}", results, "oracle")
    assert made.lost_parts == pytest.approx(3.0)
    assert made.lost_s == pytest.approx(18.0)
    assert account(f"{PEGS}parts = 2\n", [inserted(), inserted()]).lost_parts is None


def test_what_is_written_is_json_with_every_part(shift: Account) -> None:
    told = json.loads(json.dumps(shift.as_json(), allow_nan=False))
    assert [part["fate"] for part in told["per_part"]] == ["good", "rework", "good", "scrap", "scrap"] + [
        "good"
    ] * 5
    assert told["per_part"][5]["stops_s"] == {"re-teaching": 40.0}
    assert told["per_part"][5]["begin_s"] == pytest.approx(70.0)
    assert told["batches"][0]["parts"] == 10
    assert told["oee"] == pytest.approx(0.35)
