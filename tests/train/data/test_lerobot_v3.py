"""The layout of a dataset, as code that nobody here wrote reads it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_doctor.dataset_loader import load_local
from lerobot_doctor.runner import Severity, run_checks
from rerun.experimental import LeRobotReader

from cellwright_train.data import lerobot_v3 as lerobot
from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode
from cellwright_train.data.writer import DatasetWriter
from tools.recorder_kills import structural_remarks

Make = Callable[[int], RecordedEpisode]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, layout: EpisodeLayout, episode: Make) -> Path:
    directory = tmp_path_factory.mktemp("dataset") / "data"
    with DatasetWriter(directory, layout) as writer:
        for number in range(3):
            writer.add(episode(number))
    return directory


def test_the_doctor_has_no_remark_about_its_structure(dataset: Path) -> None:
    assert structural_remarks(dataset) == []
    report = run_checks(load_local(dataset))
    assert (report.format_version, report.total_episodes, report.total_frames) == ("v3", 3, 15)


def test_the_doctor_finds_nothing_that_fails_and_all_statistics(dataset: Path) -> None:
    report = run_checks(load_local(dataset))
    assert report.overall_severity is not Severity.FAIL
    said = [message.message for result in report.results for message in result.messages]
    assert "All episode lengths match metadata" in said
    assert not [text for text in said if "not in stats.json" in text or "No stats.json" in text]


def test_the_doctor_finds_what_is_broken(dataset: Path, tmp_path: Path) -> None:
    """The checks above are worth something: they do see a wrong total."""
    for path in dataset.rglob("*"):
        if path.is_file():
            (copy := tmp_path / path.relative_to(dataset)).parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    info = json.loads((tmp_path / lerobot.INFO).read_text())
    (tmp_path / lerobot.INFO).write_text(json.dumps(info | {"total_episodes": 2}))
    assert len(structural_remarks(tmp_path)) == 1


def test_files_and_columns_have_the_names_and_types_of_the_format(dataset: Path) -> None:
    """As LeRobot 0.4.4 writes them; docs/data.md says how that was compared."""
    files = sorted(str(path.relative_to(dataset)) for path in dataset.rglob("*") if path.is_file())
    numbers = [f"chunk-000/file-00{number}.parquet" for number in range(3)]
    assert files == [
        *(f"data/{number}" for number in numbers),
        *(f"meta/episodes/{number}" for number in numbers),
        *("meta/info.json", "meta/stats.json", "meta/tasks.parquet"),
    ]
    schema = pq.read_schema(dataset / lerobot.data_path(0))
    picture = "struct<bytes: binary, path: string>"
    assert {field.name: str(field.type) for field in schema} == {
        "observation.images.hand": picture,
        "observation.images.fixed": picture,
        "observation.state": "fixed_size_list<element: float>[3]",
        "action": "fixed_size_list<element: float>[2]",
        "next.reward": "float",
        "next.done": "bool",
        "next.success": "bool",
        "timestamp": "float",
        "frame_index": "int64",
        "episode_index": "int64",
        "index": "int64",
        "task_index": "int64",
    }
    kinds = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(kinds) == schema.names
    assert kinds["observation.images.hand"] == {"_type": "Image"}
    assert kinds["action"]["feature"] == kinds["next.reward"] == {"_type": "Value", "dtype": "float32"}
    row = pq.read_schema(dataset / lerobot.episode_path(0))
    assert row.names[:7] == [
        *("episode_index", "tasks", "length", "data/chunk_index", "data/file_index"),
        *("dataset_from_index", "dataset_to_index"),
    ]
    assert str(row.field("stats/next.done/min").type) == "list<element: bool>"
    assert str(row.field("stats/observation.images.hand/mean").type).count("list<") == 3
    info = json.loads((dataset / lerobot.INFO).read_text())
    assert list(info["features"]) == schema.names
    assert info["features"]["observation.state"]["names"] == ["pose.x", "pose.y", "limit.force"]


def test_rerun_reads_every_episode(dataset: Path) -> None:
    """A second reader that nobody here wrote. It leaves booleans out."""
    reader = LeRobotReader(dataset)
    assert reader.version == "v3"
    lengths = {0: 4, 1: 5, 2: 6}
    assert reader.episodes() == list(lengths)
    for number, length in lengths.items():
        rows = {str(chunk.entity_path): chunk.num_rows for chunk in reader.stream(number)}
        assert rows["/observation.images.fixed"] == rows["/action"] == rows["/next.reward"] == length


def test_files_are_numbered_by_thousands() -> None:
    assert str(lerobot.data_path(999)) == "data/chunk-000/file-999.parquet"
    assert str(lerobot.episode_path(2001)) == "meta/episodes/chunk-002/file-001.parquet"


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 1.0 / 0.048])
def test_times_are_whole_periods_to_a_millionth_of_a_second_for_half_a_minute(rate_hz: float) -> None:
    frames = int(32 * rate_hz)
    found = lerobot.timestamps(frames, rate_hz).astype(np.float64)
    np.testing.assert_allclose(found, np.arange(frames) / rate_hz, rtol=0, atol=1e-6)


def test_a_rate_that_is_no_whole_number_stays_as_it_is(layout: EpisodeLayout) -> None:
    def fps(rate_hz: float) -> object:
        other = EpisodeLayout(**{**vars(layout), "rate_hz": rate_hz})
        return lerobot.info(other, episodes=1, frames=1, tasks=1)["fps"]

    assert json.dumps([fps(20.0), fps(1.0 / 0.048)]) == "[20, 20.833333333333332]"
