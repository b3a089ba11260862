"""How the weld pool looks in this weld, and how well its camera shows it.

Closed forms from a pool's top side to its root are not published for this process. Ranges and noise follow
the spread of what is (docs/process-model.md, Pool); each is drawn, so that no single relation can be learnt.
"""

from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Range,
    draw_in,
    require_not_negative,
    require_range,
)


@dataclass(frozen=True, kw_only=True)
class PoolView:
    """The pool's shape scatters from weld to weld, its picture is noisy, late and at times useless."""

    spread: float = 0.0
    """Fraction of the published spread of `PoolViewState`'s relations that is drawn: 0 none, 1 all."""
    width_noise: Range = (0.0, 0.0)
    """Standard deviation of the visible width over its value, drawn per weld; 2.5-5 % (assumption)."""
    length_noise: Range = (0.0, 0.0)
    """The same of the length, whose tail is dim; 5-10 % (assumption)."""
    sag_noise_m: Range = (0.0, 0.0)
    """Standard deviation of the surface's height [m], drawn per weld; 0.1-0.2 mm (assumption)."""
    mounting_m: float = 0.0
    """Standard deviation of the camera's place across the seam, drawn per weld [m] (assumption)."""
    wander_m: float = 0.0
    """Standard deviation of the pool's, and of the arc's, sideways from picture to picture [m]: arcs wander
    (assumption)."""
    useless: Range = (0.0, 0.0)
    """Fraction of pictures lost to arc flash and spatter, drawn per weld; 2-10 % (assumption)."""
    latency_steps: tuple[int, int] = (0, 0)
    """Control steps until a picture arrives, drawn per weld; 20-110 ms (published for several networks)."""

    def __post_init__(self) -> None:
        require_not_negative(self, "spread", "mounting_m", "wander_m")
        for name in ("width_noise", "length_noise", "sag_noise_m"):
            require_range(self, name, low=0.0)
        require_range(self, "useless", low=0.0, high=1.0)
        low, high = self.latency_steps
        if not 0 <= low <= high <= MOST_LATENCY_STEPS:
            raise ValueError(
                f"need 0 <= latency_steps <= {MOST_LATENCY_STEPS}, low first, got {self.latency_steps}"
            )

    def draw(self, rng: np.random.Generator) -> "PoolViewState":
        """Draw this weld's pool and camera."""
        middle = PoolViewState()

        def around(value: float, low: float, high: float) -> float:
            return value + self.spread * (draw_in(rng, (low, high)) - value)

        sigma = (
            draw_in(rng, self.width_noise),
            draw_in(rng, self.length_noise),
            draw_in(rng, self.sag_noise_m),
        )
        bias = rng.standard_normal(3)
        low, high = self.latency_steps
        return PoolViewState(
            length_m_w=around(middle.length_m_w, 0.85 * LENGTH_M_W, 1.25 * LENGTH_M_W),
            widening=around(middle.widening, 0.05, 0.15),
            lengthening=around(middle.lengthening, 0.10, 0.30),
            sag_m=around(middle.sag_m, 0.2e-3, 0.6e-3),
            sigma=sigma,
            bias=(sigma[0] * float(bias[0]), sigma[1] * float(bias[1]), sigma[2] * float(bias[2])),
            mounting_m=self.mounting_m * float(rng.standard_normal()),
            wander_m=self.wander_m,
            useless=draw_in(rng, self.useless),
            latency_steps=int(rng.integers(low, high + 1)),
            seed=int(rng.integers(0, 2**63)),
        )


LENGTH_M_W = 4.0e-6
"""Length of a pool [m] per watt of net arc power: 8 to 28 mm at 120 to 300 A. It is Rosenthal's
1 / (2 pi lambda (Tm - T0)) with 27 W/(m K)."""
MOST_LATENCY_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class PoolViewState:
    """The pool of one weld and what its camera makes of it; the defaults are the middle, without noise."""

    length_m_w: float = LENGTH_M_W
    """Length over net arc power [m/W]; published shapes are 1.3 to 2.2 widths long."""
    widening: float = 0.10
    """How much wider a butt's pool is once its root is open, relative; 5-15 % (assumption)."""
    lengthening: float = 0.20
    """The same of its length; 10-30 % (assumption)."""
    sag_m: float = 0.4e-3
    """How far the surface hangs at 1.02 of the index at which it falls through [m]; 0.2-0.6 mm
    (assumption)."""
    sigma: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Standard deviations of width [1], length [1] and height of the surface [m], picture by picture."""
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Errors of the same that last the whole weld."""
    mounting_m: float = 0.0
    """How far to the left of its place the camera is mounted [m]."""
    wander_m: float = 0.0
    """Standard deviation of pool and arc across the seam, picture by picture, each for itself [m]."""
    useless: float = 0.0
    """Fraction of pictures without a pool."""
    latency_steps: int = 0
    """Control steps until a picture arrives."""
    seed: int = 0
    """Of the noise of all pictures."""
