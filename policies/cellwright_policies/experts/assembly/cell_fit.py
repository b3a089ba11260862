"""Fits a drawing of the cell to both frames: pose of the fixture, poses of cameras and part, sizes, light.

Analysis by synthesis. The cell is drawn with guessed unknowns and shaded by a lamp and the room's light. The
grey values are linear in the light, so the light is fitted directly. A cross-entropy search finds the
neighbourhood of the other unknowns, damped Gauss-Newton steps (Levenberg-Marquardt) refine them. The
disturbances of training enter as a prior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import (
    CAMERA_IMAGE_PX,
    FIXED_CAMERA,
    GRASP_HEIGHT_M,
    HAND_CAMERA,
    TABLE_GREY,
)
from cellwright_perception.opencv import opencv
from cellwright_policies.experts.assembly.cell_drawings import CellDrawing
from cellwright_policies.experts.assembly.drawn_cell import Drawing, Painter, calibrated, rigid

Array = NDArray[np.float64]
Labels = NDArray[np.uint8]

HAND_POSE, FIXED_POSE, FIXTURE, TURN, GRASP = slice(0, 6), slice(6, 12), slice(12, 15), 15, slice(16, 18)
"""Unknowns: of each camera how it sits in its own frame, rotation [rad] then translation [m]; the fixture's
place [m] and turn [rad]; how far the part sits along x in the fingers [m] and is turned about y [rad]. The
open sizes of the drawing follow."""
UNKNOWNS = 18
_SPREAD = np.array(
    [0.045] * 3 + [1.5e-3] * 3 + [0.027] * 3 + [1.5e-3] * 3 + [2.4e-3, 2.4e-3, 1.1e-3, 0.045, 0.5e-3, 8e-3]
)
_STEP = np.array(
    [4e-3] * 3 + [0.4e-3] * 3 + [3e-3] * 3 + [0.4e-3] * 3 + [0.4e-3, 0.4e-3, 0.5e-3, 0.015, 0.4e-3, 8e-3]
)
"""Of finite differences: about half a pixel."""
_SEARCHED = np.array([1] * 3 + [0] * 3 + [1] * 3 + [0] * 3 + [1] * 5 + [0], dtype=bool)
"""Unknowns that the search varies; the others hardly change the frames and are left to the refinement."""
_LIGHT = np.array([95.0, 50.0, -39.0, 110.0, 0.0])
"""Usual levels: the room's light on white, the lamp's along x, y and z, and the camera's offset."""
_LIGHT_SPREAD = np.array([40.0, 60.0, 60.0, 40.0, 10.0])
_SATURATED = 240


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How long it searches and how finely it compares; tuned by hand on training seeds."""

    population: int = 70
    elite: int = 9
    rounds: int = 28
    search_noise: float = 12.0
    """Standard deviation of drawing minus frame in the search [grey values]."""
    noise: float = 6.0
    """The same after the search."""
    outlier: float = 20.0
    """Difference beyond which a larger one hardly counts more [grey values]."""
    blur_px: float = 0.7
    steps: int = 12


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """The cell that was found."""

    place_m: Array
    """(2,) where the tool has to be for the part to stand over the hole, in the nominal fixture."""
    turn_rad: float
    """Turn of the fixture."""
    cost: float
    """Disagreement of drawing and frames, in squared standard deviations."""
    unknowns: Array


class CellFit:
    """Compares one drawing with the frames (2, H, W) taken at a pose (6,) of the tool."""

    def __init__(
        self,
        cell: CellDrawing,
        drawing: Drawing,
        frames: Labels,
        pose: Array,
        settings: FitSettings = FitSettings(),
    ) -> None:
        sizes = cell.sizes
        self._drawing, self._settings = drawing, settings
        self._frames = frames.astype(np.float64)
        self._weight = _unsaturated(frames)
        self._levels = (self._weight * self._frames).ravel()
        self._usual = np.concatenate([np.zeros(UNKNOWNS), sizes.usual])
        self._spread = np.concatenate([_SPREAD, sizes.spread])
        self._step = np.concatenate([_STEP, 0.2 * sizes.spread + 0.1e-3])
        free = np.full(UNKNOWNS, np.inf)
        self._low, self._high = np.concatenate([-free, sizes.low]), np.concatenate([free, sizes.high])
        self._tool = rigid(np.concatenate([pose[3:], pose[:3]])[None])[0]
        self._noise = settings.search_noise

    def search(self, seed: int) -> Array:
        """The best unknowns (K,) of a cross-entropy search that begins at the drawing."""
        settings, rng = self._settings, np.random.default_rng(seed)
        self._noise = settings.search_noise
        searched = np.concatenate([_SEARCHED, np.ones(len(self._usual) - UNKNOWNS, dtype=bool)])
        mean, spread = self._usual.copy(), np.where(searched, self._spread, 0.0)
        best, lowest = mean, np.inf
        for _ in range(settings.rounds):
            tried = mean + spread * rng.standard_normal((settings.population, len(mean)))
            tried[0], tried[1] = mean, best
            tried = np.clip(tried, self._low, self._high)
            costs = self._search_costs(tried)
            order = np.argsort(costs)
            if costs[order[0]] < lowest:
                best, lowest = tried[order[0]], costs[order[0]]
            elite = tried[order[: settings.elite]]
            mean = 0.9 * elite.mean(axis=0) + 0.1 * mean
            spread = 0.8 * elite.std(axis=0) + 0.18 * spread
        return best

    def refine(self, unknowns: Array) -> Sighting:
        """The cell that fits best near `unknowns` (K,)."""
        settings = self._settings
        self._noise = settings.noise
        drawn, light = self._lit(unknowns)
        cost, damping = self._cost(drawn, unknowns), 0.01
        for _ in range(settings.steps):
            normal, gradient = self._slope(unknowns, drawn, light)
            before = cost
            for _ in range(4):
                damped = normal + damping * np.diag(np.diag(normal))
                tried = np.clip(unknowns + np.linalg.solve(damped, gradient), self._low, self._high)
                drawn_there, light_there = self._lit(tried)
                cost_there = self._cost(drawn_there, tried)
                if cost_there < cost:
                    unknowns, drawn, light, cost = tried, drawn_there, light_there, cost_there
                    damping = max(0.2 * damping, 1e-4)
                    break
                damping *= 5.0
            if before - cost < 0.5:
                break
        shift_m, turn_rad = unknowns[GRASP]
        tip_m = np.array([shift_m - GRASP_HEIGHT_M * turn_rad, 0.0])
        place_m = unknowns[FIXTURE][:2] - tip_m
        return Sighting(place_m=place_m, turn_rad=float(unknowns[TURN]), cost=cost, unknowns=unknowns)

    def _painters(self, unknowns: Array, finer: int) -> tuple[Array, tuple[Painter, Painter]]:
        """How each face's level depends on the light (P, F + 1, 5), the table first; and the painters."""
        drawing, count = self._drawing, len(unknowns)
        corners = drawing.corners(unknowns[:, UNKNOWNS:])
        albedo = np.concatenate([[TABLE_GREY], drawing.greys])
        response = np.ones((count, len(albedo), 5))
        response[:, :, 0] = albedo
        response[:, 0, 1:4] = (0.0, 0.0, TABLE_GREY)
        response[:, 1:, 1:4] = albedo[1:, None] * drawing.normals(corners)
        shift_m, turn_rad = unknowns[:, GRASP].T[:, :, None]
        corners[:, drawing.part, 0] += shift_m + turn_rad * (corners[:, drawing.part, 2] - GRASP_HEIGHT_M)
        fixture = np.zeros((count, 6))
        fixture[:, 2], fixture[:, 3:] = unknowns[:, TURN], unknowns[:, FIXTURE]
        fixture_w = rigid(fixture)
        hand = rigid(unknowns[:, HAND_POSE]) @ calibrated(HAND_CAMERA)
        fixed = rigid(unknowns[:, FIXED_POSE]) @ calibrated(FIXED_CAMERA)
        views = (
            (hand, hand @ np.linalg.inv(self._tool) @ fixture_w, HAND_CAMERA.focal_px),
            (fixed @ self._tool, fixed @ fixture_w, FIXED_CAMERA.focal_px),
        )
        first, second = (
            drawing.painter(_seen(corners, drawing.held, tool, rest), focal_px, finer)
            for tool, rest, focal_px in views
        )
        return response, (first, second)

    def _search_costs(self, unknowns: Array) -> Array:
        """Costs (P,) of unknowns (P, K), from the sums of levels on each face."""
        response, painters = self._painters(unknowns, 1)
        labels = np.zeros((2, CAMERA_IMAGE_PX, CAMERA_IMAGE_PX), dtype=np.uint8)
        count = response.shape[:2]
        areas, sums = np.empty(count), np.empty(count)
        for index in range(count[0]):
            for view, paint in enumerate(painters):
                paint(index, labels[view])
            areas[index], sums[index] = self._face_sums(labels, count[1])
        light = self._light(response, areas, sums)
        level = np.einsum("pfi,pi->pf", response, light)
        squares = float((self._weight * self._frames**2).sum())
        misfit = squares + (level * (level * areas - 2.0 * sums)).sum(axis=1)
        unlikely = ((light - _LIGHT) / _LIGHT_SPREAD) ** 2
        return np.asarray(misfit / self._noise**2 + unlikely.sum(axis=1) + self._prior(unknowns))

    def _face_sums(self, labels: Labels, faces: int) -> tuple[Array, Array]:
        """Number of pixels on each face (F,) and sum of their levels."""
        flat, each = labels.ravel(), (self._weight.ravel(), self._levels)
        areas, sums = (np.asarray(np.bincount(flat, values, faces), dtype=float) for values in each)
        return areas, sums

    def _light(self, response: Array, areas: Array, sums: Array) -> Array:
        """The most likely light (P, 5) for responses (P, F, 5)."""
        known = self._noise**2 / _LIGHT_SPREAD**2
        normal = np.einsum("pfi,pf,pfj->pij", response, areas, response) + np.diag(known)
        right = np.einsum("pfi,pf->pi", response, sums) + known * _LIGHT
        return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0])

    def _prior(self, unknowns: Array) -> Array:
        return np.asarray((((unknowns - self._usual) / self._spread) ** 2).sum(axis=-1))

    def _lit(self, unknowns: Array) -> tuple[Array, Array]:
        """The drawing (2, H, W) with unknowns (K,) in the light (5,) that suits it best."""
        response, painters = self._painters(unknowns[None], 2)
        labels = _painted(painters, 0)
        areas, sums = self._face_sums(labels[:, ::2, ::2], response.shape[1])
        light = self._light(response, areas[None], sums[None])[0]
        return _averaged((response[0] @ light)[labels]), light

    def _slope(self, unknowns: Array, drawn: Array, light: Array) -> tuple[Array, Array]:
        """Normal matrix and gradient of the cost at unknowns (K,), by finite differences."""
        step = np.where(unknowns + self._step > self._high, -self._step, self._step)
        response, painters = self._painters(unknowns + np.diag(step), 2)
        slopes = np.empty((len(step), drawn.size))
        for index in range(len(step)):
            moved = _averaged((response[index] @ light)[_painted(painters, index)])
            slopes[index] = self._compared(moved - drawn) / step[index]
        missing = self._compared(self._frames - drawn)
        trusted = slopes / (1.0 + (missing / self._settings.outlier) ** 2)
        normal = trusted @ slopes.T / self._noise**2 + np.diag(1.0 / self._spread**2)
        return normal, trusted @ missing / self._noise**2 - (unknowns - self._usual) / self._spread**2

    def _cost(self, drawn: Array, unknowns: Array) -> float:
        outlier = self._settings.outlier
        misfit = np.log1p((self._compared(self._frames - drawn) / outlier) ** 2).sum()
        return float(outlier**2 * misfit / self._noise**2 + self._prior(unknowns))

    def _compared(self, difference: Array) -> Array:
        """A difference of frames (2, H, W), weighted, smoothed and flat."""
        sigma = self._settings.blur_px
        return np.concatenate(
            [opencv().GaussianBlur(each, (0, 0), sigma).ravel() for each in self._weight * difference]
        )


