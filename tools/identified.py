"""`python -m tools.identified weld-seam`: what a shipped weld policy knows about its cell, and since when.

The policy works on parts. A ridge regression on the last features of its actor is fitted to the true state
in two thirds of them. The results say how well it predicts in the last third, and in parts under `hard`,
which it was not fitted to. The last third is welded again after changes of the line that neither policy nor
regression has met: the results say how well the predictions tell parts after a change from parts before it.
Neither is given the true state when it predicts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from tqdm import tqdm

from cellwright_policies import zoo
from cellwright_policies.networks import PRIVILEGED, CellActorCritic
from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.errors import UsageError
from cellwright_train.learning.presets import preset
from cellwright_train.outputs import reserved
from cellwright_train.rollout.cell import Episode, EpisodePolicy, run_episode
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.rollout.trial import Trial
from cellwright_train.scenarios.catalogue import scenario
from cellwright_train.scenarios.scenario import Scenario

Array = NDArray[np.float64]
Truth = Mapping[str, Array]
FIRST_SEED = 330_000
"""Seeds that neither training nor an evaluation uses."""
_ARC_A = 20.0
_RIDGES = tuple(10.0**exponent for exponent in range(-5, 2))
"""Weights of the squared coefficients a step, on features of deviation 1, of which the best is taken."""
_FOLDS = 5
_FIT = 2.0 / 3.0
_ENDS = 0.2
"""Fraction of a seam that counts as its start or its end."""

TARGETS: dict[str, tuple[str, bool, Callable[[Truth], Array]]] = {
    "gap": ("mm", False, lambda of: 1e3 * of["gap_0_mm_ahead"]),
    "thickness": ("mm", False, lambda of: 1e3 * of["thickness"]),
    "slip of the wire": ("%", False, lambda of: 100.0 * (1.0 - of["wire_slip"])),
    "supply voltage": ("V", False, lambda of: of["supply_offset"]),
    "penetration constant": ("", False, lambda of: of["penetration_constant"]),
    "margin to lack of penetration": (
        "",
        True,
        lambda of: of["root_index"] - of["lack_of_penetration_index"],
    ),
    "margin to burn-through": ("", True, lambda of: of["burn_through_index"] - of["root_index"]),
}
"""By name: unit, whether it holds for butts only, and the value from the components of `privileged`."""
CHANGED = {
    "weld-slipping-wire": "slip of the wire",
    "weld-thick-plate": "thickness",
    "weld-wide-gaps": "gap",
}
"""By scenario of a change that was not in training: the target which it moves."""


@dataclass(frozen=True)
class Part:
    """Steps of one part with the arc on."""

    product: str
    features: Array
    """(steps, features)"""
    truth: Array
    """(steps, components of `privileged`)"""


@dataclass(frozen=True)
class Watched:
    """Works on a part and keeps what the actor makes of every step."""

    bundle: str

    def __call__(self, env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode) -> Part:
        """The part; the arc burns in at least one of its steps."""
        seen: list[Mapping[str, NDArray[Any]]] = []
        result = run_episode(
            env,
            policy,
            episode,
            watch=lambda _, shown, action: seen.append({key: each.copy() for key, each in shown.items()}),
        )
        names = env.unwrapped.privileged_names  # type: ignore[attr-defined]
        truth = np.stack([shown[PRIVILEGED] for shown in seen]).astype(np.float64)
        welding = truth[:, names.index("current")] > _ARC_A
        network = _network(self.bundle, env)
        batch = {
            key: torch.as_tensor(np.stack([shown[key] for shown in seen])[welding])
            for key in network.actor.input_keys
        }
        with torch.no_grad():
            features = network.actor(batch).double().numpy()
        return Part(result.product, features, truth[welding])


_NETWORKS: dict[str, CellActorCritic] = {}
"""Of this process, by bundle."""


def _network(name: str, env: gymnasium.Env[Any, Any]) -> CellActorCritic:
    """The training policy of a shipped bundle."""
    if name not in _NETWORKS:
        torch.set_num_threads(1)
        space = env.observation_space
        assert isinstance(space, spaces.Dict)
        config = preset(name)
        made = CellActorCritic(
            space,
            env.action_space,
            lambda _: 0.0,
            network=config.network,
            aux_indices=tuple(range(len(config.aux_targets))),
        )
        weights = Bundle.load(zoo.path(name)).weights
        made.load_state_dict({key: torch.tensor(values) for key, values in weights.items()})
        made.set_training_mode(False)
        made.actor.train_in_bfloat16 = False
        _NETWORKS[name] = made
    return _NETWORKS[name]


def parts_of(
    name: str, disturbances: str, episodes: int, workers: int, *, after: str = "", first: int = 0
) -> tuple[list[Part], tuple[str, ...]]:
    """Parts `first` to `episodes` under these disturbances, and the names of the components of `privileged`.

    `after` names the scenario whose changes of the line came before them.
    """
    trial = Trial.resolve(f"zoo:{name}", disturbances=disturbances, seed=FIRST_SEED, episodes=episodes)
    changed = scenario(after) if after else None
    changes = changed.changes if isinstance(changed, Scenario) else ()
    plan = tuple(episode._replace(changes=changes) for episode in trial.plan[first:])
    trial = Trial(policy=trial.policy, cell=trial.cell, plan=plan, truth=True)
    names = tuple(trial.workplace.env.unwrapped.privileged_names)  # type: ignore[attr-defined]
    with Crew(trial, workers) as crew:
        tasks = [Task(Watched(name), episode) for episode in plan]
        what = after or disturbances
        done = dict(tqdm(crew.do(tasks), total=len(tasks), desc=what, unit="part", disable=None))
    return [done[index] for index in range(len(tasks))], names


def fitted(features: Sequence[Array], values: Sequence[Array]) -> Callable[[Array], Array]:
    """A ridge regression from features (n, f) to values (n,), given part by part.

    Steps of one part are alike, so that the ridge is the one that predicts best in parts that it was not
    fitted to.
    """

    def error(ridge: float) -> float:
        squares = 0.0
        for fold in range(_FOLDS):
            left = [number for number in range(len(features)) if number % _FOLDS != fold]
            predict = _ridge([features[at] for at in left], [values[at] for at in left], ridge)
            squares += sum(
                float(np.square(predict(features[at]) - values[at]).sum())
                for at in range(fold, len(features), _FOLDS)
            )
        return squares

    return _ridge(features, values, min(_RIDGES, key=error))


def _ridge(features: Sequence[Array], values: Sequence[Array], ridge: float) -> Callable[[Array], Array]:
    known, true = np.concatenate(features), np.concatenate(values)
    middle, spread, mean = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-6), true.mean()
    scaled = (known - middle) / spread
    normal = scaled.T @ scaled + ridge * len(scaled) * np.eye(scaled.shape[1])
    slopes = np.linalg.solve(normal, scaled.T @ (true - mean))
    return lambda of: np.asarray((of - middle) / spread @ slopes + mean)


def explained(predicted: Array, values: Array, variance: float) -> float:
    """Fraction of `variance` that is not left in the error (R²); below 0 it is worse than the mean."""
    return float(1.0 - np.square(values - predicted).mean() / variance)


def _values(part: Part, names: Sequence[str], value: Callable[[Truth], Array]) -> Array:
    """A target (steps,) of a part."""
    return value(dict(zip(names, part.truth.T, strict=True)))


def identified(fit: Sequence[Part], test: Sequence[Part], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By target: R² in the parts of `test`, at the start and end of their seams, and the rms error."""
    told = {}
    for target, (unit, of_butts, value) in TARGETS.items():

        def values(part: Part, value: Callable[[Truth], Array] = value) -> Array:
            return _values(part, names, value)

        known, tested = (
            [part for part in parts if len(part.truth) and (part.product.startswith("butt") or not of_butts)]
            for parts in (fit, test)
        )
        predict = fitted([part.features for part in known], [values(part) for part in known])
        errors = [predict(part.features) - values(part) for part in tested]
        along = np.concatenate([np.linspace(0.0, 1.0, len(each)) for each in errors])
        error, true = np.concatenate(errors), np.concatenate([values(part) for part in tested])
        where = {"all": along >= 0.0, "start": along < _ENDS, "end": along > 1.0 - _ENDS}
        told[target] = {
            "unit": unit,
            "parts": len(tested),
            "rms": float(np.sqrt(np.square(error).mean())),
            **{
                name: explained(error[at] + true[at], true[at], float(true.var()))
                for name, at in where.items()
            },
        }
    return told


