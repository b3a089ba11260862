"""`cellwright verify`: does this bundle do in its cell what the trained policy did?

`cellwright_runtime.verification` has the checks that need no cell. Those here compare the bundle with the
environment that it was trained in, its scores with the recorded episodes, and repeat the seeds of these.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellwright_runtime.bundle.container import MANIFEST
from cellwright_runtime.bundle.policy import Bundle, PolicySpec
from cellwright_runtime.verification import Check, CheckFailedError, attempt, verify_open_loop
from cellwright_runtime.vocabulary import Component, ControllerSetup, Setting
from cellwright_train.bundles.scorecards import recorded, recorded_cell, require_own_scores
from cellwright_train.errors import UsageError
from cellwright_train.results.result import Evaluation
from cellwright_train.rollout import cell
from cellwright_train.rollout.cell import CellChoice
from cellwright_train.rollout.evaluation import evaluate
from cellwright_train.rollout.families import FAMILIES, family_of
from cellwright_train.rollout.policies import BundleReference, PolicyReference
from cellwright_train.rollout.trial import Trial

_OTHERWISE = 0.1
"""Fraction of insertions that may come out otherwise than the training framework had them."""


def verify(
    directory: Path,
    *,
    against: PolicyReference | None = None,
    episodes: int = 20,
    workers: int = 2,
    progress: bool = True,
) -> list[Check]:
    """Every check; the closed loop only for a bundle that passed the others, and not at 0 `episodes`."""
    checks = verify_open_loop(directory)
    for further in (verify_layout, verify_scores):
        if all(check.passed for check in checks):
            checks.append(further(directory))
    if episodes > 0 and all(check.passed for check in checks):
        checks.append(
            verify_closed_loop(
                directory, against=against, episodes=episodes, workers=workers, progress=progress
            )
        )
    return checks


def verify_layout(directory: Path) -> Check:
    """Compare names, units, bounds and order with the environment the bundle says it was trained in."""
    return attempt("layout", lambda: _check_layout(Bundle.load(directory).spec), UsageError)


def verify_scores(directory: Path) -> Check:
    """Compute the scores again from the recorded episodes."""

    def check() -> str:
        told = require_own_scores(Bundle.load(directory))
        return f"the scores follow from {len(told.results)} recorded episodes{_graded(told)}"

    return attempt("scores", check, UsageError)


def verify_closed_loop(
    directory: Path,
    *,
    against: PolicyReference | None = None,
    episodes: int = 20,
    workers: int = 2,
    progress: bool = True,
) -> Check:
    """Repeat the scorecard's first `episodes` with the bundle: the same parts must be good.

    Of insertions one in ten may come out differently: contact amplifies the last bits, in which an engine and
    the training framework differ.

    The reference is what the scorecard recorded from the training framework at export, or, where `against`
    names a run, that run's policy on the same seeds now.
    """
    return attempt(
        "closed loop",
        lambda: _check_closed_loop(directory, against, episodes, workers, progress),
        UsageError,
    )


def _check_layout(spec: PolicySpec) -> str:
    choice = CellChoice(env=spec.environment, disturbances="none")
    env = choice.make()
    try:
        groups = cell.observation_groups(env, tuple(group.name for group in spec.observation))
        actions, rate_hz = cell.action_components(env), cell.control_rate_hz(env)
        controller, cameras = cell.controller(env), cell.trained_views(spec)
    except KeyError as error:
        raise CheckFailedError(f"{choice.env} has no observation group {error}") from None
    finally:
        env.close()
    for ours, theirs in zip(spec.observation, groups, strict=True):
        if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            raise CheckFailedError(
                f"{MANIFEST} says {ours.name} is {ours.dtype} {ours.shape}, {choice.env} gives "
                f"{theirs.dtype} {theirs.shape}"
            )
        _same_components(ours.name, ours.components, theirs.components, choice.env)
    _same_components("action", spec.action, actions, choice.env)
    if spec.control_rate_hz != rate_hz:
        raise CheckFailedError(
            f"{MANIFEST} says {spec.control_rate_hz} Hz, {choice.env} runs at {rate_hz} Hz"
        )
    _same_controller(spec.controller, controller, choice.env)
    if spec.cameras and spec.cameras != cameras:
        raise CheckFailedError(f"{MANIFEST} cameras are not those of its controller settings")
    return f"names, units, bounds, order and controller settings are those of {choice.env}"


def _same_controller(ours: ControllerSetup, theirs: ControllerSetup, env_id: str) -> None:
    mine, wanted = ({each.name: each for each in one.settings} for one in (ours, theirs))
    for name in mine | wanted:
        if mine.get(name) != wanted.get(name):
            raise CheckFailedError(
                f"{MANIFEST} controller {name} is {_told(mine.get(name))}, "
                f"in {env_id} it is {_told(wanted.get(name))}"
            )
    if ours.frames != theirs.frames:
        raise CheckFailedError(f"{MANIFEST} has the frames {ours.frames}, {env_id} has {theirs.frames}")


def _told(setting: Setting | None) -> str:
    if setting is None:
        return "missing"
    values = ", ".join(f"{value:g}" for value in setting.value)
    return f"{values} {setting.unit}{setting.frame and f' in {setting.frame}'}"


def _same_components(where: str, ours: Sequence[Component], theirs: Sequence[Component], env_id: str) -> None:
    if len(ours) != len(theirs):
        raise CheckFailedError(f"{MANIFEST} {where} has {len(ours)} elements, {env_id} has {len(theirs)}")
    for index, (mine, wanted) in enumerate(zip(ours, theirs, strict=True)):
        if mine != wanted:
            raise CheckFailedError(
                f"{MANIFEST} {where} element {index} is {_described(mine)}, {env_id} has {_described(wanted)}"
            )


def _described(part: Component) -> str:
    return f"{part.name} [{part.low:g}, {part.high:g}] {part.unit}"


def _check_closed_loop(
    directory: Path, against: PolicyReference | None, episodes: int, workers: int, progress: bool
) -> str:
    bundle = Bundle.load(directory)
    everything = recorded(bundle)
    plan, wanted = (list(each)[:episodes] for each in zip(*everything, strict=True))
    choice = recorded_cell(bundle, [episode for episode, _ in everything])
    if against is not None:
        against.require_fit(choice.env)
        beside = Trial(policy=against, cell=choice, plan=tuple(plan))
        wanted = list(evaluate(beside, workers=workers, progress=progress).results)
    reference = BundleReference(name=f"bundle {directory.name}", bundle=bundle)
    trial = Trial(policy=reference, cell=choice, plan=tuple(plan))
    worked = evaluate(trial, workers=workers, progress=progress)
    others = []
    for result, before in zip(worked.results, wanted, strict=True):
        if result.graded_by != before.graded_by:
            raise CheckFailedError(
                f"seed {result.seed} ({result.product}) is graded by {result.graded_by}, "
                f"was by {before.graded_by}"
            )
        if result.verdict != before.verdict:
            others.append(
                f"seed {result.seed} ({result.product}) gives {result.outcome} with the bundle, "
                f"{before.outcome} with {against.name if against else 'the policy as exported'}"
            )
    touches = family_of(choice.env) is FAMILIES["assembly"]
    if len(others) > (_OTHERWISE * len(plan) if touches else 0):
        raise CheckFailedError("; ".join(others))
    source = against.name if against else "the recorded results"
    good = f"the same parts are good as with {source} ({worked.good} of them)"
    but = f", but for {len(others)} whose contacts went another way" if others else ""
    return f"{len(plan)} seeds repeated, {good}{but}{_graded(worked)}"


def _graded(evaluation: Evaluation[Any]) -> str:
    return f", graded by {evaluation.graded_by}" if evaluation.graded_by else ""