def _seen(corners: Array, held: NDArray[np.bool_], tool: Array, fixture: Array) -> Array:
    """Corners (P, V, 3) in a camera's frame, from the tool's where `held` and from the fixture's."""
    out = np.empty_like(corners)
    for chosen, pose in ((held, tool), (~held, fixture)):
        out[:, chosen] = corners[:, chosen] @ pose[:, :3, :3].transpose(0, 2, 1) + pose[:, None, :3, 3]
    return out


def _painted(painters: tuple[Painter, Painter], index: int) -> Labels:
    labels = np.zeros((2, 2 * CAMERA_IMAGE_PX, 2 * CAMERA_IMAGE_PX), dtype=np.uint8)
    for view, paint in enumerate(painters):
        paint(index, labels[view])
    return labels


def _averaged(fine: Array) -> Array:
    """Frames (2, H, W) of those with twice as many samples along each edge."""
    return np.asarray(
        0.25 * (fine[:, ::2, ::2] + fine[:, 1::2, ::2] + fine[:, ::2, 1::2] + fine[:, 1::2, 1::2])
    )


def _unsaturated(frames: Labels) -> Array:
    """(2, H, W): 0 around saturated pixels, else 1; 1 everywhere where there are too many of them."""
    cv2 = opencv()
    around = np.ones((5, 5), dtype=np.uint8)
    weight = np.stack([1.0 - cv2.dilate((frame > _SATURATED).astype(np.uint8), around) for frame in frames])
    return np.asarray(weight if weight.mean() > 0.7 else np.ones_like(weight))
