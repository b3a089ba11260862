"""Ten thousand damaged files, every run the same: one line each, or the content that is there."""

import random
from collections.abc import Callable

import pytest

from cellwright_runtime.files.reading import FileError
from tools.fuzz import mutations
from tools.fuzz.bundles import fuzz_bundles
from tools.fuzz.campaign import Tally, attempt, peak_bytes
from tools.fuzz.readers import fuzz_readers, targets
from tools.fuzz.runs import fuzz_runs

MOST_BYTES = 512 * 2**20


def test_ten_thousand_damaged_files_end_in_one_line_or_in_what_another_reader_finds() -> None:
    before = peak_bytes()
    tallies = fuzz_readers(10_000, seed=0)
    assert sum(tally.tried for tally in tallies.values()) == 10_000
    for name, tally in tallies.items():
        assert not tally.faults, f"{name}: {tally.faults[0]}"
        assert tally.accepted > 100, f"{name}: of damage that is refused at the first byte, little is learnt"
        assert tally.slowest_s < 5.0
    assert peak_bytes() - before < MOST_BYTES


@pytest.mark.parametrize(("fuzz", "mutants"), [(fuzz_bundles, 200), (fuzz_runs, 60)])
def test_damaged_bundles_and_runs_end_in_one_line_or_load_to_what_is_there(
    fuzz: Callable[..., Tally], mutants: int
) -> None:
    before = peak_bytes()
    tally = fuzz(mutants, seed=0)
    assert not tally.faults, tally.faults[0]
    assert 5 < tally.accepted < mutants - 5
    assert peak_bytes() - before < MOST_BYTES


def test_a_campaign_counts_a_traceback_a_difference_and_a_message_of_two_lines() -> None:
    tally = Tally()

    def breaks() -> None:
        raise KeyError("unexpected")

    def tells() -> None:
        error = FileError("")
        error.args = ("two\nlines",)
        raise error

    def says() -> None:
        raise FileError("one line")

    for load, same in ((breaks, True), (tells, True), (says, True), (lambda: 1, False), (lambda: 1, True)):
        attempt(tally, load, lambda _, same=same: same)  # type: ignore[misc]
    assert (tally.tried, tally.refused, tally.accepted, len(tally.faults)) == (5, 2, 2, 3)


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_what_is_not_damaged_is_accepted(target: object) -> None:
    assert target.same(target.sample, target.read(target.sample))  # type: ignore[attr-defined]


def test_a_seed_gives_the_same_damage() -> None:
    first, second = (mutations.blind(b"0123456789", random.Random(3)) for _ in range(2))
    assert first == second != b"0123456789"
