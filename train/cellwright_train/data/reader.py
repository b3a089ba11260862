"""A dataset of recorded episodes, read and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cellwright_train.data import lerobot_v3 as lerobot
from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode
from cellwright_train.data.statistics import Statistics
from cellwright_train.errors import UsageError, one_line


@dataclass(frozen=True, kw_only=True)
class Row:
    """An episode in the table of episodes."""

    length: int
    first_frame: int
    """Number of frames in the episodes before."""
    task: str
    facts: Mapping[str, Any]
    """As in `RecordedEpisode`."""

    @property
    def made_by(self) -> Mapping[str, str]:
        """What decided the episode besides its seed."""
        return dict(self.facts["made_by"])

    @property
    def seed(self) -> int:
        """What its cell was reset with."""
        return int(self.facts["result"]["seed"])


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset that `cellwright record` wrote, with its tables; frames are read on demand."""

    directory: Path
    layout: EpisodeLayout
    tasks: tuple[str, ...]
    rows: tuple[Row, ...]
    statistics: Mapping[str, Statistics]

    @classmethod
    def open(cls, directory: Path, layout: EpisodeLayout) -> Self:
        """The dataset in `directory`, with episodes of a cell of this layout.

        Raises `UsageError` where there is none, where it is of another cell, and where a total is wrong.
        """
        with _reading(directory):
            info = json.loads((directory / lerobot.INFO).read_bytes())
            statistics = json.loads((directory / lerobot.STATS).read_bytes())
            dataset = cls(
                directory=directory,
                layout=layout,
                tasks=lerobot.read_tasks(_table(directory / lerobot.TASKS)),
                rows=tuple(_row(directory, number) for number in range(info["total_episodes"])),
                statistics={
                    column: {name: np.array(value) for name, value in values.items()}
                    for column, values in statistics.items()
                },
            )
            dataset._require(info)
        return dataset

    def episode(self, number: int) -> RecordedEpisode:
        """All frames of an episode; raises `UsageError` where they are not what the tables say."""
        path, row = self.directory / lerobot.data_path(number), self.rows[number]
        with _reading(path):
            table = _table(path)
            read = {name: _numbers(table[name]) for name in (lerobot.STATE, lerobot.ACTION, *lerobot.SCALARS)}
            views = [_view(table[lerobot.view_key(view)]) for view in self.layout.views]
            episode = RecordedEpisode(
                images=np.stack(views, axis=1),
                state=read[lerobot.STATE],
                actions=read[lerobot.ACTION],
                rewards=read["next.reward"][:, 0],
                dones=read["next.done"][:, 0],
                successes=read["next.success"][:, 0],
                task=row.task,
                facts=row.facts,
            )
            right = lerobot.columns(
                episode,
                self.layout.rate_hz,
                number=number,
                first_frame=row.first_frame,
                task=self.tasks.index(row.task),
            )
            if wrong := [name for name, values in right.items() if not np.array_equal(values, read[name])]:
                raise ValueError(f"{wrong[0]} is not what it has to be in episode {number}")
            if len(episode) != row.length:
                raise ValueError(f"episode {number} has {len(episode)} frames, not {row.length}")
        return episode

    def _require(self, info: Mapping[str, Any]) -> None:
        """Raise ValueError where `meta/info.json` is not that of these episodes."""
        first_frame = 0
        for number, row in enumerate(self.rows):
            if row.first_frame != first_frame:
                raise ValueError(f"episode {number} begins at frame {row.first_frame}, not {first_frame}")
            first_frame += row.length
        right = lerobot.info(self.layout, episodes=len(self.rows), frames=first_frame, tasks=len(self.tasks))
        for name, value in right.items():
            if info.get(name) != value:
                raise ValueError(f"{lerobot.INFO} says {name} otherwise than its {len(self.rows)} episodes")
        if (counted := int(self.statistics["index"]["count"][0])) != first_frame:
            raise ValueError(f"{lerobot.STATS} is of {counted} frames, not {first_frame}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Tell what is wrong with `path` in one line."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {one_line(error)}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as error:
        raise UsageError(f"{path} is no data of such episodes: {one_line(error)}") from error


def _table(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)


def _row(directory: Path, number: int) -> Row:
    (row,) = _table(directory / lerobot.episode_path(number)).to_pylist()
    (task,) = row["tasks"]
    found = Row(
        length=row["length"],
        first_frame=row["dataset_from_index"],
        task=task,
        facts=json.loads(row[lerobot.FACTS]),
    )
    if found.seed < 0 or not found.made_by:
        raise ValueError(f"episode {number} does not say what made it")
    return found


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column (frames, components)."""
    whole = column.combine_chunks()
    flat = whole.flatten() if pa.types.is_fixed_size_list(whole.type) else whole
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(whole), -1)


def _view(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """The grey values (frames, H, W) of a column of pictures."""
    return np.stack([lerobot.grey_values(picture["bytes"]) for picture in column.to_pylist()])
