"""`cellwright virtual-controller`."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from cellwright_runtime.files.hosts import host_fault
from cellwright_train.commands.options import Disturbances, Products
from cellwright_train.errors import UsageError, unknown

if TYPE_CHECKING:
    from cellwright_envs.virtual.catalogue import Kind
    from cellwright_envs.virtual.cells import Cell
    from cellwright_envs.virtual.controller import VirtualController
    from cellwright_envs.virtual.device import VirtualDevice
    from cellwright_envs.virtual.shared_cameras import SharedCameras
    from cellwright_envs.virtual.video import VideoServer
    from cellwright_envs.virtual.weld_station import WeldStation
    from cellwright_train.outputs import Output

_SENSOR_PORTS = {"kuka-rsi": 49152, "abb-egm": 6510}
_MOST_PORT = 65535
COUPLER_PORT, SEAM_SENSOR_PORT = 5020, 5021
"""Above the ports that only an administrator may serve, of which Modbus has 502."""


@dataclass(frozen=True, kw_only=True)
class VirtualControllerCommand:
    """Serve a vendor's robot controller in front of a simulated arm, until Ctrl-C."""

    controller: Positional[Annotated[str, arg(metavar="{ur,kuka-rsi,abb-egm,fanuc-stream}")]]
    env: Annotated[
        str | None, arg(metavar="ID", help="the cell behind it; default: an arm without a cell")
    ] = None
    listen: str = "127.0.0.1"
    """The address of the controller; each of several takes its own, such as 127.0.0.2."""
    variant: str = ""
    """ur: polyscope-5, polyscope-5.4, polyscope-5.23 or polyscope-x; kuka-rsi: absolute, relative or
    standing; abb-egm: joint, pose or path; fanuc-stream: 3 or 4."""
    sensor: str = "127.0.0.1"
    """kuka-rsi and abb-egm: the address of the computer that they send to."""
    sensor_port: int | None = None
    """Its port; default: 49152 for kuka-rsi, 6510 for abb-egm."""
    video_port: int | None = None
    """Serve the cell's cameras as video at this port; 0 takes one that is free."""
    frames: Path | None = None
    """Put the cell's cameras into files of this directory, which should be one in memory, without loss."""
    write_cell: Path | None = None
    """Write the file that describes this cell to `cellwright deploy --cell`."""
    coupler_port: int | None = None
    """With a weld: the port of the Modbus coupler to which its power source is wired; default: 5020."""
    seam_sensor_port: int | None = None
    """With a weld: the port of its seam sensor; default: 5021."""
    wrench_sensor_port: int | None = None
    """With an insertion: the port of a force-torque sensor at the wrist (ATI's RDT); the robot then reports
    no wrench itself."""
    lockstep: bool = False
    """Let time pass only as setpoints come."""
    patience: float = 2.0
    """With --lockstep: wait for a setpoint for so many seconds."""
    anywhere: bool = False
    """Allow addresses that other computers can reach."""
    seconds: float | None = None
    """End after this time."""
    seed: int = 0
    """The episode whose part and conditions the cell has."""
    products: Products = "train"
    disturbances: Disturbances = "none"

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_envs.virtual.catalogue import KINDS
        from cellwright_train.outputs import require_no_file, reserved

        kind = KINDS.get(self.controller)
        if kind is None:
            raise unknown("controller", self.controller, KINDS)
        for name, port in (
            ("--sensor-port", self.sensor_port),
            ("--video-port", self.video_port),
            ("--coupler-port", self.coupler_port),
            ("--seam-sensor-port", self.seam_sensor_port),
            ("--wrench-sensor-port", self.wrench_sensor_port),
        ):
            if port is not None and not 0 <= port <= _MOST_PORT:
                raise UsageError(f"{name} must be from 0 to {_MOST_PORT}, got {port}")
        if self.seconds is not None and not self.seconds > 0.0:
            raise UsageError(f"--seconds must be more than 0, got {self.seconds:g}")
        if not 0.0 < self.patience <= 3600.0:
            raise UsageError(f"--patience must be above 0 and at most 3600, got {self.patience:g}")
        if kind.speaks_first:
            self._require_target()
        if self.write_cell is not None:
            require_no_file(self.write_cell)
        with contextlib.ExitStack() as open_:
            (described,) = open_.enter_context(reserved(self.write_cell))
            cell = self._cell(kind)
            if self.frames is not None:
                shared = self._shared(cell, self.frames)
                open_.callback(shared.let_go)
                cell = replace(cell, plant=shared)
            cell, sensor = self._felt(cell)
            video = self._video(cell)
            if video is not None:
                open_.callback(video.close)
            devices = (*self._devices(cell), *sensor)
            for device in devices:
                open_.callback(device.close)
                device.start()
            controller = self._controller(kind, cell)
            controller.patience_s = self.patience
            controller.start()
            try:
                self._describe(described, cell, video, devices)
                self._serve(kind, controller, video, devices)
            finally:
                controller.stop()
                print(_counted(controller, *devices))
                if cell.truth is not None:
                    print(f"the simulated part: {cell.truth()}", flush=True)
                controller.close()
        return 0

    def _require_target(self) -> None:
        """Raise `UsageError` where no packet can go from here to the computer of the client."""
        from cellwright_envs.virtual.controller import ControllerError, checked_address

        if fault := host_fault(self.sensor):
            raise UsageError(f"--sensor {fault}")
        if self.sensor_port == 0:
            raise UsageError(f"--sensor-port must be from 1 to {_MOST_PORT}, got 0")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((checked_address(self.listen, anywhere=self.anywhere), 0))
                probe.connect(
                    (self.sensor, self.sensor_port or _SENSOR_PORTS[self.controller])
                )  # sends nothing
        except ControllerError:
            raise
        except OSError as error:
            raise UsageError(
                f"--sensor {self.sensor} cannot be reached from {self.listen}: {error.strerror}"
            ) from None

    def _shared(self, cell: Cell, directory: Path) -> SharedCameras:
        """The cell's plant with its cameras in memory."""
        from cellwright_envs.virtual.shared_cameras import SharedCameras

        self._require_cameras("--frames", cell)
        return SharedCameras(cell.plant, cell.cameras, cell.exposures, directory)

    def _felt(self, cell: Cell) -> tuple[Cell, tuple[VirtualDevice, ...]]:
        """The cell with its wrench on a wire of its own, if that is asked for, and the sensor."""
        if self.wrench_sensor_port is None:
            return cell, ()
        if not cell.feels:
            raise UsageError("--wrench-sensor-port needs a cell that feels forces: an insertion, with --env")
        from cellwright_envs.virtual.wrench_sensor import FeltPlant, VirtualWrenchSensor, sensor_in

        sensor = VirtualWrenchSensor(
            sensor_in(cell.tool_from_flange),
            address=self.listen,
            port=self.wrench_sensor_port,
            anywhere=self.anywhere,
        )
        return replace(cell, plant=FeltPlant(cell.plant, sensor)), (sensor,)

    def _describe(
        self,
        file: Output | None,
        cell: Cell,
        video: VideoServer | None,
        devices: tuple[VirtualDevice, ...],
    ) -> None:
        """Write the cell's file."""
        if file is None:
            return
        from cellwright_envs.virtual.cell_tables import RobotTable

        if cell.described is None:
            raise UsageError("--write-cell needs a cell: give one with --env")
        addresses = {device.name: f"{device.address}:{device.port}" for device in devices}
        if self.frames is not None:
            addresses |= {name: f"shared:{(self.frames / name).resolve()}" for name in cell.cameras}
        elif video is not None:
            addresses |= dict(zip(cell.cameras, video.urls, strict=True))
        elif cell.cameras:
            raise UsageError("--write-cell needs cameras for the file to name: add --frames or --video-port")
        host = self.sensor if self.controller in _SENSOR_PORTS else self.listen
        robot = RobotTable(driver=self.controller, host=host, port=self.sensor_port or 0)
        file.write(cell.described().text(robot, addresses).encode())
        print(f"cell: {file.path}", flush=True)

    def _require_cameras(self, option: str, cell: Cell) -> None:
        if not cell.cameras:
            what = "an arm without a cell" if self.env is None else self.env
            raise UsageError(
                f"{option} needs a cell with cameras, such as an insertion; {what} has none here"
            )

    def _cell(self, kind: Kind) -> Cell:
        from cellwright_envs.virtual.cells import bare_arm, cell_of
        from cellwright_train.environments import canonical_env

        if self.env is None:
            return bare_arm(kind.cycle_s)
        try:
            return cell_of(
                canonical_env(self.env), product=self.products, disturbances=self.disturbances, seed=self.seed
            )
        except ValueError as error:
            raise UsageError(str(error)) from error

    def _controller(self, kind: Kind, cell: Cell) -> VirtualController:
        options: dict[str, object] = {
            "address": self.listen,
            "lockstep": self.lockstep,
            "anywhere": self.anywhere,
        }
        if kind.speaks_first:
            port = _SENSOR_PORTS[self.controller] if self.sensor_port is None else self.sensor_port
            options |= {"sensor_address": self.sensor, "sensor_port": port}
        elif self.sensor_port is not None:
            raise UsageError(f"--sensor-port is for kuka-rsi and abb-egm; {self.controller} listens itself")
        return kind.make(cell, variant=self.variant, **options)

    def _video(self, cell: Cell) -> VideoServer | None:
        if self.video_port is None:
            return None
        self._require_cameras("--video-port", cell)
        from cellwright_envs.virtual.video import VideoServer

        return VideoServer(cell.cameras, address=self.listen, port=self.video_port, anywhere=self.anywhere)

    def _devices(self, cell: Cell) -> tuple[VirtualDevice, ...]:
        """Coupler and seam sensor of a weld."""
        if cell.weld is None:
            for name in ("coupler_port", "seam_sensor_port"):
                if getattr(self, name) is not None:
                    raise UsageError(
                        f"--{name.replace('_', '-')} needs a cell that welds, such as with --env"
                    )
            return ()
        from cellwright_envs.virtual.coupler import VirtualCoupler, map_of
        from cellwright_envs.virtual.seam_head import VirtualSeamHead

        station: WeldStation = cell.weld
        served: dict[str, Any] = {"address": self.listen, "anywhere": self.anywhere}
        coupler = VirtualCoupler(
            station,
            registers=map_of(station),
            time_s=lambda: station.time_s,
            port=COUPLER_PORT if self.coupler_port is None else self.coupler_port,
            **served,
        )
        head = VirtualSeamHead(
            station,
            time_s=lambda: station.time_s,
            port=SEAM_SENSOR_PORT if self.seam_sensor_port is None else self.seam_sensor_port,
            **served,
        )
        return coupler, head

    def _serve(
        self,
        kind: Kind,
        controller: VirtualController,
        video: VideoServer | None,
        devices: tuple[VirtualDevice, ...],
    ) -> None:
        if kind.speaks_first:
            port = _SENSOR_PORTS[self.controller] if self.sensor_port is None else self.sensor_port
            where = f"{self.listen}, {kind.ports} to {self.sensor} port {port}"
        else:
            where = f"{self.listen}, {kind.ports}"
        for device in devices:
            print(f"{device.name} at {device.address} port {device.port}", flush=True)
        print(f"{self.controller} at {where}; Ctrl-C ends it", flush=True)
        if video is not None:
            video.start()
            print("video: " + " ".join(video.urls), flush=True)
        end = None if self.seconds is None else time.monotonic() + self.seconds
        served: list[VirtualController | VirtualDevice] = [controller, *devices]
        while (end is None or time.monotonic() < end) and all(each.failure is None for each in served):
            time.sleep(0.05)
        for each in served:
            if each.failure is not None:
                raise each.failure


def _counted(*served: VirtualController | VirtualDevice) -> str:
    counters = sum((each.counters for each in served), Counter())
    counted = {name: number for name, number in sorted(counters.items()) if number}
    return "; ".join(f"{name}: {number}" for name, number in counted.items()) or "nothing came"
