"""The constants of one weld's physics, drawn per episode, and the conditions on its drawing."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.inspection.quality import WeldJoint
from cellwright_envs.welding.process import arc, bead
from cellwright_envs.welding.process.columns import Input


def _constant(
    value: float,
    *,
    spread: float = 0.0,
    logistic: float = 0.0,
    uniform: float = 0.0,
    signed: bool = False,
) -> Any:
    """Field with relative normal spread, logistic scale, or uniform half-width, used by `draw_constants`.

    A `signed` one may be negative.
    """
    spreads = {"spread": spread, "logistic": logistic, "uniform": uniform, "signed": signed}
    return field(default=value, metadata=spreads)


@dataclass(frozen=True, kw_only=True)
class ProcessConstants:
    """Constants of the process model of one weld; defaults are the central values.

    Spreads that `draw_constants` applies stand with each default: `spread` is a relative standard
    deviation, `logistic` the scale of a threshold drawn from a logistic distribution, `uniform` a
    half-width. What tables disagree about is drawn too, see docs/process-model.md. SI units; sources are
    named as in docs/references.md.
    """

    melting_per_current_m_s_a: float = _constant(arc.MELTING_PER_CURRENT_M_S_A, spread=0.04)
    """Textbook (Allum and Quintino), agrees with Fronius and Miller tables; spread is an assumption."""
    melting_per_extension_s_a2: float = _constant(arc.MELTING_PER_EXTENSION_S_A2, spread=0.04)
    """As above."""
    arc_voltage_v: float = 15.7
    """Arc voltage at no length and no current: textbook (Naidu, Ozcelik and Moore)."""
    arc_resistance_ohm: float = 0.022
    """Textbook; a published fit has 0.0201."""
    arc_field_v_m: float = _constant(700.0, spread=0.1)
    """Arc voltage per length: textbook 0.4 to 1.5 V/mm; spread is an assumption."""
    source_resistance_ohm: float = 0.004
    """Slope of the source and its cable: published fit, 2 to 10 mohm."""
    wire_resistance_ohm_m: float = _constant(0.6, spread=0.1)
    """Resistance of the hot wire: assumption (resistivity 0.6 to 1.0 micro-ohm metre)."""
    current_lag_s: float = 0.008
    """Inductance over resistance of source, cable and arc: derived from textbook values."""
    synergic_intercept_v: float = arc.CO2_SYNERGIC_LINE[0]
    """Least squares on published CO2 tables."""
    synergic_slope_v_a: float = arc.CO2_SYNERGIC_LINE[1]
    """Least squares on published CO2 tables."""
    spray_transition_a: float = math.inf
    """None in CO2; see `spray_transition_current_a` for mixtures."""
    deposition_efficiency: float = bead.DEPOSITION_EFFICIENCY
    """Published: 0.93 to 0.98."""
    penetration_factor: float = _constant(bead.PENETRATION_FACTOR, spread=0.10)
    """Penetration, over that of the published fit; spread is an assumption."""
    width_factor: float = _constant(bead.WIDTH_FACTOR, spread=0.08)
    """Least mean error of width and height over the 27 settings of the published fit; single other beads
    have 2.0 to 2.6."""
    width_lag_s: float = _constant(0.3, spread=0.2)
    """Assumption, 0.3 to 1.0 s."""
    penetration_lag_s: float = _constant(0.2, spread=0.2)
    """Assumption, 0.2 to 0.4 s."""
    gap_factor_per_m: float = _constant(bead.GAP_FACTOR_PER_M, spread=0.10)
    """With `root_scale`, least scatter over 18 published butt recipes in CO2 and argon; spread assumed."""
    offset_scale: float = _constant(0.35, spread=0.12)
    """Assumption: offset over width at which root penetration falls to 1/e."""
    leg_shift: float = _constant(0.7, spread=0.10)
    """Assumption: change of a leg per offset of the wire."""
    push_slope_per_rad: float = _constant(0.458, spread=0.2)
    """Assumption: 0.8 % less penetration per degree of push; direction published."""
    work_angle_slope_per_rad: float = _constant(1.43, spread=0.2)
    """Assumption: 2.5 % of leg ratio per degree."""
    temperature_slope_per_k: float = _constant(8e-4, spread=0.2)
    """Assumption: gain of penetration with plate temperature."""
    fillet_root_fraction: float = _constant(0.12, spread=0.15)
    """Assumption: fraction of the throat that penetration must cross before it reaches the root. It leaves
    the roots of nine published CO2 fillets sound, each by two standard deviations of equal beads or more; the
    fit is for thicker plate and 180 A on."""
    fillet_root_m: float = _constant(0.2e-3, logistic=0.016e-3)
    """Assumption: penetration beyond the root that counts as fused."""
    fillet_heat_sink: float = _constant(0.5, spread=0.1)
    """Assumption: three plate halves carry heat away instead of two."""
    contact_gap_m: float = _constant(0.5e-3, spread=0.2)
    """Assumption: gap at which the third plate's cooling falls to 1/e."""
    lack_of_penetration_index: float = _constant(0.50, logistic=0.04)
    """Assumption, chosen after seeing the 18 published butt recipes."""
    burn_through_index: float = _constant(1.08, logistic=0.06)
    """Assumption, chosen after seeing the same recipes."""
    burn_through_heat_j_m2: float = _constant(0.23e9, logistic=0.02e9)
    """Assumption; published one-sided recipes stop at 0.160 kJ/mm2."""
    bridging_fraction: float = _constant(0.57, uniform=0.03)
    """Assumption: butt gap over thickness that metal does not bridge, at least 0.54."""
    bridging_limit_m: float = _constant(2.3e-3, uniform=0.2e-3)
    """Assumption: butt gap that metal does not bridge on any thickness."""
    toe_margin_m: float = _constant(0.5e-3, spread=0.1)
    """Assumption: how far the bead must reach over each edge of the gap."""
    cold_voltage_v: float = _constant(3.0, spread=0.1)
    """Assumption: below synergic voltage by this much the bead laps cold."""
    slow_fraction: float = _constant(0.35, spread=0.1)
    """Assumption: fraction of the nominal speed below which the pool runs ahead of the arc."""
    tack_fraction: float = _constant(0.3, spread=0.2)
    """Assumption: fraction of a tack's height that penetration loses."""
    undercut_speed_m_s: float = _constant(14e-3, spread=0.06)
    """Undercut seen at 16.7 mm/s is published (Zong 2016); onset and depth law are assumptions."""
    undercut_voltage_v: float = _constant(3.0, spread=0.1)
    """Published as 3 to 4 V above synergic (ESAB); depth law is an assumption."""
    undercut_angle_rad: float = _constant(math.radians(10.0), spread=0.1)
    """Assumption."""
    low_gas_flow_l_min: float = _constant(9.0, logistic=0.4)
    """Published start value indoors; pores below it."""
    high_gas_flow_l_min: float = _constant(25.0, logistic=0.6)
    """Textbook: turbulence draws air in above 22 to 25 l/min."""
    draught_limit_m_s: float = _constant(2.2, logistic=0.1)
    """Textbook: 5 mph."""
    shielded_tip_distance_m: float = _constant(25e-3, logistic=0.5e-3)
    """Textbook: shielding fails beyond."""
    gas_lag_s: float = _constant(0.3, spread=0.2)
    """Assumption: time in which the gas at the pool is exchanged."""
    plate_heated_area_m2: float = _constant(0.05, spread=0.2)
    """Assumption: plate area that warms up ahead of the arc as one lump."""
    plate_decay_s: float = _constant(150.0, spread=0.3)
    """Assumption, 60 to 300 s."""
    penetration_noise: float = 0.08
    """Published: scatter of seven equal beads."""
    width_noise: float = 0.04
    """Published: 3.7 % in seven equal beads."""
    height_noise: float = 0.10
    """Published: scatter of seven equal beads."""
    noise_length_m: float = _constant(35e-3, uniform=15e-3)
    """Assumption: correlation length of this scatter along the weld, 20 to 50 mm."""
    hole_depth_m: float = _constant(6e-3, spread=0.2)
    """Assumption: how much longer the arc gets when the pool falls through."""
    hole_voltage_v: float = _constant(2.0, spread=0.2)
    """Assumption: 1 to 3 V of measured voltage at burn-through."""
    pyrometer_distance_m: float = 12e-3
    """Spot of the pyrometer behind the arc (design)."""
    pyrometer_noise_k: float = 8.0
    """Two-colour pyrometer, about 1 % of reading (textbook)."""
    fillet_fullness: float = _constant(bead.FILLET_FULLNESS, uniform=0.03)
    """Assumption: fillet section over that of its inscribed triangle, 12 to 18 % convexity."""
    undercut_factor: float = _constant(1.0, spread=0.2)
    """Assumption: depth of undercut over that of the three depth laws."""
    root_bead_factor: float = _constant(1.0, spread=0.1)
    """Assumption: height and width of a butt weld's root bead over those of the formulas."""
    pore_diameter_m: float = _constant(3e-3, spread=0.2)
    """Assumption: pores without any gas; they start where shielding is half."""
    shielding_width: float = _constant(1.0, spread=0.2)
    """Assumption: how gradually shielding falls at its four limits, over the usual widths."""
    plate_heat_fraction: float = _constant(0.5, spread=0.1)
    """Assumption: fraction of the heat that warms the plate ahead of the arc; the rest stays behind it."""
    hottest_rise_k: float = _constant(1600.0, spread=0.02)
    """Assumption: rise towards which the temperature behind the arc is bent, as a pool stays near melting."""
    penetration_heat: float = _constant(1.0, uniform=0.3)
    """Assumption: exponent with which a deeper penetration than the formula's heats the plate behind the arc
    more."""
    dip_change_width: float = _constant(1.0, spread=0.2)
    """Assumption: how gradually dip transfer ends, over the usual 10 A and 0.7 V."""
    contact_factor: float = _constant(1.0, spread=0.1)
    """Assumption: contacts in dip transfer over one drop of the wire's own diameter each."""
    wire_diameter_m: float = 1.2e-3
    """Of solid wire, as the procedure has it."""
    penetration_current_exponent: float = _constant(1.355, uniform=0.045)
    """Of the current over the programme's: 1.40 in the published fit, 4/3 in Jackson's form, 1.31 in the free
    fit to 31 beads."""
    penetration_speed_exponent: float = _constant(-0.385, uniform=0.055, signed=True)
    """Of the travel speed over the programme's: -0.36 in the published fit, -1/3 in Jackson's form, -0.44 in
    the free fit."""
    penetration_voltage_exponent: float = _constant(-0.125, uniform=0.175, signed=True)
    """Of the voltage over the synergic one: 0.01 in the published fit, 0.05 in the free fit; two handbooks
    say that penetration falls a little."""
    cap_fullness: float = bead.CAP_FULLNESS
    """Height of a cap over its section divided by its width: least squares on the published fit's beads; a
    parabola has 1.5."""
    root_scale: float = bead.ROOT_SCALE
    """Root index over penetration, helped by the gap, over thickness: puts the published butt recipes at the
    mean root index 0.69, at which the limits were chosen."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if not getattr(self, item.name) >= 0 and not item.metadata.get("signed"):
                raise ValueError(
                    f"process constant {item.name}={getattr(self, item.name)} must not be negative"
                )


def _logistic(value: float, scale: float, chance: float) -> float:
    return value + scale * math.log(chance / (1.0 - chance))


def _normal(rng: np.random.Generator, value: float, spread: float) -> float:
    """Normal draw of relative standard deviation `spread`, truncated at two of them."""
    while abs(z := rng.standard_normal()) > 2.0:
        pass
    return value * (1.0 + spread * z)


def draw_constants(rng: np.random.Generator, scale: float = 1.0) -> ProcessConstants:
    """Draw the constants of one weld; `scale` shrinks every spread, 0 to none.

    A threshold is drawn once per weld from a logistic distribution, truncated at 2.5 scales: the chance
    that a weld fails at a given index is then the published logistic curve, and one weld stays consistent
    along its length. Both burn-through thresholds share one draw, so that the larger chance governs.
    """
    lowest = 1.0 / (1.0 + math.exp(2.5))
    burn_through = rng.uniform(lowest, 1.0 - lowest)
    drawn: dict[str, float] = {}
    for item in fields(ProcessConstants):
        value, spreads = float(item.default), item.metadata  # type: ignore[arg-type]
        if not spreads:
            continue
        if spreads["spread"]:
            drawn[item.name] = _normal(rng, value, scale * spreads["spread"])
        elif spreads["uniform"]:
            drawn[item.name] = value + scale * rng.uniform(-1.0, 1.0) * spreads["uniform"]
        elif spreads["logistic"]:
            chance = (
                burn_through if item.name.startswith("burn_through") else rng.uniform(lowest, 1.0 - lowest)
            )
            drawn[item.name] = _logistic(value, scale * spreads["logistic"], chance)
    return ProcessConstants(**drawn)


def design_throat_m(joint: WeldJoint, thickness_m: float) -> float:
    """Return the throat [m] a drawing asks for: 0 for a butt weld.

    A T-fillet gets the lower end of the leg bands that Daihen OTC publishes for CO2; a lap weld gets a leg
    as long as the plate is thick, the usual rule for sheet.
    """
    if joint == WeldJoint.BUTT:
        return 0.0
    plates_m = (1.2e-3, 1.6e-3, 2.0e-3, 2.3e-3, 3.2e-3, 4.5e-3, 6.0e-3, 9.0e-3, 12.0e-3)
    legs_m = (2.5e-3, 2.5e-3, 3.0e-3, 3.0e-3, 3.0e-3, 4.0e-3, 5.0e-3, 6.0e-3, 7.0e-3)
    leg_m = float(np.interp(thickness_m, plates_m, legs_m))
    if joint == WeldJoint.LAP:
        leg_m = min(leg_m, thickness_m)
    return leg_m / math.sqrt(2.0)


@dataclass(frozen=True, kw_only=True)
class WeldConditions:
    """The weld as drawn and programmed."""

    joint: WeldJoint
    """Lap, T-fillet or butt."""
    thickness_m: float
    """Nominal plate thickness."""
    gap_m: float = 0.0
    """Nominal gap."""
    wire_feed_m_s: float
    """Programmed wire feed."""
    voltage_v: float
    """Programmed voltage."""
    travel_speed_m_s: float
    """Programmed travel speed."""
    contact_tip_distance_m: float = 15e-3
    """Programmed contact-tip-to-work distance (CTWD)."""
    push_angle_rad: float = 0.0
    """Programmed travel angle, + for push."""
    work_angle_rad: float = 0.0
    """Programmed angle from the joint's bisector, + when the arc points at the left plate."""
    gas: str = "co2"
    """Shielding gas, one of `consumables.GASES`."""
    wire_diameter_m: float = 1.2e-3
    """Of solid wire, one of `consumables.WIRES_M`."""
    gas_flow_l_min: float = 15.0
    """Programmed shielding-gas flow."""
    plate_temperature_k: float = 293.15
    """Temperature of the plate at the start and of the air."""

    def __post_init__(self) -> None:
        for name in (
            "thickness_m",
            "wire_feed_m_s",
            "voltage_v",
            "travel_speed_m_s",
            "contact_tip_distance_m",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)} must be positive")
        if not 0 <= self.gap_m < self.thickness_m:
            raise ValueError(f"{self.gap_m=} must be from 0 to {self.thickness_m=}")

    def inputs(self) -> NDArray[np.float64]:
        """Return the input row (inputs,) of the undisturbed programme with the arc on."""
        row = np.zeros(len(Input))
        row[Input.WIRE_FEED_M_S] = self.wire_feed_m_s
        row[Input.VOLTAGE_V] = self.voltage_v
        row[Input.TRAVEL_SPEED_M_S] = self.travel_speed_m_s
        row[Input.ARC_ON] = 1.0
        row[Input.CONTACT_TIP_DISTANCE_M] = self.contact_tip_distance_m
        row[Input.WORK_ANGLE_RAD] = self.work_angle_rad
        row[Input.PUSH_ANGLE_RAD] = self.push_angle_rad
        row[Input.GAP_M] = self.gap_m
        row[Input.THICKNESS_M] = self.thickness_m
        row[Input.WIRE_SLIP] = 1.0
        row[Input.GAS_FLOW_L_MIN] = self.gas_flow_l_min
        return row
