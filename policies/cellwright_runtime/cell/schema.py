"""What a cell's file says, key by key. Units are at the end of each key, and ranges catch another unit."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=60)]
Metre = Annotated[float, Meta(ge=-20.0, le=20.0)]
"""A place in a cell: 20 m are beyond every arm, and so is most of what is written in millimetres."""
Angle = Annotated[float, Meta(ge=-6.2832, le=6.2832)]
"""Of a rotation vector or a joint: a full turn, so that most degrees are beyond."""
Point = tuple[Metre, Metre, Metre]
Turn = tuple[Angle, Angle, Angle]
Pixels = Annotated[int, Meta(ge=16, le=16384)]
Focal = Annotated[float, Meta(ge=16.0, le=200_000.0)]
Coefficient = Annotated[float, Meta(ge=-100.0, le=100.0)]
Channel = Annotated[int, Meta(ge=0, le=65535)]
"""An address of the Modbus coupler; one of a BK9000 has its outputs from 0x0800 on."""
Seconds = Annotated[float, Meta(gt=0.0, le=10.0)]
Volts = Annotated[float, Meta(ge=-10.0, le=10.0)]
Above = Annotated[float, Meta(gt=0.0)]


class Frame(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one frame stands in another."""

    position_m: Point
    """Its origin."""
    rotation_rad: Turn = (0.0, 0.0, 0.0)
    """Its rotation vector: the axis, times the angle. It is neither roll, pitch and yaw nor a quaternion."""


class Robot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arm and its controller."""

    model: Name
    """Such as `UR10e`; a policy that was trained with another is refused."""
    joints: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]
    """Names in the order in which the controller counts them."""
    driver: Name = ""
    """Driver that `cellwright deploy` takes where none is named."""
    host: Annotated[str, Meta(max_length=200)] = ""
    """Name or address of the controller; for a driver to which the robot speaks first, the address of this
    computer that it speaks to."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Port, for drivers that have a choice; 0 is the usual one."""
    correction_m: Annotated[float, Meta(gt=0.0, le=3.0)] | None = None
    """For kuka-rsi: the largest shift of POSCORR in the RSI context."""
    correction_rad: Annotated[float, Meta(gt=0.0, le=3.2)] | None = None
    """The same for its turns."""
    sensor: Name | None = None
    """For kuka-rsi: the SENTYPE of its Ethernet configuration."""
    missed_answers: Annotated[int, Meta(ge=1, le=1000)] | None = None
    """For kuka-rsi: the Timeout of its ETHERNET object, the answers too late after which it stops."""
    comm_timeout_s: Annotated[float, Meta(gt=0.0, le=60.0)] | None = None
    """For abb-egm: the CommTimeout of its EGMSetupUC."""
    load: Annotated[float, Meta(ge=0.0, le=1.0)] | None = None
    """For fanuc-stream: the payload as a fraction of the robot's, which decides its tables of limits."""
    cycle_ms: Annotated[int, Meta(ge=1, le=100)] | None = None
    """The controller's cycle where it has a choice: for kuka-rsi 4 (IPO_FAST) or 12 (IPO), else 4; for
    fanuc-stream 4 or 8, else 8."""
    motion_lag_s: Annotated[float, Meta(ge=0.0, le=1.0)] | None = None
    """From a setpoint to the motion that follows it, where it was measured; else that of the driver."""
    wrench_lag_s: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.011
    """From a force at the tool to its reading: half a period of 500 Hz, a cycle on the bus and a low-pass of
    20 Hz, as in training."""
    stiffness_n_m: Annotated[float, Meta(ge=1e3, le=1e7)] = 1.1e4
    """Of arm and fingers in series, at the part's tip: how far they bend under force."""


