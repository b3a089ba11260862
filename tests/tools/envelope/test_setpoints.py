"""No setpoint of an adversary is outside of what was declared; the check would see one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tools.envelope import plain
from tools.envelope.__main__ import main
from tools.envelope.adversaries import POLICIES
from tools.envelope.setpoints import Count, attack, limits


def after(kind: str, setpoints: int, **declared: object) -> Count:
    *_, count = attack(kind, setpoints, 7, **declared)  # type: ignore[arg-type]
    return count


@pytest.mark.parametrize(("kind", "setpoints"), [("pose", 24_000), ("joints", 16_000)])
def test_adversaries_stay_inside(kind: str, setpoints: int) -> None:
    count = after(kind, setpoints)
    assert count.setpoints == setpoints
    assert not any(count.outside.values()), count
    assert set(count.runs) <= set(POLICIES)
    assert len(count.runs) > 3
    assert count.interventions > setpoints // 2
    for name in ("position", "acceleration", "jerk", "workspace"):
        assert count.largest[name] > 0.9, (name, count.largest)


@pytest.mark.parametrize("name", ["velocity", "jerk"])
def test_a_setpoint_outside_would_be_counted(name: str) -> None:
    allowed = limits()
    stricter = replace(allowed.tool, **{name: tuple(0.9 * each for each in getattr(allowed.tool, name))})
    count = after("pose", 4_000, declared=replace(allowed, tool=stricter))
    assert count.outside[name] > 0


def test_adversaries_stay_inside_in_c() -> None:
    *_, count = plain.attack(20_000, 7)
    assert count.setpoints == 20_000
    assert not any(count.outside.values()), count
    assert count.interventions > 10_000
    for name in ("position", "velocity", "acceleration", "jerk", "workspace", "plane", "tool speed"):
        assert count.largest[name] > 0.9, (name, count.largest)


def test_a_count_goes_on_where_it_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(count: int, name: str, *more: str) -> int:
        told = ["setpoints", "--count", str(count), "--kind", "c", "--json", str(tmp_path / name), *more]
        monkeypatch.setattr("sys.argv", ["envelope", *told])
        return main()

    for count in (4_000, 10_000):
        assert run(count, "in-two.json") == 0
    assert run(10_000, "at-once.json") == 0
    in_two, at_once = (json.loads((tmp_path / f"{each}.json").read_text()) for each in ("in-two", "at-once"))
    assert {**in_two, "seconds": 0} == {**at_once, "seconds": 0}
    with pytest.raises(SystemExit, match=r"counts .*'seed': 0}, not .*'seed': 1}; give another file"):
        run(10_000, "in-two.json", "--seed", "1")
