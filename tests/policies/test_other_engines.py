"""Exported graphs in programs of others: a second runtime, and a quantiser."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cellwright_policies import export, zoo
from cellwright_runtime.bundle.policy import POLICY, Bundle
from cellwright_runtime.parity import parity
from cellwright_runtime.runtime import Runtime

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import openvino


def graph_of(bundle: Bundle) -> bytes:
    """As the exporter writes it today."""
    model = export._without_traces(onnx.load_from_string(bundle.files[POLICY]))
    return bytes(model.SerializeToString(deterministic=True))


@pytest.fixture(params=zoo.names())
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return Bundle.load(zoo.path(request.param))


def answers(bundle: Bundle, path: Path, rows: range) -> Any:
    """Actions before clipping (N, actions) of OpenVINO in single precision."""
    core = openvino.Core()
    # Without the hint it computes in bfloat16 where the processor can, which is wrong by 1e-3.
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.stack(
        [
            compiled({name: values[row : row + 1] for name, values in bundle.golden.observations.items()})[
                compiled.output("action_preclip")
            ][0]
            for row in rows
        ]
    )


def test_openvino_decides_as_the_training_framework_did(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / POLICY
    path.write_bytes(graph_of(bundle))
    rows = range(0, len(bundle.golden), 3)
    result = parity(answers(bundle, path, rows), bundle.golden.action_preclip[list(rows)], 1e-5)
    assert result.ok, result


def test_a_graph_carries_no_shapes_of_inner_values(bundle_dir: Path, bundle: Bundle) -> None:
    assert not onnx.load(bundle_dir / POLICY).graph.value_info
    assert not onnx.load_from_string(graph_of(bundle)).graph.value_info


def test_dropping_them_changes_no_decision(bundle: Bundle, tmp_path: Path) -> None:
    again = export.export_again(
        bundle, cameras=bundle.spec.cameras, safety=bundle.safety, directory=tmp_path / "b"
    )
    observation = {name: values[5] for name, values in bundle.golden.observations.items()}
    np.testing.assert_array_equal(Runtime(again).act(observation), Runtime(bundle).act(observation))


def test_onnx_runtimes_quantiser_takes_the_graph(bundle: Bundle, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path, smaller = tmp_path / POLICY, tmp_path / "int8.onnx"
    path.write_bytes(graph_of(bundle))
    quantize_dynamic(path, smaller, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QUInt8)
    assert smaller.stat().st_size < 0.75 * path.stat().st_size
    import onnxruntime

    session = onnxruntime.InferenceSession(smaller, providers=["CPUExecutionProvider"])
    feed = {name: values[:1] for name, values in bundle.golden.observations.items()}
    preclip = session.run(["action_preclip"], feed)[0]
    # Eight bits are near, not equal: this says that the quantised graph runs and is still this policy's.
    assert np.abs(preclip - bundle.golden.action_preclip[:1]).max() < 0.2
