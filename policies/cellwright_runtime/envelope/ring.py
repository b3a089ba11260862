"""The last seconds, kept in memory and written as MCAP whenever the robot stops."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SECONDS = 30.0
_NUMBERS = {"type": "array", "items": {"type": ["number", "null"]}}
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_TEXTS = {"type": "array", "items": _TEXT}
SCHEMAS: dict[str, dict[str, Any]] = {
    "cycle": {
        "state": _TEXT,
        "blend": _NUMBER,
        "target": _NUMBERS,
        "setpoint": _NUMBERS,
        "tool": _NUMBERS,
        "joints_rad": _NUMBERS,
        "wrench": _NUMBERS,
        "stages": _TEXTS,
    },
    "decision": {"preclip": _NUMBERS, "action": _NUMBERS, "command": _NUMBERS, "found": _TEXTS},
    "happening": {"state": _TEXT, "fault": _TEXT, "detail": _TEXT},
}
"""Topics, and the fields of their messages: JSON objects with `time_s` and these. Poses (6,) are [m] and
rotation vectors [rad] in the base frame, wrenches [N] and [N m] in the tool frame, setpoints what the driver
takes. A number that is not finite is null."""


class Ring:
    """Messages of the last `SECONDS` by topic, in the order of their times."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._kept: deque[tuple[float, str, Mapping[str, Any]]] = deque()

    def add(self, time_s: float, topic: str, message: Mapping[str, Any]) -> None:
        """Keep a message; its values are read only when they are written, so give none that changes."""
        if topic not in SCHEMAS:
            raise ValueError(f"no topic {topic!r}; there are: {', '.join(SCHEMAS)}")
        kept = self._kept
        kept.append((time_s, topic, message))
        while kept[0][0] < time_s - self.seconds:
            kept.popleft()

    def __len__(self) -> int:
        return len(self._kept)

    def write(self, path: Path, about: Mapping[str, str]) -> None:
        """Write everything that is kept to `path`, whole or not at all; `about` says what it is a log of.

        Raises OSError where that is not possible, and ModuleNotFoundError without the package mcap.
        """
        from mcap.writer import Writer

        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            writer = Writer(file)
            writer.start(profile="cellwright", library="cellwright")
            channels = {}
            for topic, fields in SCHEMAS.items():
                schema = {"type": "object", "properties": {"time_s": _NUMBER, **fields}}
                identifier = writer.register_schema(f"cellwright.{topic}", "jsonschema", _json(schema))
                channels[topic] = writer.register_channel(f"/{topic}", "json", identifier)
            writer.add_metadata("about", dict(about))
            for number, (time_s, topic, message) in enumerate(list(self._kept)):
                nanoseconds = max(0, round(1e9 * time_s))
                data = _json({"time_s": time_s, **{name: _plain(each) for name, each in message.items()}})
                writer.add_message(channels[topic], nanoseconds, data, nanoseconds, number)
            writer.finish()  # type: ignore[no-untyped-call]
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def next_number(directory: Path) -> int:
    """The number after the largest of the logs in `directory`, whose names are those of `log_name`."""
    found = (re.match(r"stop-(\d+)-", path.name) for path in directory.iterdir())
    return 1 + max((int(each[1]) for each in found if each), default=0)


def log_name(number: int, reason: str) -> str:
    """Name of the file for the stop `number`: words of its reason, in letters that every system takes."""
    words = re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-")[:40].strip("-")
    return f"stop-{number:03d}-{words or 'unknown'}.mcap"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """Of numbers, lists and arrays, with null for what is not finite."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(each) for each in value]
    raise TypeError(f"a log holds no {type(value).__name__}")
