"""A session of FANUC's Remote Motion Interface, which starts the program that Stream Motion needs: JSON over
TCP."""

from __future__ import annotations

import json
import socket
from typing import Any

from cellwright_runtime.drivers.driver import DriverError

RMI_PORT = 16001
PROGRAM = "STREAM_MOTN"
_WAIT_S = 5.0
_MOST_LINE_BYTES = 65536


class RmiSession:
    """Connected, initialised, and the program called; `close` aborts it."""

    def __init__(self, host: str, port: int) -> None:
        """Raises DriverError, one line, where the controller refuses something."""
        self._host = host
        self._link: socket.socket | None = None
        self._received = b""
        try:
            self._connect(host, port)
            self._connect(host, self._asked({"Communication": "FRC_Connect_STMO"}, "PortNumber"))
            self._asked({"Command": "FRC_Reset"})
            self._asked({"Command": "FRC_Initialize"})
            number = self._asked({"Command": "FRC_GetStatus"}, "NextSequenceID")
            self._say({"Instruction": "FRC_Call", "SequenceID": number, "ProgramName": PROGRAM})
        except OSError as error:
            self._drop()
            if isinstance(error, DriverError):
                raise
            raise DriverError(f"no FANUC RMI at {host} port {port}: {error.strerror or error}") from None

    def close(self) -> None:
        """Abort the program and disconnect."""
        if self._link is None:
            return
        try:
            self._say({"Command": "FRC_Abort"})
            self._say({"Communication": "FRC_Disconnect"})
        except OSError:
            pass
        self._drop()

    def _connect(self, host: str, port: int) -> None:
        self._drop()
        self._link = socket.create_connection((host, port), _WAIT_S)
        self._link.settimeout(_WAIT_S)
        self._received = b""

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _say(self, request: dict[str, Any]) -> None:
        assert self._link is not None
        self._link.sendall((json.dumps(request) + "\r\n").encode())

    def _asked(self, request: dict[str, Any], wanted: str = "ErrorID") -> int:
        """A number of the answer; raises DriverError where the answer is an error or none."""
        self._say(request)
        name = str(next(iter(request.values())))
        for _ in range(20):  # alarms and acknowledgements come in between
            answer = self._line()
            if name in answer.values():
                error = answer.get("ErrorID", 0)
                value = answer.get(wanted)
                if error or not isinstance(value, int) or not 0 <= value < 1 << 31:
                    told = f"error {error}" if error else f"no {wanted}"
                    hint = "; is the pendant off, and nobody else connected?" if error else ""
                    raise DriverError(
                        f"the FANUC controller at {self._host} answers {name} with {told}{hint}"
                    )
                return value
        raise DriverError(f"the FANUC controller at {self._host} does not answer {name}")

    def _line(self) -> dict[str, Any]:
        assert self._link is not None
        while b"\n" not in self._received:
            data = self._link.recv(4096)
            if not data or len(self._received) > _MOST_LINE_BYTES:
                raise DriverError(f"the FANUC controller at {self._host} closed its RMI connection")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = {}
        return answer if isinstance(answer, dict) else {}
