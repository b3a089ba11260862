"""What cannot work is refused in one line before the long part of a command begins."""

from pathlib import Path

import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.files.strict_toml import TomlText
from cellwright_train.cli import main
from cellwright_train.commands.deploy_controller import controller_session
from cellwright_train.errors import UsageError
from tests.policies.runtime.deployment.test_documented_cell import EXAMPLE

BUNDLE = "zoo:peg-insertion"
CELL = '[robot]\nmodel = "UR10e"\njoints = ["a"]\ndriver = "ur"\n'


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a refusal."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("limit", ["=1", "tool_speed_m_s", "tool_speed_m_s=nan", "force_n=inf", "blend_s=-1"])
def test_a_limit_that_is_none(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(["deploy", BUNDLE, "--limit", limit], capsys)
    assert told == f"cellwright: --limit takes NAME=VALUE with a value above 0, got {limit!r}\n"


@pytest.mark.parametrize("host", ["..", "a" * 70, "a b"])
def test_a_host_that_is_none(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = tmp_path / "cell.toml"
    cell.write_text(CELL)
    told = refused(["deploy", BUNDLE, "--cell", str(cell), "--host", host], capsys)
    assert told.startswith("cellwright: --host must be a name or an address, such as 192.168.0.10, got ")


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("silence_s", 0.0015, "^silence_s of 0.0015 is less than the cycle of the driver ur, 0.002 s$"),
        ("tool_speed_m_s", 1.0, "^--limit: tool_speed_m_s of 1 would loosen the declared 0.02; "),
        ("workspace_margin_m", 1.0, "^--limit: workspace_margin_m must be below 0.02126, half of the least"),
        ("colour", 1.0, "^--limit: colour is no limit that a cell can tighten; those are blend_s, "),
    ],
)
def test_a_limit_that_a_driver_or_an_envelope_cannot_keep(limit: str, value: float, told: str) -> None:
    file, bundle = CellFile(TomlText.parse(EXAMPLE, "cell.toml")), Bundle.load(zoo.path("peg-insertion"))
    with pytest.raises(UsageError, match=told):
        controller_session(
            bundle,
            file,
            "ur",
            "127.0.72.1",
            arm=True,
            lockstep=False,
            tighter={limit: value},
            logs=None,
        )


def test_logs_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "doc.toml"
    file.write_text("mine")
    for place in (file, file / "logs"):
        told = refused(["deploy", BUNDLE, "--seconds", "0.1", "--logs", str(place)], capsys)
        assert told.startswith(f"cellwright: {place} ")
    assert file.read_text() == "mine"


def test_code_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(Bundle, "load")  # nothing is generated
    told = refused(["codegen", BUNDLE, "--out", str(tmp_path)], capsys)
    assert told == f"cellwright: {tmp_path} exists; choose another directory or pass --force to replace it\n"


@pytest.mark.parametrize("name", ["/", ".", "..", ""])
def test_a_key_without_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is a directory; name what the keys are called" in refused(["keygen", name], capsys)
    assert not list(tmp_path.iterdir())
