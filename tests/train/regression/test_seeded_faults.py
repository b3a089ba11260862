"""Thirty faults as they happen in code, each located rightly within one episode."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.lines.cells import cells
from cellwright_train.regression.locating import locate
from cellwright_train.regression.tape import record_tape
from cellwright_train.rollout.cell import CellChoice, Episode
from cellwright_train.rollout.policies import BundlePolicy

PLACES = {
    "weld": ("weld-seam", Episode(41, "lap-straight-1.6")),
    "peg": ("peg-insertion", Episode(41, "round-8-0.5")),
}


class Place:
    """A cell with its shipped policy and the tape of a part."""

    def __init__(self, task: str, episode: Episode) -> None:
        self.episode = episode
        self.env = CellChoice(env=cells()[task]).make(privileged=True)
        self.bundle = Bundle.load(zoo.path(task))
        self.policy = BundlePolicy(task, self.bundle)
        self.tape, _ = record_tape(self.env, self.policy, episode, probes=3)

    def located(self, env: Any = None, policy: Any = None) -> list[str]:
        found = locate(env or self.env, policy or self.policy, self.episode, tape=self.tape)
        assert not found.not_comparable
        return [f"{each.kind} {each.group}" for each in found.differences]


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, Place]]:
    made = {name: Place(*of) for name, of in PLACES.items()}
    yield made
    for place in made.values():
        place.env.close()


class Faulty:
    """A policy with a fault before or after its network."""

    def __init__(self, policy: Any, *, seen: Any = None, decided: Any = None) -> None:
        self.name, self._policy, self._seen, self._decided = "faulty", policy, seen, decided

    def reset(self) -> None:
        self._policy.reset()
        self._before: Mapping[str, Any] | None = None

    def act(self, observation: Mapping[str, Any]) -> Any:
        shown = self._seen(observation, self._before or observation) if self._seen else observation
        self._before = observation
        action = self._policy.act(shown)
        return self._decided(action) if self._decided else action


def flipped(index: int) -> Callable[[Any], Any]:
    def decided(action: Any) -> Any:
        other = np.array(action)
        other[index] = -other[index]
        return other

    return decided


def swapped(action: Any) -> Any:
    return np.array(action)[[1, 0, *range(2, len(action))]]


def scaled(group: str, factor: float) -> Callable[..., Any]:
    return lambda now, before: {**now, group: (now[group] * np.float32(factor)).astype(now[group].dtype)}


POLICY_FAULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "sign flipped in one action": ("weld", lambda p: Faulty(p, decided=flipped(0))),
    "sign flipped in another action": ("peg", lambda p: Faulty(p, decided=flipped(2))),
    "action order swapped": ("weld", lambda p: Faulty(p, decided=swapped)),
    "action order swapped, peg": ("peg", lambda p: Faulty(p, decided=swapped)),
    "actions of 8 bits": ("peg", lambda p: Faulty(p, decided=lambda a: np.round(a * 127) / np.float32(127))),
    "slower by 3 %": ("weld", lambda p: Faulty(p, decided=lambda a: a - np.float32([0, 0, 0.03, 0, 0]))),
    "stale normalisation": ("weld", lambda p: Faulty(p, seen=scaled("signals", 1.02))),
    "pictures over 256": ("weld", lambda p: Faulty(p, seen=scaled("image", 255 / 256))),
    "views swapped": (
        "peg",
        lambda p: Faulty(p, seen=lambda now, _: {**now, "image": now["image"][::-1].copy()}),
    ),
    "decides on the picture before": (
        "peg",
        lambda p: Faulty(p, seen=lambda now, before: {**now, "image": before["image"]}),
    ),
}


@pytest.mark.parametrize("name", POLICY_FAULTS)
def test_a_fault_of_the_policy_is_one_of_the_policy(name: str, places: dict[str, Place]) -> None:
    where, made = POLICY_FAULTS[name]
    place = places[where]
    found = place.located(policy=made(place.policy))
    assert [each.split()[0] for each in found] == ["policy"]


@pytest.mark.parametrize("where", PLACES)
def test_a_network_rounded_to_8_bits_is_one_of_the_policy(where: str, places: dict[str, Place]) -> None:
    place = places[where]
    model = onnx.load_from_string(place.bundle.files["policy.onnx"])
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1:
            step = np.abs(values).max() / 127
            tensor.CopyFrom(numpy_helper.from_array(np.round(values / step) * step, tensor.name))
    files = {**place.bundle.files, "policy.onnx": model.SerializeToString()}
    rounded = BundlePolicy("rounded", dataclasses.replace(place.bundle, files=files))
    assert [each.split()[0] for each in place.located(policy=rounded)] == ["policy"]


class Sensed(gymnasium.Wrapper):
    """A cell with a fault on the way from a sensor to the policy."""

    def __init__(self, env: gymnasium.Env, change: Callable[[list[Any]], Any], group: str) -> None:
        super().__init__(env)
        self.change, self.group = change, group

    def reset(self, **options: Any) -> Any:
        observation, info = self.env.reset(**options)
        self.past = [observation[self.group]]
        return observation | {self.group: self.change(self.past)}, info

    def step(self, action: Any) -> Any:
        observation, *rest = self.env.step(action)
        self.past.append(observation[self.group])
        return observation | {self.group: self.change(self.past)}, *rest


def late(steps: int) -> Callable[[list[Any]], Any]:
    return lambda past: past[max(0, len(past) - 1 - steps)]


def added(index: int, amount: float) -> Callable[[list[Any]], Any]:
    def change(past: list[Any]) -> Any:
        other = np.array(past[-1])
        other[index] += np.float32(amount)
        return other

    return change


SENSOR_FAULTS: dict[str, tuple[str, str, str, Callable[[list[Any]], Any]]] = {
    "camera shifted by 1 px": ("weld", "image", "sensing", lambda past: np.roll(past[-1], 1, axis=2)),
    "camera shifted by 2 px": ("weld", "image", "sensing", lambda past: np.roll(past[-1], 2, axis=1)),
    "camera shifted by 1 px, peg": ("peg", "image", "sensing", lambda past: np.roll(past[-1], 1, axis=1)),
    "a picture darker by 1 %": (
        "peg",
        "image",
        "sensing",
        lambda past: (past[-1] * np.float32(0.99)).astype(np.uint8),
    ),
    "a frozen picture": ("weld", "image", "sensing", lambda past: past[0]),
    "force with the other sign": ("peg", "wrench", "sensing", lambda past: -past[-1]),
    "seam sensor 0.1 mm aside": ("weld", "seam", "sensing", added(0, 1e-4)),
    "one meter 1 % high": ("weld", "signals", "sensing", lambda past: past[-1] * np.float32(1.01)),
    "pictures a step late": ("peg", "image", "timing", late(1)),
    "pictures a step late, weld": ("weld", "image", "timing", late(1)),
    "forces two steps late": ("peg", "wrench", "timing", late(2)),
    "signals a step late": ("weld", "signals", "timing", late(1)),
}


@pytest.mark.parametrize("name", SENSOR_FAULTS)
def test_a_fault_of_a_sensor_is_one_of_its_group(name: str, places: dict[str, Place]) -> None:
    where, group, kind, change = SENSOR_FAULTS[name]
    place = places[where]
    assert place.located(env=Sensed(place.env, change, group)) == [f"{kind} {group}"]


def off(kind: str, **changed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What was drawn, with fields of one disturbance otherwise."""

    def change(drawn: Any) -> Any:
        one = getattr(drawn, kind)
        other = {name: of(getattr(one, name)) for name, of in changed.items()}
        return dataclasses.replace(drawn, **{kind: dataclasses.replace(one, **other)})

    return change


