"""The RTDE port: recipes of variables that go out every cycle, and of variables that come in.

After Universal Robots, "Real-Time Data Exchange (RTDE) Guide", protocol versions 1 and 2. Every package is a
size (16 bits, with its header), a type and a payload, big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from cellwright_envs.virtual.tcp import TcpClient, TcpPort
from cellwright_envs.virtual.ur.variables import FORMATS, IN_USE, NOT_FOUND, Personality

RTDE_PORT = 30004
_MOST_NAMES_BYTES = 2048
_MOST_RECIPES = 255
EXCEPTION, ERROR, WARNING, INFO = range(4)
"""Levels of a text message."""


class Recipe:
    """An ordered list of variables and how they are packed."""

    def __init__(self, names: list[str], kinds: list[str]) -> None:
        self.names = names
        self.counts = [int(FORMATS[kind][:-1] or 1) for kind in kinds]
        self.packing = struct.Struct(">" + "".join(FORMATS[kind] for kind in kinds))

    def packed(self, value: Callable[[str], Any]) -> bytes:
        """The values as they go out; one that is several numbers is a sequence."""
        numbers: list[Any] = []
        for name, count in zip(self.names, self.counts, strict=True):
            if count == 1:
                numbers.append(value(name))
            else:
                numbers.extend(value(name))
        return self.packing.pack(*numbers)

    def unpacked(self, payload: bytes) -> dict[str, Any]:
        """What came in, by name."""
        numbers = self.packing.unpack(payload)
        values, at = {}, 0
        for name, count in zip(self.names, self.counts, strict=True):
            values[name] = numbers[at] if count == 1 else numbers[at : at + count]
            at += count
        return values


class Rtde:
    """What all clients of the port share: the variables, and who writes which."""

    def __init__(
        self, personality: Personality, value: Callable[[str], Any], written: Callable[[dict[str, Any]], None]
    ) -> None:
        """`value` gives an output, `written` takes inputs of one package."""
        self.personality = personality
        self.value = value
        self.written = written
        self.owners: dict[str, object] = {}

    def hold(self, names: list[str], owner: object = None) -> None:
        """Let a fieldbus, or whatever `owner` is, hold inputs, so that clients find them in use."""
        self.owners.update(dict.fromkeys(names, owner or self))


class RtdeClient(TcpClient):
    """One client; what it asks is answered at once, its outputs go out with `publish`."""

    def __init__(self, link: Any, port: TcpPort, rtde: Rtde) -> None:
        super().__init__(link, port)
        self._rtde = rtde
        self._version = 1
        self._outputs: Recipe | None = None
        self._inputs: dict[int, Recipe] = {}
        self._every = 1
        self._cycle = 0
        self.started = False

    def on_data(self) -> None:
        """Answer every whole package."""
        while len(self.received) >= 3 and not self.closed:
            size, kind = struct.unpack_from(">HB", self.received)
            if size < 3:
                self.malformed("packages shorter than their header")
                return
            if len(self.received) < size:
                return
            payload = bytes(self.received[3:size])
            del self.received[:size]
            self._take(chr(kind), payload)

    def _take(self, kind: str, payload: bytes) -> None:
        answers = {
            "V": self._ask_version,
            "v": self._tell_version,
            "O": self._set_outputs,
            "I": self._set_inputs,
            "S": self._start,
            "P": self._pause,
            "U": self._write,
            "M": self._message,
        }
        answer = answers.get(kind)
        if answer is None:
            self.count("packages of unknown type")
            return
        try:
            answer(payload)
        except (struct.error, UnicodeDecodeError, ValueError):
            self.count("packages that say nothing")

    def count(self, what: str) -> None:
        """Count one more of `what`."""
        self._port.counters[f"rtde: {what}"] += 1

    def reply(self, kind: str, payload: bytes) -> None:
        """Send a package."""
        self.send(struct.pack(">HB", 3 + len(payload), ord(kind)) + payload)

    def _ask_version(self, payload: bytes) -> None:
        (wanted,) = struct.unpack(">H", payload)
        if wanted in (1, 2):
            self._version = wanted
        self.reply("V", struct.pack(">?", wanted in (1, 2)))

    def _tell_version(self, payload: bytes) -> None:
        self.reply("v", struct.pack(">4I", *self._rtde.personality.version))

    def _names(self, text: bytes) -> list[str]:
        if len(text) > _MOST_NAMES_BYTES:
            raise ValueError("too many names")
        return [name for name in text.decode("ascii").split(",") if name]

    def _set_outputs(self, payload: bytes) -> None:
        rate_hz = 125.0
        if self._version == 2:
            (rate_hz,) = struct.unpack_from(">d", payload)
            payload = payload[8:]
        names = self._names(payload)
        kinds = [self._rtde.personality.output_type(name) for name in names]
        found = bool(names) and NOT_FOUND not in kinds and 0.0 < rate_hz < 1e9
        self._outputs = Recipe(names, kinds) if found else None
        self._every = max(1, round(500.0 / rate_hz)) if found else 1
        told = ",".join(kinds).encode()
        self.reply("O", (bytes([1 if found else 0]) if self._version == 2 else b"") + told)

    def _set_inputs(self, payload: bytes) -> None:
        names = self._names(payload)
        kinds = [self._rtde.personality.input_type(name) for name in names]
        kinds = [IN_USE if self._taken(name) else kind for name, kind in zip(names, kinds, strict=True)]
        number = 0
        if names and not {NOT_FOUND, IN_USE} & set(kinds) and len(self._inputs) < _MOST_RECIPES:
            number = len(self._inputs) + 1
            self._inputs[number] = Recipe(names, kinds)
            self._rtde.owners.update(dict.fromkeys(names, self))
        self.reply("I", bytes([number]) + ",".join(kinds).encode())

    def _taken(self, name: str) -> bool:
        return self._rtde.owners.get(name, self) is not self

    def _start(self, payload: bytes) -> None:
        self.started = self._outputs is not None
        self.reply("S", struct.pack(">?", self.started))

    def _pause(self, payload: bytes) -> None:
        self.started = False
        self.reply("P", struct.pack(">?", True))

    def _write(self, payload: bytes) -> None:
        recipe = self._inputs.get(payload[0]) if payload else None
        if recipe is None:
            self.count("data of an unknown recipe")
            return
        size = recipe.packing.size
        if len(payload) - 1 > size:  # ur_rtde sends two of its commands with a recipe that is too short
            self.count("data longer than its recipe")
        self._rtde.written(recipe.unpacked(payload[1 : 1 + size]))

    def _message(self, payload: bytes) -> None:
        self.count("text messages")

    def publish(self) -> None:
        """Send the outputs where the client's own rate says so."""
        self._cycle += 1
        if self.started and self._outputs is not None and self._cycle % self._every == 0:
            head = b"\x01" if self._version == 2 else b""
            self.reply("U", head + self._outputs.packed(self._rtde.value))

    def tell(self, text: str, level: int) -> None:
        """Send a text message."""
        message, source = text.encode()[:255], b"cellwright"
        if self._version == 1:
            self.reply("M", bytes([level]) + message)
        else:
            self.reply("M", bytes([len(message)]) + message + bytes([len(source)]) + source + bytes([level]))

    def on_close(self) -> None:
        """Give the inputs back."""
        for name in [name for name, owner in self._rtde.owners.items() if owner is self]:
            del self._rtde.owners[name]
