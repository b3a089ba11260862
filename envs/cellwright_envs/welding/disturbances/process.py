"""Disturbances of the welding equipment and the air: deviations from the procedure.

`time_s` is the time since the start of the episode.
"""

from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    SmoothField,
    draw_in,
    require_not_negative,
    require_positive,
    require_probability,
    require_range,
)
from cellwright_envs.welding.process.columns import Signal

_AMBIENT_K = 293.15


@dataclass(frozen=True, kw_only=True)
class WireFeedSlip:
    """The drive rolls slip: less wire arrives than was commanded."""

    slip: Range = (0.0, 0.0)
    """Fraction of the wire that does not arrive, drawn per episode; 0-10 % in production (assumption)."""
    variation: float = 0.0
    """Standard deviation of the slow variation about it, as a fraction; the sum stays inside `slip`."""
    correlation_s: float = 4.0
    """Correlation time of the variation [s] (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "slip", low=0.0, high=0.9)
        require_not_negative(self, "variation")
        require_positive(self, "correlation_s")

    def draw(self, rng: np.random.Generator) -> "WireFeedSlipState":
        """Draw this episode's slip."""
        return WireFeedSlipState(
            limits=self.slip,
            slip=draw_in(rng, self.slip),
            variation=SmoothField.draw(rng, amplitude=self.variation, correlation=self.correlation_s),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class WireFeedSlipState:
    """The slip of one episode."""

    limits: Range
    slip: float
    variation: SmoothField

    def factor(self, time_s: float) -> float:
        """Return delivered over commanded wire feed."""
        low, high = self.limits
        return 1.0 - min(max(self.slip + self.variation.at_scalar(time_s), low), high)


@dataclass(frozen=True, kw_only=True)
class SupplyVoltage:
    """The power source delivers another voltage than it displays: mains, cable and earth clamp."""

    limit_v: float = 0.0
    """Largest deviation [V]; +-1 V in production (assumption)."""
    correlation_s: float = 8.0
    """Correlation time of the slow half of the deviation [s] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "limit_v")
        require_positive(self, "correlation_s")

    def draw(self, rng: np.random.Generator) -> "SupplyVoltageState":
        """Draw this episode's supply."""
        return SupplyVoltageState(
            limit_v=self.limit_v,
            constant=draw_in(rng, (-1.0, 1.0)),
            variation=SmoothField.draw(rng, amplitude=0.25, correlation=self.correlation_s),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SupplyVoltageState:
    """The supply of one episode; `constant` and `variation` are fractions of the limit."""

    limit_v: float
    constant: float
    variation: SmoothField

    def offset_v(self, time_s: float) -> float:
        """Return true minus commanded voltage [V]."""
        if self.limit_v == 0.0:
            return 0.0
        return self.limit_v * min(max(self.constant + self.variation.at_scalar(time_s), -1.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class GasFlow:
    """The shielding gas flows differently from the procedure, and may run out.

    In litres per minute, as on every flowmeter and in every procedure.
    """

    nominal_l_min: float = 15.0
    """Flow of the procedure [l/min]; 10-20 up to 9 mm plate (OTC CPTX-400 manual, p. 26)."""
    deviation_l_min: Range = (0.0, 0.0)
    """Deviation from it, drawn per episode [l/min]."""
    loss_probability: float = 0.0
    """Probability that the bottle or hose fails during the episode."""
    loss_start_s: Range = (2.0, 20.0)
    """When the failure begins [s] (assumption)."""
    loss_duration_s: Range = (1.0, 5.0)
    """How long it lasts [s] (assumption)."""
    loss_remaining: Range = (0.1, 0.4)
    """Fraction of the flow that remains meanwhile (assumption)."""

    def __post_init__(self) -> None:
        require_positive(self, "nominal_l_min")
        require_range(self, "deviation_l_min", low=-self.nominal_l_min)
        require_probability(self, "loss_probability")
        require_range(self, "loss_start_s", "loss_duration_s", low=0.0)
        require_range(self, "loss_remaining", low=0.0, high=1.0)

    def draw(self, rng: np.random.Generator) -> "GasFlowState":
        """Draw this episode's flow and, perhaps, its failure."""
        flow = self.nominal_l_min + draw_in(rng, self.deviation_l_min)
        is_lost = rng.random() < self.loss_probability
        start, duration, remaining = (
            draw_in(rng, interval)
            for interval in (self.loss_start_s, self.loss_duration_s, self.loss_remaining)
        )
        return GasFlowState(
            constant_l_min=flow,
            loss_start_s=start,
            loss_end_s=start + duration if is_lost else start,
            loss_remaining=remaining,
        )


@dataclass(frozen=True, kw_only=True)
class GasFlowState:
    """The gas of one episode; no failure where it ends as it starts."""

    constant_l_min: float
    loss_start_s: float
    loss_end_s: float
    loss_remaining: float

    def flow_l_min(self, time_s: float) -> float:
        """Return the flow at the nozzle [l/min]."""
        is_lost = self.loss_start_s <= time_s < self.loss_end_s
        return self.constant_l_min * (self.loss_remaining if is_lost else 1.0)


@dataclass(frozen=True, kw_only=True)
class Draught:
    """Air moves across the nozzle in gusts; above 2.2 m/s (5 mph) it carries the shielding away."""

    limit_m_s: float = 0.0
    """Fastest gust [m/s]."""
    correlation_s: float = 1.5
    """Correlation time of the gusts [s] (assumption)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "limit_m_s")
        require_positive(self, "correlation_s")

    def draw(self, rng: np.random.Generator) -> "DraughtState":
        """Draw this episode's air."""
        return DraughtState(
            limit_m_s=self.limit_m_s,
            mean=draw_in(rng, (0.0, 0.7)),
            gusts=SmoothField.draw(rng, amplitude=0.2, correlation=self.correlation_s),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DraughtState:
    """The air of one episode; `mean` and `gusts` are fractions of the limit."""

    limit_m_s: float
    mean: float
    gusts: SmoothField

    def speed_m_s(self, time_s: float) -> float:
        """Return the speed of the air across the nozzle [m/s]."""
        if self.limit_m_s == 0.0:
            return 0.0
        return self.limit_m_s * min(max(self.mean + self.gusts.at_scalar(time_s), 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class PlateTemperature:
    """The plate is cold from a store, or warm from an earlier weld."""

    above_ambient_k: Range = (0.0, 0.0)
    """Temperature above 293.15 K, drawn per episode [K]; interpass temperature ends at 523 K for S355."""

    def __post_init__(self) -> None:
        require_range(self, "above_ambient_k", low=-60.0, high=300.0)

    def draw(self, rng: np.random.Generator) -> "PlateTemperatureState":
        """Draw this episode's plate."""
        return PlateTemperatureState(start_k=_AMBIENT_K + draw_in(rng, self.above_ambient_k))


@dataclass(frozen=True, kw_only=True)
class PlateTemperatureState:
    """The plate of one episode."""

    start_k: float
    """Temperature before the arc is struck [K]."""


@dataclass(frozen=True, kw_only=True)
class ProcessSpread:
    """The constants of the process model differ from their central values, weld by weld."""

    scale: float = 0.0
    """1 for the spreads that `ProcessConstants` documents, 0 for the central values."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.scale <= 2.0:
            raise ValueError(f"scale must be within 0..2, got {self.scale}")

    def draw(self, rng: np.random.Generator) -> "ProcessSpreadState":
        """The scale is the same for every weld; the process draws its constants itself."""
        return ProcessSpreadState(scale=self.scale)


@dataclass(frozen=True, kw_only=True)
class ProcessSpreadState:
    """The spread of one episode."""

    scale: float


@dataclass(frozen=True, kw_only=True)
class MeterError:
    """What the power source shows is off by a little, the whole weld; class 1 instruments."""

    gain: float = 0.0
    """Standard deviation of the factor on current, wire feed and pyrometer, each drawn (assumption: 1 %)."""
    voltage_v: float = 0.0
    """Standard deviation of the error of the voltage [V] (assumption: 0.2 V)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "gain", "voltage_v")

    def draw(self, rng: np.random.Generator) -> "MeterErrorState":
        """Draw this episode's instruments."""
        current, feed, pyrometer = (1.0 + self.gain * rng.standard_normal(3)).tolist()
        return MeterErrorState(
            current=current,
            wire_feed=feed,
            pyrometer=pyrometer,
            voltage_v=self.voltage_v * float(rng.standard_normal()),
        )


@dataclass(frozen=True, kw_only=True)
class MeterErrorState:
    """The instruments of one episode."""

    current: float
    """Factor on mean and deviation of the current."""
    wire_feed: float
    """Factor on the wire feed."""
    pyrometer: float
    """Factor on the temperature."""
    voltage_v: float
    """Added to the mean voltage [V] while the arc burns."""

    def shown(self, signals: Floats) -> Floats:
        """The weld signals (Signal,) as these instruments show them; a new array."""
        shown = signals.copy()
        shown[Signal.CURRENT_MEAN_A] *= self.current
        shown[Signal.CURRENT_STD_A] *= self.current
        shown[Signal.VOLTAGE_MEAN_V] += self.voltage_v * (signals[Signal.CURRENT_MEAN_A] > 0.0)
        shown[Signal.WIRE_FEED_M_S] *= self.wire_feed
        shown[Signal.PYROMETER_K] *= self.pyrometer
        return shown