PLANT_FAULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "friction up by 30 %": ("peg", off("contact_friction", factor=lambda x: 1.3 * x)),
    "clearance down by 5 %": ("peg", off("part_fit", factor=lambda x: 0.95 * x)),
    "arm a step later": ("peg", off("actuator_latency", steps=lambda x: x + 1)),
    "arm a step later, weld": ("weld", off("actuator_latency", steps=lambda x: x + 1)),
    "tool 0.1 mm aside": ("weld", off("tool_centre_point", constant_m=lambda x: (x[0], x[1] + 1e-4, x[2]))),
    "2 % of the wire": ("weld", off("wire_feed_slip", slip=lambda x: x + 0.02)),
    "0.3 V less": ("weld", off("supply_voltage", constant=lambda x: x - 0.3)),
    "plate 1 % thinner": ("weld", off("thickness_batch", scale=lambda x: 0.99 * x)),
}


@pytest.mark.parametrize("name", PLANT_FAULTS)
def test_a_fault_of_the_plant_is_one_of_the_plant(
    name: str, places: dict[str, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, change = PLANT_FAULTS[name]
    place = places[where]
    kind = type(place.env.unwrapped)
    begin = kind._begin_episode  # type: ignore[attr-defined]
    monkeypatch.setattr(
        kind,
        "_begin_episode",
        lambda self, streams, product, drawn: begin(self, streams, product, change(drawn)),
    )
    found = place.located()
    assert [each.split()[0] for each in found if not each.startswith("sensing")] == ["plant"]


def test_a_policy_that_changed_is_found_although_it_never_sees_what_it_saw(places: dict[str, Place]) -> None:
    place = places["peg"]
    shifted = Sensed(place.env, lambda past: np.roll(past[-1], 1, axis=1), "image")
    found = place.located(env=shifted, policy=Faulty(place.policy, decided=flipped(2)))
    assert [each.split()[0] for each in found] == ["policy", "sensing"]


def test_without_a_fault_nothing_is_located(places: dict[str, Place]) -> None:
    assert len(POLICY_FAULTS) + len(PLACES) + len(SENSOR_FAULTS) + len(PLANT_FAULTS) >= 30
    for place in places.values():
        assert place.located() == []
