"""Run by the interpreter of the new environment: nothing of the checkout is on its path."""

import importlib.metadata
import importlib.util
import json
import sys

import numpy as np

from cellwright_policies import zoo
from cellwright_runtime.runtime import Runtime

ABSENT = ("torch", "pybullet", "gymnasium", "stable_baselines3", "numba", "cv2", "onnx")


def main() -> int:
    """Print what was found as JSON; returns 1 where a policy differs or a heavy package is there."""
    worst = {name: _worst(name) for name in zoo.names()}
    present = [name for name in ABSENT if importlib.util.find_spec(name)]
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "onnxruntime", "cellwright")}
    print(json.dumps({"worst": worst, "present": present, "versions": versions}))
    return 0 if worst and max(worst.values()) <= 1e-5 and not present else 1


def _worst(name: str) -> float:
    """Largest difference of an action before clipping from the recorded ones."""
    runtime = Runtime(zoo.path(name))
    golden = runtime.bundle.golden
    differences = []
    for row, wanted in enumerate(golden.action_preclip):
        observation = {group: values[row] for group, values in golden.observations.items()}
        differences.append(float(np.abs(runtime.decide(observation).action_preclip - wanted).max()))
    return max(differences)


if __name__ == "__main__":
    sys.exit(main())
