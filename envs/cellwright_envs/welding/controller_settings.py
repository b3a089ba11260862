"""Settings of a real weld cell under which a policy observes what it was trained on."""

from __future__ import annotations

from cellwright_envs.welding.config import WeldSeamConfig
from cellwright_envs.welding.observation import AVERAGE_PERIODS_S, MOTION_LAGS, SIGNAL_LAGS
from cellwright_envs.welding.pool_camera import ACROSS_M_PX, ALONG_M_PX, ARC_ROW_FRACTION
from cellwright_runtime.vocabulary import Setting, number

TOOL = "tool"
"""Origin at the nominal wire tip, x forward in travel, y left, z up along the wire."""


def controller_settings(config: WeldSeamConfig) -> tuple[Setting, ...]:
    """Settings of the cell that are not part of observations and actions."""
    pool = _pool() if config.pool_camera else ()
    return (*_path(config), *_sensing(config), *pool, *_tracking(config))


def _path(config: WeldSeamConfig) -> tuple[Setting, ...]:
    return (
        number("lateral_range", "m", config.lateral_range_m, "most that the path is corrected, either way"),
        number("height_range", "m", config.height_range_m, "the same for its height"),
        number("trim_slew", "1/s", config.trim_slew_1_s, "full scales that a trim changes per second"),
        number("approach", "m", config.approach_m, "lead-in before the seam, arc off"),
        number("approach_speed", "m/s", config.approach_speed_m_s, "travel speed over it"),
        _steps("signals_lags", SIGNAL_LAGS),
        _steps("motion_lags", MOTION_LAGS),
    )


def _sensing(config: WeldSeamConfig) -> tuple[Setting, ...]:
    sensor = config.sensor
    position, target = sensor.camera_position_t, sensor.camera_target_t
    return (
        number("laser_look_ahead", "m", sensor.look_ahead_m, "of the laser plane before the wire tip"),
        Setting(name="camera", unit="m", value=position, frame=TOOL, meaning="its optical centre"),
        Setting(name="camera_target", unit="m", value=target, frame=TOOL, meaning="mid-image"),
        number("overview_focal", "1", sensor.overview_focal_px, "focal length over a pixel's width"),
        number("stripe_focal", "1", sensor.stripe_focal_px, "the same for the window around the laser"),
        number("line_columns", "1", float(config.line.columns), "points of a profile of the laser line"),
    )


def _tracking(config: WeldSeamConfig) -> tuple[Setting, ...]:
    tracking = config.tracking
    return (
        number("tracking_gain", "1/s", tracking.gain_1_s, "of the path correction, per error"),
        number("tracking_rate", "m/s", tracking.rate_m_s, "fastest path correction"),
        number("tracking_preview", "s", tracking.preview_s, "ahead of the wire, where the seam is read"),
        number("tracking_confidence", "1", tracking.least_confidence, "below it the seam is unknown"),
        Setting(name="average_periods", unit="s", value=AVERAGE_PERIODS_S, meaning="of the group `averages`"),
    )


def _pool() -> tuple[Setting, ...]:
    return (
        number("pool_across", "m", ACROSS_M_PX, "a pixel of the pool view across the seam, on the plate"),
        number("pool_along", "m", ALONG_M_PX, "the same along it"),
        number("pool_arc", "1", ARC_ROW_FRACTION, "of its height, where the arc stands; travel is upwards"),
    )


def _steps(name: str, lags: tuple[int, ...]) -> Setting:
    return Setting(
        name=name, unit="1", value=tuple(map(float, lags)), meaning="control steps back, in the group's order"
    )
