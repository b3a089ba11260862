"""Places, guards and the code itself of the envelope in C."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.codegen.compiled import CompilerError
from cellwright_runtime.codegen.generate import generate
from cellwright_runtime.envelope.declared import limits_of, observation_guard_of
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.inference import InstantInference
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.policy_guard import PolicyGuard
from cellwright_runtime.runtime import Decision
from tests.policies.runtime.codegen.code import SANITIZED, compile_c, packed, symbols
from tests.policies.runtime.codegen.envelope_pair import DECLARED, PLANES, SAFETY, Both
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, PERIOD_S
from tools.envelope import setpoints
from tools.envelope.plain import PlainEnvelope
from tools.envelope.workplace import SPEC

PLACE_REFUSED, FENCE_REFUSED = 7, 6
COPIES = {"memcpy", "memmove", "memset"}
"""What compilers make of loops that copy."""


@pytest.mark.parametrize(
    "wrong",
    [
        {"cycle_s": 0.0005},
        {"cycle_s": math.nan},
        {"cycle_s": 0.2},
        {"lag_s": -0.1},
        {"origin_m": (0.0, math.inf, 0.0)},
        {"box_m": (*(HOME[:3] + 0.2), *(HOME[:3] + 0.3))},
        {"box_m": (*(HOME[:3] * math.nan), *(HOME[:3] + 0.3))},
        {"planes": [((1.0, 1.0, 0.0), 0.0)]},
        {"planes": [((0.0, 0.0, 1.0), math.nan)]},
        {"stricter": (DECLARED.tool_speed_m_s * 1.01, 0.0, 0.0)},
        {"stricter": (-0.1, 0.0, 0.0)},
        {"stricter": (0.0, 31.0, 0.0)},
        {"stricter": (0.0, 0.0, math.nan)},
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_refused(plain: PlainEnvelope, wrong: dict[str, Any]) -> None:
    assert plain.set_up(**{"cycle_s": PERIOD_S, **wrong}) == PLACE_REFUSED


def test_a_place_may_be_stricter_than_the_bundle(plain: PlainEnvelope) -> None:
    half = 0.5 * DECLARED.tool_speed_m_s
    low, high = HOME[:3] - 0.01, HOME[:3] + 0.02
    assert plain.set_up(cycle_s=PERIOD_S, box_m=(*low, *high), stricter=(half, 20.0, 0.0)) == 0
    state = replace(setpoints.state_at_home(), tool=HOME, joints_rad=HOME_RAD)
    assert plain.arm(0.0, state) == 0
    plain.request("start", 0.0)
    sent = plain.drive(0.0, HOME_RAD, HOME, np.tile(HOME + 0.5, (400, 1)))
    speed = np.linalg.norm(np.diff(sent[:, :3], axis=0), axis=1) / PERIOD_S
    assert 0.8 * half < speed.max() <= half * (1.0 + 1e-9)
    assert (sent[:, :3] <= high - LIMITS.workspace_margin_m + 1e-12).all()
    now_s = 400 * PERIOD_S + PERIOD_S
    plain.cycle(now_s, replace(state, time_s=now_s, tool=sent[-1], wrench=np.full(6, 12.0)), None)
    assert plain.said().reason is Fault.FORCE  # 20.8 N


def test_a_tool_outside_of_the_fences_is_not_armed(plain: PlainEnvelope) -> None:
    assert plain.set_up(cycle_s=PERIOD_S, planes=PLANES) == 0
    outside = replace(setpoints.state_at_home(), joints_rad=HOME_RAD, tool=HOME + 0.1)
    assert plain.arm(0.0, outside) == FENCE_REFUSED


# Guards


def observation_of(rng: np.random.Generator) -> dict[str, np.ndarray]:
    made = {}
    for group in SPEC.observation:
        if group.dtype == "uint8":
            made[group.name] = rng.integers(0, 256, group.shape, dtype=np.uint8)
        else:
            low, high = (np.broadcast_to(end, group.shape) for end in (group.low, group.high))
            made[group.name] = rng.uniform(low, high).astype(np.float32)
    return made


def test_the_first_finding_of_an_observation_is_the_same(plain: PlainEnvelope) -> None:
    rng = np.random.default_rng(1)
    both = Both(plain)
    guard = observation_guard_of(SPEC, SAFETY, DECLARED)
    plain.forget()
    both.ask("arm")
    both.ask("start")
    names = [group.name for group in SPEC.observation]
    found: set[Fault | None] = set()
    observation = observation_of(rng)
    for number in range(600):
        both.cycle(HOME + 0.01 * math.sin(0.02 * number))
        if number % 3 == 0 and number % 200 < 100:  # else a frame that stays
            observation = observation_of(rng)
        seen = {name: value.copy() for name, value in observation.items()}
        kind = rng.integers(8)
        group = SPEC.observation[int(rng.integers(len(names)))]
        if kind == 0 and group.dtype != "uint8":
            seen[group.name].flat[rng.integers(seen[group.name].size)] = rng.choice([np.nan, np.inf, -np.inf])
        elif kind == 1 and group.dtype != "uint8":
            seen[group.name].flat[rng.integers(seen[group.name].size)] *= 50.0
        elif kind == 2 and number % 5 == 0 and group.dtype == "uint8":
            seen[group.name][int(rng.integers(len(group.components)))] = 77
        age_s = float(rng.choice([0.01, 0.1, 0.149, 0.151, np.nan], p=[0.4, 0.3, 0.2, 0.05, 0.05]))
        moving = both.python.rights.moves and not both.python.at_rest
        theirs = guard.check(both.now_s, seen, ages_s={"camera": age_s}, moving=moving)
        first = theirs[0].fault if theirs else None
        fault, where, element = plain.look(both.now_s, packed(SPEC, seen), age_s)
        assert fault is first, theirs
        if fault in (Fault.NOT_FINITE, Fault.OUT_OF_RANGE):
            looked = SPEC.observation[where]
            value = seen[looked.name].ravel()[element]
            assert theirs[0].detail.startswith(looked.name)
            assert f"{value}" in theirs[0].detail or f"{value:.4g}" in theirs[0].detail
        found.add(fault)
    assert found == {
        None, Fault.NOT_FINITE, Fault.OUT_OF_RANGE, Fault.STALE, Fault.BLANK, Fault.FROZEN
    }  # fmt: skip


@pytest.mark.parametrize("largest", [0.0, 1.0, 7.9, 8.1, -8.1, np.nan, np.inf, -np.inf])
def test_an_answer_is_judged_before_clipping(plain: PlainEnvelope, largest: float) -> None:
    count = len(SPEC.action)
    preclip = np.linspace(-0.5, 0.5, count).astype(np.float32)
    preclip[2] = largest
    action = np.clip(preclip, -1.0, 1.0)
    inference = InstantInference(lambda seen: Decision(action=action, action_preclip=preclip, command=action))
    guard = PolicyGuard(
        inference,
        observation_guard_of(SPEC, SAFETY, DECLARED),
        deadline_s=DECLARED.inference_s,
        preclip=DECLARED.preclip,
    )
    seen = observation_of(np.random.default_rng(2))
    assert guard.ask(0.0, seen, ages_s={}) == []
    _, found = guard.answer(0.01)
    assert plain.judge(0, preclip, action, 0.01) is (found[0].fault if found else None)


def test_a_refused_or_late_answer_is_a_fault(plain: PlainEnvelope) -> None:
    still = np.zeros(len(SPEC.action))
    assert plain.judge(2, still, still, 0.0) is Fault.NOT_FINITE
    assert plain.judge(3, still, still, 0.0) is Fault.NO_ACTION
    for late_s in (DECLARED.inference_s + 1e-6, math.nan):
        assert plain.judge(0, still, still, late_s) is Fault.LATE
    assert plain.judge(1, still, still, DECLARED.inference_s) is None


# The code


def declaring() -> list[str]:
    return [name for name in zoo.names() if Bundle.load(zoo.path(name)).safety is not None]


def self_test(files: dict[str, bytes], directory: Path, *flags: str) -> int:
    directory.mkdir(exist_ok=True)
    for name, data in files.items():
        if name.startswith("policy_envelope") or name == "policy.h":
            (directory / name).write_bytes(data)
    (directory / "main.c").write_text(
        '#include "policy_envelope.h"\n'
        "int main(void) { policy_envelope_selftest_result r;\n"
        "    const int status = policy_envelope_selftest(&r);\n"
        "    return r.rows < 60 || r.cycles < 1000 || !(r.largest_rates[2] > 0.1) ? 9 : status; }\n"
    )
    compile_c(*flags, "-o", directory / "main", *sorted(directory.glob("*.c")), "-lm")
    return subprocess.run([directory / "main"], check=False).returncode


def test_golden_sequences_pass_under_sanitizers_and_every_warning(tmp_path: Path) -> None:
    names = declaring()
    assert names
    for name in names:
        files = dict(generate(Bundle.load(zoo.path(name))).files)
        assert self_test(files, tmp_path / name, *SANITIZED) == 0
    files = {
        name: data.replace(b"HALVINGS = 20", b"HALVINGS = 3") if name.endswith("envelope.c") else data
        for name, data in files.items()
    }
    assert self_test(files, tmp_path / "coarse", "-O1") == 1


@pytest.mark.parametrize(
    ("right", "wrong", "status"),
    [
        ("static const double BLEND_S = 0.5", "static const double BLEND_S = 0.4", 1),
        ("e->reason = fault;", "(void)fault;", 1),
        ("shaped[i] + fraction", "shaped[i] + 1.5 * fraction", 1),
    ],
)
def test_golden_sequences_find_what_is_wrong(
    pegs: Bundle, tmp_path: Path, right: str, wrong: str, status: int
) -> None:
    files = dict(generate(pegs).files)
    source = files["policy_envelope.c"].decode()
    assert right in source
    files["policy_envelope.c"] = source.replace(right, wrong).encode()
    assert self_test(files, tmp_path / "wrong", "-O1") == status


def test_it_allocates_nothing_and_calls_mathematics_only(plain: PlainEnvelope, tmp_path: Path) -> None:
    library = Path(plain._library._name)
    called = {name for name, kind in symbols(library, "--undefined-only").items() if kind == "U"}
    assert called <= {"sin", "cos", "sqrt", "sincos", "atan2", "acos", "fabs", "floor", *COPIES}
    assert 4096 * 2 < plain.ram_bytes < 16_384


def test_fast_mathematics_is_refused(pegs: Bundle, tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match="compile without -ffast-math"):
        PlainEnvelope(pegs, SAFETY, tmp_path, ("-std=c99", "-O2", "-ffast-math"))


def test_a_bundle_that_declares_no_envelope_gets_none(bundle_dir: Path) -> None:
    generated = generate(Bundle.load(bundle_dir))
    assert generated.left_out[0] == "no envelope: the bundle has no safety.json"
    assert not any("envelope" in name for name in generated.files)


def test_a_weld_has_to_be_told_its_workspace(pegs: Bundle, tmp_path: Path) -> None:
    roaming = PlainEnvelope(pegs, replace(SAFETY, workspace=()), tmp_path)
    assert roaming.set_up(cycle_s=PERIOD_S) == PLACE_REFUSED
    box = (*LIMITS.tool.low[:3], *LIMITS.tool.high[:3])
    assert roaming.set_up(cycle_s=PERIOD_S, box_m=box) == 0


def test_the_numbers_are_those_of_the_bundle(pegs: Bundle) -> None:
    assert pegs.safety is not None
    limits: Limits = limits_of(pegs.safety)
    source = generate(pegs).files["policy_envelope.c"].decode()
    for name, value in (("TOOL_SPEED_M_S", limits.tool_speed_m_s), ("FORCE_N", limits.force_n)):
        assert f"static const double {name} = {value!r};" in source
    assert "static const int box_at_fixture[1] = {1};" in source
