"""The wrench source `ati-rdt`: a force-torque sensor at the wrist that streams over UDP, as a Net F/T does.

It is asked once for records without end, and sends thousands a second. Nothing here waits for them: `read`
takes what has arrived. The sensor's own bias is left alone, since it outlives a session: the task tares.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers import rdt_packets as packets
from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.link import FIRST_STATE_S, monotonic
from cellwright_runtime.drivers.rdt_packets import PacketError, Record

Array = NDArray[np.float64]

STALE_S = 0.02
"""Without a new record for so long the wrench is unknown: ten samples of a slow sensor (assumption)."""
_MEAN_S = 0.02
"""After a longer time between two calls the newest record alone counts: a mean over all would be late."""
_ASKED_S = 0.5
"""UDP loses requests: without an answer the sensor is asked again after so long."""
_MOST_AT_ONCE = 4096
"""Packets that one call takes, so that no flood can hold up a cycle."""
_BUFFER_BYTES = 1 << 20


class Reading(NamedTuple):
    """What a sensor feels now."""

    wrench: Array
    """(6,) [N] and [N m] along the sensor's axes, about its origin, as it acts on the sensor's tool side."""
    fault: str
    """Why the wrench is not to be believed, in one line; empty where it is."""


class AtiRdtSensor:
    """A client of one sensor; what came and was refused is counted in `counters`."""

    def __init__(
        self,
        host: str,
        *,
        port: int = packets.PORT,
        counts_per_n: float,
        counts_per_n_m: float,
        stale_s: float = STALE_S,
    ) -> None:
        """The counts are those of the sensor's calibration page, for units of N and N m."""
        self._address, self._stale_s = (host, port), stale_s
        self._counts_per = np.array([counts_per_n] * 3 + [counts_per_n_m] * 3)
        self.counters: Counter[str] = Counter()
        self._new_s: float | None = None
        self._last: Record | None = None
        self._link: socket.socket | None = None
        self._forget()

    def connect(self) -> None:
        """Have it stream, and wait for its first record; raises DriverError, one line."""
        self.close()
        self._forget()
        self._link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        try:
            self._link.connect(self._address)  # what others send does not arrive
            self._link.setblocking(False)
            records = self._first()
        except OSError as error:
            self.close()
            raise DriverError(f"{self._named()} cannot be reached: {error.strerror or error}") from None
        fault = self._fault_of(records)
        if not records:
            fault = (
                f"{self._named()} sends no record in {FIRST_STATE_S:g} s{self._why()}; is it a Net F/T "
                "with RDT switched on?"
            )
        if fault:
            self.close()
            raise DriverError(fault)
        self._wrench = self._mean(records)

    def _first(self) -> list[Record]:
        """What comes first, asked for until it comes; none where nothing does. Raises OSError."""
        assert self._link is not None
        end_s = monotonic() + FIRST_STATE_S
        while (now_s := monotonic()) < end_s:
            self._say(packets.START)
            again_s = now_s + _ASKED_S
            while (left_s := again_s - monotonic()) > 0.0:
                select.select([self._link], [], [], left_s)
                if records := self._arrived():
                    return records
                if self._refused:
                    raise ConnectionRefusedError(None, "nobody listens there")
        return []

    def read(self, now_s: float) -> Reading:
        """The mean over the records since the last call; `now_s` is a clock that goes on steadily.

        A record counts once, and only if both of its numbers have gone on. The fault is a status other than
        0, or no new record for longer than `stale_s`.
        """
        records = self._arrived()
        before_s = now_s if self._new_s is None else self._new_s
        if records:
            late = now_s - before_s > _MEAN_S
            self._wrench = self._mean(records[-1:] if late else records)
        self._new_s = now_s if records else before_s
        silent_s = now_s - self._new_s
        fault = self._fault_of(records)
        if not fault and not silent_s <= self._stale_s:
            fault = f"{self._named()} has sent nothing new for {1e3 * silent_s:.0f} ms{self._why()}"
        return Reading(self._wrench, fault)

    def close(self) -> None:
        """End the stream and let go of the sensor."""
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._say(packets.STOP)
            self._link.close()
        self._link = None

    def _forget(self) -> None:
        self._last = self._new_s = None
        self._wrench = np.zeros(6)
        self._odd = ""
        self._refused = False

    def _mean(self, records: list[Record]) -> Array:
        counts = np.array([each.counts for each in records], dtype=np.float64)
        return np.asarray(counts.mean(axis=0) / self._counts_per)

    def _fault_of(self, records: list[Record]) -> str:
        """What the sensor itself says is wrong."""
        status = next((each.status for each in records if each.status), 0)
        self.counters["records with an error status"] += sum(each.status != 0 for each in records)
        if not status:
            return ""
        return f"{self._named()} reports the status 0x{status:08x}, which its manual explains"

    def _named(self) -> str:
        return f"the wrench sensor at {self._address[0]} port {self._address[1]}"

    def _why(self) -> str:
        """What came instead of a new record."""
        return f": {self._odd}" if self._odd else ""

    def _say(self, command: int) -> None:
        assert self._link is not None
        with contextlib.suppress(ConnectionError, BlockingIOError):
            self._link.send(packets.request(command))

    def _arrived(self) -> list[Record]:
        """The new records that are there, in their order; all others are counted."""
        if self._link is None:
            raise DriverError(f"{self._named()} is not connected; call connect first")
        found: list[Record] = []
        for _ in range(_MOST_AT_ONCE):
            try:
                data = self._link.recv(65536)
            except BlockingIOError:
                break
            except ConnectionError:
                self._refused, self._odd = True, "nobody listens there any more"
                continue
            try:
                heard = packets.record_of(data)
            except PacketError as error:
                self._refuse("packets of another size", f"a packet of {error} is no record")
                continue
            if self._goes_on(heard):
                found.append(heard)
                self._last, self._odd = heard, ""
        return found

    def _goes_on(self, heard: Record) -> bool:
        """Whether a record is newer than the last one; what is lost in between is counted."""
        if self._last is None:
            return True
        ahead = (heard.sequence - self._last.sequence) % packets.COUNTS
        if ahead == 0:
            return self._refuse("records twice", f"record {heard.sequence} comes again")
        if ahead > packets.COUNTS // 2:
            back = f"its records count back from {self._last.sequence} to {heard.sequence}"
            return self._refuse("records out of order", f"{back}, as after a restart")
        if heard.sample == self._last.sample:
            return self._refuse("records of an old sample", f"sample {heard.sample} comes again")
        self.counters["records lost"] += ahead - 1
        return True

    def _refuse(self, kind: str, odd: str) -> bool:
        self.counters[kind] += 1
        self._odd = odd
        return False
