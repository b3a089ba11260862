"""Reads the logs that an envelope writes, with the reader of their format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_BYTES = 256 * 2**20
"""Thirty seconds at 500 Hz take 12 MB."""


class LogError(ValueError):
    """A file that is no log of an envelope; one line says why."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """The messages of one log, by topic and in the order of their times; see `ring.SCHEMAS`."""

    about: dict[str, str]
    cycles: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    happenings: list[dict[str, Any]] = field(default_factory=list)


def read_log(path: Path) -> Log:
    """Read a log, checksums included; raises LogError where it is damaged, cut off, or something else."""
    from mcap.exceptions import McapError
    from mcap.reader import make_reader

    if not path.is_file():
        raise LogError(f"{path} is no file; replay takes a log, as `cellwright deploy` writes it")
    if path.stat().st_size > MOST_BYTES:
        raise LogError(f"{path} is larger than {MOST_BYTES // 2**20} MiB, which no log of an envelope is")
    found: dict[str, list[dict[str, Any]]] = {"/cycle": [], "/decision": [], "/happening": []}
    try:
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True)
            header = reader.get_header()
            if header.profile != "cellwright":
                raise LogError(f"{path} is no log of an envelope: its profile is {header.profile[:40]!r}")
            about = {name: text for each in reader.iter_metadata() for name, text in each.metadata.items()}
            for _, channel, message in reader.iter_messages():
                if channel.topic in found:
                    found[channel.topic].append(_object(message.data))
    except LogError as error:
        raise LogError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    except (McapError, ValueError, EOFError, OSError) as error:
        raise LogError(f"{path} is damaged or no MCAP file: {' '.join(str(error).split())[:120]}") from None
    return Log(
        about=about, cycles=found["/cycle"], decisions=found["/decision"], happenings=found["/happening"]
    )


def _object(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict) or not isinstance(value.get("time_s"), int | float):
        raise LogError("a message is no object with a time")
    return value
