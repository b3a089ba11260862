"""Results are written complete or not at all, and what cannot be written is said before the work."""

import errno
import os
import stat
from pathlib import Path

import pytest

import cellwright_train
from cellwright_train.cli import main
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output, require_new_directory, reserved, write_directory

LONG = "n" * 300


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to keep a file apart until it is complete."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")


@pytest.mark.usefixtures("way")
def test_a_file_is_replaced_when_it_is_complete_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("before")
    target.chmod(0o640)
    with Output(target) as output:
        assert target.read_text() == "before"
        output.write(b"after")
    assert target.read_text() == "after"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("way")
def test_work_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Output(tmp_path / "a.json"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("way")
def test_a_disk_that_fills_meanwhile_costs_nothing_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.json"
    target.write_text("before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Output(target) as output:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match=r"a\.json cannot be written: No space left"):
            output.write(b"after")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_room_is_set_aside_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, first: int, count: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        Output(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    Output(tmp_path / "link").write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_a_device_is_written_as_it_is() -> None:
    Output(Path("/dev/null")).write(b"x")
    with pytest.raises(UsageError, match="/dev/full cannot be written: No space left"):
        Output(Path("/dev/full")).write(b"x")


def test_two_results_go_to_two_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name two files"), reserved(tmp_path / "a", tmp_path / "." / "a"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (LONG, "File name too long"),
        ("missing/a.json", "is no directory"),
        (".", "is a directory; name a file"),
        ("/sys/a.json", "cannot be written"),
        ("a\udcff.json", "is not UTF-8"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        "evaluate oracle --json",
        "evaluate oracle --report",
        "bench --json",
        "demo --out",
        "watch oracle --out",
    ],
)
def test_a_target_that_cannot_be_written_is_refused_before_the_work(
    command: str, name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{name}.gif" if "watch" in command and name != "." else name
    told = "ends in nothing" if "watch" in command and name == "." else told
    assert main([*command.split(), str(tmp_path / name) if name[0] != "." else str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert (output.err.count("\n"), output.out) == (1, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [LONG, "/sys/bundle", "run\udcff"])
def test_a_directory_that_cannot_be_made_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "debug", "--run-dir", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    if "\udcff" not in name:
        with pytest.raises(UsageError, match="cannot be written"):
            require_new_directory(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_directory_appears_with_all_its_files_and_replaces_only_what_is_asked_for(tmp_path: Path) -> None:
    target, first = tmp_path / "deep" / "code", {"a.c": b"one", "b.c": b"two"}
    write_directory(target, first, force=False)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == first
    with pytest.raises(UsageError, match="code exists; choose another directory or pass --force"):
        write_directory(target, {"a.c": b"new"}, force=False)
    with pytest.raises(UsageError, match=r"code holds b\.c, which would be lost"):
        write_directory(target, {"a.c": b"new"}, force=True)
    write_directory(target, {"a.c": b"new", "b.c": b"", "c.c": b""}, force=True)
    assert (target / "a.c").read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["code"]


def test_a_directory_that_cannot_be_replaced_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "code"
    write_directory(target, {"a.c": b"one"}, force=False)
    replace = os.replace

    def broken(source: Path, to: Path) -> None:
        if Path(source).name == "new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, to)

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(UsageError, match="code cannot be written: Input/output error"):
        write_directory(target, {"a.c": b"two"}, force=True)
    assert (target / "a.c").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["code"]
    with pytest.raises(UsageError, match=r"a\.c is a file; name a directory"):
        write_directory(target / "a.c", {"a.c": b"two"}, force=True)


@pytest.mark.parametrize(
    "command",
    [
        ["replay", "{read}", "--report", "{read}"],
        ["calibrate", "pictures", "--columns", "7", "--rows", "6", "--square-m", "0.02", "--name", "a"],
        ["shift", "{read}", "--policies", "oracle", "--json", "{read}"],
        ["shift", "{read}", "--policies", "oracle", "--report", "{read}"],
        ["adapt", "zoo:peg-insertion", "--line", "{read}", "--json", "{read}"],
        ["evaluate", "oracle", "--scenario", "{read}", "--json", "{read}"],
    ],
    ids=["replay", "calibrate", "shift --json", "shift --report", "adapt", "evaluate"],
)
def test_no_command_writes_over_what_it_reads(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "read.toml"
    name = command[0]
    source = {"evaluate": "scenarios/shipped/peg-hard.toml"}.get(name, "lines/shipped/peg-shift.toml")
    file.write_bytes((Path(cellwright_train.__file__).parent / source).read_bytes())
    before = file.read_bytes()
    words = [word.format(read=file) for word in command]
    if name == "calibrate":
        words += ["--poses", str(file), "--out", str(file), "--mounted-on", "flange"]
    assert main(words) == 2
    assert "is read by this command and would be lost" in capsys.readouterr().err
    assert file.read_bytes() == before
