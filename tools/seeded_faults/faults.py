"""The faults. Each says where it is planted, and what `cellwright regress` has to say about it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from unittest import mock

import gymnasium
import numpy as np
import onnx
from onnx import numpy_helper

from cellwright_train.rollout.cell import EpisodePolicy
from cellwright_train.rollout.policies import BundlePolicy

WELD, PEG = "weld-seam", "peg-insertion"
Kind = Literal["policy", "sensing", "timing", "plant"]


class Fault(Protocol):
    """One thing that is wrong in one cell or its policy."""

    @property
    def name(self) -> str:
        """In words."""

    @property
    def task(self) -> str:
        """Of the cell."""

    @property
    def kind(self) -> Kind:
        """What it has to be located as."""

    def planted(
        self, env: gymnasium.Env[Any, Any], policy: EpisodePolicy
    ) -> contextlib.AbstractContextManager[tuple[gymnasium.Env[Any, Any], EpisodePolicy]]:
        """Cell and policy with the fault, as long as the context lasts."""


@dataclass(frozen=True)
class PolicyFault:
    """The policy decides otherwise."""

    name: str
    task: str
    change: Callable[[EpisodePolicy], EpisodePolicy]
    kind: Kind = "policy"

    @contextlib.contextmanager
    def planted(
        self, env: gymnasium.Env[Any, Any], policy: EpisodePolicy
    ) -> Iterator[tuple[gymnasium.Env[Any, Any], EpisodePolicy]]:
        """See `Fault`."""
        yield env, self.change(policy)


@dataclass(frozen=True)
class SensorFault:
    """A group of the observation reaches the policy otherwise, or late."""

    name: str
    task: str
    group: str
    change: Callable[[list[Any]], Any]
    """From all values of the episode so far to the one that the policy gets."""
    kind: Kind = "sensing"

    @contextlib.contextmanager
    def planted(
        self, env: gymnasium.Env[Any, Any], policy: EpisodePolicy
    ) -> Iterator[tuple[gymnasium.Env[Any, Any], EpisodePolicy]]:
        """See `Fault`."""
        yield _Sensed(env, self.change, self.group), policy


@dataclass(frozen=True)
class PlantFault:
    """What an episode draws, other than what its conditions say."""

    name: str
    task: str
    change: Callable[[Any], Any]
    kind: Kind = "plant"

    @contextlib.contextmanager
    def planted(
        self, env: gymnasium.Env[Any, Any], policy: EpisodePolicy
    ) -> Iterator[tuple[gymnasium.Env[Any, Any], EpisodePolicy]]:
        """See `Fault`."""
        cell = type(env.unwrapped)
        begin = cell._begin_episode  # type: ignore[attr-defined]

        def otherwise(cell: Any, streams: Any, product: Any, drawn: Any) -> None:
            begin(cell, streams, product, self.change(drawn))

        with mock.patch.object(cell, "_begin_episode", otherwise):
            yield env, policy


def is_right(fault: Fault, found: Sequence[str]) -> bool:
    """Whether what was located, as `kind group`, is this fault and nothing else.

    What the plant does otherwise is sensed otherwise from then on.
    """
    if fault.kind == "plant":
        found = [each for each in found if not each.startswith("sensing ")]
    if isinstance(fault, SensorFault):
        return list(found) == [f"{fault.kind} {fault.group}"]
    return [each.partition(" ")[0] for each in found] == [fault.kind]


class _Otherwise:
    """A policy with a fault before or after its network."""

    def __init__(self, policy: Any, *, seen: Any = None, decided: Any = None) -> None:
        self.name, self._policy, self._seen, self._decided = policy.name, policy, seen, decided
        self._before: Mapping[str, Any] | None = None

    def reset(self) -> None:
        """Forget the last episode."""
        self._policy.reset()
        self._before = None

    def act(self, observation: Mapping[str, Any]) -> Any:
        """The action for what it takes the observation for, or another than that."""
        shown = self._seen(observation, self._before or observation) if self._seen else observation
        self._before = observation
        action = self._policy.act(shown)
        return self._decided(action) if self._decided else action


class _Sensed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A cell with a fault on the way from a sensor to the policy."""

    def __init__(self, env: gymnasium.Env[Any, Any], change: Callable[[list[Any]], Any], group: str) -> None:
        super().__init__(env)
        self._change, self._group = change, group
        self._past: list[Any] = []

    def reset(self, **options: Any) -> Any:
        observation, info = self.env.reset(**options)
        self._past = [observation[self._group]]
        return observation | {self._group: self._change(self._past)}, info

    def step(self, action: Any) -> Any:
        observation, *rest = self.env.step(action)
        self._past.append(observation[self._group])
        return observation | {self._group: self._change(self._past)}, *rest


def _decided(change: Callable[[Any], Any]) -> Callable[[EpisodePolicy], EpisodePolicy]:
    return lambda policy: _Otherwise(policy, decided=change)


def _seen(change: Callable[[Any, Any], Any]) -> Callable[[EpisodePolicy], EpisodePolicy]:
    return lambda policy: _Otherwise(policy, seen=change)


def _flipped(index: int) -> Callable[[Any], Any]:
    def change(action: Any) -> Any:
        other = np.array(action)
        other[index] = -other[index]
        return other

    return change


def _swapped(action: Any) -> Any:
    return np.array(action)[[1, 0, *range(2, len(action))]]


