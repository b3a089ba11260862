"""The angle at the toe of a weld, in closed form from the shape that the bead model assumes.

ISO 5817 (row 505) measures the toe angle between the plate's surface and the weld face, through the weld: 180
degrees in a flat butt weld, 135 degrees in a flat fillet of equal legs. Here it is pi less the rise of the
face.
"""

import math

from cellwright_perception.compiled import compilable


@compilable
def butt_toe_rise_rad(cap_m: float, width_m: float) -> float:
    """Rise [rad] of a butt's face at its toes: atan(4 H / W), the slope of a parabola of height H on W.

    The parabola is an assumption, as in `bead.reinforcement_m`. Zero where the cap is level with the plate or
    below it.
    """
    return math.atan(4.0 * max(cap_m, 0.0) / width_m)


@compilable
def fillet_toe_rise_rad(upright_m: float, flat_m: float, convexity_m: float, at_edge: bool) -> float:
    """Rise [rad] of a fillet's face at its steeper toe: atan(z1 / z2) + atan(4 h / sqrt(z1^2 + z2^2)).

    That the face is a parabola over the line between the toes is an assumption.
    z1 and z2 are the legs on the upright (of a lap, the upper plate's edge) and on the flat plate, h is the
    convexity over the line between the toes, negative in a concave fillet. The toe on the shorter leg is the
    steeper one. A lap weld that reaches the upper plate's top (`at_edge`) has no toe on that edge, only the
    one on the lower plate.
    """
    chord = math.atan(upright_m / flat_m)
    if not at_edge:
        chord = max(chord, math.atan(flat_m / upright_m))
    return max(chord + math.atan(4.0 * convexity_m / math.hypot(upright_m, flat_m)), 0.0)
