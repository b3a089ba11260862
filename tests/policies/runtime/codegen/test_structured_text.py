"""Views in C and heads in Structured Text decide together as the whole policy does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from cellwright_runtime.bundle.policy import Bundle, ObservationGroup
from cellwright_runtime.codegen.compiled import Compiled
from cellwright_runtime.codegen.interface import interface_of
from cellwright_runtime.codegen.lowering import program_of
from cellwright_runtime.codegen.program import sized
from cellwright_runtime.codegen.structured_text import NoStructuredTextError, structured_text
from cellwright_runtime.graph.bounds import known_values
from cellwright_runtime.graph.model import read_model
from cellwright_runtime.runtime import Runtime
from cellwright_runtime.vocabulary import Component
from tests.policies.runtime.codegen.code import Observation, generated, observations
from tests.policies.runtime.codegen.structured_text import Block
from tests.policies.runtime.codegen.test_operators_in_c import GRAPHS, IMAGE, NAMES, Graph, one
from tests.policies.runtime.graph.test_operators import X

LIMIT = 1e-5


@dataclass(frozen=True, kw_only=True)
class Split:
    """A policy of which the views run in C, and the rest in Structured Text."""

    bundle: Bundle
    views: Compiled
    heads: Block
    features: int

    def inputs(self, observation: Observation) -> dict[str, Any]:
        self.views.give(observation)
        given: dict[str, Any] = {"features": self.views.view([self.features])[0]}
        for group in self.bundle.spec.observation:
            if group.dtype == "float32":
                given[f"in_{group.name}"] = observation[group.name].ravel()
        return given


@pytest.fixture(scope="module", params=["peg-insertion", "weld-seam"])
def split(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Split:
    bundle, code = generated(request.param)
    views = Compiled(code.files, bundle.spec, tmp_path_factory.mktemp("views"), ("-std=c99", "-O0"))
    heads = Block(code.files["policy.st"].decode())
    assert heads.name == "fb_policy"
    assert not [each for each in code.left_out if "Structured Text" in each]
    return Split(bundle=bundle, views=views, heads=heads, features=len(heads.state["features"]))


def test_both_together_decide_as_onnx_runtime_does(split: Split) -> None:
    runtime = Runtime(split.bundle)
    ranges = np.array([part.high - part.low for part in split.bundle.spec.action])
    statuses = set()
    for index, observation in enumerate(observations(split.bundle.spec, 12)):
        if index % 3:
            continue  # a decision takes a twentieth of a second here
        answer = split.heads.execute(**split.inputs(observation))
        wanted = runtime.decide(observation)
        scale = np.maximum(1.0, np.abs(wanted.action_preclip))
        assert (np.abs(answer["fraction_preclip"] - wanted.action_preclip) / scale).max() <= LIMIT
        assert np.abs(answer["fraction"] - wanted.action).max() <= LIMIT
        assert (np.abs(answer["command"] - wanted.command) / ranges).max() <= LIMIT
        statuses.add(answer["status"])
    assert statuses == {0, 1}


def test_what_is_not_finite_is_refused_and_nothing_moves(split: Split) -> None:
    observation = next(observations(split.bundle.spec, 0))
    sound = split.inputs(observation)
    for name in sound:
        for value in (np.nan, np.inf, -np.inf):
            given = {each: np.array(values) for each, values in sound.items()}
            given[name][-1] = value
            answer = split.heads.execute(**given)
            assert answer["status"] == 2
            assert not any(answer["command"] + answer["fraction"] + answer["fraction_preclip"])
    assert split.heads.execute(**sound)["status"] < 2


def block_of(graph: Graph, bundle: Bundle) -> str:
    """A function block of the output y of a graph, negated, as actions that no limit clips."""
    last = [one("Flatten", "y", outputs=["row"], axis=0), one("Neg", "row", outputs=["negative"])]
    whole = replace(graph, nodes=[*graph.nodes, *last], outputs=["negative"])
    model = read_model(whole.model(), "graph")
    program = program_of(model, known_values(model, "graph"), "graph")
    found = program.outputs["negative"]
    numbers = [Component(name=f"n_{i}", unit="1", low=-1e6, high=1e6) for i in range(X.size)]
    spec = replace(
        bundle.spec,
        observation=(ObservationGroup(name="x", dtype="float32", shape=X.shape, components=tuple(numbers)),),
        action=tuple(replace(numbers[0], name=f"y_{i}") for i in range(sized(found.shape))),
    )
    outputs = dict.fromkeys(("action", "action_preclip", "command"), found)
    interface = interface_of(replace(bundle, spec=spec), program, "policy")
    return structured_text(interface, replace(program, outputs=outputs))


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return Bundle.load(bundle_dir)


OF_SIGNALS = [
    index
    for index, graph in enumerate(GRAPHS)
    if any("x" in node.input for node in graph.nodes) and "Gelu" not in NAMES[index]
]


@pytest.mark.parametrize("index", OF_SIGNALS, ids=lambda index: NAMES[index])
def test_an_operator_gives_what_onnx_runtime_gives(bundle: Bundle, index: int) -> None:
    graph = GRAPHS[index]
    given = np.abs(X) + np.float32(0.1)  # no logarithm of a negative number
    session = onnxruntime.InferenceSession(graph.model(), providers=["CPUExecutionProvider"])
    wanted = np.asarray(session.run(["y"], {"x": given, "v": IMAGE})[0]).ravel()
    answer = Block(block_of(graph, bundle)).execute(in_x=given.ravel())
    assert answer["status"] == 0
    np.testing.assert_allclose(answer["fraction_preclip"], -wanted, rtol=1e-5, atol=1e-5)


def test_a_policy_that_has_views_only_is_told(bundle: Bundle) -> None:
    graph = Graph(nodes=[one("Cast", "v", to=1)], constants={})
    with pytest.raises(NoStructuredTextError, match="views only, and nothing that follows them"):
        block_of(graph, bundle)


def test_an_operator_that_the_language_lacks_is_named(bundle: Bundle) -> None:
    with pytest.raises(NoStructuredTextError, match="Gelu y needs erf, which Structured Text does not have"):
        block_of(Graph(nodes=[one("Gelu", "x")], constants={}), bundle)
