"""What the runtime refuses, code in C refuses too, and it says what the manifest says."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cellwright_runtime.bundle.policy import POLICY, Bundle, PolicySpec, write_bundle
from cellwright_runtime.bundle.vectors import GOLDEN
from cellwright_runtime.codegen.compiled import Compiled, CompilerError, compiler, stack_bytes
from cellwright_runtime.codegen.generate import generate
from cellwright_runtime.codegen.names import identifiers
from cellwright_runtime.runtime import DecisionError, ObservationError, Runtime
from cellwright_runtime.vocabulary import Component, ControllerSetup, Setting
from tests.policies.runtime.codegen.code import STRICT, compile_c, observations

REFUSED_OBSERVATION, REFUSED_ACTION = 2, 3


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return Bundle.load(bundle_dir)


@pytest.fixture(scope="module")
def compiled(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return Compiled(generate(bundle).files, bundle.spec, tmp_path_factory.mktemp("small"), (*STRICT, "-O2"))


def resealed(bundle: Bundle, directory: Path, spec: PolicySpec, model: bytes | None = None) -> Bundle:
    """The bundle with another manifest, or another graph."""
    files = dict(bundle.files) | ({} if model is None else {POLICY: model})
    write_bundle(directory, spec, files)
    return Bundle.load(directory)


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("elements", [(0,), (5,), (2, 4)])
def test_what_is_not_finite_is_refused_where_the_runtime_refuses_it(
    bundle: Bundle, compiled: Compiled, value: float, elements: tuple[int, ...]
) -> None:
    runtime = Runtime(bundle)
    for observation in observations(bundle.spec, 2):
        before = compiled.decide(observation)
        assert before.command.any()
        observation["seam"] = observation["seam"].copy()
        observation["seam"][list(elements)] = value
        with pytest.raises(ObservationError, match=rf"'seam' element {elements[0]} "):
            runtime.decide(observation)
        answer = compiled.decide(observation)
        assert (answer.status, answer.group, answer.element) == (REFUSED_OBSERVATION, 1, elements[0])
        # Nothing of the decision before is left: a caller that overlooks the status stands still.
        assert not np.any([answer.command, answer.action, answer.action_preclip])


def test_the_largest_numbers_are_finite_and_taken_as_the_end_of_their_range(
    bundle: Bundle, compiled: Compiled
) -> None:
    observation = next(observations(bundle.spec, 0))
    observation["seam"] = np.full(6, np.finfo(np.float32).max, np.float32)
    answer, wanted = compiled.decide(observation), Runtime(bundle).decide(observation)
    assert (answer.status, answer.beyond_bounds) == (1, 6)
    np.testing.assert_allclose(answer.action_preclip, wanted.action_preclip, rtol=1e-5, atol=1e-5)


def test_an_action_that_is_not_finite_is_refused_where_the_runtime_refuses_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    model = onnx.load_model_from_string(bundle.files[POLICY])
    for tensor in model.graph.initializer:
        if tensor.name.endswith("head.weight"):
            values = numpy_helper.to_array(tensor).copy()
            values[3] = 3e38  # overflows, for one action
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    broken = resealed(bundle, tmp_path / "broken", bundle.spec, model.SerializeToString())
    directory = tmp_path / "code"
    directory.mkdir()
    code = Compiled(generate(broken).files, broken.spec, directory)
    observation = {name: rows[0] for name, rows in bundle.golden.observations.items()}
    with pytest.raises(DecisionError, match="answers wire_feed_trim with"):
        Runtime(broken).decide(observation)
    answer = code.decide(observation)
    assert (answer.status, answer.group, answer.element) == (REFUSED_ACTION, -1, 3)
    assert not answer.command.any()
    assert code.selftest()[0] == 1


def test_a_refusal_commands_what_is_nearest_to_zero_within_the_limits(bundle: Bundle, tmp_path: Path) -> None:
    limits = [(0.5, 2.0), (-3.0, -1.0), (-1.0, 1.0), (0.0, 1.0), (-0.25, 0.5)]
    action = tuple(
        replace(part, low=low, high=high)
        for part, (low, high) in zip(bundle.spec.action, limits, strict=True)
    )
    moved = resealed(bundle, tmp_path / "moved", replace(bundle.spec, action=action))
    code = Compiled(generate(moved).files, moved.spec, tmp_path)
    observation = next(observations(moved.spec, 0))
    observation["seam"] = np.full(6, np.nan, np.float32)
    np.testing.assert_array_equal(code.decide(observation).command, np.float32([0.5, -1, 0, 0, 0]))


def test_commands_never_leave_the_limits_of_the_manifest(bundle: Bundle, tmp_path: Path) -> None:
    """The graph scales by its own constants; here they command more than the manifest allows."""
    action = tuple(replace(part, high=part.high / 2) for part in bundle.spec.action)
    tight = resealed(bundle, tmp_path / "tight", replace(bundle.spec, action=action))
    code = Compiled(generate(tight).files, tight.spec, tmp_path)
    low, high = (np.float32([getattr(part, end) for part in action]) for end in ("low", "high"))
    runtime, beyond = Runtime(tight), 0
    for observation in observations(tight.spec, 20):
        asked = runtime.decide(observation).command
        beyond += int((asked > high).sum())
        given = code.decide(observation).command
        assert (given <= high).all()
        np.testing.assert_allclose(given, np.clip(asked, low, high), rtol=1e-5, atol=1e-7)
    assert beyond > 20


def test_the_self_test_finds_a_damaged_constant_and_a_guard_that_was_optimised_away(
    bundle: Bundle, tmp_path: Path
) -> None:
    files = dict(generate(bundle).files)
    source = files["policy.c"].decode()
    first = re.search(r"static const float constant_\d+\[670\] = \{\n    (\S+)f,", source)
    assert first
    damaged = source[: first.start(1)] + "9.5" + source[first.end(1) :]
    blind = source.replace("(seen.bits & 0x7f800000u) != 0x7f800000u", "1")
    for name, text, status in (("damaged", damaged, 1), ("blind", blind, 2)):
        assert text != source
        directory = tmp_path / name
        directory.mkdir()
        code = Compiled(files | {"policy.c": text.encode()}, bundle.spec, directory)
        assert code.selftest()[0] == status


@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only"])
def test_options_that_lose_nan_are_refused(bundle: Bundle, tmp_path: Path, flag: str) -> None:
    with pytest.raises(CompilerError, match="compile without -ffast-math"):
        Compiled(generate(bundle).files, bundle.spec, tmp_path, ("-std=c99", "-O2", flag))


def test_names_and_units_of_a_manifest_come_through_whatever_they_are(bundle: Bundle, tmp_path: Path) -> None:
    names = ('"*/ #error', "int", "int", "??/ \\", "a//b$x µ")
    action = tuple(replace(part, name=name) for part, name in zip(bundle.spec.action, names, strict=True))
    image, seam = bundle.spec.observation
    components = tuple(Component(name=f"/*{index}*/", unit="m", low=-0.01, high=0.02) for index in range(6))
    group = '"??/*/ int'
    spec = replace(
        bundle.spec,
        name="*/ int x; /*",
        action=action,
        observation=(image, replace(seam, name=group, components=components)),
        controller=ControllerSetup(
            settings=(Setting(name="*/ double", unit="N/m", value=(0.1, 1e300), frame="*/ tool"),),
            frames={"action": "??/", group: "*/"},
        ),
    )
    model = onnx.load_model_from_string(bundle.files[POLICY])
    for node in model.graph.node:
        node.input[:] = [group if name == "seam" else name for name in node.input]
    model.graph.input[1].name = group
    golden = bundle.golden
    renamed = {"image": golden.observations["image"], group: golden.observations["seam"]}
    files = dict(bundle.files) | {
        POLICY: model.SerializeToString(),
        GOLDEN: replace(golden, observations=renamed).to_bytes(),
    }
    write_bundle(tmp_path / "hostile", spec, files)
    hostile = Bundle.load(tmp_path / "hostile")
    code = Compiled(generate(hostile).files, spec, tmp_path, (*STRICT, "-O2"))
    texts = ctypes.c_char_p * len(action)
    for what in ("name", "unit"):
        table = texts.in_dll(code.library, f"policy_action_{what}s")
        assert [(text or b"").decode() for text in table] == [getattr(part, what) for part in action]
    setting = (ctypes.c_double * 2).in_dll(code.library, "policy_setting_double_value")
    assert list(setting) == [0.1, 1e300]
    digest = (ctypes.c_char * 65).in_dll(code.library, "policy_bundle")
    assert digest.value.decode() == hostile.digest
    assert ctypes.c_double.in_dll(code.library, "policy_rate_hz").value == 25.0
    assert code.selftest()[0] == 0


def test_identifiers_are_distinct_and_legal() -> None:
    assert identifiers(["a b", "a_b", "3rd", "int", "é", "", "Force X", "force_x", "x__y_"]) == [
        *("a_b", "a_b_2", "n_3rd", "int_value", "unnamed", "unnamed_2", "force_x", "force_x_2", "x_y"),
    ]


def test_the_same_bundle_gives_the_same_bytes_and_names_itself(bundle: Bundle, bundle_dir: Path) -> None:
    once, again = generate(bundle).files, generate(Bundle.load(bundle_dir)).files
    assert once == again
    assert all(bundle.digest.encode() in data for data in once.values())


@pytest.mark.parametrize("prefix", ["", "Policy", "a-b", "_a", "a__b", "9a", "a_", "a" * 33, "a;"])
def test_a_prefix_that_cannot_begin_a_name_is_refused(bundle: Bundle, prefix: str) -> None:
    with pytest.raises(ValueError, match="cannot begin names; use lower-case letters"):
        generate(bundle, prefix=prefix)


def test_two_policies_fit_into_one_program(bundle: Bundle, tmp_path: Path) -> None:
    calls = []
    for prefix in ("left", "right_arm"):
        for name, data in generate(bundle, prefix=prefix, vectors=3).files.items():
            (tmp_path / name).write_bytes(data)
        calls.append(
            f"{{ {prefix}_selftest_result r; bad += {prefix}_selftest(&r) != 0 || r.vectors != 3; }}"
        )
    (tmp_path / "main.c").write_text(
        '#include "left.h"\n#include "right_arm.h"\n'
        f"int main(void) {{ int bad = 0; {' '.join(calls)} return bad; }}\n"
    )
    compile_c("-O1", "-o", tmp_path / "both", *sorted(tmp_path.glob("*.c")), "-lm")
    assert subprocess.run([tmp_path / "both"], check=False).returncode == 0


def test_all_vectors_are_compared_where_more_are_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    code = Compiled(generate(bundle, vectors=10**6).files, bundle.spec, tmp_path, ("-O0",))
    assert code.selftest()[4] == len(bundle.golden)


def test_memory_is_what_the_figures_say(bundle: Bundle, tmp_path: Path) -> None:
    generated = generate(bundle)
    for name, data in generated.files.items():
        (tmp_path / name).write_bytes(data)
    compile_c("-O2", "-c", tmp_path / "policy.c", "-o", tmp_path / "policy.o")
    size = shutil.which("size")
    assert size, "the tests of generated code need size, which comes with the C compiler"
    told = subprocess.run([size, "-A", tmp_path / "policy.o"], capture_output=True, text=True, check=True)
    sections = {
        name: int(count) for name, count in re.findall(r"^(\.\S+)\s+(\d+)", told.stdout, re.MULTILINE)
    }
    assert 0 <= sections[".bss"] - generated.figures.ram_bytes < 64
    assert sections[".data"] == 0
    assert 0 < stack_bytes(tmp_path, "policy") < 1024


def test_a_machine_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(CompilerError, match="no C compiler here: install one of cc, gcc, clang, or set CC"):
        compiler()
