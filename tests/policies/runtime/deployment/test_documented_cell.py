"""The cell's file of the documentation, and what of one like it is refused in one line."""

import re
from pathlib import Path

import pytest

from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.files.strict_toml import TomlText

PAGE = Path("docs/cell-file.md").read_text()
EXAMPLE = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def read(text: str) -> CellFile:
    return CellFile(TomlText.parse(text, "cell.toml"))


def test_addresses_of_a_coupler_may_be_large() -> None:
    assert read(EXAMPLE.replace("channel = 0", "channel = 2048")).cell.analogue_output[0].channel == 0x0800
    with pytest.raises(FileError, match="channel"):
        read(EXAMPLE.replace("channel = 0", "channel = 65536"))
