"""Z-buffer renderer for the cell's cameras, compiled with numba.

A training camera is small (64×64) and sees some hundred to some thousand triangles, so the cost lies in the
set-up of each triangle, in mispredicted branches and in call overhead, not in pixels. The kernels therefore
reject a triangle as early as they can, test whole rows of pixels without branching, allocate nothing, and
handle a whole scene in one call. Testing pixel by pixel looks as fast in a loop over one picture, which the
processor learns by heart, but takes three times as long on pictures it has not seen.

Cameras follow OpenCV: x right, y down, z forward, pixel centres at integer coordinates. Depth is measured
along the optical axis. Pixels that nothing covers keep depth `inf` and face -1.
"""

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled_as

NEAR_M = 0.01
"""Distance of the near plane; triangles that cross it are clipped."""

WORKSPACE_COLUMNS = 6
"""Per vertex: x, y, z [m] in the camera frame, then u, v [px] and 1/z [1/m] (0 behind the near plane)."""

SUBPIXELS = 4096.0
"""Vertices snap to 1/4096 px: edge functions are then exact in double precision up to 10^4 px from the image.
A grid of 1/256 px moved the depth of steep slivers by 3 mm at 0.8 m."""

_SMALLEST_POSITIVE = 1e-300  # not a denormal: other libraries switch those off for the whole process
_LANES = 8
_NARROW_PX = 24


@compiled_as(error_model="numpy")
def transform_points(matrix: NDArray, points: NDArray, out: NDArray) -> None:
    """Write `matrix` (4, 4), a rigid transform, applied to `points` (N, 3) into `out` (N, 3)."""
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for row in range(3):
            out[i, row] = matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] * z + matrix[row, 3]


@compiled_as(error_model="numpy")
def project_points(
    camera_from_body: NDArray,
    vertices: NDArray,
    begin: int,
    end: int,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    workspace: NDArray,
) -> None:
    """Fill rows `begin` to `end` of `workspace` (N, 6) from `vertices` (N, 3) [m] in the body frame."""
    m = camera_from_body
    m00, m01, m02, m03 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    m10, m11, m12, m13 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    m20, m21, m22, m23 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    for i in range(begin, end):
        px, py, pz = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        x = m00 * px + m01 * py + m02 * pz + m03
        y = m10 * px + m11 * py + m12 * pz + m13
        z = m20 * px + m21 * py + m22 * pz + m23
        workspace[i, 0] = x
        workspace[i, 1] = y
        workspace[i, 2] = z
        if z >= NEAR_M:
            inverse_z = 1.0 / z
            workspace[i, 3] = np.floor((fx * x * inverse_z + cx) * SUBPIXELS + 0.5) / SUBPIXELS
            workspace[i, 4] = np.floor((fy * y * inverse_z + cy) * SUBPIXELS + 0.5) / SUBPIXELS
            workspace[i, 5] = inverse_z
        else:
            workspace[i, 5] = 0.0


@compiled_as(error_model="numpy")
def _span(a0, r0, a1, r1, a2, r2, low, high):  # type: ignore[no-untyped-def]
    """Return where a row enters and leaves a triangle [px], at most one pixel too wide: edges are a x + r."""
    for a, r in ((a0, r0), (a1, r1), (a2, r2)):
        if a > 0.0:
            low = max(low, -r / a)
        elif a < 0.0:
            high = min(high, -r / a + 1.0)
    return low, high


