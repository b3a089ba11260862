"""Print what the exported gains do: stable or not, gain margin, and peak of a first contact.

python -m tools.force_loop
"""

from __future__ import annotations

from dataclasses import replace

from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_runtime.interface.force_loop import approach_speed_m_s, damping_for
from tools.force_loop.in_cell import press, robot
from tools.force_loop.model import Body, Lag, Law, contact, gain_margin, settles

SECONDS = 8.0
"""Time to come to rest: a heavy damper on a soft spring takes a second and more."""
LAGS_S = (0.010, 0.020, 0.034, 0.045)
STIFFNESS_N_M = (2e3, 5e3, 1e4, 2e4, 3e4, 1e5)
TASKS = (PegInsertion, ConnectorInsertion, NutFastening, GearMesh)
SLOW_DRIVERS_S = (0.084, 0.180)
"""Tracking lag of FANUC's stream motion, measured on a CRX."""


def law_of(compliance: ComplianceConfig) -> Law:
    """The model's law with the gains of the cell."""
    return Law(
        mass=compliance.virtual_mass_kg,
        damping=compliance.damping_n_s_m,
        stiffness=compliance.stiffness_n_m,
        dead_band_n=compliance.dead_band_n,
        leash_m=compliance.leash_m,
    )


def approach(compliance: ComplianceConfig, force_limit_n: float) -> float:
    """Approach speed [m/s] of a part under these gains."""
    pushed_n = compliance.stiffness_n_m * compliance.leash_m + compliance.dead_band_n
    return approach_speed_m_s(force_limit_n, damping_n_s_m=compliance.damping_n_s_m, pushed_n=pushed_n)


def _sweep(compliance: ComplianceConfig, force_limit_n: float) -> None:
    law, speed_m_s = law_of(compliance), approach(compliance, force_limit_n)
    print(f"\nM {law.mass:.1f} kg, D {law.damping:.0f} N s/m, K {law.stiffness:.0f} N/m; a part of")
    print(f"{force_limit_n:g} N, met at {1e3 * speed_m_s:.1f} mm/s; peaks in the model and in the cell\n")
    print("| stiffness [N/m] | lag [ms] | gain margin | settles: model, cell | peak [N]: model, cell |")
    print("| --- | --- | --- | --- | --- |")
    for stiffness in STIFFNESS_N_M:
        for lag_s in LAGS_S:
            lag, body = Lag.of(lag_s), Body.of(stiffness)
            force_n = contact(law, lag, body, speed_m_s=speed_m_s, seconds=SECONDS)
            seen = press(replace(compliance, arm=robot(lag, body)), speed_m_s=speed_m_s, seconds=SECONDS)
            margin = gain_margin(law, lag, body)
            alone_n = contact(law, lag, body, speed_m_s=speed_m_s, seconds=SECONDS, held=True)
            alone = press(
                replace(compliance, arm=robot(lag, body)), speed_m_s=speed_m_s, seconds=SECONDS, held=True
            )
            rest = [("no", "yes")[each] for each in (settles(alone_n), alone.settles)]
            peaks = f"{force_n.max():.1f}, {seen.peak_n:.1f}"
            print(f"| {stiffness:.0e} | {1e3 * lag_s:.0f} | {margin:.2f} | {', '.join(rest)} | {peaks} |")


def _parts() -> None:
    print("\n| task | force limit [N] | approach [mm/s] | peak at 3e4 N/m, 45 ms [N]: model, cell |")
    print("| --- | --- | --- | --- |")
    lag, body = Lag.of(0.045), Body.of(3e4)
    for task in TASKS:
        compliance = task.default_config.compliance
        for limit_n in sorted({part.force_limit_n for part in task.catalogue.parts}):
            speed_m_s = approach(compliance, limit_n)
            model_n = contact(law_of(compliance), lag, body, speed_m_s=speed_m_s).max()
            cell_n = press(replace(compliance, arm=robot(lag, body)), speed_m_s=speed_m_s).peak_n
            print(f"| {task.__name__} | {limit_n:g} | {1e3 * speed_m_s:.1f} | {model_n:.1f}, {cell_n:.1f} |")


def _slow() -> None:
    print("\n| lag [ms] | stiffness [N/m] | damping [N s/m] | gain margin | approach of 30 N [mm/s] |")
    print("| --- | --- | --- | --- | --- |")
    for lag_s in SLOW_DRIVERS_S:
        for stiffness in (6e3, 1e4, 3e4):
            damping = damping_for(lag_s, stiffness)
            law = Law(mass=0.01 * damping, damping=damping, stiffness=1500.0)
            margin = gain_margin(law, Lag.late(lag_s), Body.of(stiffness))
            speed = 1e3 * approach_speed_m_s(30.0, damping_n_s_m=damping, pushed_n=8.5)
            print(f"| {1e3 * lag_s:.0f} | {stiffness:.0e} | {damping:.0f} | {margin:.2f} | {speed:.1f} |")


def main() -> None:
    """Print the tables of the documentation."""
    print("# Exported gains")
    _sweep(ComplianceConfig(), 30.0)
    print("\n# Parts")
    _parts()
    print("\n# Drivers that are late by pure delay, with a damping of their own")
    _slow()


if __name__ == "__main__":
    main()
