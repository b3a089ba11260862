"""Lines of a few parts, and a cell that decides at once: good where the fixture is within a millimetre."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_train.lines import shift
from cellwright_train.lines.line import Line
from cellwright_train.lines.strict import TomlText
from cellwright_train.results.insertions import InsertionResult
from cellwright_train.results.result import EpisodeResult
from cellwright_train.results.welds import WeldResult
from cellwright_train.rollout.cell import Episode
from cellwright_train.rollout.families import cell_class
from cellwright_train.rollout.policies import PolicyReference
from cellwright_train.rollout.trial import Trial, Workplace

HEAD = """
name = "pegs"
description = "A few pegs."
seed = 7000
cell = "peg-insertion"
handling_s = 4.0
disturbances = "none"
inspected_every = 1
"""
FIXTURE = {"welding": "fixture_offset", "assembly": "fixture_pose"}


def line(text: str, head: str = HEAD) -> Line:
    return Line.of(TomlText.parse(head + text, "pegs.toml"))


def inserted(
    seed: int = 0, *, good: bool = True, product: str = "round-8-0.5", **more: Any
) -> InsertionResult:
    values: dict[str, Any] = {
        "seed": seed,
        "product": product,
        "success": good,
        "loose_success": good,
        "broken": False,
        "lost": False,
        "cut_off": False,
        "cycle_time_s": 2.0,
        "depth_share": 1.0 if good else 0.2,
        "lateral_mm": 0.1,
        "tilt_deg": 0.1,
        "peak_force_n": 5.0,
        "slip_mm": 0.0,
    }
    return InsertionResult(**(values | more))


def welded(seed: int = 0, *, levels: str = "BCD", product: str = "lap", crashed: bool = False) -> WeldResult:
    return WeldResult(
        seed=seed,
        product=product,
        passed={level: level in levels for level in "BCD"},
        defect_mm=0.0 if "C" in levels else 12.0,
        defect_mm_by_code={},
        seam_mm=100.0,
        tracking_mean_mm=0.1,
        tracking_p95_mm=0.2,
        cycle_time_s=20.0,
        crashed=crashed,
        iso_edition="2023",
    )


def fixture_m(env_id: str, episode: Episode) -> float:
    """How far the fixture stands from where the controller has it."""
    cell = cell_class(env_id)
    met: Any = resolve_named(episode.disturbances or "none", cell.disturbance_sets)
    for change in episode.changes:
        met = change.apply(met)
    return float(np.linalg.norm(getattr(met, FIXTURE[cell.family]).mean_m))


@dataclass
class Faked:
    """What was done in the cell that decides at once."""

    done: list[tuple[str, Episode]] = field(default_factory=list)
    """Policy and part, in the order of the work."""
    bad: Callable[[str, Episode], bool] = lambda policy, episode: False
    """Parts that fail whatever the fixture does."""
    interrupt_after: int = 10**9

    def work(self, env_id: str, policy: PolicyReference, episode: Episode) -> EpisodeResult:
        if len(self.done) == self.interrupt_after:
            raise KeyboardInterrupt
        self.done.append((policy.name, episode))
        taught_well = policy.name == "oracle" or fixture_m(env_id, episode) < 1e-3
        good = taught_well and not self.bad(policy.name, episode)
        product = episode.product or ""
        if cell_class(env_id).family == "welding":
            return welded(episode.seed, levels="BCD" if good else "", product=product)
        return inserted(episode.seed, good=good, product=product)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Faked:
    made = Faked()
    monkeypatch.setattr(shift, "run_episode", made.work)
    place = property(lambda trial: Workplace(trial.cell.env, trial.policy))
    monkeypatch.setattr(Trial, "workplace", place)
    return made


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a line's file."""

    def write(text: str, head: str = HEAD) -> Path:
        path = tmp_path / "pegs.toml"
        path.write_text(head + text)
        return path

    return write
