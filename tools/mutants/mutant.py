"""What a mutant is, and the named ones."""

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
    """One mistake: in `file`, the `old` text, which stands there once, is replaced by the `new` one."""

    name: str
    file: str
    """Path from the root of the repository."""
    old: str
    new: str
    tests: tuple[str, ...]
    """Files and names of tests, as pytest takes them, that are to fail; those named first run first."""

    def mutated(self, source: str) -> str:
        """`source` with the mistake in it; raises MutantError unless the old text stands there just once."""
        if (found := source.count(self.old)) != 1:
            raise MutantError(f"{self.name}: the old text stands {found} times in {self.file}: {self.old!r}")
        if self.old == self.new:
            raise MutantError(f"{self.name}: the new text is the old one: {self.old!r}")
        return source.replace(self.old, self.new)


def named_mutants() -> tuple[Mutant, ...]:
    """All of `named/`: in each file `[[mutant]]` tables below the `file` and `tests` that they share."""
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