def separated(
    fit: Sequence[Part], before: Sequence[Part], after: Sequence[Part], names: Sequence[str], target: str
) -> dict[str, Any]:
    """How the mean of a target over a part, and its prediction, differ after a change, in means over parts.

    `told_apart` is the fraction of all pairs of a part before and a part after the change in which the
    predictions differ the way the true means over all parts do: 0.5 is a guess.
    """
    unit, of_butts, value = TARGETS[target]
    fit, before, after = (
        [part for part in parts if len(part.truth) and (part.product.startswith("butt") or not of_butts)]
        for parts in (fit, before, after)
    )
    predict = fitted([part.features for part in fit], [_values(part, names, value) for part in fit])
    true = [[_values(part, names, value).mean() for part in parts] for parts in (before, after)]
    earlier, later = (
        np.array([predict(part.features).mean() for part in parts]) for parts in (before, after)
    )
    moved = float(np.mean(true[1]) - np.mean(true[0]))
    apart = np.sign(moved) * (later[:, None] - earlier)
    return {
        "target": target,
        "unit": unit,
        "parts": [len(before), len(after)],
        "moved": moved,
        "predicted": float(later.mean() - earlier.mean()),
        "told_apart": float((apart > 0.0).mean() + 0.5 * (apart == 0.0).mean()),
    }


def main() -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("policy", choices=("weld-seam", "weld-seam-without-pool"))
    parser.add_argument("--parts", type=int, default=240, help="under train; a third of them are tested")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.parts < 6:
        raise UsageError(f"--parts must be at least 6, got {given.parts}")
    with reserved(given.json) as (file,):
        parts, names = parts_of(given.policy, "train", given.parts, given.workers)
        hard, _ = parts_of(given.policy, "hard", given.parts // 3, given.workers)
        fit = round(_FIT * len(parts))
        changed = {
            name: parts_of(given.policy, "train", given.parts, given.workers, after=name, first=fit)[0]
            for name in CHANGED
        }
        told = {
            "policy": f"zoo:{given.policy}",
            "policy_sha256": Bundle.load(zoo.path(given.policy)).digest,
            "parts": given.parts,
            "train": identified(parts[:fit], parts[fit:], names),
            "hard": identified(parts[:fit], hard, names),
            "changed": {
                name: separated(parts[:fit], parts[fit:], after, names, CHANGED[name])
                for name, after in changed.items()
            },
        }
        if file is not None:
            file.write((json.dumps(told, indent=1) + "\n").encode())
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    from tools import identified as command  # workers look for what they are given where it can be imported

    try:
        sys.exit(command.main())
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
