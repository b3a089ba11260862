"""What the robot below a force loop is like: its lags, its mass and its stiffness, as set up and as drawn."""

from __future__ import annotations

from dataclasses import dataclass

from cellwright_envs.disturbances.sampling import require_not_negative, require_positive

CYCLE_S = 2e-3
"""Cycle of the force loop: that of the UR10e; those of KUKA, ABB and FANUC are 4, 8 or 12 ms."""
COARSE_PERIOD_S, FINE_PERIOD_S = 4e-3, 2e-3
"""Physics steps; cycles of 2, 4, 8 and 12 ms are whole multiples of the fine one."""


@dataclass(frozen=True, kw_only=True)
class ServoedArmConfig:
    """A UR10e under `servoj` with a built-in force sensor, a 2F-85 and a fixture."""

    command_delay_s: float = 4e-3
    """Transport to the controller and computing, 2 ms each (assumption)."""
    servo_s: float = 30e-3
    """First-order lag of the position servo. Sent and actual joint angles of a UR10e under `servoj` with
    look-ahead 0.03 s are 34 ms apart, without `servoj` 4 to 6 ms (Universal_Robots_Client_Library, issue 86);
    that it is of first order is an assumption."""
    sensor_period_s: float = 2e-3
    """500 Hz through RTDE (Universal_Robots_ROS_Driver, issue 269)."""
    sensor_delay_s: float = 2e-3
    """One cycle on the bus (assumption)."""
    sensor_filter_s: float = 8e-3
    """Time constant of the low-pass: 20 Hz, as users of a UR10e choose (SDU-UR10E-Sensor-Common)."""
    arm_mass_kg: float = 10.0
    """Effective mass at the tool: 5 to 15 kg, from UR's link inertias with reflected rotors (assumption)."""
    arm_inertia_kg_m2: float = 0.3
    """The same about the tip (assumption)."""
    arm_stiffness_n_m: float = 2.5e4
    """Of the joints under their servos, at the tool: 1e4 to 6e4 N/m, from joint figures (assumption)."""
    arm_turning_n_m_rad: float = 1000.0
    """The same against turning (assumption)."""
    arm_damping_ratio: float = 0.2
    """Of the arm's first mode, which is at 8 Hz with these figures (assumption)."""
    finger_stiffness_n_m: float = 2e4
    """Of a 2F-85 closed on a part: 1e4 to 3e4 N/m along the fingers (assumption)."""
    finger_turning_n_m_rad: float = 60.0
    """Of pads and fingers against turning of the part (assumption)."""
    finger_damping_ratio: float = 0.15
    """Of the part on its fingers: rubber pads (assumption)."""
    fixture_stiffness_n_m: float = 3e5
    """Of a printed or machined nest: 1e5 to 1e7 N/m (assumption). It is in series with the fingers."""
    end_mass_kg: float = 1.5
    """What is beyond the fingers' spring: gripper below the sensor (0.9 kg), part, half of the sensor."""
    end_inertia_kg_m2: float = 0.01
    """The same about the tip (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "command_delay_s", "sensor_delay_s")
        require_positive(
            self,
            "servo_s",
            "sensor_period_s",
            "sensor_filter_s",
            "arm_mass_kg",
            "arm_inertia_kg_m2",
            "arm_stiffness_n_m",
            "arm_turning_n_m_rad",
            "arm_damping_ratio",
            "finger_stiffness_n_m",
            "finger_turning_n_m_rad",
            "finger_damping_ratio",
            "fixture_stiffness_n_m",
            "end_mass_kg",
            "end_inertia_kg_m2",
        )
        for name in ("command_delay_s", "sensor_delay_s", "sensor_period_s"):
            cycles = getattr(self, name) / CYCLE_S
            if abs(cycles - round(cycles)) > 1e-9:
                raise ValueError(f"{name}={getattr(self, name)} is no whole multiple of the cycle {CYCLE_S}")


@dataclass(frozen=True, kw_only=True)
class ServoConditions:
    """How the robot of one episode differs from its set-up: factors on what `ServoedArmConfig` has."""

    servo_lag: float = 1.0
    """On the time constant of the position servo."""
    sensor_lag: float = 1.0
    """On the time constant of the force sensor's low-pass."""
    arm_mass: float = 1.0
    """On effective mass and inertia."""
    arm_stiffness: float = 1.0
    finger_stiffness: float = 1.0
    fixture_stiffness: float = 1.0


AS_SET = ServoConditions()


def total_lag_s(config: ServoedArmConfig, conditions: ServoConditions = AS_SET) -> float:
    """From a force to the motion that answers it: delays, time constants, half a cycle of hold and half a
    sensor period."""
    late_s = config.command_delay_s + config.sensor_delay_s + 0.5 * config.sensor_period_s
    smoothed_s = config.servo_s * conditions.servo_lag + config.sensor_filter_s * conditions.sensor_lag
    return late_s + smoothed_s


def total_stiffness_n_m(config: ServoedArmConfig, conditions: ServoConditions = AS_SET) -> float:
    """Stiffness that the loop sees against a rigid part: arm, fingers and fixture in series."""
    return 1.0 / (
        1.0 / (config.arm_stiffness_n_m * conditions.arm_stiffness) + 1.0 / end_stiffness(config, conditions)
    )


def end_stiffness(config: ServoedArmConfig, conditions: ServoConditions) -> float:
    """Stiffness [N/m] of fingers and fixture in series, which are one spring here."""
    return 1.0 / (
        1.0 / (config.finger_stiffness_n_m * conditions.finger_stiffness)
        + 1.0 / (config.fixture_stiffness_n_m * conditions.fixture_stiffness)
    )
