"""A baseline is text that shows what changed, and whole at every moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_runtime.files.reading import FileError
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output
from cellwright_train.regression import baseline as module
from cellwright_train.regression.baseline import Baseline, Part, Record, rounded
from cellwright_train.regression.tape import Tape


def tape(steps: int = 4, seed: int = 0) -> Tape:
    rng = np.random.default_rng(seed)
    return Tape(
        actions=rng.uniform(-1, 1, (steps, 2)).astype(np.float32),
        hashes={name: rng.integers(0, 2**32, steps + 1) for name in ("image", "pose")},
        conditions="0123456789abcdef",
        probes={"image": rng.integers(0, 255, (2, 1, 3, 3)).astype(np.uint8)},
        probe_steps=(0, 3),
    )


def record(parts: int = 3, seed: int = 0) -> Record:
    return Record(
        env="cellwright/PegInsertion-v1",
        policy="oracle",
        policy_sha256="oracle",
        scenario="fedcba9876543210",
        graded_by="",
        measures=("lateral_mm", "cycle_time_s"),
        parts=tuple(
            Part(conditions=f"{i:016x}", good=i % 2 == 0, values=(0.125 * i, None if i % 2 else 2.5))
            for i in range(parts)
        ),
        tape=tape(seed=seed),
    )


def baseline(**records: Record) -> Baseline:
    return Baseline(suite="cells", cellwright="0.1.0", reason="first", records=records or {"peg": record()})


def write(made: Baseline, path: Path) -> None:
    with Output(path) as output:
        made.write(output)


def same(a: Baseline, b: Baseline) -> None:
    assert (a.suite, a.cellwright, a.reason, list(a.records)) == (
        b.suite,
        b.cellwright,
        b.reason,
        list(b.records),
    )
    for name, first in a.records.items():
        second = b.records[name]
        for field in Record.__dataclass_fields__:
            if field != "tape":
                assert getattr(first, field) == getattr(second, field)
        np.testing.assert_array_equal(first.tape.actions, second.tape.actions)
        assert (first.tape.conditions, first.tape.probe_steps) == (
            second.tape.conditions,
            second.tape.probe_steps,
        )
        for mine, theirs in (
            (first.tape.hashes, second.tape.hashes),
            (first.tape.probes, second.tape.probes),
        ):
            assert set(mine) == set(theirs)
            for group in mine:
                np.testing.assert_array_equal(mine[group], theirs[group])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = baseline(peg=record(), weld=record(1, seed=3))
    write(made, tmp_path / "suite.json")
    same(Baseline.read(tmp_path / "suite.json"), made)


def test_equal_baselines_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(baseline(), tmp_path / name / "suite.json")
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir()} for n in ("a", "b"))
    assert first == second


def test_a_part_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    write(baseline(peg=record(3)), path)
    before = path.read_text().splitlines()
    assert '    ["0000000000000001",false,[0.125,null]],' in before
    write(baseline(peg=record(4)), path)
    after = path.read_text().splitlines()
    changed = [line for line in after if line.rstrip(",") not in {other.rstrip(",") for other in before}]
    assert changed == ['    ["0000000000000003",false,[0.375,null]]']


def test_the_tapes_that_are_replaced_go_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "suite.json"
    write(baseline(peg=record(seed=0)), path)
    (old,) = tmp_path.glob("*.npz")
    (tmp_path / "suite-of-others.npz").touch()

    def full(self: Output, data: bytes) -> None:
        raise UsageError("full")

    with monkeypatch.context() as patched, Output(path) as output:
        patched.setattr(output, "write", full.__get__(output))
        with pytest.raises(UsageError, match="full"):
            baseline(peg=record(seed=1)).write(output)
    same(Baseline.read(path), baseline(peg=record(seed=0)))
    write(baseline(peg=record(seed=1)), path)
    assert not old.exists()
    assert (tmp_path / "suite-of-others.npz").exists()
    same(Baseline.read(path), baseline(peg=record(seed=1)))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write(baseline(), tmp_path / "suite.json")
    return tmp_path / "suite.json"


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("schema"), "no whole number as schema"),
        (lambda d: d.update(schema="1"), "no whole number as schema"),
        (lambda d: d.update(schema=2), "has schema 2, this cellwright reads up to 1; update it"),
        (lambda d: d.update(schema=0), "has schema 0"),
        (lambda d: d.update(extra=1), "`extra`"),
        (lambda d: d.pop("suite"), "`suite`"),
        (lambda d: d["scenarios"]["peg"].pop("parts"), "`parts`"),
        (lambda d: d["scenarios"]["peg"]["parts"][1].append(3), r"\[\.\.\.\]\.parts\[1\]"),
        (lambda d: d["scenarios"]["peg"]["parts"][1].__setitem__(1, 1), r"parts\[1\]\[1\]"),
        (lambda d: d["scenarios"]["peg"]["parts"][2][2].pop(), "peg part 2 has 1 values, for 2 measures"),
        (lambda d: d.update(tapes="../suite.npz"), "tapes in another directory"),
    ],
)
def test_what_is_no_baseline_is_refused_in_one_line(written: Path, change: Any, message: str) -> None:
    rewritten(written, change)
    with pytest.raises(UsageError, match=message) as refused:
        Baseline.read(written)
    assert "\n" not in str(refused.value)
    assert str(written) in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["scenarios"].update(other=d["scenarios"]["peg"]), "does not belong"),
        (lambda d: d["scenarios"]["peg"].update(probe_steps=[1]), "peg has not 1 observations"),
    ],
)
def test_tapes_of_another_baseline_are_refused(written: Path, change: Any, message: str) -> None:
    rewritten(written, change)
    with pytest.raises(UsageError, match=message):
        Baseline.read(written)


def test_missing_and_cut_off_files_are_named(written: Path) -> None:
    (tapes,) = written.parent.glob("*.npz")
    whole = tapes.read_bytes()
    tapes.write_bytes(whole[:-20])
    with pytest.raises(FileError, match=f"{tapes.name} is not an npz"):
        Baseline.read(written)
    tapes.unlink()
    with pytest.raises(FileError, match=f"{tapes.name} is missing"):
        Baseline.read(written)
    written.write_bytes(written.read_bytes()[:-9])
    with pytest.raises(FileError, match="is not JSON"):
        Baseline.read(written)


def test_altered_tapes_are_refused(written: Path) -> None:
    (tapes,) = written.parent.glob("*.npz")
    other = written.parent / "other" / "other.json"
    other.parent.mkdir()
    write(baseline(peg=record(seed=5)), other)
    (theirs,) = other.parent.glob("*.npz")
    tapes.write_bytes(theirs.read_bytes())
    with pytest.raises(UsageError, match="its name says another hash"):
        Baseline.read(written)


def test_only_the_tapes_that_are_replaced_are_removed(written: Path) -> None:
    (old,) = written.parent.glob("*.npz")
    mine = [written.with_name(f"{written.stem}-{word}.npz") for word in ("measured", "0123abcd")]
    for file in mine:
        file.write_bytes(b"precious")
    write(baseline(peg=record(seed=5)), written)
    assert not old.exists()
    assert [file.read_bytes() for file in mine] == [b"precious"] * 2
    assert Baseline.read(written).records["peg"].tape.actions is not None


def test_an_older_schema_is_migrated(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(data: dict[str, Any]) -> dict[str, Any]:
        return {
            **{key: value for key, value in data.items() if key != "why"},
            "reason": data["why"],
            "schema": 1,
        }

    rewritten(written, lambda d: d.update(schema=0, why=d.pop("reason")))
    monkeypatch.setitem(module._MIGRATIONS, 0, renamed)
    same(Baseline.read(written), baseline())


def test_values_are_kept_with_six_digits() -> None:
    assert rounded(None) is None
    assert (rounded(1 / 3), rounded(123456.789), rounded(1.5)) == (0.333333, 123457.0, 1.5)
