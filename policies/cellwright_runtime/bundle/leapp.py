"""`leapp.yaml`: a bundle's graph as LEAPP describes one, for programs that read that format.

The file describes policy.onnx, which stays the policy: names, shapes and types of inputs and outputs, names
of their elements, the rate, and the hashes of the graph. LEAPP has no word for camera images or for most
quantities of this project, so `kind` is given only where its list has the very quantity. JSON is YAML too, so
the file is written as every other of a bundle.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from cellwright_runtime.bundle.policy import POLICY, PolicySpec
from cellwright_runtime.files.json_text import canonical_json
from cellwright_runtime.graph.model import read_model

_NODE = "policy"
_CONFIG_VERSION = "1.3"
_KINDS = {"wrench": "state/wrench"}


def leapp_yaml(graph: bytes, spec: PolicySpec) -> bytes:
    """The content of leapp.yaml for a `graph`, the content of policy.onnx."""
    model = read_model(graph, POLICY)
    groups = {group.name: group.components for group in spec.observation}
    inputs = [
        _tensor(each, found.dtype, found.shape, [part.name for part in groups[each]])
        for each, found in model.inputs.items()
    ]
    outputs = [
        _tensor(each, found.dtype, found.shape, [part.name for part in spec.action])
        for each, found in model.outputs.items()
    ]
    node = {
        "inputs": inputs,
        "outputs": outputs,
        "parameters": {
            "backend": "onnx",
            "model_path": POLICY,
            "md5sum": hashlib.md5(graph, usedforsecurity=False).hexdigest(),
            "sha256sum": hashlib.sha256(graph).hexdigest(),
        },
    }
    described = {
        "models": {_NODE: node},
        "pipeline": {
            "configs": {"frequency": spec.control_rate_hz},
            "data_flow": {},
            "feedback_flow": {},
            "inputs": {_NODE: [each["name"] for each in inputs]},
            "outputs": {_NODE: [each["name"] for each in outputs]},
        },
        "system information": {
            "leapp config version": _CONFIG_VERSION,
            "producer": "cellwright",
            "policy": spec.name,
            "environment": spec.environment,
        },
    }
    return canonical_json(described)


def _tensor(name: str, dtype: str, shape: Sequence[int], elements: list[str]) -> dict[str, Any]:
    """One input or output. Axis by axis, `element_names` are the names of its elements or null."""
    axes: list[list[str] | None] = [None] * len(shape)
    axes[1] = elements
    kind = {"kind": _KINDS[name]} if name in _KINDS else {}
    return {
        "name": name,
        "dtype": dtype,
        "shape": list(shape),
        "type": "tensor",
        "element_names": axes,
        **kind,
    }
