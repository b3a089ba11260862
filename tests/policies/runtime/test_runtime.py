import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cellwright_runtime.bundle.container import BundleError
from cellwright_runtime.bundle.policy import POLICY, Bundle, PolicySpec, write_bundle
from cellwright_runtime.parity import replay
from cellwright_runtime.runtime import DecisionError, ObservationError, Runtime

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def runtime(bundle_dir: Path) -> Runtime:
    return Runtime(bundle_dir)


def test_actions_are_the_recorded_ones(runtime: Runtime) -> None:
    golden = runtime.bundle.golden
    for row in range(len(golden)):
        observation = {name: values[row] for name, values in golden.observations.items()}
        decision = runtime.decide(observation)
        np.testing.assert_allclose(decision.action_preclip, golden.action_preclip[row], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(decision.action, np.clip(decision.action_preclip, -1, 1))


def test_commands_are_physical_and_inside_their_limits(runtime: Runtime) -> None:
    low = np.array([component.low for component in runtime.spec.action])
    high = np.array([component.high for component in runtime.spec.action])
    golden = runtime.bundle.golden
    saturated = 0
    for row in range(len(golden)):
        decision = runtime.decide({name: values[row] for name, values in golden.observations.items()})
        expected = low + 0.5 * (decision.action + 1) * (high - low)
        np.testing.assert_allclose(decision.command, expected, atol=1e-6)
        saturated += int((np.abs(decision.action_preclip) > 1).any())
    assert saturated > 0  # otherwise this test could not see a missing clip


def test_keys_the_policy_does_not_take_are_ignored(runtime: Runtime, one_observation: Make) -> None:
    plain = runtime.act(one_observation())
    np.testing.assert_array_equal(runtime.act(one_observation(privileged=np.ones(30))), plain)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"seam": np.zeros(5, np.float32)}, r"'seam' is float32 \(5,\), the policy takes float32 \(6,\)"),
        ({"seam": np.zeros(6)}, r"'seam' is float64 \(6,\), the policy takes float32"),
        ({"image": np.zeros((16, 16, 2), np.uint8)}, r"'image' is uint8 \(16, 16, 2\)"),
        ({"image": np.zeros((2, 16, 16), np.float32)}, "'image' is float32"),
        (
            {"seam": np.array([0, 0, np.nan, 0, 0, 0], np.float32)},
            r"element 2 \(lateral_2\) is nan, not finite",
        ),
        (
            {"seam": np.array([np.inf, 0, 0, 0, 0, 0], np.float32)},
            r"element 0 \(lateral_0\) is inf, not finite",
        ),
    ],
)
def test_an_unfit_observation_names_key_got_and_wanted(
    runtime: Runtime, one_observation: Make, replaced: dict[str, Any], message: str
) -> None:
    with pytest.raises(ObservationError, match=message) as caught:
        runtime.act(one_observation(**replaced))
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named(runtime: Runtime, one_observation: Make) -> None:
    observation = one_observation()
    del observation["image"]
    with pytest.raises(ObservationError, match="lacks 'image'; got seam"):
        runtime.act(observation)


def test_values_beyond_the_trained_bounds_act_as_the_bounds(runtime: Runtime, one_observation: Make) -> None:
    beyond = runtime.decide(one_observation(seam=np.full(6, 5.0, np.float32)))
    at_bound = runtime.decide(one_observation(seam=np.full(6, 0.02, np.float32)))
    np.testing.assert_array_equal(beyond.action_preclip, at_bound.action_preclip)


def rewritten(bundle_dir: Path, directory: Path, edit: Callable[[onnx.ModelProto], None]) -> Path:
    bundle = Bundle.load(bundle_dir)
    model = onnx.load_model_from_string(bundle.files[POLICY])
    edit(model)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    write_bundle(directory, bundle.spec, dict(bundle.files) | {POLICY: buffer.getvalue()})
    return directory


def test_an_answer_that_is_not_finite_is_told_and_never_given(bundle_dir: Path, tmp_path: Path) -> None:
    def take_roots(model: onnx.ModelProto) -> None:
        """The third action becomes NaN where the network gives less than 0."""
        node = next(node for node in model.graph.node if "action_preclip" in node.output)
        node.output[0] = "raw"
        root = onnx.helper.make_node("Sqrt", ["raw"], ["action_preclip"])
        model.graph.node.insert(list(model.graph.node).index(node) + 1, root)

    rooted = rewritten(bundle_dir, tmp_path / "rooted", take_roots)
    with pytest.raises(DecisionError, match=r"policy.onnx answers \w+ with nan, a command of nan") as caught:
        replay_all(Runtime(rooted))
    assert isinstance(caught.value, BundleError)
    assert "\n" not in str(caught.value)


def replay_all(runtime: Runtime) -> None:
    for _ in replay(runtime, runtime.bundle.golden.observations):
        pass


def test_a_loaded_bundle_runs_without_being_read_again(bundle_dir: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(shutil.copytree(bundle_dir, tmp_path / "gone"))
    shutil.rmtree(tmp_path / "gone")
    replay_all(Runtime(bundle))


def test_a_dynamic_batch_is_refused(bundle_dir: Path, tmp_path: Path) -> None:
    def loosen(model: onnx.ModelProto) -> None:
        model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "batch"

    with pytest.raises(BundleError, match="dynamic shape"):
        Runtime(rewritten(bundle_dir, tmp_path / "loose", loosen))


def test_a_damaged_graph_gets_one_line(bundle_dir: Path, tmp_path: Path, spec: PolicySpec) -> None:
    files = dict(Bundle.load(bundle_dir).files) | {POLICY: b"not a graph"}
    write_bundle(tmp_path / "damaged", spec, files)
    with pytest.raises(BundleError, match=r"policy.onnx is not a policy's ONNX graph") as caught:
        Runtime(tmp_path / "damaged")
    assert "\n" not in str(caught.value)
