"""TOML that people write for commands: its faults are theirs, as `UsageError`."""

from __future__ import annotations

from typing import ClassVar

from cellwright_runtime.files import strict_toml
from cellwright_train.errors import UsageError


class TomlText(strict_toml.TomlText):
    """A TOML file that can be parsed."""

    refused: ClassVar[type[ValueError]] = UsageError
