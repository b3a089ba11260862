"""A bundle as one object of plain data, as `cellwright inspect --json` prints it."""

import json
from typing import Any

from cellwright_runtime.bundle.container import SIGNATURE
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import SAFETY


def described(bundle: Bundle) -> dict[str, Any]:
    """Manifest and envelope as they are in the bundle, with what loading it found."""
    return {
        "manifest": json.loads(bundle.container.manifest),
        "safety": json.loads(bundle.files[SAFETY]) if SAFETY in bundle.files else None,
        "graph": {
            "opset": bundle.model.opset,
            "operators": sorted({each.kind for each in bundle.model.operators}),
            "multiplications": bundle.cost.multiplications,
        },
        "golden": {"vectors": len(bundle.golden), "on_policy": bundle.golden.on_policy},
        "signature": SIGNATURE if bundle.container.signature is not None else None,
    }
