"""Settings of a real cell under which an insertion's policy observes what it was trained on.

Values are those of the drawing; the disturbances change them in each episode.
"""

from __future__ import annotations

from collections.abc import Sequence

from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
from cellwright_envs.assembly.arm_dynamics import CYCLE_S
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.observation import HISTORY_LAGS
from cellwright_envs.assembly.parts.part import Part
from cellwright_runtime.vocabulary import Setting, number

TOOL, FIXTURE = "tool", "nominal_fixture"
FRAMES = {"pose": FIXTURE, "leash": FIXTURE, "wrench": TOOL, "action": "reference"}
"""Frame of each observation group and of the action; the history keeps the frame of each."""


def controller_settings(config: InsertionConfig, parts: Sequence[Part]) -> tuple[Setting, ...]:
    """Settings of the cell that are not part of observations and actions, for training on `parts`."""
    limits = [part.force_limit_n for part in parts]
    told = "smallest and largest of the training parts"
    return (
        *_force_loop(config.compliance),
        *_reference(config),
        *_sensing(config),
        Setting(name="force_limit", unit="N", value=(min(limits), max(limits)), meaning=told),
        *_cameras(config),
    )


def _force_loop(law: ComplianceConfig) -> tuple[Setting, ...]:
    """The law's gains as they are computed with, for a robot program's `ForceLoop`."""
    gains = law.gains(stiffness_scale=1.0, dead_band_n=law.dead_band_n).tolist()
    stiffness, turning, damping, turning_damping, band, turning_band, mass, inertia, filter_s = gains
    return (
        number("stiffness", "N/m", stiffness, "of the force loop, along every axis"),
        number("turning_stiffness", "N.m/rad", turning, "about axes through the part's tip"),
        number("damping", "N.s/m", damping, "which the driver's lag asks for"),
        number("turning_damping", "N.m.s/rad", turning_damping, "the same about every axis"),
        number("virtual_mass", "kg", mass, "of the force loop"),
        number("virtual_inertia", "kg.m^2", inertia, "about every axis"),
        number(
            "reference_filter", "s", filter_s, "time constant; late by twice of it, and by the robot's lag"
        ),
        number("dead_band", "N", band, "force that does not count"),
        number("turning_dead_band", "N.m", turning_band, "torque that does not"),
        number("force_loop_period", "s", CYCLE_S, "of the force loop"),
        number("largest_lag", "s", law.largest_lag_s, "from force to motion; a slower driver is refused"),
        number("largest_contact", "N/m", law.largest_contact_n_m, "of arm, fingers and fixture in series"),
    )


def _reference(config: InsertionConfig) -> tuple[Setting, ...]:
    arm, box, turn = config.compliance, config.box_m, config.box_rad
    low, high = (-box, -box, config.low_m), (box, box, config.high_m)
    start = (0.0, 0.0, config.start_height_m)
    spread, turned = config.start_spread_m, config.start_spread_rad
    return (
        Setting(
            name="start", unit="m", value=start, frame=FIXTURE, meaning="where the approach ends, upright"
        ),
        number("start_spread", "m", spread, "most that it was off in training, along each axis"),
        number("start_turn_spread", "rad", turned, "the same about z"),
        number("grasp_height", "m", GRASP_HEIGHT_M, "from the part's tip to the middle of the pads"),
        Setting(name="reference_low", unit="m", value=low, frame=FIXTURE, meaning="box of the reference"),
        Setting(name="reference_high", unit="m", value=high, frame=FIXTURE, meaning="its other end"),
        Setting(
            name="reference_turn", unit="rad", value=(turn,), frame=FIXTURE, meaning="most about any axis"
        ),
        number("leash", "m", arm.leash_m, "most that the reference leads the tool"),
        number("turning_leash", "rad", arm.leash_rad, "most that it is turned ahead"),
    )


def _sensing(config: InsertionConfig) -> tuple[Setting, ...]:
    lags = tuple(map(float, HISTORY_LAGS))
    return (
        number("wrench_low_pass", "1", config.sensor_low_pass, "weight of a new reading in what is observed"),
        Setting(
            name="history_lags", unit="1", value=lags, meaning="control steps back, in the history's order"
        ),
    )


def _cameras(config: InsertionConfig) -> tuple[Setting, ...]:
    rig = config.cameras
    sharp = "focal length over a pixel's width"
    return (
        Setting(
            name="hand_camera", unit="m", value=rig.hand_position_t, frame=TOOL, meaning="its optical centre"
        ),
        Setting(
            name="hand_camera_target", unit="m", value=rig.hand_target_t, frame=TOOL, meaning="mid-image"
        ),
        number("hand_camera_focal", "1", rig.hand_focal_px, sharp),
        Setting(
            name="fixed_camera",
            unit="m",
            value=rig.fixed_position_f,
            frame=FIXTURE,
            meaning="its optical centre",
        ),
        Setting(
            name="fixed_camera_target", unit="m", value=rig.fixed_target_f, frame=FIXTURE, meaning="mid-image"
        ),
        number("fixed_camera_focal", "1", rig.fixed_focal_px, sharp),
    )
