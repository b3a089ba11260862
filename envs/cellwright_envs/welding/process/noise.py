# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Compiled noise of the weld process: one cell's random numbers, and scatter along its weld.

Rows: `s` state, `u` inputs and `c` constants of the cell.
"""

import math

import numpy as np

from cellwright_envs.welding.process.columns import Constant, Input, State
from cellwright_perception.compiled import compilable


@compilable
def _uniform(generator):
    """Uniform number in (0, 1) from one xorshift64* state (1,)."""
    x = generator[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    generator[0] = x
    return (float((x * np.uint64(2685821657736338717)) >> np.uint64(11)) + 0.5) / 9007199254740992.0


@compilable
def normals(generator):
    """Two independent standard normal numbers (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log(_uniform(generator)))
    angle = 2.0 * math.pi * _uniform(generator)
    return radius * math.cos(angle), radius * math.sin(angle)


@compilable
def step_noise(s, u, c, generator, period_s):
    """Advance the three noises, Ornstein-Uhlenbeck along the weld with unit variance."""
    keep = math.exp(-max(u[Input.TRAVEL_SPEED_M_S], 0.0) * period_s / c[Constant.NOISE_LENGTH_M])
    fresh = math.sqrt(1.0 - keep * keep)
    first, second = normals(generator)
    third, spare = normals(generator)
    s[State.PENETRATION_NOISE] = keep * s[State.PENETRATION_NOISE] + fresh * first
    s[State.WIDTH_NOISE] = keep * s[State.WIDTH_NOISE] + fresh * second
    s[State.HEIGHT_NOISE] = keep * s[State.HEIGHT_NOISE] + fresh * third
    return spare
