"""The cell's file of the documentation, and what of one like it is refused in one line."""

import re
from pathlib import Path

import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.deployment.insertion import part_of
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.files.strict_toml import TomlText

PAGE = Path("docs/cell-file.md").read_text()
EXAMPLE = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
PEG = Bundle.load(zoo.path("peg-insertion"))


def read(text: str) -> CellFile:
    return CellFile(TomlText.parse(text, "cell.toml"))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "force_limit_n",
            "900.0",
            "is 900; this policy was trained with parts that bear 20 to 30 N: write 30",
        ),
        ("force_limit_n", "31.0", "is 31; this policy was trained with parts that bear 20 to 30 N: write 30"),
        ("force_limit_n", "19.0", "is 19; this policy was trained with parts that bear 20 to 30 N: one that"),
        ("depth_m", "0.4", "is 0.4; this policy goes in 0.034 m at most: a deeper part needs another"),
        ("depth_m", "0.035", "is 0.035; this policy goes in 0.034 m at most"),
    ],
)
def test_a_part_beyond_the_training_is_one_line(key: str, value: str, told: str) -> None:
    file = read(re.sub(rf"^{key} = .*$", f"{key} = {value}", EXAMPLE, flags=re.MULTILINE))
    with pytest.raises(FileError, match=rf"^cell.toml:\d+: part, {key}: {re.escape(told)}"):
        part_of(file, PEG.spec.controller)


def test_addresses_of_a_coupler_may_be_large() -> None:
    assert read(EXAMPLE.replace("channel = 0", "channel = 2048")).cell.analogue_output[0].channel == 0x0800
    with pytest.raises(FileError, match="channel"):
        read(EXAMPLE.replace("channel = 0", "channel = 65536"))
