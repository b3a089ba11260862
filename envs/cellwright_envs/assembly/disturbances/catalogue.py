"""Every disturbance of an insertion in one place: configured, drawn per episode, and named."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.disturbances.fixture import (
    ConveyorCreep,
    ConveyorCreepState,
    FixtureBump,
    FixtureBumpState,
    FixturePose,
    FixturePoseState,
)
from cellwright_envs.assembly.disturbances.mechanics import (
    ChamferDamage,
    ChamferDamageState,
    ContactFriction,
    ContactFrictionState,
    ControllerGain,
    ControllerGainState,
    ForceSensor,
    ForceSensorState,
    GraspOffset,
    GraspOffsetState,
    GripStrength,
    GripStrengthState,
    PartFit,
    PartFitState,
)
from cellwright_envs.assembly.disturbances.optics import (
    CameraKnock,
    CameraKnockState,
    Glare,
    GlareState,
    LensDirt,
    LensDirtState,
    RoomLight,
    RoomLightState,
)
from cellwright_envs.assembly.disturbances.servo import (
    ArmMass,
    ArmMassState,
    CellStiffness,
    CellStiffnessState,
    SensorLag,
    SensorLagState,
    ServoLag,
    ServoLagState,
)
from cellwright_envs.disturbances.actuation import (
    ActuatorLatency,
    ActuatorLatencyState,
    Backlash,
    BacklashState,
)
from cellwright_envs.disturbances.camera import (
    CameraCalibration,
    CameraCalibrationState,
    FrameDelivery,
    FrameDeliveryState,
)
from cellwright_envs.disturbances.exposure import (
    Exposure,
    ExposureState,
    SensorNoise,
    SensorNoiseState,
    apply_effects,
)
from cellwright_envs.disturbances.image_kernel import FrameEffects, Image
from cellwright_envs.disturbances.named_sets import draw_each, each_alone, resolve_named


@dataclass(frozen=True, kw_only=True)
class AssemblyDisturbances:
    """Every disturbance of an insertion; each is off unless given."""

    fixture_pose: FixturePose = field(default_factory=FixturePose)
    fixture_bump: FixtureBump = field(default_factory=FixtureBump)
    conveyor_creep: ConveyorCreep = field(default_factory=ConveyorCreep)
    grasp_offset: GraspOffset = field(default_factory=GraspOffset)
    grip_strength: GripStrength = field(default_factory=GripStrength)
    part_fit: PartFit = field(default_factory=PartFit)
    contact_friction: ContactFriction = field(default_factory=ContactFriction)
    chamfer_damage: ChamferDamage = field(default_factory=ChamferDamage)
    controller_gain: ControllerGain = field(default_factory=ControllerGain)
    actuator_latency: ActuatorLatency = field(default_factory=ActuatorLatency)
    backlash: Backlash = field(default_factory=Backlash)
    force_sensor: ForceSensor = field(default_factory=ForceSensor)
    hand_camera: CameraCalibration = field(default_factory=CameraCalibration)
    fixed_camera: CameraCalibration = field(default_factory=CameraCalibration)
    camera_knock: CameraKnock = field(default_factory=CameraKnock)
    room_light: RoomLight = field(default_factory=RoomLight)
    glare: Glare = field(default_factory=Glare)
    lens_dirt: LensDirt = field(default_factory=LensDirt)
    exposure: Exposure = field(default_factory=Exposure)
    sensor_noise: SensorNoise = field(default_factory=SensorNoise)
    frame_delivery: FrameDelivery = field(default_factory=FrameDelivery)
    servo_lag: ServoLag = field(default_factory=ServoLag)
    sensor_lag: SensorLag = field(default_factory=SensorLag)
    cell_stiffness: CellStiffness = field(default_factory=CellStiffness)
    arm_mass: ArmMass = field(default_factory=ArmMass)

    def draw(self, rng: np.random.Generator) -> AssemblyDisturbanceState:
        """Draw one episode; takes one integer from `rng`, whatever is on or off."""
        return AssemblyDisturbanceState(**draw_each(self, rng))


@dataclass(frozen=True, kw_only=True, eq=False)
class AssemblyDisturbanceState:
    """The drawn disturbances of one episode, with the fields of `AssemblyDisturbances`."""

    fixture_pose: FixturePoseState
    fixture_bump: FixtureBumpState
    conveyor_creep: ConveyorCreepState
    grasp_offset: GraspOffsetState
    grip_strength: GripStrengthState
    part_fit: PartFitState
    contact_friction: ContactFrictionState
    chamfer_damage: ChamferDamageState
    controller_gain: ControllerGainState
    actuator_latency: ActuatorLatencyState
    backlash: BacklashState
    force_sensor: ForceSensorState
    hand_camera: CameraCalibrationState
    fixed_camera: CameraCalibrationState
    camera_knock: CameraKnockState
    room_light: RoomLightState
    glare: GlareState
    lens_dirt: LensDirtState
    exposure: ExposureState
    sensor_noise: SensorNoiseState
    frame_delivery: FrameDeliveryState
    servo_lag: ServoLagState
    sensor_lag: SensorLagState
    cell_stiffness: CellStiffnessState
    arm_mass: ArmMassState

    def corrupt(
        self,
        images: Image,
        transmission: NDArray[np.float32] | None,
        *,
        time_s: float,
        rng: np.random.Generator,
    ) -> Image:
        """Return a copy of all views of one moment, uint8 (views, H, W), as the cameras deliver them.

        `transmission` is that of `lens_dirt`, computed once per episode. One integer is drawn from `rng`.
        """
        if transmission is not None:
            veil = (1.0 - transmission) * np.float32(self.lens_dirt.veil_levels)
            images = (images * transmission + veil).astype(np.uint8)
        effects = FrameEffects(
            glare_radius_low_px=self.glare.low_px,
            glare_radius_high_px=self.glare.high_px,
            glare_halo_px=self.glare.halo_px,
            gain=self.exposure.gain(time_s),
            offset_levels=self.exposure.offset_levels,
            read_noise_levels=self.sensor_noise.read_levels,
            shot_noise_levels=self.sensor_noise.shot_levels,
        )
        return apply_effects(
            images,
            effects,
            rng=rng,
            arc_px=self.glare.centres_px(images.shape[-1]),
            magnification=(1.0, 1.0),
        )


_TRAIN = AssemblyDisturbances(
    fixture_pose=FixturePose(
        sigma_m=2.2e-3,
        height_sigma_m=1.0e-3,
        yaw_sigma_rad=math.radians(2.5),
        tilt_sigma_rad=math.radians(0.15),
    ),
    fixture_bump=FixtureBump(probability=0.2),
    conveyor_creep=ConveyorCreep(speed_m_s=0.2e-3),
    grasp_offset=GraspOffset(sigma_m=0.5e-3, turn_sigma_rad=math.radians(0.4)),
    grip_strength=GripStrength(factor=(0.4, 1.2)),
    part_fit=PartFit(clearance_factor=(0.9, 1.1), wear_m=0.03e-3),
    contact_friction=ContactFriction(factor=(0.5, 2.0)),
    chamfer_damage=ChamferDamage(probability=0.3),
    controller_gain=ControllerGain(
        stiffness_factor=(0.75, 1.33), extra_dead_band_n=1.0, motion_factor=(0.95, 1.05)
    ),
    actuator_latency=ActuatorLatency(steps=(0, 2)),
    backlash=Backlash(play_m=(0.0, 0.1e-3)),
    force_sensor=ForceSensor(bias_n=0.3, drift_n_s=0.03, noise_factor=1.0),
    # Two sigma are 3 mm and 5 degrees.
    hand_camera=CameraCalibration(translation_sigma_m=1.5e-3, rotation_sigma_rad=math.radians(2.5)),
    fixed_camera=CameraCalibration(translation_sigma_m=1.5e-3, rotation_sigma_rad=math.radians(1.5)),
    camera_knock=CameraKnock(probability=0.2),
    room_light=RoomLight(lamp_factor=(0.7, 1.3), room_factor=(0.7, 1.3), direction_rad=0.5),
    glare=Glare(probability=0.2),
    lens_dirt=LensDirt(spots=(0, 3)),
    exposure=Exposure(gain_deviation=0.2, drift=0.05, offset_levels=10.0),
    sensor_noise=SensorNoise(read_levels=3.0, shot_levels=0.1),
    frame_delivery=FrameDelivery(drop_probability=0.03, late_probability=0.03),
    # 18 to 45 ms in all, and 5e3 to 2e4 N/m: what the exported gains are for.
    servo_lag=ServoLag(factor=(0.3, 1.0)),
    sensor_lag=SensorLag(factor=(0.25, 1.0)),
    cell_stiffness=CellStiffness(arm=(0.5, 2.0), fingers=(0.5, 2.0), fixture=(0.3, 10.0)),
    arm_mass=ArmMass(factor=(0.5, 1.5)),
)

_HARD = AssemblyDisturbances(
    fixture_pose=FixturePose(
        sigma_m=3.0e-3,
        height_sigma_m=1.5e-3,
        yaw_sigma_rad=math.radians(3.5),
        tilt_sigma_rad=math.radians(0.4),
    ),
    fixture_bump=FixtureBump(probability=1.0, jump_m=(0.5e-3, 1.5e-3)),
    conveyor_creep=ConveyorCreep(speed_m_s=0.5e-3),
    grasp_offset=GraspOffset(sigma_m=1.0e-3, turn_sigma_rad=math.radians(0.8)),
    grip_strength=GripStrength(factor=(0.2, 0.5)),
    part_fit=PartFit(clearance_factor=(0.8, 1.0)),
    contact_friction=ContactFriction(factor=(1.0, 3.0)),
    chamfer_damage=ChamferDamage(probability=1.0, remaining=(0.1, 0.5)),
    controller_gain=ControllerGain(
        stiffness_factor=(0.6, 1.6), extra_dead_band_n=2.0, motion_factor=(0.9, 1.1)
    ),
    actuator_latency=ActuatorLatency(steps=(3, 3)),
    backlash=Backlash(play_m=(0.1e-3, 0.2e-3)),
    force_sensor=ForceSensor(bias_n=0.8, drift_n_s=0.1, noise_factor=2.0),
    hand_camera=CameraCalibration(translation_sigma_m=2.5e-3, rotation_sigma_rad=math.radians(3.5)),
    fixed_camera=CameraCalibration(translation_sigma_m=2.5e-3, rotation_sigma_rad=math.radians(2.5)),
    camera_knock=CameraKnock(probability=0.7),
    room_light=RoomLight(lamp_factor=(0.3, 1.8), room_factor=(0.4, 1.6), direction_rad=0.8),
    glare=Glare(probability=0.7, radius_px=(4.0, 9.0)),
    lens_dirt=LensDirt(spots=(2, 6), opacity=(0.4, 0.8)),
    exposure=Exposure(gain_deviation=0.35, drift=0.1, offset_levels=20.0),
    sensor_noise=SensorNoise(read_levels=6.0, shot_levels=0.25),
    frame_delivery=FrameDelivery(drop_probability=0.1, late_probability=0.1, late_frames=3),
    servo_lag=ServoLag(factor=(0.9, 1.2)),
    sensor_lag=SensorLag(factor=(0.9, 1.2)),
    cell_stiffness=CellStiffness(arm=(0.4, 2.4), fingers=(0.5, 3.0), fixture=(0.1, 10.0)),
    arm_mass=ArmMass(factor=(1.2, 1.7)),
)

_WIDE = replace(
    _TRAIN,
    fixture_pose=replace(_TRAIN.fixture_pose, sigma_m=3.0e-3, yaw_sigma_rad=math.radians(3.5)),
    actuator_latency=ActuatorLatency(steps=(0, 3)),
    room_light=RoomLight(lamp_factor=(0.3, 1.5), room_factor=(0.3, 1.5), direction_rad=0.6),
)

_ASTRAY = replace(_HARD, fixture_pose=replace(_HARD.fixture_pose, sigma_m=5.0e-3))

NAMED: dict[str, AssemblyDisturbances] = {
    "none": AssemblyDisturbances(),
    "train": _TRAIN,
    "wide": _WIDE,
    "hard": _HARD,
    "astray": _ASTRAY,
    **each_alone(_TRAIN),
    "moved_camera": replace(_TRAIN, camera_knock=CameraKnock(probability=1.0, angle_rad=0.0)),
    "turned_camera": replace(_TRAIN, camera_knock=CameraKnock(probability=1.0, distance_m=0.0)),
    "late": replace(_TRAIN, actuator_latency=ActuatorLatency(steps=(3, 3))),
}
"""Sets of disturbances by name. `none`, `train`, `hard`; each single disturbance, at the strength of `train`;
`wide`, which is `train` with wider ranges of fixture, light and latency that include a line change;
`astray`, which is `hard` with the fixture up to 10 mm beside its place, to learn in every view how far a part
is from its hole; and `train` with one disturbance at its worst: hand camera moved by 3 mm, hand camera turned
by 5 degrees, three control steps of latency."""


def resolve(disturbances: str | AssemblyDisturbances) -> AssemblyDisturbances:
    """Return the disturbances of a name, or of several joined by `+`; see `resolve_named`."""
    return resolve_named(disturbances, NAMED)
