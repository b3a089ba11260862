"""The virtual controllers by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cellwright_envs.virtual.abb_egm import Guidance, VirtualAbbEgm
from cellwright_envs.virtual.cells import Cell
from cellwright_envs.virtual.controller import ControllerError, VirtualController
from cellwright_envs.virtual.fanuc_stream import VirtualFanucStream
from cellwright_envs.virtual.kuka_rsi import STANDING_MM, VirtualKukaRsi
from cellwright_envs.virtual.ur.controller import VirtualUr
from cellwright_envs.virtual.ur.variables import PERSONALITIES


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One controller that can be made."""

    cycle_s: float
    speaks_first: bool
    """Whether it sends to a sensor at a given address, instead of listening."""
    ports: str
    """Where it listens, or sends to, in words."""
    make: Callable[..., VirtualController]


def _ur(cell: Cell, *, variant: str, **options: Any) -> VirtualController:
    return VirtualUr(
        cell.plant,
        personality=PERSONALITIES[_chosen("version", variant or "polyscope-5", PERSONALITIES)],
        tool_from_flange=cell.tool_from_flange,
        **options,
    )


def _kuka(cell: Cell, *, variant: str, **options: Any) -> VirtualController:
    modes: dict[str, dict[str, Any]] = {
        "absolute": {"path": cell.path},
        "relative": {"path": cell.path, "relative": True},
        "standing": {"most_mm": STANDING_MM, "most_degrees": 180.0},
    }
    chosen = modes[_chosen("kind of correction", variant or "absolute", modes)]
    return VirtualKukaRsi(cell.plant, **chosen, **options)


def _abb(cell: Cell, *, variant: str, **options: Any) -> VirtualController:
    guidances = {guidance.name.lower(): guidance for guidance in Guidance}
    default = "joint" if cell.path is None else "path"
    guidance = guidances[_chosen("guidance", variant or default, guidances)]
    return VirtualAbbEgm(cell.plant, guidance=guidance, path=cell.path, **options)


def _fanuc(cell: Cell, *, variant: str, **options: Any) -> VirtualController:
    versions = {"3": 3, "4": 4}
    version = versions[_chosen("version of Stream Motion", variant or "3", versions)]
    return VirtualFanucStream(cell.plant, version=version, tool_from_flange=cell.tool_from_flange, **options)


def _chosen(what: str, name: str, known: Any) -> str:
    if name not in known:
        raise ControllerError(f"unknown {what} {name!r}; known: {', '.join(known)}")
    return name


KINDS = {
    "ur": Kind(
        cycle_s=0.002, speaks_first=False, ports="RTDE 30004, script 30003, dashboard 29999", make=_ur
    ),
    "kuka-rsi": Kind(cycle_s=0.004, speaks_first=True, ports="RSI", make=_kuka),
    "abb-egm": Kind(cycle_s=0.004, speaks_first=True, ports="EGM", make=_abb),
    "fanuc-stream": Kind(
        cycle_s=0.008, speaks_first=False, ports="Stream Motion 60015, RMI 16001", make=_fanuc
    ),
}
