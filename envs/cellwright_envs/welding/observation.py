"""What the weld policy is told: the groups, their components with units, and their history."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.cell_env import Component
from cellwright_envs.welding.part.product import JOINTS, WeldProduct
from cellwright_envs.welding.part.seam import LEAD_IN_M, STEP_M, SeamFrames
from cellwright_perception.seam.measurement import SeamSensor
from cellwright_perception.seam.outlier_gate import OutlierGate
from cellwright_perception.seam.seam_profile import SeamProfile
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

Array = NDArray[np.float64]

PROFILE_POINTS = 8
SIGNAL_LAGS = (0, 1, 2, 4, 8, 16)
MOTION_LAGS = (0, 2, 8)

SIGNALS = (
    Component(name="current_mean", unit="A", low=0.0, high=400.0),
    Component(name="current_std", unit="A", low=0.0, high=120.0),
    Component(name="voltage_mean", unit="V", low=0.0, high=45.0),
    Component(name="voltage_std", unit="V", low=0.0, high=15.0),
    Component(name="short_circuit_rate", unit="Hz", low=0.0, high=250.0),
    Component(name="wire_feed", unit="m/s", low=0.0, high=0.25),
    Component(name="pyrometer", unit="K", low=250.0, high=2000.0),
)
MOTION = (
    Component(name="lateral_correction", unit="m", low=-8e-3, high=8e-3),
    Component(name="height_correction", unit="m", low=-6e-3, high=6e-3),
    Component(name="travel_speed_trim", unit="1", low=-0.3, high=0.3),
    Component(name="wire_feed_trim", unit="1", low=-0.25, high=0.25),
    Component(name="voltage_trim", unit="V", low=-3.0, high=3.0),
    *(
        Component(name=f"last_{name}", unit="1", low=-1.0, high=1.0)
        for name in ("lateral_rate", "height_rate", "travel_speed", "wire_feed", "voltage")
    ),
)
PROGRAMME = (
    *(Component(name=f"joint_is_{joint}", unit="1", low=0.0, high=1.0) for joint in JOINTS),
    Component(name="thickness", unit="m", low=1e-3, high=10e-3),
    Component(name="nominal_wire_feed", unit="m/s", low=0.0, high=0.2),
    Component(name="nominal_voltage", unit="V", low=14.0, high=36.0),
    Component(name="nominal_travel_speed", unit="m/s", low=2e-3, high=20e-3),
    Component(name="nominal_contact_tip_distance", unit="m", low=8e-3, high=25e-3),
    Component(name="nominal_gap", unit="m", low=0.0, high=2e-3),
    Component(name="seam_done", unit="1", low=-0.25, high=1.0),
    Component(name="curvature", unit="1/m", low=-40.0, high=40.0),
    Component(name="arc_on", unit="1", low=0.0, high=1.0),
)


def _lagged(components: tuple[Component, ...], lags: tuple[int, ...]) -> tuple[Component, ...]:
    return tuple(
        Component(name=f"{c.name}_lag_{lag}", unit=c.unit, low=c.low, high=c.high)
        for lag in lags
        for c in components
    )


def _profile(look_ahead_m: float) -> tuple[Component, ...]:
    ahead_mm = np.linspace(0.0, look_ahead_m, PROFILE_POINTS) * 1e3
    ranges = {"lateral": (-4e-3, 4e-3), "height": (-4e-3, 4e-3), "gap": (0.0, 3e-3)}
    return (
        *(
            Component(name=f"{kind}_{at:.0f}_mm_ahead", unit="m", low=low, high=high)
            for kind, (low, high) in ranges.items()
            for at in ahead_mm
        ),
        Component(name="confidence", unit="1", low=0.0, high=1.0),
    )


COMPONENTS: dict[str, tuple[Component, ...]] = {
    "seam": _profile(SeamSensorGeometry().look_ahead_m),
    "signals": _lagged(SIGNALS, SIGNAL_LAGS),
    "programme": PROGRAMME,
    "motion": _lagged(MOTION, MOTION_LAGS),
}


class History:
    """The last values of one group, newest first, sampled at fixed lags [control steps]."""

    def __init__(self, width: int, lags: tuple[int, ...]) -> None:
        self._values = np.zeros((lags[-1] + 1, width), dtype=np.float32)
        self._lags = np.array(lags)

    def reset(self, values: Array) -> None:
        self._values[:] = values

    def push(self, values: Array) -> None:
        self._values[1:] = self._values[:-1]
        self._values[0] = values

    def sample(self) -> NDArray[np.float32]:
        """Lag-major (lags * width,), a copy."""
        return self._values[self._lags].ravel()


class Crossing(NamedTuple):
    """How the drawing's seam and what is near it cross the laser plane, seen from one torch pose."""

    arc_m: float
    """Seam length from the wire to the laser."""
    seam_t: Array
    """Lateral and height (2,) [m] of the drawing's seam in the laser plane, in the tool frame."""
    seam_from_laser: Array
    """(2, 2): turns a distance off the seam in the laser plane into (lateral, height) of the seam there."""
    laser_from_torch: Array
    """(2, 2): what a torch moved by (lateral, height) at the wire gains on the seam in the laser plane."""
    gap_share: float
    """Gap over what it measures in the laser plane."""
    slant: float
    """How far the drawing's seam goes left for its way ahead."""


