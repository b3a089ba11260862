"""The dashboard server of PolyScope 5 on port 29999: one line asks, one line answers."""

from __future__ import annotations

from typing import Any, Protocol

from cellwright_envs.virtual.tcp import TcpClient, TcpPort
from cellwright_envs.virtual.ur.variables import Personality

DASHBOARD_PORT = 29999
_MOST_LINE_BYTES = 1024


class Panel(Protocol):
    """What the dashboard shows and does."""

    personality: Personality
    remote: bool

    def robot_mode_name(self) -> str: ...
    def safety_name(self) -> str: ...
    def program_runs(self) -> bool: ...
    def end_program(self) -> None: ...
    def unlock(self) -> bool: ...
    def power(self, on: bool) -> None: ...
    def restart_safety(self) -> None: ...


class DashboardClient(TcpClient):
    """One connection."""

    def __init__(self, link: Any, port: TcpPort, panel: Panel) -> None:
        super().__init__(link, port)
        self._panel = panel
        self._say("Connected: Universal Robots Dashboard Server")

    def on_data(self) -> None:
        """Answer every whole line."""
        while b"\n" in self.received and not self.closed:
            line, _, rest = bytes(self.received).partition(b"\n")
            self.received = bytearray(rest)
            self._answer(line.decode("ascii", "replace").strip())
        if len(self.received) > _MOST_LINE_BYTES:
            self.malformed("lines without an end")

    def _say(self, line: str) -> None:
        self.send(line.encode() + b"\n")

    def _answer(self, line: str) -> None:
        panel, asked = self._panel, line.lower()
        if asked == "quit":
            self._say("Disconnected")
            self.close()
        elif asked in ("power on", "power off", "brake release", "restart safety", "stop"):
            self._say(self._do(asked))
        elif asked == "unlock protective stop":
            done = "Protective stop releasing" if panel.unlock() else "Cannot unlock protective stop"
            self._say(done)
        else:
            self._say(self._told(asked, line))

    def _told(self, asked: str, line: str) -> str:
        panel = self._panel
        playing = "PLAYING" if panel.program_runs() else "STOPPED"
        told = {
            "polyscopeversion": f"URSoftware {panel.personality.told} (Jan 01 2026)",
            "version": panel.personality.told,
            "get serial number": panel.personality.serial,
            "get robot model": "UR10",
            "is in remote control": str(panel.remote).lower(),
            "robotmode": f"Robotmode: {panel.robot_mode_name()}",
            "safetymode": f"Safetymode: {panel.safety_name()}",
            "safetystatus": f"Safetystatus: {panel.safety_name()}",
            "running": f"Program running: {str(panel.program_runs()).lower()}",
            "programstate": f"{playing} rtde_control",
            "get loaded program": "No program loaded",
            "close popup": "closing popup",
            "close safety popup": "closing safety popup",
        }
        if asked not in told:
            self._port.counters["dashboard: unknown commands"] += 1
        return told.get(asked, f"could not understand: '{line[:80]}'")

    def _do(self, asked: str) -> str:
        panel = self._panel
        if asked == "stop":
            panel.end_program()
            return "Stopped"
        if asked == "restart safety":
            panel.restart_safety()
            return "Restarting safety"
        panel.power(on=asked != "power off")
        return {"power on": "Powering on", "power off": "Powering off"}.get(asked, "Brake releasing")
