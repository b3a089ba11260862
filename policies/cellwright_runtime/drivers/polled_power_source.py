"""A power source that is asked by a thread of its own, so that a slow one never keeps the robot's cycle."""

from __future__ import annotations

import threading
from dataclasses import replace

from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.link import Clock, monotonic
from cellwright_runtime.drivers.power_source import PowerCommand, PowerSource, PowerState, Wiring, checked

_OFF = PowerCommand()


class PolledPowerSource:
    """A `PowerSource` in front of one whose calls take time: its `send` and `read` return at once.

    Where nothing new has come for `silence_s`, `read` raises DriverError. Once the source has raised one, so
    do `read` and `send` until `connect`. `stop` puts the arc out with the next request.
    """

    def __init__(
        self,
        source: PowerSource,
        *,
        period_s: float = 0.01,
        silence_s: float = 0.05,
        clock: Clock = monotonic,
    ) -> None:
        """`period_s` is from one request to the next, `clock` that of `source`."""
        if not 0.0 < period_s < silence_s:
            raise DriverError(f"need 0 < period_s < silence_s, got {period_s:g} and {silence_s:g} s")
        self._source, self._period_s, self._silence_s, self._clock = source, period_s, silence_s, clock
        self._changed = threading.Condition()
        self._wanted = _OFF
        self._urgent = False
        self._error = ""
        self._state: PowerState | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    @property
    def wiring(self) -> Wiring:
        """Of the source."""
        return self._source.wiring

    def connect(self) -> PowerState:
        self.close()
        self._wanted, self._error = _OFF, ""
        self._state = self._heard(self._source.connect())
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="power source", daemon=True)
        self._thread.start()
        return self._state

    def send(self, command: PowerCommand) -> None:
        command = checked(command)
        with self._changed:
            if self._error:
                raise DriverError(self._error)
            switches, self._wanted = command.arc_on != self._wanted.arc_on, command
            if switches:
                self._hurry()

    def read(self) -> PowerState:
        with self._changed:
            state, error = self._state, self._error
        if state is None:
            raise DriverError("the power source is not connected; call connect first")
        if error:
            raise DriverError(error)
        silent_s = self._clock() - state.time_s
        if silent_s > self._silence_s:
            raise DriverError(f"the power source has not answered for {1e3 * silent_s:.0f} ms")
        return state

    def stop(self) -> None:
        with self._changed:
            burns, self._wanted = self._wanted != _OFF, _OFF
            if burns:
                self._hurry()

    def _hurry(self) -> None:
        self._urgent = True
        self._changed.notify()

    def close(self) -> None:
        """Put the arc out and end the thread."""
        if self._thread is not None:
            self.stop()
            self._ended.set()
            with self._changed:
                self._changed.notify()
            self._thread.join(5.0)
        self._thread = None

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._changed:
                if not self._urgent:
                    self._changed.wait(self._period_s)
                wanted, self._urgent = self._wanted, False
            self._exchange(wanted)
        self._exchange(_OFF)

    def _exchange(self, wanted: PowerCommand) -> None:
        """One request of each kind; where an error is latched, only the arc is put out."""
        try:
            if self._error or wanted == _OFF:
                self._source.stop()
            else:
                self._source.send(wanted)
            state = self._heard(self._source.read())
        except DriverError as gone:
            with self._changed:
                self._error = self._error or str(gone)
            return
        with self._changed:
            self._state = state

    def _heard(self, state: PowerState) -> PowerState:
        return replace(state, time_s=self._clock())
