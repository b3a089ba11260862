"""`python -m tools.false_alarms RESULTS...`: how often a suite raises an alarm where nothing changed.

Each file holds many episodes of one policy in one scenario, as `cellwright evaluate --scenario NAME --json`
writes them. A repeat draws two disjoint lots of them without replacement for every scenario. One is the
baseline, the other the candidate. The lots are exchangeable, so that every alarm is false. Nothing is
located: the decision, the pooled test and the verdict of the suite are those of `cellwright regress`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cellwright_runtime.files.json_text import parse_json
from cellwright_runtime.files.reading import read_file
from cellwright_train.errors import UsageError
from cellwright_train.outputs import reserved
from cellwright_train.regression.decision import ScenarioDecision
from cellwright_train.regression.measure import Measure
from cellwright_train.regression.outcome import Verdict, gravest
from cellwright_train.regression.pooled import pooled
from cellwright_train.regression.rule import Budget
from cellwright_train.regression.yardsticks import MEASURES, SUCCESS_MARGIN, values
from cellwright_train.results.intervals import proportion
from cellwright_train.rollout.families import cell_class, family_of

_MOST_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """Episodes of one scenario."""

    scenario: str
    measures: tuple[Measure, ...]
    values: tuple[dict[str, float | None], ...]
    good: tuple[bool, ...]

    @classmethod
    def read(cls, path: Path) -> Episodes:
        """Those of a file; raises `UsageError` where it holds no results of a scenario."""
        data = parse_json(read_file(path, most_bytes=_MOST_BYTES), str(path))
        try:
            env, rows = data["env"], data["per_episode"]
            measures = MEASURES[cell_class(env).family]
            results = [family_of(env).result.from_json(row) for row in rows]
            return cls(
                scenario=str(data["scenario"]),
                measures=measures,
                values=tuple(dict(values(result, measures)) for result in results),
                good=tuple(result.good for result in results),
            )
        except (KeyError, TypeError) as error:
            raise UsageError(f"{path} holds no results of a scenario: {error}") from None


def suite_verdict(
    suite: Sequence[Episodes], lots: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], alpha: float
) -> Verdict:
    """The verdict where each scenario's first lot is the baseline and the second the candidate."""
    budget = Budget(scenarios=len(suite), alpha=alpha)
    verdicts: list[Verdict] = []
    counts = []
    for episodes, (then, now) in zip(suite, lots, strict=True):
        decision = ScenarioDecision(episodes.measures, success_margin=SUCCESS_MARGIN, budget=budget)
        for a, b in zip(then.tolist(), now.tolist(), strict=True):
            pair = {name: (episodes.values[a][name], episodes.values[b][name]) for name in episodes.values[a]}
            decision.add(pair, success=(episodes.good[a], episodes.good[b]))
        judgement = decision.judgement()
        verdicts.append(judgement.verdict)
        counts.append({each.measure.name: (each.worse, each.better) for each in judgement.findings})
    if pooled(counts, alpha=budget.pooled_alpha).regression:
        verdicts.append("REGRESSION")
    return gravest(verdicts)


def repeated(
    suite: Sequence[Episodes], *, parts: int, repeats: int, seed: int, alpha: float
) -> Counter[Verdict]:
    """Verdicts of so many repeats."""
    rng = np.random.default_rng(seed)
    found: Counter[Verdict] = Counter()
    for _ in tqdm(range(repeats), desc="repeats", leave=False):
        drawn = [rng.permutation(len(each.good))[: 2 * parts] for each in suite]
        found[suite_verdict(suite, [(each[:parts], each[parts:]) for each in drawn], alpha)] += 1
    return found


def main() -> int:
    """The command; exit code 1 where more alarms were raised than the rate allows with 95 % confidence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--parts", type=int, default=60, help="pairs of a scenario")
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--false-alarms", type=float, default=0.01)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    suite = [Episodes.read(path) for path in given.results]
    for each in suite:
        if len(each.good) < 2 * given.parts:
            raise UsageError(f"{each.scenario} has {len(each.good)} episodes; need {2 * given.parts}")
    with reserved(given.json) as (file,):
        found = repeated(
            suite, parts=given.parts, repeats=given.repeats, seed=given.seed, alpha=given.false_alarms
        )
        alarms = proportion(found["REGRESSION"], given.repeats)
        told = {
            "scenarios": {each.scenario: len(each.good) for each in suite},
            "parts": given.parts,
            "repeats": given.repeats,
            "false_alarms": given.false_alarms,
            "verdicts": dict(found),
            "alarms": [alarms.value, alarms.low, alarms.high],
        }
        if file is not None:
            file.write((json.dumps(told, indent=1) + "\n").encode())
    print(json.dumps(told, indent=1))
    return int(alarms.low > given.false_alarms)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