@compiled_as(error_model="numpy")
def _fill_triangle(  # type: ignore[no-untyped-def]
    u0, v0, q0, u1, v1, q1, u2, v2, q2, face_id, depth, face
):
    """Draw one projected triangle: corners (u, v) [px] with inverse depth q [1/m], either winding."""
    height, width = depth.shape
    u_low, u_high = min(u0, u1, u2), max(u0, u1, u2)
    v_low, v_high = min(v0, v1, v2), max(v0, v1, v2)
    if u_high < 0.0 or v_high < 0.0 or u_low > width - 1 or v_low > height - 1:
        return
    x_begin, x_end = int(np.ceil(max(u_low, 0.0))), int(np.floor(min(u_high, width - 1.0))) + 1
    y_begin, y_end = int(np.ceil(max(v_low, 0.0))), int(np.floor(min(v_high, height - 1.0))) + 1
    if x_begin >= x_end or y_begin >= y_end:
        return
    area = (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)
    if area == 0.0:
        return
    # Edge i lies opposite corner i: e_i(x, y) = a_i x + b_i y + c_i, positive inside. Seen from the neighbour
    # that shares the edge it is the exact negative, so a centre on it goes to one side only (threshold).
    side = 1.0 if area > 0.0 else -1.0
    area *= side
    a0, b0, c0 = side * (v1 - v2), side * (u2 - u1), side * (u1 * v2 - u2 * v1)
    a1, b1, c1 = side * (v2 - v0), side * (u0 - u2), side * (u2 * v0 - u0 * v2)
    a2, b2, c2 = side * (v0 - v1), side * (u1 - u0), side * (u0 * v1 - u1 * v0)
    t0 = 0.0 if a0 > 0.0 or (a0 == 0.0 and b0 > 0.0) else _SMALLEST_POSITIVE
    t1 = 0.0 if a1 > 0.0 or (a1 == 0.0 and b1 > 0.0) else _SMALLEST_POSITIVE
    t2 = 0.0 if a2 > 0.0 or (a2 == 0.0 and b2 > 0.0) else _SMALLEST_POSITIVE
    # Inverse depth is linear in the image; corners weighted by their opposite edge functions.
    q0, q1, q2 = q0 / area, q1 / area, q2 / area
    q_u = a0 * q0 + a1 * q1 + a2 * q2
    narrow = x_end - x_begin <= _NARROW_PX
    x_begin, x_end = x_begin // _LANES * _LANES, min((x_end + _LANES - 1) // _LANES * _LANES, width)
    identity = np.int32(face_id)
    for y in range(y_begin, y_end):
        r0, r1, r2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
        q_row = r0 * q0 + r1 * q1 + r2 * q2
        x_first, x_last = x_begin, x_end
        if not narrow:
            low, high = _span(a0, r0, a1, r1, a2, r2, float(x_begin), float(x_end))
            if low >= high:
                continue
            x_first = int(low) // _LANES * _LANES
            x_last = min((int(high) + _LANES - 1) // _LANES * _LANES, width)
        depth_row, face_row = depth[y], face[y]
        # No branches in here: the compiler makes vector code of it, and nothing is mispredicted.
        for column in range(np.int32(x_first), np.int32(x_last)):
            x = np.float64(column)
            inside = (a0 * x + r0 >= t0) & (a1 * x + r1 >= t1) & (a2 * x + r2 >= t2)
            z = np.float32(1.0) / np.float32(q_u * x + q_row)
            index = np.uint32(column)
            nearer = inside & (z < depth_row[index])
            depth_row[index] = z if nearer else depth_row[index]
            face_row[index] = identity if nearer else face_row[index]


@compiled_as(error_model="numpy")
def _clip_edge(workspace, inside, outside, fx, fy, cx, cy):  # type: ignore[no-untyped-def]
    """Return (u, v) where the edge between two vertices meets the near plane.

    Always evaluated from the visible vertex, so that two triangles sharing the edge get the same point.
    """
    z_inside = workspace[inside, 2]
    fraction = (z_inside - NEAR_M) / (z_inside - workspace[outside, 2])
    x = workspace[inside, 0] + fraction * (workspace[outside, 0] - workspace[inside, 0])
    y = workspace[inside, 1] + fraction * (workspace[outside, 1] - workspace[inside, 1])
    u = np.floor((fx * x / NEAR_M + cx) * SUBPIXELS + 0.5) / SUBPIXELS
    v = np.floor((fy * y / NEAR_M + cy) * SUBPIXELS + 0.5) / SUBPIXELS
    return u, v


@compiled_as(error_model="numpy")
def _fill_clipped(workspace, i, j, k, fx, fy, cx, cy, face_id, depth, face):  # type: ignore[no-untyped-def]
    """Draw the visible part of a triangle that crosses the near plane: one or two triangles."""
    q_near = 1.0 / NEAR_M
    # Rotate the corners until i is the only visible, or k the only hidden one.
    while not (workspace[i, 5] > 0.0 and workspace[k, 5] == 0.0):
        i, j, k = j, k, i
    u_i, v_i, q_i = workspace[i, 3], workspace[i, 4], workspace[i, 5]
    u_ik, v_ik = _clip_edge(workspace, i, k, fx, fy, cx, cy)
    if workspace[j, 5] > 0.0:
        u_j, v_j, q_j = workspace[j, 3], workspace[j, 4], workspace[j, 5]
        u_jk, v_jk = _clip_edge(workspace, j, k, fx, fy, cx, cy)
        _fill_triangle(u_i, v_i, q_i, u_j, v_j, q_j, u_jk, v_jk, q_near, face_id, depth, face)
        _fill_triangle(u_i, v_i, q_i, u_jk, v_jk, q_near, u_ik, v_ik, q_near, face_id, depth, face)
    else:
        u_ij, v_ij = _clip_edge(workspace, i, j, fx, fy, cx, cy)
        _fill_triangle(u_i, v_i, q_i, u_ij, v_ij, q_near, u_ik, v_ik, q_near, face_id, depth, face)


@compiled_as(error_model="numpy")
def rasterize(
    workspace: NDArray,
    faces: NDArray,
    begin: int,
    end: int,
    face_id_offset: int,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    depth: NDArray,
    face: NDArray,
    one_sided: bool,
) -> None:
    """Draw faces `begin` to `end` of `faces` (M, 3) over vertices that `project_points` has put in
    `workspace`.

    `depth` (H, W) float32 [m] and `face` (H, W) int32 are updated where a triangle is nearer than what they
    hold; the identity written is `face_id_offset` + the row in `faces`. Both sides of a face are drawn, or
    where `one_sided` only the one from which its corners go counter-clockwise: of closed bodies nothing else
    is seen, and they are drawn in three quarters of the time. A face across the near plane is drawn anyway.
    """
    for row in range(begin, end):
        i, j, k = faces[row, 0], faces[row, 1], faces[row, 2]
        q0, q1, q2 = workspace[i, 5], workspace[j, 5], workspace[k, 5]
        if q0 > 0.0 and q1 > 0.0 and q2 > 0.0:
            u0, v0 = workspace[i, 3], workspace[i, 4]
            u1, v1 = workspace[j, 3], workspace[j, 4]
            u2, v2 = workspace[k, 3], workspace[k, 4]
            # v points down: what is counter-clockwise from outside is clockwise in the image.
            if one_sided and (u1 - u0) * (v2 - v0) >= (v1 - v0) * (u2 - u0):
                continue
            _fill_triangle(u0, v0, q0, u1, v1, q1, u2, v2, q2, face_id_offset + row, depth, face)
        elif q0 > 0.0 or q1 > 0.0 or q2 > 0.0:
            _fill_clipped(workspace, i, j, k, fx, fy, cx, cy, face_id_offset + row, depth, face)


@compiled_as(error_model="numpy")
def draw_mesh(
    camera_from_body: NDArray,
    vertices: NDArray,
    faces: NDArray,
    begin: int,
    end: int,
    face_id_offset: int,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    workspace: NDArray,
    depth: NDArray,
    face: NDArray,
) -> None:
    """Transform, project and draw faces `begin` to `end` of one mesh in one call.

    `vertices` (N, 3) [m] are in the body frame, `workspace` (N, 6) is scratch kept by the caller. Only the
    range of vertices that those faces use is transformed, so neighbouring faces should use neighbouring
    vertices.
    """
    if begin >= end:
        return
    first, last = faces[begin, 0], faces[begin, 0]
    for row in range(begin, end):
        for corner in range(3):
            first, last = min(first, faces[row, corner]), max(last, faces[row, corner])
    project_points(camera_from_body, vertices, first, last + 1, fx, fy, cx, cy, workspace)
    rasterize(workspace, faces, begin, end, face_id_offset, fx, fy, cx, cy, depth, face, False)


@compiled_as(error_model="numpy")
def draw_bodies(
    camera_from_body: NDArray,
    vertex_begin: NDArray,
    vertices: NDArray,
    faces: NDArray,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    workspace: NDArray,
    depth: NDArray,
    face: NDArray,
    one_sided: bool,
) -> None:
    """Draw a whole scene in one call; the identity written is the row in `faces` (M, 3).

    Body b owns vertices `vertex_begin[b]` to `vertex_begin[b + 1]` and is posed by `camera_from_body` (B, 4,
    4); `faces` index the vertices of all bodies together. `one_sided` as for `rasterize`.
    """
    for body in range(camera_from_body.shape[0]):
        begin, end = vertex_begin[body], vertex_begin[body + 1]
        project_points(camera_from_body[body], vertices, begin, end, fx, fy, cx, cy, workspace)
    rasterize(workspace, faces, 0, faces.shape[0], 0, fx, fy, cx, cy, depth, face, one_sided)
