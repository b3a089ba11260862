"""A set of posed triangle meshes and the frames that a camera takes of it.

`Scene` holds the look of a cell, separate from the physics that moves it: named bodies with colours and
segmentation identities. One `Scene.render` of a training camera costs about as much as a physics sub-step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets import arithmetic
from cellwright_envs.rendering import rasterizer, shading


@dataclass(frozen=True, kw_only=True)
class Light:
    """One distant lamp and an even ambient light; all levels relative to full scale."""

    direction_w: tuple[float, float, float] = (-0.4, 0.3, -1.0)
    """Direction in which the light travels, any length above 0."""
    ambient: float = 0.45
    """Fraction of a face's colour in full shade."""
    diffuse: float = 0.55
    """Fraction that the lamp adds on a face square to its light."""
    background: tuple[float, float, float] = (0.6, 0.65, 0.7)
    """Colour of pixels that nothing covers, 0 to 1."""

    def __post_init__(self) -> None:
        if not arithmetic.length(self.direction_w) > 0.0:
            raise ValueError(f"the light needs a direction, got {self.direction_w=}")
        if min(self.ambient, self.diffuse) < 0.0:
            raise ValueError(f"light cannot be negative: {self.ambient=}, {self.diffuse=}")
        if not all(0.0 <= level <= 1.0 for level in self.background):
            raise ValueError(f"the background is a colour from 0 to 1, got {self.background=}")


@dataclass(frozen=True, kw_only=True)
class PointLight:
    """A small bright source, such as the welding arc; falls off with the square of the distance."""

    position_w: tuple[float, float, float]
    """Where it burns [m]."""
    intensity_m2: float
    """Level at distance r is `intensity_m2` / r², relative to full scale [m²]."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The images of one moment."""

    rgb: NDArray[np.uint8]
    """Colour (H, W, 3)."""
    depth: NDArray[np.float32]
    """Distance along the optical axis (H, W) [m], `inf` where nothing is."""
    segmentation: NDArray[np.int32]
    """Segmentation identity of the nearest body (H, W), -1 where nothing is."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """All bodies of a scene as arrays: N vertices, M faces, B bodies."""

    vertices: NDArray[np.float64]
    """Corners (N, 3) [m], each in its body's frame."""
    vertex_begin: NDArray[np.int64]
    """First vertex of each body, and N (B + 1,)."""
    faces: NDArray[np.int32]
    """Vertex indices (M, 3) over all bodies."""
    face_begin: NDArray[np.int64]
    """First face of each body, and M (B + 1,)."""
    normals: NDArray[np.float64]
    """Unit normals (M, 3), each in its body's frame."""
    colours: NDArray[np.float32]
    """Face colours (M, 3), 0 to 1."""
    segmentation: NDArray[np.int32]
    """Segmentation identity of each face (M,)."""


@dataclass(frozen=True, kw_only=True)
class _Body:
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    colours: NDArray[np.float32]
    segmentation_id: int


