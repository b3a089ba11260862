"""The last seconds as MCAP, read back by the format's own reader."""

import json
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from cellwright_runtime.envelope.ring import SECONDS, Ring, log_name, next_number


def cycle(number: int) -> dict:
    return {
        "state": "running",
        "blend": 1.0,
        "target": None,
        "setpoint": np.array([0.1 * number, float("nan"), 0.0, 0.0, 0.0, 0.0]),
        "tool": [1.0] * 6,
        "joints_rad": (0.5,) * 6,
        "wrench": None,
        "stages": frozenset({"slew"}),
    }


def test_a_log_is_read_back_by_the_reader_of_its_format(tmp_path: Path) -> None:
    ring = Ring()
    for number in range(5):
        ring.add(2.0 + 0.002 * number, "cycle", cycle(number))
    ring.add(2.009, "happening", {"state": "stopped", "fault": "force", "detail": "31 N"})
    ring.write(tmp_path / "log.mcap", {"bundle": "peg-insertion"})
    assert [each.name for each in tmp_path.iterdir()] == ["log.mcap"]
    with (tmp_path / "log.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "cellwright"
        assert [(each.name, each.metadata) for each in reader.iter_metadata()] == [
            ("about", {"bundle": "peg-insertion"})
        ]
        read = [
            (schema.encoding, channel.topic, message.log_time, json.loads(message.data))
            for schema, channel, message in reader.iter_messages()
        ]
    assert [topic for _, topic, _, _ in read] == ["/cycle"] * 5 + ["/happening"]
    assert {encoding for encoding, _, _, _ in read} == {"jsonschema"}
    assert [time for _, _, time, _ in read[:2]] == [2_000_000_000, 2_002_000_000]
    assert read[3][3]["setpoint"][:2] == [pytest.approx(0.3), None]
    assert read[0][3]["wrench"] is None
    assert read[5][3] == {"time_s": 2.009, "state": "stopped", "fault": "force", "detail": "31 N"}


def test_only_the_last_seconds_are_kept() -> None:
    ring = Ring()
    for number in range(5000):
        ring.add(0.01 * number, "cycle", cycle(number))
    assert len(ring) == pytest.approx(SECONDS / 0.01, abs=2)


def test_a_log_that_cannot_be_written_leaves_nothing_behind_under_its_name(tmp_path: Path) -> None:
    ring = Ring()
    ring.add(1.0, "happening", {"state": object(), "fault": "", "detail": ""})
    with pytest.raises(TypeError, match="a log holds no object"):
        ring.write(tmp_path / "log.mcap", {})
    assert not (tmp_path / "log.mcap").exists()
    with pytest.raises(ValueError, match="no topic 'images'"):
        ring.add(1.0, "images", {})


def test_a_log_is_named_after_its_reason() -> None:
    assert log_name(3, "force or torque above its limit: 31 N") == (
        "stop-003-force-or-torque-above-its-limit-31-n.mcap"
    )
    assert log_name(12, "Über/..\\") == "stop-012-ber.mcap"
    assert log_name(1, "") == "stop-001-unknown.mcap"


def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    assert next_number(tmp_path) == 1
    for name in ("stop-002-force.mcap", "stop-003-force.mcap", "stop-x-force.mcap", "notes"):
        (tmp_path / name).touch()
    assert next_number(tmp_path) == 4
    (tmp_path / log_name(999, "a")).touch()
    (tmp_path / f"{log_name(1000, 'a')}.partial").touch()
    assert next_number(tmp_path) == 1001
