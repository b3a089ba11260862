"""Every disturbance of a weld in one place: configured, drawn per episode, and named."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

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
from cellwright_envs.disturbances.sampling import Floats
from cellwright_envs.welding.disturbances.events import (
    FixtureBump,
    FixtureBumpState,
    GapStep,
    GapStepState,
    ProcedureChange,
    ProcedureChangeState,
)
from cellwright_envs.welding.disturbances.fixture import (
    FixtureOffset,
    FixtureOffsetState,
    GapProfile,
    GapProfileState,
    HeatDrift,
    HeatDriftState,
    Misalignment,
    MisalignmentState,
    PartWarp,
    PartWarpState,
    TackWelds,
    TackWeldsState,
    ThicknessBatch,
    ThicknessBatchState,
)
from cellwright_envs.welding.disturbances.optics import (
    ArcGlare,
    ArcGlareState,
    Reflectance,
    ReflectanceState,
    Smoke,
    SmokeState,
    Spatter,
    SpatterState,
)
from cellwright_envs.welding.disturbances.pool import PoolView, PoolViewState
from cellwright_envs.welding.disturbances.process import (
    Draught,
    DraughtState,
    GasFlow,
    GasFlowState,
    MeterError,
    MeterErrorState,
    PlateTemperature,
    PlateTemperatureState,
    ProcessSpread,
    ProcessSpreadState,
    SupplyVoltage,
    SupplyVoltageState,
    WireFeedSlip,
    WireFeedSlipState,
)
from cellwright_envs.welding.disturbances.tool import ToolCentrePointError, ToolCentrePointErrorState


@dataclass(frozen=True, kw_only=True)
class WeldDisturbances:
    """Every disturbance of a weld; each is off unless given."""

    fixture_offset: FixtureOffset = field(default_factory=FixtureOffset)
    part_warp: PartWarp = field(default_factory=PartWarp)
    gap_profile: GapProfile = field(default_factory=GapProfile)
    misalignment: Misalignment = field(default_factory=Misalignment)
    thickness_batch: ThicknessBatch = field(default_factory=ThicknessBatch)
    tack_welds: TackWelds = field(default_factory=TackWelds)
    heat_drift: HeatDrift = field(default_factory=HeatDrift)
    wire_feed_slip: WireFeedSlip = field(default_factory=WireFeedSlip)
    supply_voltage: SupplyVoltage = field(default_factory=SupplyVoltage)
    gas_flow: GasFlow = field(default_factory=GasFlow)
    draught: Draught = field(default_factory=Draught)
    plate_temperature: PlateTemperature = field(default_factory=PlateTemperature)
    process_spread: ProcessSpread = field(default_factory=ProcessSpread)
    arc_glare: ArcGlare = field(default_factory=ArcGlare)
    spatter: Spatter = field(default_factory=Spatter)
    smoke: Smoke = field(default_factory=Smoke)
    exposure: Exposure = field(default_factory=Exposure)
    reflectance: Reflectance = field(default_factory=Reflectance)
    sensor_noise: SensorNoise = field(default_factory=SensorNoise)
    frame_delivery: FrameDelivery = field(default_factory=FrameDelivery)
    camera_calibration: CameraCalibration = field(default_factory=CameraCalibration)
    tool_centre_point: ToolCentrePointError = field(default_factory=ToolCentrePointError)
    actuator_latency: ActuatorLatency = field(default_factory=ActuatorLatency)
    backlash: Backlash = field(default_factory=Backlash)
    fixture_bump: FixtureBump = field(default_factory=FixtureBump)
    gap_step: GapStep = field(default_factory=GapStep)
    procedure_change: ProcedureChange = field(default_factory=ProcedureChange)
    pool_view: PoolView = field(default_factory=PoolView)
    meter_error: MeterError = field(default_factory=MeterError)

    def draw(self, rng: np.random.Generator) -> "WeldDisturbanceState":
        """Draw one episode; takes one integer from `rng`, whatever is on or off."""
        return WeldDisturbanceState(**draw_each(self, rng))


@dataclass(frozen=True, kw_only=True, eq=False)
class WeldDisturbanceState:
    """The drawn disturbances of one episode, with the fields of `WeldDisturbances`."""

    fixture_offset: FixtureOffsetState
    part_warp: PartWarpState
    gap_profile: GapProfileState
    misalignment: MisalignmentState
    thickness_batch: ThicknessBatchState
    tack_welds: TackWeldsState
    heat_drift: HeatDriftState
    wire_feed_slip: WireFeedSlipState
    supply_voltage: SupplyVoltageState
    gas_flow: GasFlowState
    draught: DraughtState
    plate_temperature: PlateTemperatureState
    process_spread: ProcessSpreadState
    arc_glare: ArcGlareState
    spatter: SpatterState
    smoke: SmokeState
    exposure: ExposureState
    reflectance: ReflectanceState
    sensor_noise: SensorNoiseState
    frame_delivery: FrameDeliveryState
    camera_calibration: CameraCalibrationState
    tool_centre_point: ToolCentrePointErrorState
    actuator_latency: ActuatorLatencyState
    backlash: BacklashState
    fixture_bump: FixtureBumpState
    gap_step: GapStepState
    procedure_change: ProcedureChangeState
    pool_view: PoolViewState
    meter_error: MeterErrorState

    def gap_m(
        self, path_position_m: ArrayLike, *, seam_length_m: float, nominal_gap_m: float, thickness_m: float
    ) -> Floats:
        """Return the gap [m] from profile and step together, shaped like `path_position_m`.

        Together they open the gap no further than the larger of the two could alone.
        """
        fraction = np.asarray(path_position_m, dtype=np.float64) / seam_length_m
        profile = self.gap_profile.gap_m(path_position_m, nominal_gap_m, thickness_m)
        extra = self.gap_step.extra_gap_m(fraction, thickness_m)
        widest = nominal_gap_m + np.maximum(self.gap_profile.limit_at_m(thickness_m), extra)
        gap: Floats = np.minimum(profile + extra, widest)
        return gap

    def frame_effects(self, *, arc_on: bool, time_s: float) -> FrameEffects:
        """Return what happens to the frame taken at `time_s`."""
        return FrameEffects(
            albedo=self.reflectance.albedo,
            false_line_level=self.reflectance.false_line_level,
            false_line_position=self.reflectance.false_line_position(time_s),
            false_line_slope=self.reflectance.false_line_slope,
            contrast_loss=self.smoke.contrast_loss(time_s),
            veil_level=self.smoke.veil_level,
            glare_radius_low_px=self.arc_glare.low_px if arc_on else 0.0,
            glare_radius_high_px=self.arc_glare.high_px if arc_on else 0.0,
            glare_halo_px=self.arc_glare.halo_px,
            streaks=self.spatter.streaks_per_frame if arc_on else 0.0,
            streak_length_px=self.spatter.length_px,
            gain=self.exposure.gain(time_s),
            offset_levels=self.exposure.offset_levels,
            read_noise_levels=self.sensor_noise.read_levels,
            shot_noise_levels=self.sensor_noise.shot_levels,
        )

    def corrupt(
        self,
        images: Image,
        arc_px: Floats,
        *,
        arc_on: bool,
        time_s: float,
        magnification: tuple[float, ...],
        rng: np.random.Generator,
    ) -> Image:
        """Return a copy of all views of one moment, uint8 (views, H, W), as the camera delivers them.

        Args:
            images: what an undisturbed camera would have seen.
            arc_px: (views, 2) column and row of the arc in each view [px]; it may lie outside.
            arc_on: whether the arc burns; without it there is no glare and no spatter.
            time_s: time since the start of the episode.
            magnification: for each view, its focal length over that of the first view.
            rng: source of this frame's noise; one integer is drawn.
        """
        effects = self.frame_effects(arc_on=arc_on, time_s=time_s)
        return apply_effects(images, effects, rng=rng, arc_px=arc_px, magnification=magnification)


_TRAIN = WeldDisturbances(
    fixture_offset=FixtureOffset(sigma_m=0.8e-3, rotation_sigma_rad=math.radians(0.4)),
    part_warp=PartWarp(lateral_m=0.5e-3, height_m=0.4e-3),
    gap_profile=GapProfile(limit_of_thickness=0.2, limit_m=0.6e-3),
    misalignment=Misalignment(limit_of_thickness=0.06, limit_m=0.1e-3),
    thickness_batch=ThicknessBatch(deviation=0.06),
    tack_welds=TackWelds(height_m=(0.4e-3, 1.2e-3)),
    heat_drift=HeatDrift(sigma_per_100_mm_m=0.3e-3),
    wire_feed_slip=WireFeedSlip(slip=(0.0, 0.08), variation=0.01),
    supply_voltage=SupplyVoltage(limit_v=0.8),
    gas_flow=GasFlow(deviation_l_min=(-3.0, 5.0)),
    draught=Draught(limit_m_s=1.5),
    plate_temperature=PlateTemperature(above_ambient_k=(-15.0, 60.0)),
    process_spread=ProcessSpread(scale=1.0),
    arc_glare=ArcGlare(radius_px=(3.0, 9.0)),
    spatter=Spatter(streaks_per_s=(1.0, 12.0)),
    smoke=Smoke(contrast_loss=(0.0, 0.3)),
    exposure=Exposure(gain_deviation=0.25, drift=0.05, offset_levels=12.0),
    reflectance=Reflectance(albedo_deviation=0.2, false_line_levels=90.0),
    sensor_noise=SensorNoise(read_levels=3.0, shot_levels=0.1),
    frame_delivery=FrameDelivery(drop_probability=0.03, late_probability=0.03),
    # Two sigma are 0.3 mm and 0.3 degrees.
    camera_calibration=CameraCalibration(translation_sigma_m=0.15e-3, rotation_sigma_rad=math.radians(0.15)),
    # 0.7 mm of bend and 0.3 mm of cast: never more than 1 mm to the side.
    tool_centre_point=ToolCentrePointError(lateral_m=0.7e-3, along_m=0.7e-3, cast_m=(0.0, 0.3e-3)),
    actuator_latency=ActuatorLatency(steps=(0, 2)),
    backlash=Backlash(play_m=(0.0, 0.1e-3)),
    fixture_bump=FixtureBump(probability=0.3),
    gap_step=GapStep(probability=0.3),
    procedure_change=ProcedureChange(probability=0.2),
    pool_view=PoolView(
        spread=1.0,
        width_noise=(0.025, 0.05),
        length_noise=(0.05, 0.10),
        sag_noise_m=(0.1e-3, 0.2e-3),
        mounting_m=0.2e-3,
        wander_m=0.15e-3,
        useless=(0.02, 0.10),
        latency_steps=(1, 3),
    ),
    meter_error=MeterError(gain=0.01, voltage_v=0.2),
)

_HARD = WeldDisturbances(
    fixture_offset=FixtureOffset(sigma_m=1.2e-3, rotation_sigma_rad=math.radians(0.8)),
    part_warp=PartWarp(lateral_m=1.2e-3, height_m=0.9e-3),
    gap_profile=GapProfile(limit_of_thickness=0.35, limit_m=1.0e-3),
    misalignment=Misalignment(limit_of_thickness=0.1, limit_m=0.2e-3),
    thickness_batch=ThicknessBatch(deviation=0.10),
    tack_welds=TackWelds(height_m=(1.0e-3, 2.0e-3)),
    heat_drift=HeatDrift(sigma_per_100_mm_m=0.5e-3),
    wire_feed_slip=WireFeedSlip(slip=(0.03, 0.12), variation=0.02),
    supply_voltage=SupplyVoltage(limit_v=1.3),
    gas_flow=GasFlow(deviation_l_min=(-5.0, 8.0)),
    draught=Draught(limit_m_s=2.0),
    plate_temperature=PlateTemperature(above_ambient_k=(-25.0, 130.0)),
    process_spread=ProcessSpread(scale=1.0),
    arc_glare=ArcGlare(radius_px=(6.0, 15.0), halo_px=9.0),
    spatter=Spatter(streaks_per_s=(10.0, 30.0), length_px=18.0),
    smoke=Smoke(contrast_loss=(0.2, 0.5)),
    exposure=Exposure(gain_deviation=0.45, drift=0.1, offset_levels=25.0),
    reflectance=Reflectance(albedo_deviation=0.4, false_line_levels=140.0),
    sensor_noise=SensorNoise(read_levels=6.0, shot_levels=0.25),
    frame_delivery=FrameDelivery(drop_probability=0.1, late_probability=0.1, late_frames=3),
    camera_calibration=CameraCalibration(translation_sigma_m=0.3e-3, rotation_sigma_rad=math.radians(0.3)),
    tool_centre_point=ToolCentrePointError(lateral_m=0.8e-3, along_m=1.0e-3, cast_m=(0.2e-3, 0.5e-3)),
    actuator_latency=ActuatorLatency(steps=(3, 3)),
    backlash=Backlash(play_m=(0.1e-3, 0.2e-3)),
    # A knock of 2.5 mm spoils a weld under every controller before any has seen it.
    fixture_bump=FixtureBump(probability=1.0, jump_m=(0.8e-3, 1.5e-3)),
    gap_step=GapStep(probability=0.7, extra_of_thickness=(0.2, 0.35), limit_m=1.0e-3),
    procedure_change=ProcedureChange(probability=0.5, wire_feed=0.12, voltage_v=1.2, travel_speed=0.15),
    pool_view=PoolView(
        spread=1.0,
        width_noise=(0.05, 0.08),
        length_noise=(0.10, 0.15),
        sag_noise_m=(0.2e-3, 0.3e-3),
        mounting_m=0.3e-3,
        wander_m=0.25e-3,
        useless=(0.10, 0.30),
        latency_steps=(2, 4),
    ),
    meter_error=MeterError(gain=0.02, voltage_v=0.4),
)


NAMED: dict[str, WeldDisturbances] = {
    "none": WeldDisturbances(),
    "train": _TRAIN,
    "hard": _HARD,
    **each_alone(_TRAIN),
    # Certain pores while it lasts, so it belongs to no training set.
    "gas_loss": WeldDisturbances(gas_flow=GasFlow(loss_probability=1.0)),
}
"""Sets of disturbances by name: `none`, `train`, `hard`, and each single one at the strength of `train`."""


def resolve(disturbances: str | WeldDisturbances) -> WeldDisturbances:
    """Return the disturbances of a name, or of several joined by `+`; see `resolve_named`."""
    return resolve_named(disturbances, NAMED)
