"""A log that is damaged, or that another program wrote, is refused in one line, and never half read."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcap.writer import Writer

from cellwright_runtime.envelope.reading import LogError, read_log
from cellwright_runtime.envelope.ring import Ring

HAPPENED = {"state": "stopped", "fault": "force", "detail": "31 N"}
MUTATED = 150


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ring = Ring()
    for number in range(20):
        values = {"state": "running", "blend": 1.0, "target": None, "setpoint": [0.1 * number] * 6}
        values |= {
            "tool": [1.0] * 6,
            "joints_rad": [0.5] * 6,
            "wrench": [float("nan")] * 6,
            "stages": ["slew"],
        }
        ring.add(0.002 * number, "cycle", values)
    ring.add(0.05, "happening", HAPPENED)
    path = tmp_path_factory.mktemp("logs") / "log.mcap"
    ring.write(path, {"reason": "31 N"})
    return path


def test_a_log_is_read(log: Path) -> None:
    read = read_log(log)
    assert len(read.cycles) == 20
    assert read.cycles[0]["wrench"] == [None] * 6
    assert read.happenings == [{"time_s": 0.05, **HAPPENED}]


def mutants(data: bytes, rng: random.Random) -> Iterator[bytes]:
    for _ in range(MUTATED):
        made = bytearray(data)
        for _ in range(rng.choice([1, 1, 4])):
            made[rng.randrange(len(made))] = rng.randrange(256)
        yield bytes(made)
    for _ in range(MUTATED // 3):
        at = rng.randrange(len(data))
        yield data[:at]
        yield data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:]


def test_a_damaged_log_is_one_line(log: Path, tmp_path: Path) -> None:
    path, told = tmp_path / "damaged.mcap", []
    for made in mutants(log.read_bytes(), random.Random(0)):
        path.write_bytes(made)
        try:
            read_log(path)
        except LogError as error:
            told.append(str(error))
    assert len(told) > MUTATED
    assert all(str(path) in each and "\n" not in each for each in told)


def written(path: Path, topic: str, message: Any) -> Path:
    """A log of one message, whole as a file."""
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="cellwright", library="another")
        channel = writer.register_channel(f"/{topic}", "json", 0)
        writer.add_message(channel, 0, json.dumps(message).encode(), 0)
        writer.finish()  # type: ignore[no-untyped-call]
    return path


@pytest.mark.parametrize(
    ("topic", "message", "told"),
    [
        ("happening", [], "no object with a time"),
        ("happening", {"time_s": True, **HAPPENED}, "no object with a time"),
        ("happening", {"time_s": float("nan"), **HAPPENED}, "no object with a time"),
        ("happening", {"time_s": 10**400, **HAPPENED}, "no object with a time"),
        ("happening", {"time_s": 0.0, "fault": "", "detail": ""}, "happening has a state that is none: null"),
        ("cycle", {"time_s": 0.0, "state": "armed", "tool": "\x1b\n"}, r'a tool that is none: "\u001b\n"'),
        ("happening", {"time_s": 0.0, **HAPPENED, "detail": 7}, "happening has a detail that is none: 7"),
        ("cycle", {"time_s": 0.0}, "cycle has a state that is none: null"),
        ("cycle", {"time_s": 0.0, "state": "armed", "stages": 5}, "cycle has a stages that is none: 5"),
        ("cycle", {"time_s": 0.0, "state": "armed", "tool": ["x"]}, "cycle has a tool that is none"),
        ("cycle", {"time_s": 0.0, "state": "armed", "wrench": [[1]]}, "cycle has a wrench that is none"),
        ("decision", {"time_s": 0.0, "found": [None]}, "decision has a found that is none"),
    ],
)
def test_a_message_of_another_kind_is_one_line(topic: str, message: Any, told: str, tmp_path: Path) -> None:
    path = written(tmp_path / "log.mcap", topic, message)
    with pytest.raises(LogError) as refused:
        read_log(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert told in str(refused.value)


def test_what_a_schema_lets_be_missing_may_be_missing(tmp_path: Path) -> None:
    path = written(tmp_path / "log.mcap", "cycle", {"time_s": 0.0, "state": "armed", "tool": [1, None]})
    assert read_log(path).cycles[0]["tool"] == [1, None]
