"""Observations and decisions between a policy's guards."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from cellwright_runtime.bundle.policy import ObservationGroup
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.inference import InferenceThread
from cellwright_runtime.envelope.observation_guard import Finding, ObservationGuard, Trained, View
from cellwright_runtime.envelope.policy_guard import PolicyGuard
from cellwright_runtime.runtime import Decision, DecisionError
from cellwright_runtime.vocabulary import Component

GROUPS = (
    ObservationGroup(
        name="image",
        dtype="uint8",
        shape=(2, 8, 8),
        components=tuple(Component(name=name, unit="1", low=0.0, high=255.0) for name in ("hand", "fixed")),
    ),
    ObservationGroup(
        name="pose",
        dtype="float32",
        shape=(2,),
        components=tuple(Component(name=name, unit="m", low=-1.0, high=1.0) for name in ("x", "y")),
    ),
)
RNG = np.random.default_rng(3)


def guard(*, blank_grey: float = 2.0) -> ObservationGuard:
    return ObservationGuard(
        GROUPS,
        ranges={"pose": Trained(low=np.array([-0.2, -0.1]), high=np.array([0.2, 0.3]))},
        views={name: View(still_s=0.1, blank_grey=blank_grey) for name in ("hand", "fixed")},
        age_s=0.15,
    )


def observed(**changes: Any) -> dict[str, Any]:
    fresh = RNG.integers(0, 255, (2, 8, 8), dtype=np.uint8)
    return {"image": fresh, "pose": np.array([0.1, 0.2], np.float32), **changes}


def faults(observation: Mapping[str, Any], *, age_s: float = 0.02, now_s: float = 5.0) -> list[Fault]:
    return [each.fault for each in guard().check(now_s, observation, ages_s={"camera": age_s})]


def test_what_the_policy_was_trained_with_passes() -> None:
    assert faults(observed()) == []


@pytest.mark.parametrize(
    ("changes", "fault", "told"),
    [
        ({"pose": np.array([0.1, np.nan], np.float32)}, Fault.NOT_FINITE, "pose y is nan"),
        ({"pose": np.array([-np.inf, 0.0], np.float32)}, Fault.NOT_FINITE, "pose x is -inf"),
        ({"pose": np.array([0.1, 0.2])}, Fault.SHAPE, "pose is float64 (2,), the policy takes float32 (2,)"),
        ({"pose": np.zeros(3, np.float32)}, Fault.SHAPE, "pose is float32 (3,), the policy takes float32"),
        ({"pose": None}, Fault.SHAPE, "pose is missing"),
        (
            {"pose": np.array([0.1, 0.31], np.float32)},
            Fault.OUT_OF_RANGE,
            "pose y is 0.31 m, trained within -0.1 to 0.3",
        ),
        (
            {"pose": np.array([-0.25, 0.0], np.float32)},
            Fault.OUT_OF_RANGE,
            "pose x is -0.25 m, trained within -0.2 to 0.2",
        ),
        (
            {"image": np.full((2, 8, 8), 90, np.uint8)},
            Fault.BLANK,
            "hand deviates by 0.00 grey values, a picture by 2.00 or more",
        ),
    ],
)
def test_what_it_was_not_is_found_and_named(changes: dict[str, Any], fault: Fault, told: str) -> None:
    found = guard().check(5.0, observed(**changes), ages_s={"camera": 0.02})
    assert [each.fault for each in found] == [fault]
    assert found[0].detail.startswith(told)


@pytest.mark.parametrize("age_s", [0.16, float("nan"), float("inf")])
def test_an_old_frame_is_stale(age_s: float) -> None:
    assert faults(observed(), age_s=age_s) == [Fault.STALE]


def test_a_view_of_one_grey_is_not_frozen_where_it_may_be_blank() -> None:
    looking = guard(blank_grey=0.0)
    for number in range(10):
        assert looking.check(0.04 * number, observed(image=np.zeros((2, 8, 8), np.uint8)), ages_s={}) == []


def test_one_frozen_view_beside_a_live_one_is_found_after_its_time() -> None:
    looking, frozen = guard(), RNG.integers(0, 255, (8, 8), dtype=np.uint8)
    found = []
    for number in range(6):
        image = np.stack([RNG.integers(0, 255, (8, 8), dtype=np.uint8), frozen])
        found += [
            (number, each.fault)
            for each in looking.check(0.04 * number, observed(image=image), ages_s={})
        ]  # fmt: skip
    assert found == [(3, Fault.FROZEN), (4, Fault.FROZEN), (5, Fault.FROZEN)]
    looking.reset()
    assert looking.check(1.0, observed(image=np.stack([frozen, frozen])), ages_s={}) == []


def test_a_picture_may_stay_the_same_while_nothing_moves() -> None:
    looking, still = guard(), RNG.integers(0, 255, (2, 8, 8), dtype=np.uint8)
    for number in range(10):
        assert looking.check(0.04 * number, observed(image=still), ages_s={}, moving=False) == []
    assert looking.check(0.44, observed(image=still), ages_s={}) == []
    assert [each.fault for each in looking.check(0.48, observed(image=still), ages_s={})] == [Fault.FROZEN]


class Policy:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go, self.preclip, self.error = threading.Event(), 0.5, None
        self.go.set()

    def decide(self, observation: Mapping[str, Any]) -> Decision:
        self.go.wait(20.0)
        if self.error is not None:
            raise self.error
        preclip = np.array([self.preclip, 0.0], np.float32)
        action = np.clip(preclip, -1.0, 1.0)
        return Decision(action=action, action_preclip=preclip, command=0.01 * action)


@pytest.fixture
def policy() -> Iterator[Policy]:
    made = Policy()
    yield made
    made.go.set()


@pytest.fixture
def guarded(policy: Policy) -> Iterator[PolicyGuard]:
    thread = InferenceThread(policy.decide)
    yield PolicyGuard(thread, guard(), deadline_s=0.03, preclip=8.0)
    thread.close()


def waited(guarded: PolicyGuard, now_s: float) -> tuple[Decision | None, list[Finding]]:
    """The answer, however slow this machine is."""
    until_s = time.monotonic() + 20.0
    while time.monotonic() < until_s:
        decision, found = guarded.answer(now_s)
        if decision is not None or found:
            return decision, found
        time.sleep(0.001)
    raise AssertionError("no answer")


def test_a_decision_comes_once(guarded: PolicyGuard) -> None:
    assert guarded.ask(1.0, observed(), ages_s={}) == []
    decision, found = waited(guarded, 1.001)
    assert (found, decision is not None and float(decision.action[0])) == ([], 0.5)
    assert guarded.answer(1.002) == (None, [])


def test_a_bad_observation_never_reaches_the_policy(guarded: PolicyGuard, policy: Policy) -> None:
    policy.error = AssertionError("the policy was asked")
    found = guarded.ask(1.0, observed(pose=np.array([np.nan, 0.0], np.float32)), ages_s={})
    assert [each.fault for each in found] == [Fault.NOT_FINITE]
    assert guarded.answer(1.02) == (None, [])


def test_a_late_decision_is_found_once_and_thrown_away(guarded: PolicyGuard, policy: Policy) -> None:
    policy.go.clear()
    guarded.ask(1.0, observed(), ages_s={})
    assert guarded.answer(1.02) == (None, [])
    decision, found = guarded.answer(1.05)
    assert (decision, [each.fault for each in found]) == (None, [Fault.LATE])
    assert found[0].detail == "no decision after 50 ms"
    assert [each.fault for each in guarded.ask(1.1, observed(), ages_s={})] == [Fault.LATE]  # still busy
    policy.go.set()
    deadline_s = time.monotonic() + 20.0
    while guarded.ask(2.0, observed(), ages_s={}) and time.monotonic() < deadline_s:
        time.sleep(0.001)
    policy.preclip = 0.7
    decision, found = waited(guarded, 2.01)
    assert found == []
    assert decision is not None


def test_a_policy_that_never_answers_does_not_keep_the_caller_waiting(
    guarded: PolicyGuard, policy: Policy
) -> None:
    policy.go.clear()
    began_s = time.monotonic()
    guarded.ask(1.0, observed(), ages_s={})
    for number in range(100):
        guarded.answer(1.0 + 0.01 * number)
    assert time.monotonic() - began_s < 10.0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DecisionError("policy.onnx answers x with nan"), "policy.onnx answers x with nan"),
        (MemoryError("no memory"), "MemoryError: no memory"),
    ],
)
def test_a_policy_that_fails_gives_no_action(
    guarded: PolicyGuard, policy: Policy, error: Exception, told: str
) -> None:
    policy.error = error
    guarded.ask(1.0, observed(), ages_s={})
    decision, found = waited(guarded, 1.0)
    assert (decision, found) == (None, [(Fault.NO_ACTION, told)])


@pytest.mark.parametrize(("preclip", "fault"), [(8.5, Fault.PRECLIP), (float("nan"), Fault.NO_ACTION)])
def test_an_answer_that_a_clip_would_hide_is_found(
    guarded: PolicyGuard, policy: Policy, preclip: float, fault: Fault
) -> None:
    policy.preclip = preclip
    guarded.ask(1.0, observed(), ages_s={})
    decision, found = waited(guarded, 1.0)
    assert (decision, [each.fault for each in found]) == (None, [fault])
