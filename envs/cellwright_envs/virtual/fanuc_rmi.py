"""The Remote Motion Interface of a virtual FANUC controller: what starts, ends and describes Stream
Motion."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from cellwright_envs.virtual.tcp import TcpClient, TcpPort

_MOST_LINE_BYTES = 65536
UNKNOWN_COMMAND, NOT_NOW = 2556941, 2556929
"""Numbers of errors; an assumption, only that they are not 0 matters."""


class Cell(Protocol):
    """What RMI does to the controller and says of it."""

    def start_program(self, name: str) -> bool: ...
    def end_program(self) -> None: ...
    def clear_alarms(self) -> bool: ...
    def described(self) -> dict[str, Any]: ...
    def places(self) -> tuple[dict[str, float], dict[str, float]]: ...


class RmiFrontDoor(TcpClient):
    """Port 16001: says which port the session has."""

    def __init__(self, link: Any, port: TcpPort, session_port: int) -> None:
        super().__init__(link, port)
        self._session_port = session_port

    def on_data(self) -> None:
        """Answer the connection."""
        for request in _requests(self):
            answer = {"Communication": request.get("Communication", ""), "ErrorID": 0}
            if request.get("Communication") == "FRC_Connect_STMO":
                answer |= {"PortNumber": self._session_port, "MajorVersion": 9, "MinorVersion": 40}
            _say(self, answer)


class RmiSessionClient(TcpClient):
    """One session."""

    def __init__(self, link: Any, port: TcpPort, cell: Cell) -> None:
        super().__init__(link, port)
        self._cell = cell
        self._next = 1
        self._registers: dict[int, float] = {}

    def on_data(self) -> None:
        """Answer every whole line."""
        for request in _requests(self):
            answer = self._answer(request)
            if answer is not None:
                _say(self, answer)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if request.get("Instruction") == "FRC_Call":
            return self._call(request)
        if request.get("Communication") == "FRC_Disconnect":
            self._cell.end_program()
            return {"Communication": "FRC_Disconnect", "ErrorID": 0}
        command = request.get("Command")
        told = self._told(request) if isinstance(command, str) else None
        if told is None:
            self._port.counters["rmi: unknown commands"] += 1
            told = {"ErrorID": UNKNOWN_COMMAND}
        return {"Command": command, "ErrorID": 0} | told

    def _told(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """What a command does and answers; None for one that is not known."""
        cell = self._cell
        joints, pose = cell.places()
        frame = {"UFrameNumber": 0, "UToolNumber": 1}
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "FRC_Initialize": lambda: {"ErrorID": 0 if cell.clear_alarms() else NOT_NOW},
            "FRC_Reset": lambda: {"ErrorID": 0 if cell.clear_alarms() else NOT_NOW},
            "FRC_Abort": self._abort,
            "FRC_Continue": dict,
            "FRC_GetStatus": lambda: cell.described() | {"NextSequenceID": self._next},
            "FRC_GetExtStatus": cell.described,
            "FRC_ReadError": lambda: {"Count": 0, "ErrorData": ""},
            "FRC_ReadJointAngles": lambda: {"TimeTag": 0, "JointAngle": joints},
            "FRC_ReadCartesianPosition": lambda: {"TimeTag": 0, "Configuration": frame, "Position": pose},
            "FRC_ReadRegister": lambda: self._register(request),
            "FRC_WriteRegister": lambda: self._register(request),
        }
        answer = answers.get(request["Command"])
        return None if answer is None else answer()

    def _abort(self) -> dict[str, Any]:
        self._cell.end_program()
        return {}

    def _call(self, request: dict[str, Any]) -> dict[str, Any] | None:
        number = request.get("SequenceID")
        if not isinstance(number, int) or number < self._next:
            self._port.counters["rmi: calls with an old number"] += 1
            return None
        self._next = number + 1
        started = self._cell.start_program(str(request.get("ProgramName", "")))
        return {"Instruction": "FRC_Call", "SequenceID": number, "ErrorID": 0 if started else NOT_NOW}

    def _register(self, request: dict[str, Any]) -> dict[str, Any]:
        number, value = request.get("RegisterNumber", 0), request.get("RegisterValue")
        if not isinstance(number, int) or len(self._registers) > 1000:
            return {"ErrorID": UNKNOWN_COMMAND}
        if isinstance(value, int | float):
            self._registers[number] = value
        return {"RegisterNumber": number, "RegisterValue": self._registers.get(number, 0)}


def _say(client: TcpClient, answer: dict[str, Any]) -> None:
    client.send((json.dumps(answer) + "\r\n").encode())


def _requests(client: TcpClient) -> list[dict[str, Any]]:
    """The whole lines that have come, as far as they are objects of JSON."""
    requests = []
    while b"\n" in client.received:
        line, _, rest = bytes(client.received).partition(b"\n")
        client.received = bytearray(rest)
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if isinstance(request, dict):
            requests.append(request)
        else:
            client.count_malformed("lines that are no request")
    if len(client.received) > _MOST_LINE_BYTES:
        client.malformed("lines without an end")
    return requests
