"""Lines by name: a file, or one that is shipped."""

from __future__ import annotations

from pathlib import Path

from cellwright_train.errors import unknown
from cellwright_train.lines.line import Line
from cellwright_train.lines.strict import TomlText

_SHIPPED = Path(__file__).with_name("shipped")


def shipped() -> dict[str, Path]:
    """Files of the lines that come with this copy, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.toml"))}


def find_line(text: str) -> Line:
    """The line that `text` names: a TOML file, or else one that is shipped.

    Raises `UsageError` or `FileError` where there is none or where something in it is wrong.
    """
    path = Path(text)
    if path.suffix != ".toml" and not path.exists():
        if text not in shipped():
            raise unknown("line", text, shipped(), note=", or a file that ends in .toml")
        path = shipped()[text]
    return Line.of(TomlText.read(path))
