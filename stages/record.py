"""Record what version 1 needs in docs/results, one evaluation after the other; what is there is left.

    python stages/record.py             what is recorded, what is missing, and how long it takes
    python stages/record.py --run       record it; stop it at any time and start it again
    python stages/record.py --run welds pegs    these alone

Finished parts of an evaluation that was stopped are kept beside its file, so the next start goes on there.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellwright_policies.experts import EXPERTS
from cellwright_train.scenarios.catalogue import scenario, scenario_names

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
HEADLINE, OTHERS = 400, 200
"""Parts of a row at a glance, and of all other rows."""
WELD, BLIND_WELD = "cellwright/WeldSeam-v1", "cellwright/WeldSeamWithoutPool-v1"
TASKS = {
    "pegs": ("peg-insertion", "cellwright/PegInsertion-v1"),
    "plugs": ("connector-insertion", "cellwright/ConnectorInsertion-v1"),
    "nuts": ("nut-fastening", "cellwright/NutFastening-v2"),
    "gears": ("gear-mesh", "cellwright/GearMesh-v1"),
}
WELD_CHANGES = ("new-batch", "moved-fixture", "bent-wire", "dim-light")
CHANGES = ("new-batch", "moved-fixture", "moved-camera", "worn-fingers", "dim-light")
TIGHTEST = "round-8-0.1-chamfer+square-12-0.1-chamfer"
SADDLE = "tee-saddle-3.2"
SEARCHED = "docs/results/feasible/weld-seam--held-out--hard.json"
SECONDS = {
    ("cellwright/WeldSeam-v1", "policy"): 1.0,
    ("cellwright/PegInsertion-v1", "policy"): 0.2,
    ("cellwright/ConnectorInsertion-v1", "policy"): 0.35,
    ("cellwright/NutFastening-v2", "policy"): 0.4,
    ("cellwright/GearMesh-v1", "policy"): 1.4,
}
"""Measured processor time of a part [s] under `train`, by environment and kind of policy, start included."""
ASSUMED_S = 3.0
"""The same where nothing was measured."""


SCENARIOS = ROOT / "runs" / "scenarios"
"""Where scenarios are recorded; docs/results holds the table of all."""
SCENARIO_PARTS = 100
LINE = ("--draw", "2026", "--cells", "weld-seam+peg-insertion", "--parts", "200", "--changes", "10")
"""The mixed shift of 200 parts with ten changes that nobody announces."""
CONTENDERS = (
    "zoo:weld-seam+zoo:peg-insertion",
    "seam-tracker+blind-insertion",
    "adaptive-tracker+visual-servo",
    "adaptive-tracker+spiral-search",
)


def why_not_there(policy: str) -> str:
    """Why a policy cannot be evaluated; empty where it can."""
    for each in policy.split("+"):
        name = each.removeprefix("zoo:")
        if name != each and not (ROOT / "policies/cellwright_policies/zoo" / name).is_dir():
            return f"{each} is not in the zoo"
        if "/" in each and not (ROOT / each).is_dir():
            return f"{each} is not trained"
    return ""


@dataclass(frozen=True, kw_only=True)
class ScenarioRow:
    """One policy in one scenario."""

    group: str
    name: str
    policy: str
    parts: int | None
    """None for a shift, which is worked off as a whole."""
    seconds: float

    @property
    def file(self) -> Path:
        return SCENARIOS / f"{self.policy.replace(':', '-')}--{self.name}.json"

    @property
    def command(self) -> list[str]:
        command = ["cellwright", "evaluate", self.policy, "--scenario", self.name]
        command += [] if self.parts is None else ["--episodes", str(self.parts)]
        return [*command, "--json", str(self.file.relative_to(ROOT))]

    @property
    def recorded(self) -> bool:
        """Whether its file is there, of the conditions that the scenario has now."""
        if not self.file.exists():
            return False
        told = json.loads(self.file.read_text())
        return bool(told["scenario_identity"] == scenario(self.name).identity)

    @property
    def missing(self) -> str:
        return why_not_there(self.policy)


@dataclass(frozen=True, kw_only=True)
class ShiftRow:
    """The mixed shift under every contender."""

    group: str = "shift"
    seconds: float = 1200.0
    missing: str = ""

    @property
    def file(self) -> Path:
        return RESULTS / "shift-mixed-200.json"

    @property
    def command(self) -> list[str]:
        return [
            *("cellwright", "shift", *LINE, "--policies", ",".join(CONTENDERS)),
            *("--json", str(self.file.relative_to(ROOT))),
        ]

    @property
    def recorded(self) -> bool:
        return self.file.exists()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One file of results."""

    group: str
    env: str
    policy: str
    products: str = "train"
    disturbances: str = "train"
    change: str = ""
    episodes: int = OTHERS
    tries: int = 1
    feasible: str = ""

    @property
    def file(self) -> Path:
        """Named as `python -m tools.documentation` wants it."""
        if self.tries > 1:
            return ROOT / SEARCHED
        slug = {env: name for name, env in TASKS.values()} | {BLIND_WELD: "weld-seam-without-pool"}
        words = [slug[self.env]] if self.env in slug else []
        words += [self.policy.replace(":", "-").replace("/", "-"), self.products, self.disturbances]
        return RESULTS / ("--".join(words + [self.change] * bool(self.change)) + ".json")

    @property
    def command(self) -> list[str]:
        command = ["cellwright", "evaluate", self.policy]
        command += [] if self.env == WELD else ["--env", self.env]
        command += ["--episodes", str(self.episodes), "--seed", "100000", "--products", self.products]
        command += ["--disturbances", self.disturbances]
        command += ["--line-change", self.change] * bool(self.change)
        command += ["--tries", str(self.tries)] * (self.tries > 1)
        command += ["--feasible", self.feasible] * bool(self.feasible)
        return [*command, "--json", str(self.file.relative_to(ROOT))]

    @property
    def seconds(self) -> float:
        """Processor time on one core."""
        kind = "policy" if ":" in self.policy or "/" in self.policy else self.policy
        arms = 2 if self.change else 1  # the same parts without the change
        return arms * self.episodes * SECONDS.get((self.env, "search" if self.tries > 1 else kind), ASSUMED_S)

    @property
    def recorded(self) -> bool:
        """Whether its file holds all of it; one of version 0 does not."""
        if not self.file.exists():
            return False
        told = json.loads(self.file.read_text())
        return told["env"] == self.env and told["episodes"] >= self.episodes

    @property
    def missing(self) -> str:
        """What has to be there first; empty where nothing is."""
        if why := why_not_there(self.policy):
            return why
        if self.feasible and not (ROOT / self.feasible).exists():
            return f"{self.feasible} is not searched"
        return ""