class LookAhead:
    """Where the drawing's seam crosses the laser plane, seen from each point of the taught path."""

    def __init__(self, frames: SeamFrames, torch_rotations_w: Array, geometry: SeamSensorGeometry) -> None:
        count = len(frames.path_position_m)
        reach = np.arange(46)
        later = np.minimum(np.arange(count)[:, None] + reach, count - 1)
        offsets = frames.points_w[later] - frames.points_w[:, None]
        in_tool = np.einsum("nij,nki->nkj", torch_rotations_w, offsets)
        beyond = in_tool[:, :, 0] >= geometry.look_ahead_m
        crossed = beyond.any(axis=1)
        step = np.where(crossed, beyond.argmax(axis=1), len(reach) - 1)
        rows = np.arange(count)
        before, last = in_tool[rows, step - 1], in_tool[rows, step]
        # Behind the part's end nothing crosses the laser: its last sample stands for it.
        reached = np.where(crossed, last[:, 0] - before[:, 0], 1.0)
        share = np.where(crossed, (geometry.look_ahead_m - before[:, 0]) / reached, 1.0)

        def at_laser(values: Array) -> Array:
            """Values (N, ...) along the path, interpolated to where each sample's laser plane cuts it."""
            weight = share.reshape(-1, *(1,) * (values.ndim - 1))
            crossing: Array = (1.0 - weight) * values[later[rows, step - 1]] + weight * values[
                later[rows, step]
            ]
            return crossing

        crossing_t = before + share[:, None] * (last - before)
        seam = np.einsum("nij,nik->njk", torch_rotations_w, at_laser(frames.rotations_w))
        torch = np.einsum("nij,nik->njk", torch_rotations_w, frames.rotations_w)
        tangents = seam[:, :, 0]
        laser_from_seam = _cut(seam[:, :, 1:], tangents)
        laser_from_torch = _cut(torch[:, :, 1:], tangents)
        base, web = at_laser(frames.base_directions_w), at_laser(frames.web_directions_w)
        # A butt joint opens to its sides, a lap or fillet along its web.
        is_butt = np.abs(np.einsum("ni,ni->n", frames.web_directions_w, frames.rotations_w[:, :, 2])) > 0.99
        opening_w = np.where(is_butt[:, None], base, web)
        opening_t = np.einsum("nij,ni->nj", torch_rotations_w, opening_w)
        gap_share = 1.0 / np.linalg.norm(_cut(opening_t[:, :, None], tangents)[:, :, 0], axis=1)
        self.opening_rad = _opening_rad(at_laser(frames.rotations_w)[:, :, 0], base, web, torch_rotations_w)
        """Angle between base plate and web in the laser plane (N,) [rad]."""
        stripe = geometry.stripe
        seen_t = np.column_stack([np.full(count, geometry.look_ahead_m), crossing_t[:, 1:]])
        seen_c = seen_t @ geometry.camera_from_tool[:3, :3].T + geometry.camera_from_tool[:3, 3]
        middle_px = [0.5 * (stripe.width - 1), 0.5 * (stripe.height - 1)]
        self.window_px = np.rint(stripe.project(seen_c) - middle_px)
        """How far the sensor moves its stripe window (N, 2) [px] to keep the drawing's seam in its middle."""
        self._table = np.column_stack(
            [
                (step - 1 + share) * STEP_M,
                crossing_t[:, 1:],
                np.linalg.inv(laser_from_seam).reshape(-1, 4),
                laser_from_torch.reshape(-1, 4),
                gap_share,
                tangents[:, 1] / tangents[:, 0],
            ]
        )

    def at(self, path_position_m: float) -> Crossing:
        """Return the crossing seen from `path_position_m`, linear between samples."""
        position = (path_position_m + LEAD_IN_M) / STEP_M
        index = min(max(int(position), 0), len(self._table) - 2)
        share = min(max(position - index, 0.0), 1.0)
        row = (1.0 - share) * self._table[index] + share * self._table[index + 1]
        return Crossing(
            arc_m=float(row[0]),
            seam_t=row[1:3],
            seam_from_laser=row[3:7].reshape(2, 2),
            laser_from_torch=row[7:11].reshape(2, 2),
            gap_share=float(row[11]),
            slant=float(row[12]),
        )


