"""Scripted experts: controllers to compare policies with, and teachers for warm starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_policies.experts.assembly import (
    CONNECTOR_INSERTION,
    GEAR_MESH,
    NUT_FASTENING,
    PEG_INSERTION,
    under_force_loop,
)
from cellwright_policies.experts.expert import Expert
from cellwright_policies.experts.welding import WELD_SEAM

EXPERTS: dict[str, dict[str, Callable[..., Expert]]] = {
    "cellwright/WeldSeam-v1": WELD_SEAM,
    "cellwright/WeldSeamWithoutPool-v1": WELD_SEAM,
    "cellwright/PegInsertion-v0": PEG_INSERTION,
    "cellwright/ConnectorInsertion-v0": CONNECTOR_INSERTION,
    "cellwright/NutFastening-v0": NUT_FASTENING,
    "cellwright/GearMesh-v0": GEAR_MESH,
    "cellwright-next/PegInsertion-v1": under_force_loop(PEG_INSERTION),
    "cellwright-next/ConnectorInsertion-v1": under_force_loop(CONNECTOR_INSERTION),
    "cellwright-next/NutFastening-v1": under_force_loop(NUT_FASTENING),
    "cellwright-next/GearMesh-v1": under_force_loop(GEAR_MESH),
}
"""The experts of each environment, made from the names of the components of `privileged`."""
NAMES: tuple[str, ...] = tuple(dict.fromkeys(name for experts in EXPERTS.values() for name in experts))
"""Every expert's name, whatever the environment."""
PRIVILEGED_EXPERTS = ("oracle", "guide")
"""Experts that need the `privileged` observation group."""


def make_expert(
    env_id: str,
    name: str,
    privileged_names: Sequence[str] = (),
    full_scale: NDArray[np.float64] | None = None,
) -> Expert:
    """The expert called `name` for the environment `env_id`; ValueError with what there is where none is.

    `privileged_names` are the environment's, for experts that read the `privileged` group. `full_scale` (6,)
    [m] and [rad] is the motion of a full action of an insertion, where it is not that of v0.
    """
    experts = EXPERTS.get(env_id)
    if experts is None:
        raise ValueError(f"there are no experts for {env_id!r}; there are for {', '.join(EXPERTS)}")
    if name not in experts:
        near = difflib.get_close_matches(name, experts, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown expert {name!r} for {env_id}; {hint}known: {', '.join(experts)}")
    if full_scale is None:
        return experts[name](privileged_names)
    return experts[name](privileged_names, full_scale)


__all__ = ["EXPERTS", "NAMES", "PRIVILEGED_EXPERTS", "Expert", "make_expert"]
