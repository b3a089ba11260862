"""A mutant as data, and the named mutants."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = Path(__file__).parent / "named"
PACKAGES = {
    "cellwright_assets": Path("sim_assets"),
    "cellwright_perception": Path("perception"),
    "cellwright_envs": Path("envs"),
    "cellwright_policies": Path("policies"),
    "cellwright_runtime": Path("policies"),
    "cellwright_train": Path("train"),
}
"""Every package and the folder that it is in."""


class MutantError(Exception):
    """A mutant that does not apply, or tests that cannot judge."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mistake: in `file`, the `old` text, which occurs there once, is replaced by the `new` one."""

    name: str
    file: str
    """Path from the root of the repository."""
    old: str
    new: str
    tests: tuple[str, ...]
    """Arguments of pytest, run in this order until a test fails. Each may be several, with spaces between."""

    def mutated(self, source: str) -> str:
        """`source` with the mistake in it.

        Raises `MutantError` unless the old text occurs exactly once and differs from the new text.
        """
        if (found := source.count(self.old)) != 1:
            raise MutantError(f"{self.name}: the old text occurs {found} times in {self.file}: {self.old!r}")
        if self.old == self.new:
            raise MutantError(f"{self.name}: the new text equals the old one: {self.old!r}")
        return source.replace(self.old, self.new)


def named_mutants() -> tuple[Mutant, ...]:
    """All mutants in `named/`. A `[[group]]` table has the `file` and `tests` that its mutants share."""
    mutants = []
    for path in sorted(NAMED.glob("*.toml")):
        for group in tomllib.loads(path.read_text())["group"]:
            for entry in group["mutant"]:
                mutants.append(
                    Mutant(
                        name=f"{path.stem}: {entry['name']}",
                        file=entry.get("file", group.get("file", "")),
                        old=entry["old"],
                        new=entry["new"],
                        tests=tuple(entry.get("tests", group.get("tests", ()))),
                    )
                )
    return tuple(mutants)
