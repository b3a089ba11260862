"""What cannot work is refused in one line before the long part of a command begins."""

from pathlib import Path

import pytest

from cellwright_train.cli import main

BUNDLE = "zoo:peg-insertion"


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a refusal."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_logs_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "doc.toml"
    file.write_text("mine")
    for place in (file, file / "logs"):
        told = refused(["deploy", BUNDLE, "--arm", "--logs", str(place)], capsys)
        assert told.startswith(f"cellwright: {place} ")
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["/", ".", "..", ""])
def test_a_key_without_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is a directory; name what the keys are called" in refused(["keygen", name], capsys)
    assert not list(tmp_path.iterdir())
