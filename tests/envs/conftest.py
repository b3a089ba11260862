"""Bodies to draw: boxes, cylinders and bumpy balls in front of a camera at the origin."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.rendering.scene import Scene

Mesh = tuple[NDArray[np.float64], NDArray[np.int32]]


def box(half_extents_m: NDArray[np.float64]) -> Mesh:
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = [corners for a, b, c, d in quads for corners in ((a, b, c), (a, c, d))]
    return signs * half_extents_m, np.array(faces, dtype=np.int32)


def cylinder(radius_m: float, length_m: float, sides: int = 16) -> Mesh:
    angle = np.arange(sides) * 2.0 * np.pi / sides
    ring = np.stack([radius_m * np.cos(angle), radius_m * np.sin(angle), np.zeros(sides)], axis=1)
    half = np.array([0.0, 0.0, length_m / 2.0])
    faces = []
    for i in range(sides):
        j = (i + 1) % sides
        faces += [(i, j, sides + j), (i, sides + j, sides + i), (2 * sides, j, i)]
        faces.append((2 * sides + 1, sides + i, sides + j))
    return np.concatenate([ring - half, ring + half, [-half, half]]), np.array(faces, dtype=np.int32)


def bumpy_ball(radius_m: float, rng: np.random.Generator, rings: int = 9, sides: int = 14) -> Mesh:
    polar = np.linspace(0.0, np.pi, rings)
    around = np.arange(sides) * 2.0 * np.pi / sides
    radii_m = radius_m * rng.uniform(0.8, 1.2, (rings, sides))
    radii_m[0], radii_m[-1] = radius_m, radius_m
    sine, cosine = np.sin(polar)[:, None], np.cos(polar)[:, None] * np.ones(sides)
    ball = np.stack([sine * np.cos(around), sine * np.sin(around), cosine], axis=-1) * radii_m[..., None]
    faces = []
    for i in range(rings - 1):
        for j in range(sides):
            a, b = i * sides + j, i * sides + (j + 1) % sides
            faces += [(a, a + sides, b + sides), (a, b + sides, b)]
    return ball.reshape(-1, 3), np.array(faces, dtype=np.int32)


def random_pose(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random rotation at a place in front of a camera at the origin."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = rng.uniform([-0.4, -0.3, 0.7], [0.4, 0.3, 1.2])
    return pose


def random_bodies(seed: int) -> list[tuple[Mesh, NDArray[np.float64]]]:
    rng = np.random.default_rng(seed)
    bodies = [(box(rng.uniform(0.02, 0.1, 3)), random_pose(rng)) for _ in range(6)]
    bodies += [
        (cylinder(rng.uniform(0.02, 0.08), rng.uniform(0.05, 0.3)), random_pose(rng)) for _ in range(4)
    ]
    bodies += [(bumpy_ball(rng.uniform(0.04, 0.1), rng), random_pose(rng)) for _ in range(3)]
    return bodies


def scene_of(bodies: list[tuple[Mesh, NDArray[np.float64]]]) -> Scene:
    scene = Scene()
    for index, ((vertices, faces), pose) in enumerate(bodies):
        scene.add_body(f"body {index}", vertices, faces, colour=(0.2, 0.5, 0.8), segmentation_id=index)
        scene.set_pose(f"body {index}", pose)
    return scene


@pytest.fixture(scope="session")
def solids() -> ModuleType:
    """This module, so that tests need no import path to it."""
    return sys.modules[__name__]
