"""`cellwright adapt`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import Policy, default_workers
from cellwright_train.errors import UsageError, require_training_seed, unknown
from cellwright_train.outputs import Output, require_new_directory, reserved
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from torch import Tensor

    from cellwright_train.learning.line_conditions import PartConditions
    from cellwright_train.learning.presets import TrainConfig
    from cellwright_train.lines.line import Line
    from cellwright_train.lines.stretch import Stretch
    from cellwright_train.results.recovery import Recovery
    from cellwright_train.results.result import EpisodeResult
    from cellwright_train.rollout.journal import Journal
    from cellwright_train.rollout.policies import PolicyReference

_FIRST_SEED = 3_000_500_000
"""Training draws its seeds below 2**31, and its tests begin at 3,000,000,000."""
_SCORED_FROM, _SCORED = 100_000, 40
"""First seed and number of the parts of a bundle's scorecard, as `cellwright export` has them."""
_ARMS = ("before", "right after", "adapted", "adapted, before the change")


@dataclass(frozen=True, kw_only=True)
class Adapt:
    """Let a policy go on learning in a cell after a change of the line, from a few parts.

    It learns with PPO. Some of the cells go on with what the line was before, so that it is not forgotten.
    """

    policy: Positional[Policy]
    line: str
    """A line (TOML), or the name of one that is shipped."""
    parts: int = 200
    """About as many parts to learn from, after the change and before it together."""
    change: int | None = None
    """Number of the change in the policy's cell, from 1; default: the last."""
    kept: float = 0.25
    """Fraction of the cells that go on with what was before the change."""
    expert: Annotated[str | None, arg(metavar="NAME")] = None
    """An expert that corrects the policy at every step, such as oracle or guide; default: nobody."""
    seed: int = 1
    """What all random generators start from."""
    run_dir: Path | None = None
    """Where the run goes; default: runs/<policy>-<line>-<seed>."""
    out: Path | None = None
    """Export the adapted policy to this bundle."""
    measured: int = 60
    """Parts on each side of the change on which both policies are compared in the end."""
    json: Path | None = None
    """Write what it came to here."""
    workers: int = field(default_factory=default_workers)
    """Processes that step the cells."""

    extra: ClassVar[str] = "train"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_policies.experts import EXPERTS
        from cellwright_runtime.bundle.container import refuse_existing
        from cellwright_train.learning.runs import RunDirectory
        from cellwright_train.lines.library import find_line
        from cellwright_train.lines.stretch import stretch
        from cellwright_train.rollout.journal import Journal
        from cellwright_train.rollout.policies import resolve_policy

        require_training_seed(self.seed, "--seed")
        policy = resolve_policy(self.policy)
        if policy.environment is None:
            raise UsageError(f"{self.policy} is an {policy.kind} and does not learn; name a bundle or a run")
        if not 0.0 <= self.kept < 1.0:
            raise UsageError(f"--kept is a fraction of the cells, from 0 to below 1, got {self.kept:g}")
        if self.expert is not None and self.expert not in EXPERTS[policy.environment]:
            raise unknown("expert", self.expert, EXPERTS[policy.environment])
        line = find_line(self.line)
        chosen = stretch(line, policy.environment, self.change)
        config, weights = self._taken_up(policy, policy.environment)
        if self._is_begun:
            self._require_same(policy, line)
        else:
            RunDirectory.require_empty(self._directory)
        if self.out is not None:
            require_new_directory(self.out)
            refuse_existing(self.out, overwrite=False)
        asked = {"command": self._command, "policy_sha256": policy.digest, "line_hash": line.hash}
        with (
            Journal(self.json, {**asked, "cellwright": version("cellwright")}) as journal,
            reserved(self.json, inputs=[Path(self.line)]) as (file,),
        ):
            self._adapt(policy, line, chosen, config, weights, journal, file)
            journal.discard()
        return 0

    @property
    def _directory(self) -> Path:
        name = self.policy.removeprefix("zoo:").strip("/").replace("/", "-")
        return self.run_dir or Path("runs") / f"{name}-{Path(self.line).stem}-{self.seed}"

    @property
    def _command(self) -> str:
        words = ["cellwright", "adapt", self.policy, "--line", self.line, f"--parts={self.parts}"]
        given = {"change": self.change, "expert": self.expert}
        words += [f"--{name}={value}" for name, value in given.items() if value is not None]
        return shlex.join([*words, f"--kept={self.kept:g}", f"--seed={self.seed}"])

    @property
    def _is_begun(self) -> bool:
        """Whether the run directory holds a run of this very command."""
        from cellwright_train.learning.runs import RunDirectory

        run = RunDirectory(path=self._directory)
        return run.commands[:1] == (self._command,) and run.checkpoints.is_dir()

    def _require_same(self, policy: PolicyReference, line: Line) -> None:
        """Raise `UsageError` where the run went on from another policy or in another line than now."""
        from cellwright_train.learning.runs import RunDirectory

        parent = RunDirectory(path=self._directory).parent
        for what, begun, now in (
            (self.policy, parent.get("sha256"), policy.digest),
            (self.line, parent.get("line"), line.hash),
        ):
            if begun != now:
                raise UsageError(
                    f"{self._directory} was begun before {what} was changed; name another --run-dir"
                )

    def _taken_up(self, policy: PolicyReference, env_id: str) -> tuple[TrainConfig, Mapping[str, Tensor]]:
        """How the policy was trained, and all of its weights; raises where training cannot go on from it."""
        from cellwright_train.data.warm_start import weights_of
        from cellwright_train.learning.adaptation import preset_of
        from cellwright_train.learning.runs import RunDirectory
        from cellwright_train.rollout.policies import RunReference

        if isinstance(policy, RunReference):
            config = RunDirectory.open(policy.path).config
        else:
            config = preset_of(env_id)
        return config, weights_of(policy, config)

    def _adapt(
        self,
        policy: PolicyReference,
        line: Line,
        chosen: Stretch,
        config: TrainConfig,
        weights: Mapping[str, Tensor],
        journal: Journal,
        file: Output | None,
    ) -> None:
        from cellwright_train.learning.adaptation import adapting
        from cellwright_train.learning.line_conditions import StretchConfig
        from cellwright_train.learning.training import on_machine, resume, train
        from cellwright_train.results.recovery import Recovery
        from cellwright_train.rollout.policies import resolve_policy

        env_id = config.env_id
        print(f"change {chosen.event.name}: {chosen.event.description}")
        before, after = (
            self._measured(policy, env_id, each, journal) for each in (chosen.before, chosen.after)
        )
        if self._is_begun:
            resume(self._directory, workers=self.workers)
        else:
            steps = round(self.parts * _mean_steps(after, env_id))
            conditions = StretchConfig(before=chosen.before, after=chosen.after, kept=self.kept)
            learning = adapting(config, conditions, steps=steps, expert=self.expert)
            train(
                on_machine(learning, workers=self.workers, device=None),
                self._directory,
                seed=self.seed,
                initial_weights=weights,
                command=self._command,
                parent={"name": policy.name, "sha256": policy.digest, "line": line.hash},
            )
        adapted = resolve_policy(str(self._directory))
        arms = [before, after]
        arms += [self._measured(adapted, env_id, each, journal) for each in (chosen.after, chosen.before)]
        recovery = Recovery.read(self._directory / "metrics.csv")
        self._tell(policy, adapted, line, chosen, dict(zip(_ARMS, arms, strict=True)), recovery, file)
        if self.out is not None:
            self._export(adapted)

    def _measured(
        self, policy: PolicyReference, env_id: str, conditions: Sequence[PartConditions], journal: Journal
    ) -> list[EpisodeResult]:
        """Results on `measured` parts, which no training ever meets; the conditions take turns."""
        from cellwright_train.rollout.cell import CellChoice, Episode, run_episode
        from cellwright_train.rollout.crew import Crew
        from cellwright_train.rollout.evaluation import work_through
        from cellwright_train.rollout.families import family_of
        from cellwright_train.rollout.journal import part_key
        from cellwright_train.rollout.trial import Trial

        turns = [conditions[index % len(conditions)] for index in range(self.measured)]
        plan = tuple(
            Episode(_FIRST_SEED + index, each.product, each.line_changes, each.disturbances)
            for index, each in enumerate(turns)
        )
        trial = Trial(policy=policy, cell=CellChoice(env=env_id, disturbances="none"), plan=plan)
        keys = [f"{policy.digest} {part_key(episode)}" for episode in plan]
        found = (journal.kept(key, family_of(env_id).result) for key in keys)
        done = {index: result for index, result in enumerate(found) if result is not None}
        with Crew(trial, self.workers) as crew:
            return work_through(
                crew,
                trial,
                run_episode,
                done=done,
                on_result=lambda index, result: journal.keep(keys[index], result),
            )

    def _tell(
        self,
        policy: PolicyReference,
        adapted: PolicyReference,
        line: Line,
        chosen: Stretch,
        arms: Mapping[str, Sequence[EpisodeResult]],
        recovery: Recovery,
        file: Output | None,
    ) -> None:
        """Write what the adaptation came to, then show it."""
        from rich.table import Table

        from cellwright_train.results.recovery import kept, told

        good = {name: [result.good for result in results] for name, results in arms.items()}
        retention = kept(good["before"], good["adapted, before the change"])
        if file is not None:
            made = {
                "policy": policy.name,
                "policy_sha256": policy.digest,
                "adapted": adapted.name,
                "adapted_sha256": adapted.digest,
                "cellwright": version("cellwright"),
                "command": self._command,
                "line": line.file.name,
                "line_hash": line.hash,
                "change": chosen.event.name,
                "description": chosen.event.description,
                "retention": retention,
                **recovery.as_json(),
                "good": {name: {"good": sum(each), "parts": len(each)} for name, each in good.items()},
                "measured": {name: [each.as_json() for each in results] for name, results in arms.items()},
            }
            file.write((json.dumps(made, allow_nan=False) + "\n").encode())
        table = Table(
            title=f"{policy.name}, after {chosen.event.name}", title_justify="left", show_header=False
        )
        for name, value in told(recovery, {name: (sum(each), len(each)) for name, each in good.items()}):
            table.add_row(name, value)
        if retention is not None:
            table.add_row("kept of the yield before the change", f"{retention:.2f}")
        console().print(table)
        if file is not None:
            print(f"written to {file.path}")

    def _export(self, adapted: PolicyReference) -> None:
        """Write the bundle; its scorecard is that of the cell's usual conditions."""
        from cellwright_train.bundles.exporting import ExportConfig, export_run
        from cellwright_train.rollout.trial import Trial

        assert self.out is not None
        trial = Trial.resolve(adapted, seed=_SCORED_FROM, episodes=_SCORED)
        export_run(trial, ExportConfig(name=self.out.name, directory=self.out, workers=self.workers))
        print(f"{self.out}: next: cellwright verify {shlex.quote(str(self.out))}")


def _mean_steps(results: Sequence[Any], env_id: str) -> float:
    """Control steps of a part, on average."""
    from contextlib import closing

    from cellwright_train.rollout.cell import CellChoice, control_rate_hz

    with closing(CellChoice(env=env_id, disturbances="none").make()) as cell:
        rate_hz = control_rate_hz(cell)
    return rate_hz * sum(result.cycle_time_s for result in results) / len(results)
