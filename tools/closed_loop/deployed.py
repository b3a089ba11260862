"""A part through the two commands that an integrator starts: the virtual controller and `deploy`."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cellwright_runtime.envelope.states import State
from cellwright_train.commands.deploy import STARTED_S, WATCHED_S
from cellwright_train.commands.deploy_simulated import simulated_session
from tools.closed_loop.clients import CLIENTS, options_of
from tools.closed_loop.parts import Part, limit_s
from tools.closed_loop.served import ServedCell, environment_of_commands, frames_in_memory, free_port

PATIENCE_S = 60.0
"""On the wall clock: so long a controller in lock-step waits for a setpoint."""
_SLACK_S = 2.0
"""Until observations are fine, and the policy has all of its authority."""
_HAPPENED = re.compile(r" *[\d.]+ s  [A-Z]+ ")
_COUNTED = re.compile(r"(\d+) decisions, interventions: (.*)")
_LATE = re.compile(r"(\d+) of (\d+) cycles more than 2 ms late, the worst by ([\d.]+) ms")


def through_deploy(part: Part, name: str, *, host: str, lockstep: bool) -> dict[str, Any]:
    """Work on the part through the driver `name`; neither command knows of the other but by its wires."""
    client, begun_s = CLIENTS[name], time.monotonic()
    seconds = min(limit_s(part), part.longest_s) + WATCHED_S + STARTED_S + _SLACK_S
    with frames_in_memory() as frames:
        cell = frames / "cell.toml"
        options: dict[str, Any] = {
            "env": part.bundle.spec.environment,
            "seed": part.seed,
            "products": part.products,
            "disturbances": part.disturbances,
            "write-cell": cell,
            **options_of(client, host=host, port=free_port()),
        }
        if not part.welded or part.bundle.spec.controller.has("pool_across"):
            options["frames"] = frames
        if part.welded:
            options |= {"coupler-port": 0, "seam-sensor-port": 0}
        elif not client.feels:
            options["wrench-sensor-port"] = 0
        if lockstep:
            options |= {"lockstep": True, "patience": PATIENCE_S}
        with ServedCell(client.controller, options) as served:
            told = _deploy(part, cell, seconds, lockstep=lockstep)
    return {
        "verdict": served.truth(),
        **_read(told),
        "counted": served.counted(),
        "seconds": round(time.monotonic() - begun_s, 1),
    }


def in_simulation(part: Part) -> dict[str, Any]:
    """An insertion through `SimDriver`, as `cellwright deploy --driver sim` does it."""
    begun_s = time.monotonic()
    session, truth = simulated_session(
        part.bundle, seed=part.seed, disturbances=part.disturbances, product=None, tighter={}, logs=None
    )
    longest_s = min(limit_s(part), part.longest_s)
    try:
        session.connect()
        session.arm()
        session.cycle()
        session.start()
        start_s = session.now_s
        while not session.over and session.now_s - start_s < longest_s:
            session.cycle()
        verdict = truth()
    finally:
        session.close()
    envelope = session.envelope
    return {
        "verdict": verdict,
        "reason": envelope.reason or session.done or "time is over",
        "holds": [each.detail for each in envelope.happenings if each.state is State.HOLD],
        "decisions": session.decisions,
        "interventions": {stage.value: count for stage, count in envelope.tally.total.items() if count},
        "seconds": round(time.monotonic() - begun_s, 1),
    }


def _deploy(part: Part, cell: Path, seconds: float, *, lockstep: bool) -> str:
    command = [sys.executable, "-m", "cellwright_train.cli", "deploy", str(part.bundle.directory)]
    command += ["--cell", str(cell), "--arm", "--seconds", f"{seconds:g}"]
    command += ["--lockstep"] if lockstep else []
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment_of_commands(),
        check=False,
    )
    return done.stdout


def _read(told: str) -> dict[str, Any]:
    """What the command said: how it ended, how often it held, and how late its cycles were."""
    lines = told.strip().splitlines() or [""]
    holds = [line.split(" HOLD ", 1)[1].strip() for line in lines if " HOLD " in line]
    found: dict[str, Any] = {"reason": lines[-1], "holds": holds}
    if _COUNTED.match(lines[-1]):  # stopped: what happened last says why
        found["reason"] = next((line.strip() for line in reversed(lines) if _HAPPENED.match(line)), lines[-1])
    for line in lines:
        if counted := _COUNTED.match(line):
            found |= {"decisions": int(counted[1]), "interventions": counted[2]}
        if late := _LATE.match(line):
            found |= {"late": int(late[1]), "cycles": int(late[2]), "worst_ms": float(late[3])}
    return found
