"""Writes the URDF of arm and torch: `python -m cellwright_assets.urdf` renews the one in `data/`.

Links have the inertia that UR publishes; upper arm and forearm have about twice that of solid cylinders. The
torch is part of the last link, so that the simulator moves six bodies. The text is deterministic.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e, welding_torch
from cellwright_assets.arithmetic import inner, length, moved, product
from cellwright_assets.loader import DATA
from cellwright_assets.shapes import Block, Shape, robot_shapes

URDF_NAME = "ur10e_torch.urdf"

# Without published figures, base and torch are solid cylinders of this radius and length [m]; an engineering
# assumption.
_BASE_RADIUS_M, _BASE_LENGTH_M = 0.095, 0.09
_TORCH_RADIUS_M, _TORCH_LENGTH_M = 0.04, 0.25


def urdf_text() -> str:
    """Return the URDF: six revolute joints, visuals and convex collision shapes, no wire."""
    shapes = robot_shapes()
    lines = ['<?xml version="1.0"?>', "<!-- Written by cellwright_assets.urdf; do not edit. -->"]
    lines.append('<robot name="ur10e_torch">')
    for link in range(7):
        lines += _link(link, [shape for shape in shapes if shape.link == link])
    for joint in range(6):
        lines += _joint(joint)
    return "\n".join([*lines, "</robot>", ""])


def last_link_mass_properties() -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return mass [kg], centre of mass (3,) [m], inertia (3, 3) [kg m^2] about it of wrist 3 with torch."""
    wrist_from_tool = product(ur10e.FLANGE_FROM_WRIST_3, welding_torch.TCP_FROM_FLANGE)
    wrist_kg = ur10e.LINK_MASS_KG[5]
    bend_t = np.array([0.0, 0.0, welding_torch.NECK_BEND_M])
    torch_center_t = (
        bend_t + (welding_torch.NECK_STRAIGHT_M + 0.6 * welding_torch.BODY_LENGTH_M) * welding_torch.BACK_T
    )
    torch_center_t += 0.4 * welding_torch.BODY_OFFSET_M * welding_torch.UP_T
    torch_center = moved(wrist_from_tool, torch_center_t)
    wrist_center = ur10e.link_center_of_mass_m(5)
    mass_kg = wrist_kg + welding_torch.TORCH_MASS_KG
    center = (wrist_kg * wrist_center + welding_torch.TORCH_MASS_KG * torch_center) / mass_kg
    inertia = np.zeros((3, 3))
    for part_kg, part_center, part_inertia in (
        (wrist_kg, wrist_center, ur10e.link_inertia_kg_m2(5)),
        (
            welding_torch.TORCH_MASS_KG,
            torch_center,
            _cylinder_inertia(welding_torch.TORCH_MASS_KG, _TORCH_RADIUS_M, _TORCH_LENGTH_M),
        ),
    ):
        arm = part_center - center
        inertia += part_inertia + part_kg * (inner(arm, arm) * np.eye(3) - np.outer(arm, arm))
    return mass_kg, center, inertia


