"""Scores of policies in scenarios, from files of results that can be compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from cellwright_runtime.files.json_text import parse_json
from cellwright_runtime.files.reading import read_file
from cellwright_train.errors import UsageError, one_line
from cellwright_train.results import intervals
from cellwright_train.results.intervals import Estimate
from cellwright_train.scenarios.catalogue import scenario, scenario_names
from cellwright_train.scenarios.scenario import Scenario

_MOST_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Score:
    """One policy in one scenario."""

    scenario: str
    identity: str
    """Hash of what decided the scenario's parts."""
    policy: str
    policy_sha256: str
    good: int
    parts: int
    control: int | None
    """Good parts without the changes; None where nothing changed."""
    reached: bool

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """That of a file of results, None where these are of no scenario.

        Raises `FileError` for what cannot be read, and `UsageError` for results of other conditions or of
        another version than those here, and for those of a search.
        """
        data = parse_json(read_file(path, most_bytes=_MOST_BYTES), str(path))
        if not isinstance(data, dict) or "scenario" not in data:
            return None
        if data.get("tries", "1") != "1":
            raise UsageError(
                f"{path} is a search with up to {data['tries']} tries a part, no score of a policy"
            )
        try:
            name, bar = str(data["scenario"]), data["bar"]
            told = cls(
                scenario=name,
                identity=str(data["scenario_identity"]),
                policy=str(data["policy"]),
                policy_sha256=str(data["policy_sha256"]),
                good=int(bar["good"]),
                parts=int(bar["parts"]),
                control=None if bar["control"] is None else int(bar["control"]),
                reached=bool(bar["reached"]),
            )
            made_by, first = data["cellwright"], data.get("seed")
            counts = (bar["good"], bar["parts"], 0 if bar["control"] is None else bar["control"])
            if any(type(count) is not int or not 0 <= count <= told.parts for count in counts):
                raise ValueError(f"good, parts and control are {counts}")
            if told.parts < 1 or told.parts != len(data["per_episode"]):
                raise ValueError(f"{told.parts} parts in {len(data['per_episode'])}")
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path} holds no results of a scenario: {one_line(error)}") from None
        if made_by != version("cellwright"):
            raise UsageError(f"{path} was made by cellwright {made_by}, this is {version('cellwright')}")
        if name not in scenario_names() or scenario(name).identity != told.identity:
            raise UsageError(f"{path} has other conditions than the scenario {name} has here; evaluate anew")
        known = scenario(name)
        if isinstance(known, Scenario) and first != known.seed:
            raise UsageError(f"{path} begins at the seed {first}, {name} at {known.seed}; leave --seed out")
        if told.reached != known.bar.reached(told.good, told.parts, told.control or 0):
            raise UsageError(
                f"{path} says that the bar was {'reached' if told.reached else 'missed'}: it was not"
            )
        return told

    @property
    def good_fraction(self) -> Estimate:
        """With its 95 % interval."""
        return intervals.proportion(self.good, self.parts)

    def as_json(self) -> dict[str, Any]:
        """One entry of the table."""
        return asdict(self) | {"good_fraction": asdict(self.good_fraction)}


def read_scores(directory: Path) -> list[Score]:
    """Every score in a directory, by scenario and policy; raises `UsageError` where two do not compare."""
    if not directory.is_dir():
        raise UsageError(
            f"{directory} is no directory; name one with results of `evaluate --scenario --json`"
        )
    found: dict[tuple[str, str], tuple[Path, Score]] = {}
    for path in sorted(directory.glob("*.json")):
        score = Score.read(path)
        if score is None:
            continue
        key = score.scenario, score.policy
        if key in found:
            raise UsageError(f"{path} and {found[key][0]} are both of {score.policy} in {score.scenario}")
        for other_path, other in found.values():
            if other.policy == score.policy and other.policy_sha256 != score.policy_sha256:
                raise UsageError(f"{path} and {other_path} are of two policies that are both {score.policy}")
            if other.scenario == score.scenario and other.parts != score.parts:
                raise UsageError(
                    f"{path} has {score.parts} parts of {score.scenario}, {other_path} has {other.parts}"
                )
        found[key] = path, score
    if not found:
        raise UsageError(
            f"{directory} has no results of a scenario; write some with `evaluate --scenario --json`"
        )
    return [found[key][1] for key in sorted(found)]
