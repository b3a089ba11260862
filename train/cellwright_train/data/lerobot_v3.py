"""The files of a LeRobot dataset, format v3.0; docs/data.md says where each field comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cellwright_perception.opencv import opencv
from cellwright_train.data.episode import ROBOT, EpisodeLayout, RecordedEpisode
from cellwright_train.data.statistics import Statistics, statistics, view_statistics

VERSION = "v3.0"
INFO, STATS, TASKS = PurePath("meta/info.json"), PurePath("meta/stats.json"), PurePath("meta/tasks.parquet")
FILES_PER_CHUNK = 1000
STATE, ACTION = "observation.state", "action"
FACTS = "cellwright"
"""The one column of the table of episodes that is ours: what repeats the episode, and its result, in JSON."""
_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_DATA_PATH, _EPISODES_PATH = f"data/{_FILE}", f"meta/episodes/{_FILE}"
_PNG_LEVEL = 6
"""As LeRobot's; OpenCV's own writes files of twice the size."""
SCALARS = {
    "next.reward": "float32",
    "next.done": "bool",
    "next.success": "bool",
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""Columns of one number a frame, with its type."""


def view_key(view: str) -> str:
    """Name of the column of a camera view."""
    return f"observation.images.{view}"


def features(layout: EpisodeLayout) -> dict[str, Any]:
    """The columns of the data, described."""
    side = layout.image_size_px
    return {
        **{
            view_key(view): {
                "dtype": "image",
                "shape": [side, side, 3],
                "names": ["height", "width", "channels"],
            }
            for view in layout.views
        },
        STATE: {"dtype": "float32", "shape": [len(layout.state)], "names": list(layout.state)},
        ACTION: {"dtype": "float32", "shape": [len(layout.actions)], "names": list(layout.actions)},
        **{name: {"dtype": dtype, "shape": [1], "names": None} for name, dtype in SCALARS.items()},
    }


def info(layout: EpisodeLayout, *, episodes: int, frames: int, tasks: int) -> dict[str, Any]:
    """The content of `meta/info.json`."""
    rate_hz = layout.rate_hz
    return {
        "codebase_version": VERSION,
        "robot_type": ROBOT,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(rate_hz) if rate_hz.is_integer() else rate_hz,
        "splits": {"train": f"0:{episodes}"},
        "data_path": _DATA_PATH,
        "video_path": None,
        "features": features(layout),
    }


def data_path(episode: int) -> PurePath:
    """Where the frames of an episode are: every episode has a file of its own."""
    return PurePath(_DATA_PATH.format(**_place(episode)))


def episode_path(episode: int) -> PurePath:
    """Where the row of an episode in the table of episodes is."""
    return PurePath(_EPISODES_PATH.format(**_place(episode)))


def _place(episode: int) -> dict[str, int]:
    chunk, file = divmod(episode, FILES_PER_CHUNK)
    return {"chunk_index": chunk, "file_index": file}


def columns(
    episode: RecordedEpisode, rate_hz: float, *, number: int, first_frame: int, task: int
) -> dict[str, NDArray[Any]]:
    """The columns but for the images (frames, components); `first_frame` counts those of episodes before."""
    frames = np.arange(len(episode))
    scalars = {
        "next.reward": episode.rewards,
        "next.done": episode.dones,
        "next.success": episode.successes,
        "timestamp": timestamps(len(episode), rate_hz),
        "frame_index": frames,
        "episode_index": np.full(len(episode), number),
        "index": first_frame + frames,
        "task_index": np.full(len(episode), task),
    }
    named = {name: scalars[name].astype(dtype)[:, np.newaxis] for name, dtype in SCALARS.items()}
    return {STATE: episode.state, ACTION: episode.actions, **named}


def timestamps(frames: int, rate_hz: float) -> NDArray[np.float32]:
    """Time of each frame [s] since the first one."""
    return (np.arange(frames) / rate_hz).astype(np.float32)