def _eight_bits(action: Any) -> Any:
    return np.round(action * 127) / np.float32(127)


def _scaled(group: str, factor: float) -> Callable[..., Any]:
    return lambda now, before: {**now, group: (now[group] * np.float32(factor)).astype(now[group].dtype)}


def _rounded(policy: EpisodePolicy) -> EpisodePolicy:
    """The network with weights of eight bits."""
    assert isinstance(policy, BundlePolicy)
    model = onnx.load_from_string(policy.runtime.bundle.files["policy.onnx"])
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1:
            step = np.abs(values).max() / 127
            tensor.CopyFrom(numpy_helper.from_array(np.round(values / step) * step, tensor.name))
    files = {**policy.runtime.bundle.files, "policy.onnx": model.SerializeToString()}
    return BundlePolicy(policy.name, dataclasses.replace(policy.runtime.bundle, files=files))


def _shifted(pixels: int, axis: int) -> Callable[[list[Any]], Any]:
    return lambda past: np.roll(past[-1], pixels, axis=axis)


def _late(steps: int) -> Callable[[list[Any]], Any]:
    return lambda past: past[max(0, len(past) - 1 - steps)]


def _added(index: int, amount: float) -> Callable[[list[Any]], Any]:
    def change(past: list[Any]) -> Any:
        other = np.array(past[-1])
        other[index] += np.float32(amount)
        return other

    return change


def _darker(past: list[Any]) -> Any:
    return (past[-1] * np.float32(0.99)).astype(np.uint8)


def _off(kind: str, **changed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What was drawn, with fields of one disturbance otherwise."""

    def change(drawn: Any) -> Any:
        one = getattr(drawn, kind)
        other = {name: of(getattr(one, name)) for name, of in changed.items()}
        return dataclasses.replace(drawn, **{kind: dataclasses.replace(one, **other)})

    return change


_SLOWER = np.array([0, 0, 0.03, 0, 0], np.float32)
FAULTS: tuple[Fault, ...] = (
    PolicyFault("sign flipped in one action", WELD, _decided(_flipped(0))),
    PolicyFault("sign flipped in another action", PEG, _decided(_flipped(2))),
    PolicyFault("action order swapped", WELD, _decided(_swapped)),
    PolicyFault("action order swapped, peg", PEG, _decided(_swapped)),
    PolicyFault("actions of 8 bits", PEG, _decided(_eight_bits)),
    PolicyFault("actions of 8 bits, weld", WELD, _decided(_eight_bits)),
    PolicyFault("slower by 3 %", WELD, _decided(lambda action: action - _SLOWER)),
    PolicyFault("stale normalisation", WELD, _seen(_scaled("signals", 1.02))),
    PolicyFault("pictures over 256", WELD, _seen(_scaled("image", 255 / 256))),
    PolicyFault("views swapped", PEG, _seen(lambda now, _: {**now, "image": now["image"][::-1].copy()})),
    PolicyFault(
        "decides on the picture before", PEG, _seen(lambda now, before: {**now, "image": before["image"]})
    ),
    PolicyFault("network of 8 bits", PEG, _rounded),
    PolicyFault("network of 8 bits, weld", WELD, _rounded),
    SensorFault("camera shifted by 1 px", WELD, "image", _shifted(1, axis=2)),
    SensorFault("camera shifted by 2 px", WELD, "image", _shifted(2, axis=1)),
    SensorFault("camera shifted by 1 px, peg", PEG, "image", _shifted(1, axis=1)),
    SensorFault("a picture darker by 1 %", PEG, "image", _darker),
    SensorFault("a frozen picture", WELD, "image", lambda past: past[0]),
    SensorFault("force with the other sign", PEG, "wrench", lambda past: -past[-1]),
    SensorFault("seam sensor 0.1 mm aside", WELD, "seam", _added(0, 1e-4)),
    SensorFault("one meter 1 % high", WELD, "signals", lambda past: past[-1] * np.float32(1.01)),
    SensorFault("pictures a step late", PEG, "image", _late(1), "timing"),
    SensorFault("pictures a step late, weld", WELD, "image", _late(1), "timing"),
    SensorFault("forces two steps late", PEG, "wrench", _late(2), "timing"),
    SensorFault("signals a step late", WELD, "signals", _late(1), "timing"),
    PlantFault("friction up by 30 %", PEG, _off("contact_friction", factor=lambda x: 1.3 * x)),
    PlantFault("clearance down by 5 %", PEG, _off("part_fit", factor=lambda x: 0.95 * x)),
    PlantFault("arm a step later", PEG, _off("actuator_latency", steps=lambda x: x + 1)),
    PlantFault("arm a step later, weld", WELD, _off("actuator_latency", steps=lambda x: x + 1)),
    PlantFault(
        "tool 0.1 mm aside",
        WELD,
        _off("tool_centre_point", constant_m=lambda x: (x[0], x[1] + 1e-4, x[2])),
    ),
    PlantFault("2 % of the wire", WELD, _off("wire_feed_slip", slip=lambda x: x + 0.02)),
    PlantFault("0.3 V less", WELD, _off("supply_voltage", constant=lambda x: x - 0.3)),
    PlantFault("plate 1 % thinner", WELD, _off("thickness_batch", scale=lambda x: 0.99 * x)),
)