def welds() -> Iterator[Row]:
    yield Row(
        group="feasible",
        env=WELD,
        policy="oracle",
        products="held-out",
        disturbances="hard",
        episodes=HEADLINE,
        tries=16,
    )
    for policy in ("zoo:weld-seam", "oracle", "adaptive-tracker", "seam-tracker"):
        yield Row(group="welds", env=WELD, policy=policy, episodes=HEADLINE)
        yield Row(
            group="welds",
            env=WELD,
            policy=policy,
            products="held-out",
            disturbances="hard",
            episodes=HEADLINE,
            feasible=SEARCHED,
        )
    for policy in ("zoo:weld-seam", "seam-tracker", "oracle"):
        for products in (SADDLE, "geometry-held-out"):
            yield Row(group="welds", env=WELD, policy=policy, products=products)
    for change in WELD_CHANGES:
        yield Row(group="welds", env=WELD, policy="zoo:weld-seam", change=change)
    yield Row(group="second seeds", env=WELD, policy="runs/weld-seam-2", episodes=HEADLINE)
    blind = "zoo:weld-seam-without-pool"
    yield Row(group="welds without pool", env=BLIND_WELD, policy=blind, episodes=HEADLINE)
    yield Row(
        group="welds without pool",
        env=BLIND_WELD,
        policy=blind,
        products="held-out",
        disturbances="hard",
        episodes=HEADLINE,
    )


