# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Compiled signals of one cell: what power source, wire feeder and pyrometer report.

Rows: `s` state, `u` inputs and `c` constants of the cell, `out` its signals.
"""

import math

from cellwright_envs.welding.process import arc
from cellwright_envs.welding.process.columns import Constant, Input, Signal, State
from cellwright_envs.welding.process.noise import normals
from cellwright_perception.compiled import compilable


@compilable
def _signal_spread(s, u, c):
    """Standard deviations of current and voltage within the step, contact rate and transfer mode.

    Dip 65 A and 6.5 V, globular 35 A and 3.5 V, spray 10 A and 1 V are the middles of textbook ranges.
    Lost gas raises the voltage's by up to 80 %.
    """
    current, voltage = s[State.CURRENT_A], s[State.VOLTAGE_V]
    transition = c[Constant.SPRAY_TRANSITION_A]
    synergic = arc.synergic_voltage_v(
        current, c[Constant.SYNERGIC_INTERCEPT_V], c[Constant.SYNERGIC_SLOPE_V_A]
    )
    dip = arc.dip_fraction(current, voltage, c[Constant.DIP_CHANGE_WIDTH])
    spray = arc.spray_fraction(current, voltage, transition) * (1.0 - dip)
    globular = 1.0 - dip - spray
    lost = 1.0 - s[State.SHIELDING]
    cold = max(synergic - voltage, 0.0)
    current_std = 65.0 * dip + 35.0 * globular + 10.0 * spray
    voltage_std = (6.5 * dip + 3.5 * globular + 1.0 * spray) * (1.0 + 0.8 * lost + 0.08 * cold)
    rate = arc.short_circuit_rate_hz(
        c[Constant.CONTACT_FACTOR] * u[Input.WIRE_FEED_M_S] * u[Input.WIRE_SLIP],
        current,
        voltage,
        synergic,
        transition,
        c[Constant.DIP_CHANGE_WIDTH],
        c[Constant.WIRE_DIAMETER_M],
    )
    mode = 3.0 if spray > 0.5 else (1.0 if arc.is_dip(current, voltage) else 2.0)
    return current_std, voltage_std, rate * (1.0 + 0.3 * lost), mode


@compilable
def sum_signals(s, u, c, out, spare):
    """Add one step to the sums in the signal row; deviations are summed as squares."""
    current_std, voltage_std, rate, s[State.TRANSFER_MODE] = _signal_spread(s, u, c)
    # About sixteen samples' worth of events per step of 10 ms: the step's own mean still scatters.
    current_shift, voltage_shift = 0.25 * current_std * spare, -0.25 * voltage_std * spare
    out[Signal.CURRENT_MEAN_A] += s[State.CURRENT_A] + current_shift
    out[Signal.CURRENT_STD_A] += current_std * current_std + current_shift * current_shift
    out[Signal.VOLTAGE_MEAN_V] += s[State.VOLTAGE_V] + voltage_shift
    out[Signal.VOLTAGE_STD_V] += voltage_std * voltage_std + voltage_shift * voltage_shift
    out[Signal.SHORT_CIRCUIT_RATE_HZ] += rate
    out[Signal.WIRE_FEED_M_S] += u[Input.WIRE_FEED_M_S]


@compilable
def summarise(s, c, out, generator, steps):
    """Turn the sums of one advance into means and deviations, with what a finite window leaves uncertain."""
    first, second = normals(generator)
    third, fourth = normals(generator)
    out[:] /= steps
    out[Signal.WIRE_FEED_M_S] *= 1.0 + 0.005 * first
    out[Signal.PYROMETER_K] = s[State.PYROMETER_K] + c[Constant.PYROMETER_NOISE_K] * second
    out[Signal.CURRENT_MEAN_A] = max(out[Signal.CURRENT_MEAN_A], 0.0)
    out[Signal.CURRENT_STD_A] = math.sqrt(out[Signal.CURRENT_STD_A]) * max(1.0 + 0.15 * third, 0.0)
    out[Signal.VOLTAGE_MEAN_V] = max(out[Signal.VOLTAGE_MEAN_V], 0.0)
    out[Signal.VOLTAGE_STD_V] = math.sqrt(out[Signal.VOLTAGE_STD_V]) * max(1.0 + 0.12 * fourth, 0.0)
    out[Signal.SHORT_CIRCUIT_RATE_HZ] *= max(1.0 + 0.15 * first, 0.0)