def data_table(views: Mapping[str, NDArray[np.uint8]], numbers: Mapping[str, NDArray[Any]]) -> pa.Table:
    """The frames of an episode: `views` (frames, H, W) by name, and the other columns."""
    table = pa.table(
        {view_key(view): _pictures(grey) for view, grey in views.items()}
        | {name: _numbers(values) for name, values in numbers.items()}
    )
    kinds = {field.name: _kind(field.type) for field in table.schema}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": kinds}})})


def _kind(column: pa.DataType) -> dict[str, Any]:
    """A type as the library `datasets` names it, so that it shows pictures as such."""
    if pa.types.is_struct(column):
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(column):
        return {"_type": "List", "feature": _kind(column.value_type), "length": column.list_size}
    return {"_type": "Value", "dtype": {"float": "float32"}.get(f"{column}", f"{column}")}


def _pictures(grey: NDArray[np.uint8]) -> pa.Array:
    """PNG files in three equal colours, as LeRobot takes no other number of them."""
    cv2 = opencv()
    smaller = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    coloured = (np.repeat(image[:, :, np.newaxis], 3, axis=2) for image in grey)
    data = [cv2.imencode(".png", image, smaller)[1].tobytes() for image in coloured]
    names = pa.nulls(len(data), pa.string())
    return pa.StructArray.from_arrays([pa.array(data, pa.binary()), names], names=["bytes", "path"])


def grey_values(picture: bytes) -> NDArray[np.uint8]:
    """The view (H, W) of a PNG file; raises ValueError where it is no picture."""
    cv2 = opencv()
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("a frame is no picture")
    return np.ascontiguousarray(decoded[:, :, 0])


def _numbers(values: NDArray[Any]) -> pa.Array:
    flat, size = pa.array(values.ravel()), values.shape[1]
    return flat if size == 1 else pa.FixedSizeListArray.from_arrays(flat, size)


def episode_statistics(
    views: Mapping[str, NDArray[np.uint8]], numbers: Mapping[str, NDArray[Any]]
) -> dict[str, Statistics]:
    """Statistics of every column of an episode."""
    seen = {view_key(view): view_statistics(grey) for view, grey in views.items()}
    return seen | {name: statistics(values) for name, values in numbers.items()}


def episode_table(
    episode: RecordedEpisode, found: Mapping[str, Statistics], *, number: int, first_frame: int
) -> pa.Table:
    """The row of an episode in the table of episodes."""
    place = _place(number)
    row = {
        "episode_index": number,
        "tasks": [episode.task],
        "length": len(episode),
        "data/chunk_index": place["chunk_index"],
        "data/file_index": place["file_index"],
        "dataset_from_index": first_frame,
        "dataset_to_index": first_frame + len(episode),
        **{
            f"stats/{column}/{name}": value.tolist()
            for column, values in found.items()
            for name, value in values.items()
        },
        "meta/episodes/chunk_index": place["chunk_index"],
        "meta/episodes/file_index": place["file_index"],
        FACTS: json.dumps(episode.facts, allow_nan=False),
    }
    return pa.table({name: [value] for name, value in row.items()})


def tasks_table(tasks: Sequence[str]) -> pa.Table:
    """The tasks by their number, which pandas reads with the text as index, as LeRobot expects it."""
    index = "__index_level_0__"
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), index: pa.array(tasks)})
    described = [
        {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, field, kind, numpy in (
            ("task_index", "task_index", "int64", "int64"),
            (None, index, "unicode", "object"),
        )
    ]
    for_pandas = {"index_columns": [index], "column_indexes": [], "columns": described}
    return table.replace_schema_metadata({"pandas": json.dumps(for_pandas)})


def read_tasks(table: pa.Table) -> tuple[str, ...]:
    """The tasks in the order of their numbers."""
    texts = next(name for name in table.column_names if name != "task_index")
    pairs = sorted(zip(table["task_index"].to_pylist(), table[texts].to_pylist(), strict=True))
    return tuple(text for _, text in pairs)