def insertions(group: str) -> Iterator[Row]:
    task, env = TASKS[group]
    shipped = f"zoo:{task}"

    def row(policy: str, products: str, disturbances: str, **more: str | int) -> Row:
        return Row(group=group, env=env, policy=policy, products=products, disturbances=disturbances, **more)  # type: ignore[arg-type]

    for policy in (shipped, "oracle", "visual-servo", "spiral-search", "blind-insertion"):
        yield row(policy, "train", "train", episodes=HEADLINE)
    for products, disturbances in (("held-out", "train"), ("train", "hard"), ("held-out", "hard")):
        yield row(shipped, products, disturbances, episodes=HEADLINE)
    for disturbances in ("late", "moved_camera", "turned_camera"):
        yield row(shipped, "train", disturbances)
    for policy in ("oracle", "visual-servo", "spiral-search"):
        yield row(policy, "held-out", "train")
    yield row("oracle", "train", "hard")
    yield row("oracle", "train", "late")
    yield row("spiral-search", "train", "hard")
    for change in CHANGES:
        yield row(shipped, "train", "train", change=change)
    if group == "pegs":
        for policy in (shipped, "spiral-search"):
            yield row(policy, TIGHTEST, "train")
        for disturbances in ("late", "moved_camera", "turned_camera"):
            yield row("spiral-search", "train", disturbances)
        for change in CHANGES:
            yield row("spiral-search", "train", "train", change=change)
        for products in ("train", "held-out"):
            yield Row(
                group="second seeds",
                env=env,
                policy="runs/peg-insertion-2",
                products=products,
                episodes=HEADLINE,
            )


def scenario_rows() -> Iterator[ScenarioRow]:
    """Shipped policies first, then every expert."""
    for experts in (False, True):
        for name in scenario_names():
            cells = scenario(name).cells
            is_shift = len(cells) > 1
            if experts and is_shift:
                continue
            task = cells[0].partition("/")[2]
            shipped = ["+".join(f"zoo:{_bundle(env)}" for env in cells)]
            for policy in EXPERTS[cells[0]] if experts else shipped:
                kind = policy if experts else "policy"
                seconds = 2 * SCENARIO_PARTS * SECONDS.get((f"cellwright/{task}", kind), ASSUMED_S)
                yield ScenarioRow(
                    group="scenarios of experts" if experts else "scenarios",
                    name=name,
                    policy=policy,
                    parts=None if is_shift else SCENARIO_PARTS,
                    seconds=seconds,
                )


def _bundle(env: str) -> str:
    """Name of the bundle for an environment."""
    return {WELD: "weld-seam", BLIND_WELD: "weld-seam-without-pool", **{e: n for n, e in TASKS.values()}}[env]


AnyRow = Row | ScenarioRow | ShiftRow


def rows() -> list[AnyRow]:
    evaluations = [*welds(), *(row for group in TASKS for row in insertions(group))]
    return [*evaluations, *scenario_rows(), ShiftRow()]


def show(chosen: Sequence[AnyRow], workers: int) -> None:
    left_s = 0.0
    for row in chosen:
        told = "recorded" if row.recorded else row.missing or f"{row.seconds / workers / 60.0:.0f} min"
        left_s += 0.0 if row.recorded else row.seconds
        print(f"{row.group:18s} {told:42s} {row.file.name}")
    missing, hours = sum(not row.recorded for row in chosen), left_s / workers / 3600.0
    print(f"{missing} of {len(chosen)} missing: {hours:.1f} hours on {workers} idle cores")


def record(chosen: Sequence[AnyRow], workers: int) -> int:
    """Run what is missing, in turn; returns the exit code."""
    for row in chosen:
        if row.recorded:
            continue
        if row.missing:
            print(f"left out, {row.missing}: {shlex.join(row.command)}", file=sys.stderr)
            continue
        row.file.parent.mkdir(parents=True, exist_ok=True)
        row.file.unlink(missing_ok=True)  # of version 0, or of fewer parts
        print(shlex.join(row.command), flush=True)
        done = subprocess.run([*row.command, "--workers", str(workers)], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
        if isinstance(row, ScenarioRow):
            table = ["cellwright", "leaderboard", str(SCENARIOS), "--json", str(RESULTS / "scenarios.json")]
            subprocess.run(table, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return 0


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("groups", nargs="*", help=f"of: {', '.join(dict.fromkeys(r.group for r in rows()))}")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    chosen = [row for row in rows() if not given.groups or row.group in given.groups]
    if given.run:
        return record(chosen, given.workers)
    show(chosen, given.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
