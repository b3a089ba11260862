"""Named mutants still apply; random ones are mistakes that Python can read."""

from __future__ import annotations

import ast

import pytest

from tools.mutants.drawn import drawn_mutants, mistakes
from tools.mutants.modules import compiled_users
from tools.mutants.mutant import ROOT, Mutant, MutantError, named_mutants

NAMED = named_mutants()


@pytest.mark.parametrize("mutant", NAMED, ids=lambda mutant: mutant.name)
def test_a_named_mutant_still_applies(mutant: Mutant) -> None:
    """Once in its file, to code that Python can read, against tests that are there."""
    text = mutant.mutated((ROOT / mutant.file).read_text())
    if mutant.file.endswith(".py"):
        ast.parse(text)
    assert mutant.tests
    for path in " ".join(mutant.tests).split():
        assert not path.startswith("tests") or (ROOT / path).exists(), path


def test_names_of_mutants_are_their_own() -> None:
    assert len({mutant.name for mutant in NAMED}) == len(NAMED)


def test_a_mutant_that_does_not_apply_once_is_refused_with_its_text() -> None:
    twice = Mutant(name="sum", file="sum.py", old="a", new="b", tests=("tests",))
    with pytest.raises(MutantError, match=r"occurs 2 times in sum\.py: 'a'"):
        twice.mutated("a + a")


def test_mistakes_are_of_every_kind_and_leave_words_alone() -> None:
    source = '''
def pay(a: int, share: float = 0.5) -> float:
    """Words."""
    if a < 3 and not share:
        total = max(a, 2) - share
        total += -1
        print(f"{total + 1}")
    return total
'''
    wrong = {source[begin:end] + " -> " + new for begin, end, new in mistakes(source)}
    assert wrong >= {
        "a < 3 -> (a >= 3)",
        "a < 3 and not share -> (a < 3 or not share)",
        "not share -> (share)",
        "max(a, 2) -> min(a, 2)",
        "max(a, 2) - share -> (max(a, 2) + share)",
        "total += -1 -> pass",
        "-1 -> (1)",
        "0.5 -> 1.0",
        "2 -> 3",
    }
    assert not any(
        "Words" in each or "total + 1" in each.split("->")[0].strip('f"{}')
        for each in wrong - {'print(f"{total + 1}") -> pass'}
    )


def test_a_seed_draws_the_same_mutants_and_their_tests_exist() -> None:
    drawn = drawn_mutants(3, 8)
    assert [mutant.name for mutant in drawn] == [mutant.name for mutant in drawn_mutants(3, 8)]
    for mutant in drawn:
        text = mutant.mutated((ROOT / mutant.file).read_text())
    if mutant.file.endswith(".py"):
        ast.parse(text)
        assert all((ROOT / path).exists() for tests in mutant.tests for path in tests.split())


def test_code_in_which_a_mistake_may_be_frozen_is_known() -> None:
    welding, cell = "envs/cellwright_envs/welding", "envs/cellwright_envs/assembly/cell.py"
    graded = compiled_users(f"{welding}/inspection/quality.py")
    assert graded >= {f"{welding}/inspection/bead_record.py", f"{welding}/process/kernels.py"}
    assert cell in compiled_users("sim_assets/cellwright_assets/assembly_cell.py")
    assert compiled_users(f"{welding}/disturbances/line_changes.py") == set()
