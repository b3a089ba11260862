"""What generated code shows to its caller: names, groups, actions, limits, in every language the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import Bundle, ObservationGroup, PolicySpec
from cellwright_runtime.codegen.c_text import comment
from cellwright_runtime.codegen.lowering import Program
from cellwright_runtime.codegen.names import identifiers
from cellwright_runtime.codegen.tensors import Tensor
from cellwright_runtime.vocabulary import Component, Setting


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A policy from its caller's side."""

    prefix: str
    """What every name of the generated code begins with, in lower case."""
    spec: PolicySpec
    digest: str
    """SHA-256 of the bundle's manifest."""
    groups: Mapping[str, ObservationGroup]
    """Groups of the observation by their identifier, in the order of the manifest."""
    features: Mapping[str, Tensor]
    """What the heads take from the views, by its identifier."""
    actions: Mapping[str, Component]
    """Actions by their identifier."""
    settings: Mapping[str, Setting]
    """Controller settings by their identifier."""

    @property
    def upper(self) -> str:
        """What every constant of the generated code begins with."""
        return self.prefix.upper()

    @property
    def measured(self) -> dict[str, ObservationGroup]:
        """The groups of float32."""
        return {name: group for name, group in self.groups.items() if group.dtype == "float32"}

    @property
    def resting(self) -> NDArray[np.float32]:
        """The commands (actions,) that are nearest to zero within the limits: what a refusal commands."""
        low, high = self.limits
        return np.minimum(np.maximum(low, np.float32(0.0)), high)

    @property
    def limits(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lowest and highest commands, each (actions,)."""
        low, high = ([getattr(each, end) for each in self.spec.action] for end in ("low", "high"))
        return np.array(low, np.float32), np.array(high, np.float32)

    def title(self) -> str:
        """One line that says what this is, fit for a comment."""
        return comment(f"{self.spec.name}, trained in {self.spec.environment}")


def interface_of(bundle: Bundle, program: Program, prefix: str) -> Interface:
    """The interface of a bundle's generated code."""
    spec = bundle.spec
    count = len(program.features)
    features = ["features"] if count == 1 else [f"features_{index + 1}" for index in range(count)]
    return Interface(
        prefix=prefix,
        spec=spec,
        digest=bundle.digest,
        groups=dict(
            zip(identifiers([group.name for group in spec.observation]), spec.observation, strict=True)
        ),
        features=dict(zip(features, program.features, strict=True)),
        actions=dict(zip(identifiers([part.name for part in spec.action]), spec.action, strict=True)),
        settings=dict(
            zip(
                identifiers([setting.name for setting in spec.controller.settings]),
                spec.controller.settings,
                strict=True,
            )
        ),
    )


def ranged(component: Component) -> str:
    """Name, unit and range of a component, fit for a comment."""
    low, high = (f"{np.float32(end)!s}" for end in (component.low, component.high))
    return f"{comment(component.name)} [{comment(component.unit)}] from {low} to {high}"
