"""The page of `cellwright replay --report`: what led to a stop."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.envelope.reading import Log
from cellwright_train.report.page import page
from cellwright_train.report.plots import dress, plot

Array = NDArray[np.float64]
_STATES = {"disarmed": 0, "armed": 1, "blending": 2, "running": 3, "hold": 4, "stopped": 5, "estop": 6}


def replay_page(log: Log, name: str) -> str:
    """The page of a log that was read from the file `name`."""
    counted = Counter(stage for cycle in log.cycles for stage in cycle.get("stages") or ())
    return page(
        "replay.html.j2",
        name=name,
        provenance={
            key: text for key, text in sorted(log.about.items()) if not key.startswith("interventions")
        },
        reason=log.about.get("reason", ""),
        happenings=[{**each, "time": f"{each['time_s']:.3f}"} for each in log.happenings],
        stages=sorted(counted.items(), key=lambda item: -item[1]),
        cycles=len(log.cycles),
        decisions=len(log.decisions),
        findings=[
            {"time": f"{each['time_s']:.3f}", "found": "; ".join(each["found"])}
            for each in log.decisions
            if each.get("found")
        ][:200],
        curves=_curves(log) if log.cycles else "",
    )


def _curves(log: Log) -> str:
    """State, speed, force and interventions over time, as SVG."""
    times = np.array([each["time_s"] for each in log.cycles])
    tools = _table(log, "tool", 3)
    wrench = _table(log, "wrench", 3)
    with plot(9.0, 6.6) as drawn:
        axes = drawn.figure.subplots(4, 1, sharex=True)
        states = [_STATES.get(str(each["state"]), -1) for each in log.cycles]
        axes[0].step(times, states, where="post", lw=1.4)
        axes[0].set_yticks(list(_STATES.values()), list(_STATES))
        if len(times) > 1:
            step_s = np.maximum(np.diff(times), 1e-9)
            axes[1].plot(times[1:], 1e3 * np.linalg.norm(np.diff(tools, axis=0), axis=1) / step_s, lw=0.9)
        axes[2].plot(times, np.linalg.norm(wrench, axis=1), lw=0.9)
        axes[3].plot(times, [len(each.get("stages") or ()) for each in log.cycles], lw=0.9)
        labels = ("state", "tool speed [mm/s]", "force, not tared [N]", "stages that intervened")
        for axis, label in zip(axes, labels, strict=True):
            dress(axis, label)
            for each in log.happenings:
                if each.get("fault"):
                    axis.axvline(each["time_s"], color="#d6453d", lw=0.8, alpha=0.7)
        axes[3].set_xlabel("time [s]")
    return drawn.svg


def _table(log: Log, name: str, width: int) -> Array:
    """The first `width` numbers of a field, nan where there is none."""
    rows: list[list[Any]] = [[*(each.get(name) or ()), *[None] * width][:width] for each in log.cycles]
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
