"""Reading a cell's file strictly: a fault is one line that names file, line, key and what would be right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import Safety
from cellwright_runtime.cell.schema import Camera, Cell, Frame, Limits
from cellwright_runtime.files.hosts import host_fault
from cellwright_runtime.files.places import Place
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.files.strict_toml import TomlText, WrongValueError, converted
from cellwright_runtime.interface.rotation import rotation_rows
from cellwright_runtime.vocabulary import SI_UNITS

MOUNTS = {"flange": "tool", "base": "nominal_fixture"}
"""What a camera is mounted on, and the trained frame that it then stands still in."""
WRENCH_SENSORS = ("ati-rdt",)
"""Kinds of `[wrench_sensor]`."""
_BOX_FRAMES = ("base", "fixture")
_DISTORTIONS = (0, 4, 5, 8, 12, 14)
_LEAST_SEEN_RAD = 0.02
_SOURCES = ("device:", "directory:", "shared:", "http://", "https://", "rtsp://")


class CellFile:
    """A cell as its file describes it."""

    def __init__(self, text: TomlText) -> None:
        """Raises `FileError` where a value is of another type, out of range, or contradicts another."""
        self._text = text
        try:
            self.cell: Cell = converted(text.content, Cell)
            _check(self.cell)
        except WrongValueError as error:
            raise text.refusal(error) from None

    @classmethod
    def read(cls, path: str | Path) -> CellFile:
        """The cell of a file; raises `FileError`."""
        return cls(TomlText.read(Path(path)))

    @property
    def name(self) -> str:
        """The file, as it was named."""
        return self._text.name

    def refusal(self, place: Place, what: str) -> ValueError:
        """The one line about the value at `place`."""
        return self._text.refusal(WrongValueError(place, what))

    def require_fit(self, bundle: Bundle) -> None:
        """Raise `FileError` unless a policy can work in this cell.

        It needs the robot and the joint order that it was trained with, a camera for each of its views, the
        frames in which these were mounted, and limits that are no looser than its own.
        """
        safety = bundle.safety
        if safety is None:
            raise FileError(f"{bundle.directory} has no safety.json; write it anew with `cellwright export`")
        robot, joints = self.cell.robot, safety.joints
        if robot.model.lower() != joints.robot.lower():
            raise self.refusal(("robot", "model"), f"is {robot.model}, the policy needs {joints.robot}")
        if robot.joints != joints.names:
            raise self.refusal(("robot", "joints"), f"must be {', '.join(joints.names)}, in this order")
        own = self.cell.seam_sensor is not None and "lateral_range" in bundle.spec.controller
        for trained in () if own else bundle.spec.cameras:  # a head gives the views of a weld itself
            index, camera = self.camera_of(trained.view)
            if MOUNTS[camera.mounted_on] != trained.frame:
                wanted = next(mount for mount, frame in MOUNTS.items() if frame == trained.frame)
                place = ("camera", index, "mounted_on")
                raise self.refusal(place, f"must be {wanted!r}: view {trained.view} was trained so")
        if any(each.frame == "tool" for each in bundle.spec.cameras) and self.cell.tool is None:
            raise self.refusal((), "needs the table [tool]: the policy's tool frame in the flange's")
        if any(each.frame == "nominal_fixture" for each in bundle.spec.cameras) and self.cell.fixture is None:
            raise self.refusal((), "needs the table [fixture]: the nominal fixture in the robot's base")
        for key, what in looser(self.cell.limits, safety):
            raise self.refusal(("limits", key), what)

    def camera_of(self, view: str) -> tuple[int, Camera]:
        """Number and camera that give a `view`; raises `FileError` where none does."""
        for index, camera in enumerate(self.cell.camera):
            if view in camera.views:
                return index, camera
        given = ", ".join(name for camera in self.cell.camera for name in camera.views) or "none"
        raise self.refusal((), f"needs a [[camera]] with the view {view!r}; there are: {given}")


def transform(frame: Frame | Camera) -> NDArray[np.float64]:
    """Transform (4, 4) from a frame to the one that it stands in."""
    result = np.eye(4)
    result[:3, :3] = rotation_rows(*frame.rotation_rad)
    result[:3, 3] = frame.position_m
    return result


def looser(limits: Limits, safety: Safety) -> Iterator[tuple[str, str]]:
    """Keys of `limits` that would allow more than the envelope of a bundle, each with what would be right."""
    joints, tool, timing = safety.joints, safety.tool, safety.timing
    for key, bound in (
        ("tool_speed_m_s", tool.speed_m_s),
        ("force_n", tool.force_n),
        ("torque_n_m", tool.torque_n_m),
        ("observation_age_s", timing.observation_age_s),
        ("image_age_s", timing.image_age_s),
        ("inference_s", timing.inference_deadline_s),
    ):
        value = getattr(limits, key)
        if value is not None and bound is not None and value > bound.number:
            yield key, f"is {value:g}, looser than {bound.number:g}; loosening needs a new bundle"
    if limits.joint_margin_rad is not None and limits.joint_margin_rad < joints.position_margin_rad.number:
        least = joints.position_margin_rad.number
        yield "joint_margin_rad", f"is {limits.joint_margin_rad:g}, less than the bundle's {least:g}"
    for key, bound, sign in (
        ("joint_low_rad", joints.position_low_rad, -1.0),
        ("joint_high_rad", joints.position_high_rad, 1.0),
        ("joint_velocity_rad_s", joints.velocity_rad_s, 1.0),
        ("joint_acceleration_rad_s2", joints.acceleration_rad_s2, 1.0),
        ("joint_jerk_rad_s3", joints.jerk_rad_s3, 1.0),
    ):
        given = getattr(limits, key)
        if given is None or bound is None:
            continue
        for name, ours, theirs in zip(joints.names, given, bound.value, strict=True):
            if sign * ours > sign * theirs:
                yield key, f"is {ours:g} for {name}, looser than the bundle's {theirs:g}"


def _check(cell: Cell) -> None:
    """Raise `WrongValueError` for what types and ranges do not show."""
    _require_distinct(cell.robot.joints, ("robot", "joints"))
    _check_tables(cell)
    views: list[str] = []
    for index, camera in enumerate(cell.camera):
        _check_camera(camera, ("camera", index))
        views += camera.views
    _require_distinct(views, ("camera",))
    _require_distinct([each.name for each in cell.camera], ("camera",))
    for key in ("analogue_output", "analogue_input", "digital_output", "digital_input"):
        signals: Sequence[Any] = getattr(cell, key)
        _require_distinct([each.name for each in signals], (key,))
        for index, each in enumerate(signals):
            if each.channel in [other.channel for other in signals[:index]]:
                raise WrongValueError((key, index, "channel"), f"{each.channel} is taken by another {key}")
            if key.startswith("analogue"):
                _check_scale(each, (key, index))
    for index, box in enumerate(cell.workspace):
        if box.frame not in _BOX_FRAMES:
            raise WrongValueError(("workspace", index, "frame"), f"must be {' or '.join(_BOX_FRAMES)}")
        if not all(low < high for low, high in zip(box.low_m, box.high_m, strict=True)):
            raise WrongValueError(("workspace", index, "low_m"), "must be below high_m along every axis")
    for key in Limits.__struct_fields__:
        given = getattr(cell.limits, key)
        if isinstance(given, tuple) and len(given) != len(cell.robot.joints):
            wanted = f"needs a number for each of the {len(cell.robot.joints)} joints, got {len(given)}"
            raise WrongValueError(("limits", key), wanted)


def _check_tables(cell: Cell) -> None:
    for name, frame in (
        ("tool", cell.tool),
        ("fixture", cell.fixture),
        ("wrench_sensor", cell.wrench_sensor),
    ):
        if frame is not None:
            _require_turn(frame.rotation_rad, (name, "rotation_rad"))
    for name in ("robot", "seam_sensor", "wrench_sensor", "power_source"):
        host = getattr(getattr(cell, name), "host", "")
        if host and (fault := host_fault(host)):
            raise WrongValueError((name, "host"), fault)
    if cell.wrench_sensor is not None and cell.wrench_sensor.kind not in WRENCH_SENSORS:
        told = f"must be {' or '.join(WRENCH_SENSORS)}, got {cell.wrench_sensor.kind!r}"
        raise WrongValueError(("wrench_sensor", "kind"), told)
    if cell.pool_camera is not None:
        _require_source(cell.pool_camera.source, ("pool_camera", "source"))


def _check_camera(camera: Camera, place: Place) -> None:
    if camera.mounted_on not in MOUNTS:
        raise WrongValueError(
            (*place, "mounted_on"), f"must be {' or '.join(MOUNTS)}, got {camera.mounted_on!r}"
        )
    _require_source(camera.source, (*place, "source"))
    if len(camera.distortion) not in _DISTORTIONS:
        told = f"needs {', '.join(map(str, _DISTORTIONS))} coefficients, got {len(camera.distortion)}"
        raise WrongValueError((*place, "distortion"), told)
    for focal, size in zip(camera.focal_px, (camera.width_px, camera.height_px), strict=True):
        if (seen_rad := 2.0 * math.atan(0.5 * size / focal)) < _LEAST_SEEN_RAD:
            told = f"{focal:g} px make {size} px see {1e3 * seen_rad:.0f} mrad; is it in px?"
            raise WrongValueError((*place, "focal_px"), told)
    for name, value, size in zip(
        ("column", "row"), camera.principal_px, (camera.width_px, camera.height_px), strict=True
    ):
        if not 0.0 <= value <= size - 1.0:
            told = f"its {name} must be within the picture, 0 to {size - 1}, got {value:g}"
            raise WrongValueError((*place, "principal_px"), told)
    _require_turn(camera.rotation_rad, (*place, "rotation_rad"))


def _require_source(source: str, place: Place) -> None:
    if not source.startswith(_SOURCES):
        raise WrongValueError(place, f"must begin with one of {', '.join(_SOURCES)}; got {source[:40]!r}")


def _check_scale(signal: Any, place: Place) -> None:
    if signal.unit not in SI_UNITS:
        told = f"must be SI, one of {', '.join(SI_UNITS)}; got {signal.unit!r}"
        raise WrongValueError((*place, "unit"), told)
    if signal.low == signal.high:
        raise WrongValueError((*place, "high"), f"must differ from low, which is {signal.low:g}")
    if signal.volts[0] == signal.volts[1]:
        raise WrongValueError((*place, "volts"), f"must be two different voltages, got {list(signal.volts)}")


def _require_turn(turn: Sequence[float], place: Place) -> None:
    """A rotation vector is at most half a turn long: a longer one is mostly in degrees, or three angles."""
    length = math.hypot(*turn)
    if length > math.pi + 1e-6:
        raise WrongValueError(place, f"is {length:.4g} rad long, a rotation vector is at most pi rad long")


def _require_distinct(names: Sequence[str], place: Place) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise WrongValueError(place, f"names {name!r} twice")
