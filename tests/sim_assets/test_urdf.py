from xml.etree import ElementTree

import numpy as np
import pytest

from cellwright_assets import TCP_FROM_FLANGE, asset_path, torch_mesh, ur10e, welding_torch
from cellwright_assets.urdf import URDF_NAME, last_link_mass_properties, urdf_text


@pytest.fixture(scope="module")
def robot() -> ElementTree.Element:
    return ElementTree.parse(asset_path(URDF_NAME)).getroot()


def test_stored_urdf_is_what_the_generator_writes() -> None:
    assert asset_path(URDF_NAME).read_text(encoding="utf-8") == urdf_text()


def test_a_wrong_asset_name_is_answered_with_the_names_that_exist() -> None:
    with pytest.raises(ValueError, match=r"'ur5\.urdf'; there are: .*ur10e_torch\.urdf"):
        asset_path("ur5.urdf")


def test_urdf_joint_limits_are_the_datasheet_s(robot: ElementTree.Element) -> None:
    limits = {joint.get("name"): joint.find("limit") for joint in robot.iter("joint")}
    assert list(limits) == list(ur10e.JOINT_NAMES)
    for index, name in enumerate(ur10e.JOINT_NAMES):
        found = {key: float(value) for key, value in limits[name].items()}
        assert found["lower"] == pytest.approx(np.deg2rad(-360.0))
        assert found["upper"] == pytest.approx(np.deg2rad(360.0))
        assert found["velocity"] == pytest.approx(np.deg2rad(120.0 if index < 2 else 180.0))
        assert found["effort"] == ur10e.TORQUE_LIMIT_N_M[index]


def test_urdf_masses_are_the_constants(robot: ElementTree.Element) -> None:
    masses_kg = [float(mass.get("value", "nan")) for mass in robot.iter("mass")]
    wrist_3_kg = ur10e.LINK_MASS_KG[5] + welding_torch.TORCH_MASS_KG
    np.testing.assert_allclose(masses_kg, [ur10e.BASE_MASS_KG, *ur10e.LINK_MASS_KG[:5], wrist_3_kg])


def test_last_link_balances_wrist_and_torch() -> None:
    mass_kg, center, inertia = last_link_mass_properties()
    assert mass_kg == pytest.approx(2.215)
    assert center[2] > ur10e.DH_D_M[5], (
        "the torch weighs more than wrist 3, so the balance is out of the flange"
    )
    moments = np.linalg.eigvalsh(inertia)
    assert moments[0] > 0.0
    assert moments[2] < moments[0] + moments[1]


# Universal_Robots_ROS2_Description, config/ur10e/physical_parameters.yaml: the largest moment of each link.
PUBLISHED_LARGEST_KG_M2 = (0.03529, 0.77068, 0.30928, 0.00296, 0.00296, 0.00041)


@pytest.mark.parametrize("joint", range(6))
def test_published_inertia_is_that_of_a_body_and_has_the_published_moments(joint: int) -> None:
    moments = np.linalg.eigvalsh(ur10e.link_inertia_kg_m2(joint))
    assert moments[0] > 0.0
    assert moments[2] < moments[0] + moments[1]
    assert moments[2] == pytest.approx(PUBLISHED_LARGEST_KG_M2[joint], rel=0.08)


def test_long_links_are_hard_to_turn_about_everything_but_their_length() -> None:
    for joint in (1, 2):
        tensor = ur10e.link_inertia_kg_m2(joint)
        assert tensor[0, 0] < 0.05 * tensor[1, 1] < 0.06 * tensor[2, 2]
    # The axis of the shoulder's short side is the joint's own, that of wrist 1 lies across.
    assert np.argmin(np.diag(ur10e.link_inertia_kg_m2(0))) == 1
    assert np.argmin(np.diag(ur10e.link_inertia_kg_m2(3))) == 2


def test_gas_nozzle_mouth_is_15_mm_over_the_wire_tip() -> None:
    nozzle = torch_mesh()[0].vertices
    assert nozzle[:, 2].min() == pytest.approx(0.015)
    mouth = nozzle[nozzle[:, 2] < 0.0151]
    radii_m = np.linalg.norm(mouth[:, :2], axis=1)
    assert np.all((radii_m > 0.008) & (radii_m < 0.009))


def test_neck_takes_45_degrees_between_wire_and_flange() -> None:
    wire_up, flange_out = TCP_FROM_FLANGE[:3, 2], np.array([0.0, 0.0, 1.0])
    assert -wire_up @ flange_out == pytest.approx(np.cos(np.deg2rad(45.0)))
    np.testing.assert_allclose(TCP_FROM_FLANGE[:3, :3] @ TCP_FROM_FLANGE[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(TCP_FROM_FLANGE[:3, :3]) == pytest.approx(1.0)


def test_the_wire_does_not_collide(robot: ElementTree.Element) -> None:
    tip = (ur10e.FLANGE_FROM_WRIST_3 @ TCP_FROM_FLANGE)[:3, 3]
    last = next(link for link in robot.iter("link") if link.get("name") == ur10e.LINK_NAMES[6])
    for collision in last.iter("collision"):
        center = np.array(collision.find("origin").get("xyz").split(), dtype=float)
        shape = collision.find("geometry")[0]
        sizes = [float(value) for text in shape.attrib.values() for value in text.split()]
        assert np.linalg.norm(center - tip) > 0.5 * max(sizes) + 0.01
