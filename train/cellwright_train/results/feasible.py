"""Which parts of an evaluation can be made good, as a search has found, and a policy's results on these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from cellwright_runtime.files.json_text import parse_json
from cellwright_runtime.files.reading import read_file
from cellwright_train.errors import UsageError, one_line
from cellwright_train.results.result import Evaluation

_MOST_BYTES = 1 << 28
_SAME = ("env", "seed", "products", "disturbances", "line_change", "scenario_identity")


@dataclass(frozen=True)
class Feasible:
    """Seeds of the parts that a search made good, out of those that it tried."""

    file: str
    searched_by: str
    seeds: frozenset[int]
    tried: int

    @classmethod
    def read(cls, path: Path, asked: Mapping[str, Any], episodes: int) -> Self:
        """From what `cellwright evaluate --tries N --json` wrote.

        Raises `FileError` where it cannot be read, and `UsageError` where it holds something else, or other
        parts than the `episodes` of `asked`.
        """
        found = parse_json(read_file(path, most_bytes=_MOST_BYTES), str(path))
        try:
            of = {name: found.get(name) for name in _SAME}
            good = {entry["seed"]: bool(_good(entry)) for entry in found["per_episode"]}
            policy, tries = str(found["policy"]), int(found.get("tries", 1))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{path} holds no results of `cellwright evaluate --json`: {one_line(error)}"
            ) from error
        for name in _SAME:
            if of[name] != asked.get(name):
                raise UsageError(f"{path} is of {name} {of[name]!r}, not {asked.get(name)!r}")
        if len(good) < episodes:
            raise UsageError(f"{path} has {len(good)} parts, fewer than the {episodes} asked for")
        first = asked["seed"]
        seeds = frozenset(seed for seed, passed in good.items() if passed and seed < first + episodes)
        return cls(path.name, f"{policy}, up to {tries} tries", seeds, episodes)

    def over(self, evaluation: Evaluation[Any]) -> Evaluation[Any]:
        """The evaluation of the feasible parts alone; one that the policy made good is feasible too."""
        kept = tuple(each for each in evaluation.results if each.good or each.seed in self.seeds)
        name = f"{evaluation.policy}, {len(kept)} feasible"
        return replace(evaluation, policy=name, results=kept)

    def as_json(self, evaluation: Evaluation[Any]) -> dict[str, Any]:
        """For the results of `evaluation`."""
        over = self.over(evaluation)
        return {
            "file": self.file,
            "searched_by": self.searched_by,
            "found": len(self.seeds),
            "parts": len(over.results),
            **(over.headline() if over.results else {}),
        }


def _good(entry: Mapping[str, Any]) -> bool:
    passed = entry.get("passed")
    return bool(entry["success"] if passed is None else passed["C"])
