"""Lines drawn from a seed, and the files that are written of them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_train.cli import main
from cellwright_train.errors import UsageError
from cellwright_train.lines.drawing import MOST_SEED, drawn_line
from cellwright_train.lines.library import find_line, shipped
from cellwright_train.lines.line import Line
from cellwright_train.lines.strict import TomlText
from cellwright_train.lines.writing import toml_of

BOTH = ["peg-insertion", "gear-mesh"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, MOST_SEED), st.integers(0, 25), st.sampled_from([BOTH, BOTH[:1]]))
def test_any_seed_is_a_line_with_as_many_changes_as_asked_for(
    seed: int, changes: int, tasks: list[str]
) -> None:
    parts = 6 * (changes + 1)
    made = drawn_line(seed, tasks, parts=parts, changes=changes)
    assert len(made.parts) == parts
    assert list(made.cells) == tasks
    undone = sum(each.name.endswith(" undone") for event in made.events for each in event.happenings)
    products = sum(each.name == "other products" for event in made.events for each in event.happenings)
    assert sum(len(event.happenings) for event in made.events) - undone - products == changes
    assert not any(event.is_taught for event in made.events)
    assert drawn_line(seed, tasks, parts=parts, changes=changes).text == made.text


def test_other_seeds_are_other_lines() -> None:
    texts = {drawn_line(seed, BOTH, parts=40, changes=4).text for seed in range(5)}
    assert len(texts) == 5
    seeds = [
        part.episode.seed for seed in range(3) for part in drawn_line(seed, BOTH, parts=40, changes=4).parts
    ]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize(("parts", "changes"), [(3, 0), (10, 2), (10_001, 0)])
def test_too_few_parts_are_refused(parts: int, changes: int) -> None:
    with pytest.raises(UsageError, match="changes in 2 cells need"):
        drawn_line(1, BOTH, parts=parts, changes=changes)


@pytest.mark.parametrize("name", shipped())
def test_a_file_that_is_written_reads_as_the_same_line(name: str) -> None:
    made = find_line(name)
    again = Line.of(TomlText.parse(toml_of(made.file), name))
    assert again.file == made.file
    assert again.hash == made.hash


def test_texts_with_quotes_and_lines_are_written_as_they_are() -> None:
    made = find_line("mixed-shift")
    odd = 'a "b" \\ c\nd\té'
    text = toml_of(made.file).replace("Ten welds and ten pegs in turn; both fixtures are moved.", "X")
    assert '"X"' in text
    import msgspec

    changed = msgspec.structs.replace(made.file, description=odd)
    assert Line.of(TomlText.parse(toml_of(changed), "odd")).file.description == odd


def test_a_line_that_is_drawn_can_be_written_without_running_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "drawn.toml"
    draw = ["shift", "--draw", "3", "--cells", "+".join(BOTH), "--parts", "40", "--changes", "4"]
    assert main([*draw, "--write", str(path)]) == 0
    assert capsys.readouterr().out == f"written to {path}\n"
    assert path.read_text() == drawn_line(3, BOTH, parts=40, changes=4).text
    assert find_line(str(path)).hash == drawn_line(3, BOTH, parts=40, changes=4).hash


@pytest.mark.parametrize("seed", [-1, 100_000])
def test_a_line_whose_parts_could_be_those_of_tests_in_training_is_refused(seed: int) -> None:
    with pytest.raises(UsageError, match=f"a seed of 0 to 99999, got {seed}"):
        drawn_line(seed, BOTH, parts=40, changes=4)
    farthest = drawn_line(99_999, BOTH, parts=40, changes=4).parts[-1].episode.seed
    assert farthest + 10**4 < 3_000_000_000
