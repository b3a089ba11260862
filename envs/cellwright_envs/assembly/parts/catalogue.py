"""The parts of one task by name, and which of them are held out from training."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from cellwright_envs.assembly.parts.part import Part

PartT = TypeVar("PartT", bound=Part)


@dataclass(frozen=True, kw_only=True)
class Catalogue(Generic[PartT]):
    """The parts of a task."""

    parts: tuple[PartT, ...]
    held_out: tuple[str, ...]
    """Names of the parts that training never uses."""

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.parts):
            raise ValueError(f"parts need names of their own, got {[part.name for part in self.parts]}")
        if unknown := set(self.held_out) - set(self.by_name):
            raise ValueError(f"held_out={sorted(unknown)} are no parts; known: {', '.join(self.by_name)}")

    @cached_property
    def by_name(self) -> dict[str, PartT]:
        """Every part by its name."""
        return {part.name: part for part in self.parts}

    @cached_property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """Names of the parts of `train`, `held-out` and `all`."""
        train = tuple(name for name in self.by_name if name not in self.held_out)
        return {"train": train, "held-out": self.held_out, "all": tuple(self.by_name)}

    def resolve(self, choice: str | PartT | tuple[str | PartT, ...]) -> tuple[PartT, ...]:
        """Parts behind a split's name, a part's name, a part, or several of these.

        Raises ValueError with the nearest names when one is unknown, and when a part is another task's.
        """
        if isinstance(choice, Part):
            kind = type(self.parts[0])
            if not isinstance(choice, kind):
                raise ValueError(
                    f"{choice.name!r} is a {type(choice).__name__}, this task takes a {kind.__name__}"
                )
            return (choice,)
        if not isinstance(choice, str):
            if not choice:
                raise ValueError("name at least one part, got none")
            return tuple(part for item in choice for part in self.resolve(item))
        if choice in self.splits:
            return tuple(self.by_name[name] for name in self.splits[choice])
        if choice in self.by_name:
            return (self.by_name[choice],)
        names = [*self.splits, *self.by_name]
        near = difflib.get_close_matches(choice, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown part {choice!r}; {hint}known: {', '.join(names)}")