def _cut(directions_t: Array, tangents_t: Array) -> Array:
    """How far (N, 2, M) the crossing moves in the laser plane as the seam moves by `directions_t` (N, 3, M).

    The seam runs along `tangents_t` (N, 3): what moves it out of the plane moves the crossing along it.
    """
    slide = directions_t[:, :1] / tangents_t[:, :1, None]
    return np.asarray(directions_t[:, 1:] - slide * tangents_t[:, 1:, None])


def _opening_rad(tangents: Array, base: Array, web: Array, torch_rotations_w: Array) -> Array:
    """Angle (N,) between base plate and web in each sample's laser plane; directions (N, 3) in the world."""
    traces = []
    for directions in (base, web):
        trace = np.cross(np.cross(tangents, directions), torch_rotations_w[:, :, 0])
        traces.append(trace / np.linalg.norm(trace, axis=1, keepdims=True))
    cosine = np.einsum("ni,ni->n", *traces)
    # Rounded, so that what is square on the drawing stays square to the last bit.
    return np.round(np.arccos(np.clip(cosine, -1.0, 1.0)) - 0.5 * np.pi, 4) + 0.5 * np.pi


class SeamTracker:
    """Turns stripe images into the seam profile between wire and laser, as a seam-tracking unit does."""

    def __init__(self, geometry: SeamSensorGeometry) -> None:
        self._geometry = geometry
        self._sensor = SeamSensor(geometry)
        self._profile = SeamProfile(look_ahead_m=geometry.look_ahead_m, capacity=512)
        self._gate = OutlierGate()
        self._ahead_m = np.linspace(0.0, geometry.look_ahead_m, PROFILE_POINTS)

    def load(self, product: WeldProduct, frames: SeamFrames, look_ahead: LookAhead) -> None:
        """Follow another product's taught path from now on."""
        self._joint = product.joint
        self._nominal_gap_m = product.gap_m
        self._frames = frames
        self._look_ahead = look_ahead

    def reset(self) -> None:
        self._profile.reset()
        self._gate.reset()

    def window_px(self, path_position_m: float) -> tuple[float, float]:
        """Shift of the stripe window (columns, rows) at `path_position_m` of the taught path."""
        columns, rows = self._look_ahead.window_px[self._frames.index(path_position_m)]
        return float(columns), float(rows)

    def update(
        self,
        stripe: NDArray[np.uint8],
        path_position_m: float,
        window_px: tuple[float, float],
        lateral_m: float,
        height_m: float,
    ) -> None:
        """Measure one frame taken with the torch `lateral_m` and `height_m` off the taught path."""
        ahead = self._look_ahead
        opening_rad = float(ahead.opening_rad[self._frames.index(path_position_m)])
        crossing = ahead.at(path_position_m)
        found = self._sensor.measure(
            stripe, self._joint, window_px=window_px, opening_rad=opening_rad, slant=crossing.slant
        )
        if found.confidence <= 0.0:
            return
        off_m = np.array([found.lateral_m, found.height_m]) - crossing.seam_t
        off_m += crossing.laser_from_torch @ (lateral_m, height_m)
        across_m, up_m = (crossing.seam_from_laser @ off_m).tolist()
        measured = (across_m, up_m, found.gap_m * crossing.gap_share)
        if self._gate.passes(*measured):
            self._profile.push(path_position_m + crossing.arc_m, *measured, found.confidence)

    def profile(self, path_position_m: float, lateral_m: float, height_m: float) -> NDArray[np.float32]:
        """The `seam` group (25,): the seam ahead relative to the torch, kind-major, then the confidence."""
        values = self._profile.sample(path_position_m + self._ahead_m)
        out = np.empty(3 * PROFILE_POINTS + 1, dtype=np.float32)
        out[:PROFILE_POINTS] = values[:, 0] - lateral_m
        out[PROFILE_POINTS : 2 * PROFILE_POINTS] = values[:, 1] - height_m
        out[2 * PROFILE_POINTS : -1] = values[:, 2]
        out[-1] = self._profile.confidence
        return out
