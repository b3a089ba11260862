"""Every shipped policy in C gives the actions that ONNX Runtime gives."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.codegen.compiled import Compiled
from cellwright_runtime.codegen.figures import Figures
from cellwright_runtime.runtime import Runtime
from tests.policies.runtime.codegen.code import (
    SANITIZED,
    STRICT,
    compile_c,
    generated,
    observations,
    packed,
    symbols,
)

LIMIT = 1e-5
"""Largest difference of an action from ONNX Runtime's, above magnitude 1 in proportion."""
REPLAY = """
#include <stdio.h>
#include "policy.h"
int main(void) {
    static policy_observation observation;
    policy_action action;
    while (fread(&observation, sizeof observation, 1, stdin) == 1) {
        if (policy_step(&observation, &action) > POLICY_BEYOND_BOUNDS) {
            return 1;
        }
        fwrite(action.action_preclip, sizeof action.action_preclip, 1, stdout);
    }
    policy_selftest_result result;
    return policy_selftest(&result) == POLICY_SELFTEST_PASSED ? 0 : 2;
}
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    runtime: Runtime
    compiled: Compiled
    figures: Figures
    directory: Path

    @property
    def bundle(self) -> Bundle:
        return self.runtime.bundle


@pytest.fixture(scope="module", params=zoo.names())
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    bundle, code = generated(request.param)
    directory = tmp_path_factory.mktemp(request.param)
    compiled = Compiled(code.files, bundle.spec, directory, (*STRICT, "-O2"))
    return Case(runtime=Runtime(bundle), compiled=compiled, figures=code.figures, directory=directory)


def off(answer: np.ndarray, wanted: np.ndarray) -> float:
    return float((np.abs(answer - wanted) / np.maximum(1.0, np.abs(wanted))).max())


def test_actions_are_those_of_onnx_runtime(case: Case) -> None:
    golden, spec = case.bundle.golden, case.bundle.spec
    recorded = ({name: rows[row] for name, rows in golden.observations.items()} for row in range(len(golden)))
    ranges = np.array([part.high - part.low for part in spec.action])
    seen = beyond = 0
    for observation in (*recorded, *observations(spec, 60)):
        wanted, answer = case.runtime.decide(observation), case.compiled.decide(observation)
        assert answer.status in (0, 1)
        assert off(answer.action_preclip, wanted.action_preclip) <= LIMIT
        assert off(answer.action, wanted.action) <= LIMIT
        assert np.abs(answer.command - wanted.command).max() <= (LIMIT * ranges).max()
        outside = sum(
            int(((observation[group.name] < group.low) | (observation[group.name] > group.high)).sum())
            for group in spec.observation
        )
        assert (answer.beyond_bounds, answer.status) == (outside, int(outside > 0))
        seen, beyond = seen + 1, beyond + answer.status
    assert seen == len(golden) + 22 + 60
    assert beyond > 5


def test_the_self_test_passes_and_says_how_far_it_is_off(case: Case) -> None:
    status, largest, _, _, vectors = case.compiled.selftest()
    assert (status, vectors) == (0, 32)
    assert 0.0 < largest <= LIMIT


def test_nothing_is_called_but_mathematics(case: Case) -> None:
    library = case.directory / "policy.so"
    called = {name for name, kind in symbols(library, "--undefined-only").items() if kind != "w"}
    # A compiler makes the last three of loops and assignments that copy or fill.
    assert called <= {"expf", "sqrtf", "memcpy", "memmove", "memset"}
    assert {"policy_step", "policy_view", "policy_selftest"} <= symbols(library, "--defined-only").keys()


def test_figures_are_those_of_graph_and_compiler(case: Case) -> None:
    graph = onnx.load_model_from_string((case.bundle.directory / "policy.onnx").read_bytes()).graph
    weights = {each.name: numpy_helper.to_array(each).shape for each in graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(onnx.load(str(case.bundle.directory / "policy.onnx")))
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    products = 0
    for node in graph.node:
        if node.op_type == "Conv":
            products += int(np.prod(shapes[node.output[0]])) * int(np.prod(weights[node.input[1]][1:]))
        elif node.op_type == "Gemm":
            products += int(np.prod(weights[node.input[1]]))
    assert products <= case.figures.multiplications <= 1.02 * products
    assert case.figures.rom_bytes >= 4 * sum(
        int(np.prod(shape)) for shape in weights.values() if len(shape) > 1
    )


@pytest.mark.parametrize("name", ["peg-insertion", "weld-seam"])
def test_sanitizers_find_nothing(name: str, tmp_path: Path) -> None:
    bundle, code = generated(name)
    for file, data in code.files.items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / "replay.c").write_text(REPLAY)
    sources = [tmp_path / each for each in ("replay.c", "policy.c", "policy_selftest.c")]
    compile_c(*SANITIZED, "-o", tmp_path / "replay", *sources, "-lm")
    given = list(observations(bundle.spec, 20))
    done = subprocess.run(
        [tmp_path / "replay"],
        input=b"".join(packed(bundle.spec, each) for each in given),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    answers = np.frombuffer(done.stdout, np.float32).reshape(len(given), -1)
    runtime = Runtime(bundle)
    for observation, answer in zip(given, answers, strict=True):
        assert off(answer, runtime.decide(observation).action_preclip) <= LIMIT
