"""Scripted experts: controllers to compare policies with, and teachers for warm starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from cellwright_policies.experts.assembly import (
    CONNECTOR_INSERTION,
    GEAR_MESH,
    NUT_FASTENING,
    PEG_INSERTION,
)
from cellwright_policies.experts.expert import Expert
from cellwright_policies.experts.welding import WELD_SEAM

EXPERTS: dict[str, dict[str, Callable[..., Expert]]] = {
    "cellwright/WeldSeam-v1": WELD_SEAM,
    "cellwright/WeldSeamWithoutPool-v1": WELD_SEAM,
    "cellwright/PegInsertion-v1": PEG_INSERTION,
    "cellwright/ConnectorInsertion-v1": CONNECTOR_INSERTION,
    "cellwright/NutFastening-v2": NUT_FASTENING,
    "cellwright/GearMesh-v1": GEAR_MESH,
}
"""The experts of each environment, made from the names of the components of `privileged`."""
NAMES: tuple[str, ...] = tuple(dict.fromkeys(name for experts in EXPERTS.values() for name in experts))
"""Every expert's name, whatever the environment."""
PRIVILEGED_EXPERTS = ("oracle", "guide")
"""Experts that need the `privileged` observation group."""


def make_expert(env_id: str, name: str, privileged_names: Sequence[str] = ()) -> Expert:
    """The expert called `name` for the environment `env_id`; ValueError with what there is where none is.

    `privileged_names` are the environment's, for experts that read the `privileged` group.
    """
    experts = EXPERTS.get(env_id)
    if experts is None:
        raise ValueError(f"there are no experts for {env_id!r}; there are for {', '.join(EXPERTS)}")
    if name not in experts:
        near = difflib.get_close_matches(name, experts, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown expert {name!r} for {env_id}; {hint}known: {', '.join(experts)}")
    return experts[name](privileged_names)


__all__ = ["EXPERTS", "NAMES", "PRIVILEGED_EXPERTS", "Expert", "make_expert"]