def _mass_properties(link: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return mass [kg], centre of mass (3,) [m] and inertia (3, 3) [kg m^2] of a link, 0 the base."""
    if link == 0:
        mass_kg = ur10e.BASE_MASS_KG
        middle_m = np.array([0.0, 0.0, 0.5 * _BASE_LENGTH_M])
        return mass_kg, middle_m, _cylinder_inertia(mass_kg, _BASE_RADIUS_M, _BASE_LENGTH_M)
    if link == 6:
        return last_link_mass_properties()
    mass_kg = ur10e.LINK_MASS_KG[link - 1]
    return mass_kg, ur10e.link_center_of_mass_m(link - 1), ur10e.link_inertia_kg_m2(link - 1)


def _cylinder_inertia(mass_kg: float, radius_m: float, length_m: float) -> NDArray[np.float64]:
    """Return (3, 3) [kg m^2] about the centre of a solid cylinder along z."""
    across = mass_kg * (3.0 * radius_m**2 + length_m**2) / 12.0
    return np.diag([across, across, 0.5 * mass_kg * radius_m**2])


def _link(link: int, shapes: list[Shape]) -> list[str]:
    """Return the lines of one link element."""
    mass_kg, center, inertia = _mass_properties(link)
    lines = [
        f'  <link name="{ur10e.LINK_NAMES[link]}">',
        "    <inertial>",
        f'      <origin xyz="{_numbers(center)}" rpy="0 0 0"/>',
        f'      <mass value="{_number(mass_kg)}"/>',
        "      <inertia "
        + " ".join(
            f'i{"xyz"[row]}{"xyz"[column]}="{_number(inertia[row, column])}"'
            for row in range(3)
            for column in range(row, 3)
        )
        + "/>",
        "    </inertial>",
    ]
    for shape in shapes:
        for pose, geometry in _geometries(shape):
            color = _numbers(np.array([*shape.color, 1.0]))
            name = "_".join(f"{value:.2f}" for value in shape.color)
            material = f'<material name="{name}"><color rgba="{color}"/></material>'
            lines.append(f"    <visual>{pose}<geometry>{geometry}</geometry>{material}</visual>")
    for shape in shapes:
        if shape.solid:
            for pose, geometry in _geometries(shape):
                lines.append(f"    <collision>{pose}<geometry>{geometry}</geometry></collision>")
    return [*lines, "  </link>"]


def _geometries(shape: Shape) -> list[tuple[str, str]]:
    """Return (origin, geometry) elements of a shape; a bent or stepped rod becomes one cylinder per leg."""
    if isinstance(shape, Block):
        return [(f'<origin xyz="{_numbers(np.array(shape.center))}" rpy="0 0 0"/>', _box(shape))]
    out = []
    for index in range(len(shape.points) - 1):
        start, end = np.array(shape.points[index]), np.array(shape.points[index + 1])
        length_m = float(length(end - start))
        direction = (end - start) / length_m
        # Roll stays 0: pitch and yaw alone turn z onto the direction, about which a cylinder looks the same.
        pitch_rad = math.atan2(math.hypot(direction[0], direction[1]), direction[2])
        yaw_rad = math.atan2(direction[1], direction[0]) if 1e-9 < pitch_rad < math.pi - 1e-9 else 0.0
        rpy = _numbers(np.array([0.0, pitch_rad, yaw_rad]))
        radius_m = 0.5 * (shape.radii[index] + shape.radii[index + 1])
        origin = f'<origin xyz="{_numbers(0.5 * (start + end))}" rpy="{rpy}"/>'
        out.append((origin, f'<cylinder radius="{_number(radius_m)}" length="{_number(length_m)}"/>'))
    return out


def _box(block: Block) -> str:
    """Return a box element."""
    return f'<box size="{_numbers(np.array(block.size))}"/>'


def _joint(joint: int) -> list[str]:
    """Return the lines of one revolute joint; its frame is the DH frame at the end of the link before."""
    origin = ur10e.dh_tail(joint - 1) if joint else np.eye(4)
    roll_rad = math.atan2(origin[2, 1], origin[1, 1])
    lower_rad, upper_rad = ur10e.LOWER_LIMIT_RAD[joint], ur10e.UPPER_LIMIT_RAD[joint]
    # Twelve digits: rounding must not show in the forward kinematics.
    return [
        f'  <joint name="{ur10e.JOINT_NAMES[joint]}" type="revolute">',
        f'    <parent link="{ur10e.LINK_NAMES[joint]}"/>',
        f'    <child link="{ur10e.LINK_NAMES[joint + 1]}"/>',
        f'    <origin xyz="{_numbers(origin[:3, 3])}" rpy="{roll_rad:.12g} 0 0"/>',
        '    <axis xyz="0 0 1"/>',
        f'    <limit lower="{lower_rad:.12g}" upper="{upper_rad:.12g}" '
        f'effort="{_number(ur10e.TORQUE_LIMIT_N_M[joint])}" '
        f'velocity="{ur10e.SPEED_LIMIT_RAD_S[joint]:.12g}"/>',
        "  </joint>",
    ]


def _number(value: float) -> str:
    """Return a number as text, to 8 decimals, the same on every machine."""
    return f"{round(float(value), 8) + 0.0:.8g}"


def _numbers(values: NDArray[np.float64]) -> str:
    """Return numbers as text, separated by spaces."""
    return " ".join(_number(value) for value in values)


if __name__ == "__main__":
    (DATA / URDF_NAME).write_text(urdf_text(), encoding="utf-8")
