"""Checks of a bundle's scorecard: every episode is possible, and the scores follow from the episodes."""

import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from cellwright_runtime.bundle.policy import PER_EPISODE, SCORECARD, Bundle, headline
from cellwright_runtime.files.fields import wrong
from cellwright_runtime.files.json_text import canonical_json
from cellwright_runtime.files.reading import FileError
from cellwright_train.errors import one_line
from cellwright_train.results.result import EpisodeResult, Evaluation
from cellwright_train.rollout.cell import CellChoice, Episode
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.policies import BundleReference
from cellwright_train.rollout.trial import Trial

_ROUNDING = 1e-9
"""Of a score; sums may round differently on another machine."""
_LATER = ("cut_off", "iso_edition")
"""Scores that came later than some bundles, which lack them."""
_CALLED = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}


def recorded(bundle: Bundle) -> list[tuple[Episode, EpisodeResult]]:
    """Every episode of the scorecard with its result; raises `FileError` where one is impossible."""
    entries = bundle.scorecard[PER_EPISODE]
    if not entries:
        raise FileError(f"{SCORECARD} records no episode to repeat")
    kind = family_of(bundle.spec.environment).result
    found = [_episode(kind, entry, f"{SCORECARD} episode {i}") for i, entry in enumerate(entries)]
    for index, (episode, _) in enumerate(found):
        # Seeds that were picked, or repeated, make any score.
        if episode.seed != found[0][0].seed + index:
            raise FileError(
                f"{SCORECARD} episode {index} has the seed {episode.seed}, not {found[0][0].seed + index}: "
                "seeds count up from the first"
            )
    return found


def recorded_cell(bundle: Bundle, plan: Sequence[Episode]) -> CellChoice:
    """The cell in which the scorecard's parts were worked on; raises `FileError` where it does not say."""
    products = tuple(dict.fromkeys(episode.product for episode in plan if episode.product))
    disturbances = bundle.scorecard.get("disturbances")
    if not isinstance(disturbances, str):
        raise wrong(f"{SCORECARD} disturbances", disturbances, "a name")
    return CellChoice(env=bundle.spec.environment, products=products, disturbances=disturbances)


def recorded_trial(bundle: Bundle) -> Trial:
    """The bundle on all parts of its scorecard; raises `FileError` as `recorded` does."""
    plan = tuple(episode for episode, _ in recorded(bundle))
    reference = BundleReference(name=f"bundle {bundle.spec.name}", bundle=bundle)
    return Trial(policy=reference, cell=recorded_cell(bundle, plan), plan=plan)


def require_own_scores(bundle: Bundle) -> Evaluation[Any]:
    """The episodes that the scores follow from, summed up; raises `FileError` where they do not."""
    card, policy = bundle.scorecard, bundle.scorecard.get("policy")
    if not isinstance(policy, str):
        raise wrong(f"{SCORECARD} policy", policy, "a name")
    results = tuple(result for _, result in recorded(bundle))
    evaluation = family_of(bundle.spec.environment).evaluation
    try:
        with np.errstate(all="ignore"):
            told = evaluation(
                policy=policy, env=bundle.spec.environment, seed=results[0].seed, results=results
            )
            wanted = headline(told.as_json())
    except (ValueError, ArithmeticError) as error:
        raise FileError(f"{SCORECARD} episodes add up to no scores: {one_line(error)}") from None
    held = headline(card)
    for name, value in wanted.items():
        if name not in held and name not in _LATER:
            raise FileError(f"{SCORECARD} lacks the score {name}, which its episodes make {value!r:.40}")
    for name, value in held.items():
        _require_alike(value, wanted.get(name), f"{SCORECARD} {name}")
    return told


def _episode(kind: type[EpisodeResult], entry: Any, where: str) -> tuple[Episode, EpisodeResult]:
    if not isinstance(entry, dict):
        raise wrong(where, entry, "an object")
    try:
        seed, product = entry["seed"], entry["product"]
        if type(seed) is not int or seed < 0:
            raise FileError(f"{where} has the seed {seed!r:.40}, not a whole number from 0")
        if not isinstance(product, str | None):
            raise FileError(f"{where} has the product {product!r:.40}, not a name")
        result = kind.from_json(entry)
    except KeyError as error:
        raise FileError(f"{where} lacks {error}") from None
    except FileError:
        raise
    except (TypeError, ValueError) as error:
        raise FileError(f"{where} is not what {kind.__name__} wrote: {one_line(error)}") from None
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        _require_kind(hints[field.name], getattr(result, field.name), f"{where} {field.name}")
    written = result.as_json()
    for name, value in entry.items():  # what came later than the bundle may be missing, and has its default
        if name not in written or canonical_json(written[name]) != canonical_json(value):
            raise FileError(f"{where} {name[:80]} is not what {kind.__name__} wrote")
    return Episode(seed, product or None), result


def _require_kind(hint: Any, value: Any, where: str) -> None:
    """Raise `FileError` unless `value` has the type of the dataclass; a task may add truth values too."""
    if typing.get_origin(hint) is dict:
        for name, each in value.items():
            _require_kind(typing.get_args(hint)[1], each, f"{where} {name}")
        return
    allowed = {float: (int, float), Any: (int, float, bool)}.get(hint, (hint,))
    if type(value) not in allowed:
        raise wrong(where, value, _CALLED.get(hint, "a number, true or false"))


def _require_alike(held: Any, wanted: Any, where: str) -> None:
    """Raise `FileError` where a score differs from the one that follows from the episodes."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        for name in sorted(held.keys() | wanted.keys()):
            _require_alike(held.get(name), wanted.get(name), f"{where} {name}")
        return
    numbers = all(type(each) in (int, float) for each in (held, wanted))
    if (numbers and not math.isclose(held, wanted, rel_tol=_ROUNDING, abs_tol=_ROUNDING)) or (
        not numbers and (type(held), held) != (type(wanted), wanted)
    ):
        raise wrong(where, held, f"{wanted!r:.40}, which its episodes make it")
