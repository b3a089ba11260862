"""Reads the logs that an envelope writes, with the reader of their format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwright_runtime.envelope.ring import SCHEMAS

MOST_BYTES = 256 * 2**20
"""Thirty seconds at 500 Hz take 12 MB."""

LARGEST = 1e30
"""What is larger is no time, pose or force."""


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
                    found[channel.topic].append(_object(channel.topic.strip("/"), message.data))
    except LogError as error:
        raise LogError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    except Exception as error:  # the reader has no list of what it raises for bytes that make no sense
        told = " ".join(str(error).split())[:120]
        raise LogError(f"{path} is damaged or no MCAP file: {type(error).__name__} {told}") from None
    return Log(
        about=about, cycles=found["/cycle"], decisions=found["/decision"], happenings=found["/happening"]
    )


def _object(topic: str, data: bytes) -> dict[str, Any]:
    """The message of a topic; what its schema says is there and fits, but what may be missing."""
    value = json.loads(data)
    if not isinstance(value, dict) or not _fits(value.get("time_s"), "number"):
        raise LogError("a message is no object with a time")
    for name, schema in SCHEMAS[topic].items():
        given = value.get(name)
        if given is None and schema["type"] != "string":
            continue  # where there was none, or none that is finite
        each = schema.get("items", {}).get("type", "")
        whole = _fits(given, schema["type"])
        if not whole or (isinstance(given, list) and not all(_fits(one, each) for one in given)):
            raise LogError(f"a message of {topic} has a {name} that is none: {json.dumps(given)[:40]}")
    return value


def _fits(value: Any, kind: str | list[str]) -> bool:
    """Whether a value of JSON is of a schema's type; a number is one that can be plotted."""
    kinds = [kind] if isinstance(kind, str) else kind
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number" in kinds and abs(value) < LARGEST
    return {str: "string", list: "array", type(None): "null"}.get(type(value)) in kinds
