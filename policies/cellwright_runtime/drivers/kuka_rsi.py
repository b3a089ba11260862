"""The driver `kuka-rsi`: corrections of the program that a KUKA robot runs, over its Robot Sensor Interface.

The robot speaks first, every 4 or 12 ms, and takes only an answer to its newest telegram. Until the first
setpoint, and while it only observes, the driver answers with a correction of zero, since an RSI that gets no
answer stops the robot. From the first setpoint on it answers with setpoints alone.
"""

from __future__ import annotations

import contextlib
import threading

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.driver import DriverError, Mode, Reach, RobotState
from cellwright_runtime.drivers.link import Clock, ListeningDriver, monotonic
from cellwright_runtime.drivers.rsi_telegrams import Telegram, TelegramError

Array = NDArray[np.float64]

CYCLES_S = (0.004, 0.012)
"""IPO_FAST and IPO."""
CORRECTION_RAD = float(np.radians(5.0))
"""Limit of a turn in the controller's own example of a context."""
_ODD = 25
"""So many telegrams one after the other that are not a cycle apart are those of another cycle. Where this
computer is late, or some are lost, it is true of some only."""


class KukaRsiDriver(ListeningDriver):
    """Modes: tool-correction (RKorr, in the base frame), joint-correction (AKorr), observe."""

    name = "kuka-rsi"
    lag_s = 0.03
    """An assumption: no figure is known."""
    _told_state: RobotState | None

    def __init__(
        self,
        mode: Mode = Mode.OBSERVE,
        *,
        listen: str = "127.0.0.1",
        port: int = 49152,
        sensor: str = "ImFree",
        relative: bool = False,
        cycle_s: float = 0.004,
        missed: int = 10,
        most_m: float = 0.005,
        most_rad: float = CORRECTION_RAD,
        silence_s: float = 0.1,
        keep_alive: bool = False,
        clock: Clock = monotonic,
    ) -> None:
        """The address and `sensor`, its SENTYPE, are those of the robot's Ethernet configuration.

        `relative` and the limits `most_m` and `most_rad` are those of POSCORR and AXISCORR in the RSI
        context, `missed` is the Timeout of its ETHERNET object: as many answers too late, and RSI stops the
        robot. With `keep_alive` a thread answers from `connect` until `prepare` or the first setpoint, so
        that a program may take its time for its first decisions; not for a robot in lock-step, whose time
        would go on. A robot whose telegrams are not `cycle_s` apart is a DriverError: with `keep_alive` of
        `connect`, else later.
        """
        if cycle_s not in CYCLES_S:
            raise DriverError(f"RSI has cycles of 0.004 and 0.012 s, got {cycle_s}")
        reaches = {
            Mode.TOOL_CORRECTION: Reach.within([most_m] * 3 + [most_rad] * 3),
            Mode.JOINT_CORRECTION: Reach.within([most_rad] * 6),
        }
        self.cycle_s = cycle_s
        self.coasting_s = missed * cycle_s
        super().__init__(mode, reaches, listen=listen, port=port, silence_s=silence_s, clock=clock)
        self._sensor = sensor
        self._relative = relative
        self._keep_alive = keep_alive
        self._taken, self._answering = threading.Event(), threading.Thread()
        self._news = threading.Condition()
        self._forget()

    def connect(self) -> RobotState:
        """Reach the robot and return its first state; nothing moves."""
        state = super().connect()
        if self._keep_alive:
            while not self._regular and self._next() is not None:
                pass
            self._taken.clear()
            self._answering = threading.Thread(target=self._answer_on, name="rsi answers", daemon=True)
            self._answering.start()
        return state

    def prepare(self) -> None:
        """Be ready for setpoints: from here on only they are answers."""
        super().prepare()
        self._take()

    def stop(self) -> None:
        """Take no more setpoints; RSI stops the robot."""
        self._take()
        super().stop()

    def _answer_on(self) -> None:
        """Answer every telegram with a correction of zero; one that cannot be used is the next reader's."""
        with contextlib.suppress(DriverError):
            while not self._taken.is_set():
                if (state := super()._next()) is not None:
                    with self._news:
                        self._told_state = state
                        self._news.notify()

    def _next(self) -> RobotState | None:
        if not self._answering.is_alive():
            return super()._next()
        with self._news:
            self._news.wait_for(lambda: self._told_state is not None, self.silence_s)
            state = self._told_state
            self._told_state = None
        return state

    def _take(self) -> None:
        self._taken.set()
        if self._answering.is_alive():
            self._answering.join()

    def _forget(self) -> None:
        self._heard: Telegram | None = None
        self._told_state = None
        self._told, self._answered = np.zeros(6), ""
        self._odd, self._regular, self._arrived = 0, False, 0

    def _hint(self) -> str:
        return "is RSI_MOVECORR running, and are these IP_NUMBER and PORT of its Ethernet configuration?"

    def _understood(self, data: bytes) -> RobotState | None:
        try:
            heard = rsi_telegrams.read(data, "Rob")
        except TelegramError:
            self.counters["packets that cannot be read"] += 1
            return None
        if self._heard is not None and int(heard.ipoc) <= int(self._heard.ipoc):
            self.counters["packets out of order"] += 1
            return None
        missing = {"RIst", "AIPos"} - set(heard.values)
        if missing:
            raise DriverError(
                f"the robot sends no {' and no '.join(sorted(missing))}; add DEF_RIst and DEF_AIPos to the "
                "SEND elements of its Ethernet configuration"
            )
        self._require_cycle(heard)
        self._heard = heard
        self.counters["answers the robot missed"] = heard.delay
        if self._before is None and not self._stopped:
            self._answer(np.zeros(6))
        return RobotState(
            time_s=int(heard.ipoc) * 1e-3,
            joints_rad=np.radians(heard.values["AIPos"]),
            tool=rsi_telegrams.pose(heard.values["RIst"]),
            sequence=int(heard.ipoc),
            received_s=self._clock(),
        )

    def _require_cycle(self, heard: Telegram) -> None:
        """Raise DriverError where the robot's telegrams keep on being another time apart than the cycle."""
        if self._heard is not None:
            apart_ms = (int(heard.ipoc) - int(self._heard.ipoc)) / max(self._arrived, 1)
            regular = abs(apart_ms - 1e3 * self.cycle_s) < 0.5
            self._odd = 0 if regular else self._odd + 1
            self._regular |= regular
            if self._odd >= _ODD:
                raise DriverError(
                    f"the robot's telegrams are {apart_ms:g} ms apart, and what is sent is planned for "
                    f"{1e3 * self.cycle_s:.0f} ms: set cycle_ms in [robot] of the cell's file, to 4 for "
                    "IPO_FAST or 12 for IPO"
                )
        self._arrived = 0

    def _send(self, values: Array) -> None:
        self._take()
        if self.mode is Mode.JOINT_CORRECTION:
            self._answer(np.degrees(values))
        else:
            self._answer(rsi_telegrams.cartesian(values))

    def _answer(self, correction: Array) -> None:
        """Answer the newest telegram, once, with a whole correction (6,) in mm and degrees."""
        assert self._heard is not None
        if self._answered == self._heard.ipoc:
            return  # the first setpoint meets a telegram that was answered with zero; the next takes all
        said = correction - self._told if self._relative else correction
        self._told, self._answered = correction, self._heard.ipoc
        element = "AKorr" if self.mode is Mode.JOINT_CORRECTION else "RKorr"
        self._say(
            rsi_telegrams.sen(kind=self._sensor, correction=element, values=said, ipoc=self._heard.ipoc)
        )

    def _halt(self) -> None:
        """Leave the correction as it is, once; then the silence has RSI stop the robot."""
        if self._heard is not None and self._next() is not None:
            self._answer(self._told)