class Scene:
    """Named bodies that a camera can see, each with a pose in the world."""

    def __init__(self) -> None:
        self._bodies: dict[str, _Body] = {}
        self._index: dict[str, int] = {}
        self._world_from_body = np.empty((0, 4, 4))
        self._geometry: Geometry | None = None

    def add_body(
        self,
        name: str,
        vertices: ArrayLike,
        faces: ArrayLike,
        *,
        colour: ArrayLike,
        segmentation_id: int,
    ) -> None:
        """Add a mesh at the world's origin.

        `vertices` (N, 3) [m] in the body frame; `faces` (M, 3) index them; `colour` (3,) or (M, 3), 0 to 1.
        Raises `ValueError` for a name already taken, a face that names no vertex, or a negative identity.
        """
        corners = np.array(vertices, dtype=np.float64).reshape(-1, 3)
        triangles = np.array(faces, dtype=np.int32).reshape(-1, 3)
        if name in self._bodies:
            raise ValueError(f"the scene already has a body {name!r}")
        if triangles.size and (triangles.min() < 0 or triangles.max() >= len(corners)):
            raise ValueError(f"body {name!r}: faces must index {len(corners)} vertices")
        if segmentation_id < 0:
            raise ValueError(f"body {name!r}: {segmentation_id=} is negative, -1 means nothing there")
        colours = np.array(np.broadcast_to(colour, triangles.shape), dtype=np.float32)
        self._bodies[name] = _Body(
            vertices=corners, faces=triangles, colours=colours, segmentation_id=segmentation_id
        )
        self._index[name] = len(self._index)
        self._world_from_body = np.concatenate([self._world_from_body, np.eye(4)[None]])
        self._geometry = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bodies, in the order they were added."""
        return tuple(self._bodies)

    def set_pose(self, name: str, world_from_body: NDArray) -> None:
        """Place a body: `world_from_body` (4, 4), a rigid transform [m]."""
        self._world_from_body[self._lookup(name)] = world_from_body

    @property
    def geometry(self) -> Geometry:
        """The bodies packed into arrays; packed again only after `add_body`."""
        if self._geometry is None:
            self._geometry = self._pack()
        return self._geometry

    @property
    def world_from_body(self) -> NDArray[np.float64]:
        """Poses of the bodies (B, 4, 4) in the order of `names`; a copy."""
        return self._world_from_body.copy()

    def render(
        self,
        camera_from_world: NDArray,
        fx: float,
        fy: float,
        cx: float,
        cy: float,
        width: int,
        height: int,
        *,
        light: Light | None = None,
        point_light: PointLight | None = None,
    ) -> Frame:
        """Take one frame: focal lengths `fx`, `fy` and principal point `cx`, `cy` in pixels, no shadows.

        `camera_from_world` (4, 4) maps world points into the camera frame (OpenCV: x right, y down, z
        forward).
        """
        light = light or Light()
        geometry = self.geometry
        camera_from_body = arithmetic.product(camera_from_world, self._world_from_body)
        depth = np.full((height, width), np.inf, dtype=np.float32)
        face = np.full((height, width), -1, dtype=np.int32)
        rasterizer.draw_bodies(
            camera_from_body,
            geometry.vertex_begin,
            geometry.vertices,
            geometry.faces,
            fx,
            fy,
            cx,
            cy,
            self._workspace,
            depth,
            face,
            False,
        )
        to_light_c = -arithmetic.unit(arithmetic.turned(camera_from_world[:3, :3], light.direction_w))
        background = np.array(light.background, dtype=np.float32)
        rgb = np.empty((height, width, 3), dtype=np.uint8)
        segmentation = np.empty((height, width), dtype=np.int32)
        shading.paint(
            face,
            geometry.faces,
            geometry.face_begin,
            camera_from_body,
            geometry.vertices,
            geometry.normals,
            geometry.colours,
            geometry.segmentation,
            to_light_c,
            light.ambient,
            light.diffuse,
            background,
            self._palette,
            rgb,
            segmentation,
        )
        if point_light is not None:
            normals_c = np.empty_like(geometry.normals)
            for body, matrix in enumerate(camera_from_body):
                begin, end = geometry.face_begin[body], geometry.face_begin[body + 1]
                shading.rotate_normals(matrix, geometry.normals, begin, end, normals_c)
            radiance = np.empty((height, width, 3), dtype=np.float32)
            shading.shade(
                depth,
                face,
                normals_c,
                geometry.colours,
                fx,
                fy,
                cx,
                cy,
                to_light_c,
                light.ambient,
                light.diffuse,
                arithmetic.moved(camera_from_world, point_light.position_w),
                point_light.intensity_m2,
                background,
                radiance,
            )
            shading.quantise(radiance, rgb)
        return Frame(rgb=rgb, depth=depth, segmentation=segmentation)

    def _lookup(self, name: str) -> int:
        if name not in self._index:
            raise ValueError(f"no body {name!r} in the scene; it has {sorted(self._index)}")
        return self._index[name]

    def _pack(self) -> Geometry:
        bodies = list(self._bodies.values())
        vertex_begin = np.cumsum([0] + [len(body.vertices) for body in bodies])
        face_begin = np.cumsum([0] + [len(body.faces) for body in bodies])
        vertices = np.concatenate([np.empty((0, 3)), *(body.vertices for body in bodies)])
        faces = np.empty((face_begin[-1], 3), dtype=np.int32)
        colours = np.empty((face_begin[-1], 3), dtype=np.float32)
        segmentation = np.empty(face_begin[-1], dtype=np.int32)
        for index, body in enumerate(bodies):
            rows = slice(face_begin[index], face_begin[index + 1])
            faces[rows] = body.faces + vertex_begin[index]
            colours[rows] = body.colours
            segmentation[rows] = body.segmentation_id
        self._workspace = np.empty((len(vertices), rasterizer.WORKSPACE_COLUMNS))
        self._palette = np.empty((len(faces), 3), dtype=np.uint8)
        return Geometry(
            vertices=vertices,
            vertex_begin=vertex_begin,
            faces=faces,
            face_begin=face_begin,
            normals=shading.face_normals(vertices, faces),
            colours=colours,
            segmentation=segmentation,
        )
