import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_assets import box_mesh, cylinder_mesh, robot_meshes, torch_mesh, tube_mesh
from cellwright_assets.meshes import Faces, Mesh, Vertices
from cellwright_assets.prisms import keyed_outline, prism_mesh, round_outline


def volume_m3(vertices: Vertices, faces: Faces) -> float:
    """Return the volume inside a closed mesh; positive only if it winds counter-clockwise from outside."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return float(np.sum(a * np.cross(b, c)) / 6.0)


def is_closed(faces: Faces) -> bool:
    """Return whether every edge is walked once in each direction."""
    edges = [(int(f[i]), int(f[(i + 1) % 3])) for f in faces for i in range(3)]
    return len(set(edges)) == len(edges) and {(b, a) for a, b in edges} == set(edges)


def test_box_has_its_volume_and_winds_outward() -> None:
    vertices, faces = box_mesh((0.2, 0.3, 0.4), center_m=(1.0, 2.0, 3.0))
    assert volume_m3(vertices, faces) == pytest.approx(0.024)
    assert is_closed(faces)
    np.testing.assert_allclose(vertices.mean(axis=0), (1.0, 2.0, 3.0))


STAR = np.array([[2, 0], [0.5, 0.5], [0, 2], [-0.5, 0.5], [-2, 0], [-0.5, -0.5], [0, -2], [0.5, -0.5]])


@pytest.mark.parametrize("outline", [STAR, round_outline(0.5, 48), keyed_outline(0.5, 0.2, 0.6)])
def test_prism_has_its_volume_winds_outward_and_stays_in_its_outline(outline: np.ndarray) -> None:
    x, y = outline.T
    area_m2 = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    vertices, faces = prism_mesh(outline, -1.0, 2.0)
    assert len(faces) == 4 * len(outline) - 4
    assert is_closed(faces)
    assert volume_m3(vertices, faces) == pytest.approx(3.0 * area_m2)
    # No triangle of a lid overlaps another or reaches out: their areas add up to the outline's.
    a, b, c = vertices[faces][2 * len(outline) :].transpose(1, 0, 2)
    lids_m2 = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    assert lids_m2.sum() == pytest.approx(2.0 * area_m2)


def test_an_outline_that_runs_clockwise_is_refused() -> None:
    with pytest.raises(ValueError, match="outline of 8 points crosses itself or runs clockwise"):
        prism_mesh(STAR[::-1], 0.0, 1.0)


@given(st.floats(0.001, 0.5), st.floats(0.001, 2.0), st.integers(3, 40))
def test_cylinder_has_the_volume_of_its_prism(radius_m: float, length_m: float, segments: int) -> None:
    vertices, faces = cylinder_mesh(radius_m, length_m, segments)
    ring_m2 = 0.5 * segments * radius_m**2 * np.sin(2.0 * np.pi / segments)
    assert volume_m3(vertices, faces) == pytest.approx(ring_m2 * length_m)
    assert is_closed(faces)
    assert len(faces) == 4 * segments - 4


@pytest.mark.parametrize("mesh", [*robot_meshes(), *torch_mesh()], ids=lambda mesh: mesh.name)
def test_every_part_is_closed_and_winds_outward(mesh: Mesh) -> None:
    assert is_closed(mesh.faces)
    assert volume_m3(mesh.vertices, mesh.faces) > 0.0
    assert mesh.vertices.dtype == np.float64
    assert mesh.faces.dtype == np.int32


def test_arm_and_torch_are_cheap_to_draw() -> None:
    assert sum(len(mesh.faces) for mesh in robot_meshes()) <= 900
    assert sum(len(mesh.faces) for mesh in torch_mesh()) <= 120


def test_every_link_is_drawn_and_the_torch_is_on_the_last() -> None:
    assert {mesh.link for mesh in robot_meshes()} == set(range(7))
    assert {mesh.link for mesh in robot_meshes() if mesh.name.startswith("torch")} == {6}


def test_shapes_that_cannot_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0 m"):
        box_mesh((0.1, 0.0, 0.1))
    with pytest.raises(ValueError, match="at least 3 segments"):
        cylinder_mesh(0.1, 0.1, 2)
    with pytest.raises(ValueError, match="K >= 2"):
        tube_mesh([[0.0, 0.0, 0.0]], [0.1], 6)
