"""The taught seam of a product, as a robot has it."""

from __future__ import annotations

from functools import lru_cache

from cellwright_envs.welding.part.product import WeldProduct
from cellwright_envs.welding.weld_cell import taught_program
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_runtime.interface.path_correction import Programme, TaughtSeam


@lru_cache(maxsize=32)
def taught_seam(product: WeldProduct, geometry: SeamSensorGeometry) -> TaughtSeam:
    """The drawing's seam and its welding procedure, for a seam sensor of this geometry."""
    frames, torch_rotations_w, _ = taught_program(product)
    return TaughtSeam(programme(product), frames, torch_rotations_w, geometry)


def programme(product: WeldProduct) -> Programme:
    """What the interface is given of the welding procedure."""
    procedure = product.procedure
    return Programme(
        joint=product.joint,
        thickness_m=product.thickness_m,
        wire_feed_m_s=procedure.wire_feed_m_s,
        voltage_v=procedure.voltage_v,
        travel_speed_m_s=procedure.travel_speed_m_s,
        contact_tip_distance_m=procedure.contact_tip_distance_m,
        gap_m=product.gap_m,
        work_angle_rad=procedure.work_angle_rad,
        push_angle_rad=procedure.push_angle_rad,
    )