class Camera(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera as it was calibrated. `cellwright calibrate` writes this table."""

    name: Name
    views: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=8)]
    """Views of the policy that it gives, such as `hand`."""
    source: Annotated[str, Meta(min_length=1, max_length=400)]
    """`device:0`, a video address, `directory:PATH` or `shared:PATH`."""
    width_px: Pixels
    height_px: Pixels
    focal_px: tuple[Focal, Focal]
    """Along columns and rows."""
    principal_px: tuple[float, float]
    """Column and row of the optical axis; the centre of the first pixel is (0, 0)."""
    distortion: Annotated[tuple[Coefficient, ...], Meta(max_length=14)] = ()
    """Coefficients of OpenCV's model in its order: k1, k2, p1, p2, k3, and so on."""
    mounted_on: Name
    """`flange` or `base`: the frame of the next two keys."""
    position_m: Point
    """Optical centre."""
    rotation_rad: Turn
    """Rotation vector of the camera's frame: z looks forward, x right, y down in the image."""
    residual_px: Annotated[float, Meta(ge=0.0, le=100.0)] | None = None
    """Of the calibration: root mean square over the corners, in the picture."""
    residual_mm: Annotated[float, Meta(ge=0.0, le=100.0)] | None = None
    """The same in space, with the robot's poses."""
    exposure_s: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """From the middle of the exposure to the arrival of the frame, which is the age of a frame that has just
    arrived."""


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part that is inserted, as on its drawing."""

    name: Name = "part"
    force_limit_n: Annotated[float, Meta(gt=0.0, le=1000.0)]
    """It counts as broken above; the policy observes it, and the force limit is no higher."""
    depth_m: Annotated[float, Meta(gt=0.0, le=0.5)]
    """How far it goes in."""


class Seam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seam that is welded, as it was taught, and its welding procedure."""

    joint: Name
    """`lap`, `t_fillet` or `butt`."""
    thickness_m: Annotated[float, Meta(gt=0.0, le=0.05)]
    wire_feed_m_s: Annotated[float, Meta(gt=0.0, le=1.0)]
    voltage_v: Annotated[float, Meta(gt=0.0, le=60.0)]
    travel_speed_m_s: Annotated[float, Meta(gt=0.0, le=0.1)]
    contact_tip_distance_m: Annotated[float, Meta(gt=0.0, le=0.05)]
    gap_m: Annotated[float, Meta(ge=0.0, le=0.01)] = 0.0
    """On the drawing."""
    work_angle_rad: Annotated[float, Meta(ge=-1.6, le=1.6)] = 0.0
    """Torch about the travel direction, from the joint's bisector."""
    push_angle_rad: Annotated[float, Meta(ge=-1.6, le=1.6)] = 0.0
    """Torch about the lateral axis, + for push."""
    points_m: Annotated[tuple[Point, ...], Meta(min_length=2, max_length=10_000)]
    """In the base frame, from the first weld point to the last."""
    normals: Annotated[tuple[Point, ...], Meta(min_length=1, max_length=10_000)]
    """Of the base plate on the side of the weld, one for each point, or one for all."""
    upright: Point | None = None
    """Where the web points, or the edge of a lap; along the normals where it is left out."""


class SeamSensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The head in front of the torch."""

    host: Annotated[str, Meta(min_length=1, max_length=200)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 5021


class PoolCamera(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The camera above the weld pool, whose own program rectifies its pictures to the plate."""

    source: Annotated[str, Meta(min_length=1, max_length=400)]
    """As for other cameras; pictures are grey, of the size and scale that the manifest says."""
    exposure_s: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """From the middle of the exposure to the arrival of the picture."""


class WrenchSensor(Frame, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A force-torque sensor at the wrist with a network interface of its own, mounted in the tool frame.

    Its position and rotation are those of its frame in the tool's.
    """

    kind: Name
    """`ati-rdt`: Raw Data Transfer of ATI's Net F/T and Ethernet Axia."""
    host: Annotated[str, Meta(min_length=1, max_length=200)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 49152
    counts_per_n: Annotated[float, Meta(gt=0.0, le=1e9)]
    """Of the sensor's calibration page, with N as its unit of force."""
    counts_per_n_m: Annotated[float, Meta(gt=0.0, le=1e9)]
    """The same, with N m as its unit of torque."""
    stale_s: Annotated[float, Meta(ge=0.002, le=0.1)] = 0.02
    """Without a new record for so long the robot is stopped."""


class PowerSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The welding power source behind a Modbus coupler.

    Its signals are the analogue outputs `wire_feed` and `voltage`, the digital output `arc_on`, and the
    digital inputs `arc_established` and `ready`, each with its address as the channel.
    """

    host: Annotated[str, Meta(min_length=1, max_length=200)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 502
    unit: Annotated[int, Meta(ge=0, le=255)] = 1
    full_count: Annotated[int, Meta(ge=255, le=65535)] = 32767
    """What stands for 10 V."""
    meters: Annotated[int, Meta(ge=0, le=65535)] = 0
    """First input register of the meters, two registers each."""
    meter_count: Annotated[int, Meta(ge=0, le=60)] = 0
    """How many meters there are, in the order of the policy's group `signals`."""


class AnalogueOutput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quantity that leaves as a voltage, in a straight line between two points."""

    name: Name
    """Such as `wire_feed`."""
    channel: Channel
    volts: tuple[Volts, Volts]
    """At `low` and at `high`."""
    unit: Name
    """SI, such as m/s: 12 m/min are 0.2 m/s."""
    low: float
    high: float


class AnalogueInput(AnalogueOutput, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quantity that arrives as a voltage."""


class Digital(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal that is on or off."""

    name: Name
    """Such as `arc_on`."""
    channel: Channel
    inverted: bool = False
    """Whether no voltage means on."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits that are stricter than those of the bundle; a looser one is refused where both are known."""

    tool_speed_m_s: Annotated[float, Meta(gt=0.0, le=5.0)] | None = None
    force_n: Annotated[float, Meta(gt=0.0, le=1000.0)] | None = None
    torque_n_m: Annotated[float, Meta(gt=0.0, le=200.0)] | None = None
    joint_low_rad: tuple[Angle, ...] | None = None
    joint_high_rad: tuple[Angle, ...] | None = None
    joint_velocity_rad_s: tuple[Annotated[float, Meta(gt=0.0, le=20.0)], ...] | None = None
    joint_acceleration_rad_s2: tuple[Annotated[float, Meta(gt=0.0, le=500.0)], ...] | None = None
    joint_jerk_rad_s3: tuple[Annotated[float, Meta(gt=0.0, le=50_000.0)], ...] | None = None
    joint_margin_rad: Annotated[float, Meta(gt=0.0, le=3.0)] | None = None
    workspace_margin_m: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None
    observation_age_s: Seconds | None = None
    image_age_s: Seconds | None = None
    inference_s: Seconds | None = None
    silence_s: Seconds | None = None


class Box(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A box that the tool's origin stays in."""

    name: Name
    frame: Name = "base"
    """`base` or `fixture`."""
    low_m: Point
    high_m: Point


class Cell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cell."""

    robot: Robot
    tool: Frame | None = None
    """The policy's tool frame in the frame of the flange."""
    fixture: Frame | None = None
    """The nominal fixture in the frame of the robot's base; an insertion needs it."""
    part: Part | None = None
    """What an insertion inserts."""
    seam: Seam | None = None
    """What a weld welds."""
    seam_sensor: SeamSensor | None = None
    pool_camera: PoolCamera | None = None
    """Only for policies that were trained with one."""
    wrench_sensor: WrenchSensor | None = None
    """What feels for a robot that reports no wrench; it takes the place of the robot's own."""
    power_source: PowerSource | None = None
    camera: tuple[Camera, ...] = ()
    analogue_output: tuple[AnalogueOutput, ...] = ()
    analogue_input: tuple[AnalogueInput, ...] = ()
    digital_output: tuple[Digital, ...] = ()
    digital_input: tuple[Digital, ...] = ()
    limits: Limits = Limits()
    workspace: tuple[Box, ...] = ()
