"""Numbers of the Universal Robots UR10e.

DH  Universal Robots, "DH Parameters for calculations of kinematics and dynamics", table UR10e:
    https://www.universal-robots.com/articles/ur/application-installation/dh-parameters-for-calculations-of-kinematics-and-dynamics
MAN Universal Robots e-Series User Manual, UR10e, technical specifications: joint ranges and speeds.
TRQ Universal Robots, support article "Max. joint torques":
    https://www.universal-robots.com/articles/ur/robot-care-maintenance/max-joint-torques
ROS Universal_Robots_ROS2_Description, config/ur10e (same numbers; offsets measured from UR's model).

Joints are ordered base, shoulder, elbow, wrist 1, wrist 2, wrist 3. The base frame `_b` is the controller's
own: z up through joint 1, and at zero joint angles the arm is stretched along -x.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import moved, product

MODEL = "UR10e"
JOINT_NAMES = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
LINK_NAMES = (
    "base_link",
    "shoulder_link",
    "upper_arm_link",
    "forearm_link",
    "wrist_1_link",
    "wrist_2_link",
    "wrist_3_link",
)

DH_D_M = (0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655)  # DH
DH_A_M = (0.0, -0.6127, -0.57155, 0.0, 0.0, 0.0)  # DH
DH_ALPHA_RAD = (np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0)  # DH

SHOULDER_OFFSET_M = 0.1762  # ROS physical_parameters.yaml: axis 1 to the middle of the upper arm tube
ELBOW_OFFSET_M = 0.0393  # ROS physical_parameters.yaml: axis 1 to the middle of the forearm tube

LOWER_LIMIT_RAD = (-2.0 * np.pi,) * 6  # MAN: +-360 degrees, every joint
UPPER_LIMIT_RAD = (2.0 * np.pi,) * 6
SPEED_LIMIT_RAD_S = tuple(np.deg2rad((120.0, 120.0, 180.0, 180.0, 180.0, 180.0)).tolist())  # MAN, ROS
TORQUE_LIMIT_N_M = (330.0, 330.0, 150.0, 56.0, 56.0, 56.0)  # TRQ

BASE_MASS_KG = 4.0  # ROS physical_parameters.yaml; the base does not move, so only its drawing matters
LINK_MASS_KG = (7.369, 13.051, 3.989, 2.1, 1.98, 0.615)  # DH
LINK_CENTER_OF_MASS_DH_M = (  # DH, each in the DH frame at the far end of its link
    (0.021, 0.0, 0.027),
    (0.38, 0.0, 0.158),
    (0.24, 0.0, 0.068),
    (0.0, 0.007, 0.018),
    (0.0, 0.007, 0.018),
    (0.0, 0.0, -0.026),
)

LINK_INERTIA_KG_M2 = (  # ROS physical_parameters.yaml: ixx, iyy, izz, ixy, ixz, iyz about the centre of mass
    (0.03408, 0.03529, 0.02156, 0.00002, -0.00425, 0.00008),
    (0.02814, 0.77068, 0.76943, 0.00005, -0.01561, 0.00002),
    (0.01014, 0.30928, 0.30646, 0.00008, 0.00916, 0.0),
    (0.00296, 0.00222, 0.00258, -0.00001, 0.0, -0.00024),
    (0.00296, 0.00222, 0.00258, -0.00001, 0.0, -0.00024),
    (0.00040, 0.00041, 0.00034, 0.0, 0.0, 0.0),
)
LINK_INERTIA_ROLL_RAD = (
    np.pi / 2,
    0.0,
    0.0,
    np.pi / 2,
    -np.pi / 2,
    0.0,
)  # ROS: about x, of the tensor's frame

HOME_Q_RAD = (0.34, -1.32, -2.06, -0.58, 1.33, -1.32)
"""Elbow up, the wire vertical and its tip about (0.7, 0, 0.35) m, travel direction +x, in the base frame."""


def dh_tail(joint: int) -> NDArray[np.float64]:
    """Return (4, 4): the DH frame at the far end of link `joint` (0..5), seen from its link frame.

    The link frame sits on the joint's own axis and turns with it, so a DH step is Rz(q) @ dh_tail.
    """
    sine, cosine = math.sin(DH_ALPHA_RAD[joint]), math.cos(DH_ALPHA_RAD[joint])
    return np.array(
        [
            [1.0, 0.0, 0.0, DH_A_M[joint]],
            [0.0, cosine, -sine, 0.0],
            [0.0, sine, cosine, DH_D_M[joint]],
            [0.0, 0.0, 0.0, 1.0],
        ],
        dtype=np.float64,
    )


def link_center_of_mass_m(joint: int) -> NDArray[np.float64]:
    """Return (3,) [m]: the centre of mass of link `joint` (0..5) in its link frame."""
    return moved(dh_tail(joint), LINK_CENTER_OF_MASS_DH_M[joint])


def link_inertia_kg_m2(joint: int) -> NDArray[np.float64]:
    """Return (3, 3): the inertia of link `joint` (0..5) about its centre of mass, in its link frame.

    As UR publishes it for ROS; that of the rotors is presumably not in it.
    """
    xx, yy, zz, xy, xz, yz = LINK_INERTIA_KG_M2[joint]
    sine, cosine = math.sin(LINK_INERTIA_ROLL_RAD[joint]), math.cos(LINK_INERTIA_ROLL_RAD[joint])
    roll = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return np.asarray(product(product(roll, tensor), roll.T))


FLANGE_FROM_WRIST_3 = dh_tail(5)
"""(4, 4): the flange seen from the frame of the last link; z points out of the flange."""
