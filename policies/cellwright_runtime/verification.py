"""Does this bundle do what the trained policy did? Checks that need neither the cell nor the training stack.

Every check answers with one line. The graph is compared with recorded vectors *before* clipping, because a
clip makes a wrong graph look right. What a bundle may hold at all, `Bundle.load` decides for all commands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellwright_runtime.bundle.card import model_card
from cellwright_runtime.bundle.leapp import leapp_yaml
from cellwright_runtime.bundle.policy import CARD, LEAPP, POLICY, Bundle
from cellwright_runtime.bundle.signature import require_public_key, require_signature
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.parity import PARITY, edge_cases, parity, replay
from cellwright_runtime.runtime import Decision, Runtime

COMMAND_TOLERANCE = 1e-5
"""Of a command's range; float32 scaling stays far below."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the verdict."""

    name: str
    passed: bool
    detail: str


class CheckFailedError(Exception):
    """Carries the reason out of a check."""


def attempt(name: str, check: Callable[[], str], also: type[Exception] = CheckFailedError) -> Check:
    """The line of a check that returns what it found; it fails by raising, `also` by this type of error."""
    try:
        return Check(name=name, passed=True, detail=check())
    except (CheckFailedError, FileError, also) as error:
        return Check(name=name, passed=False, detail=" ".join(str(error).split()))


def verify_open_loop(directory: Path) -> list[Check]:
    """Files, graph and recorded vectors; stops at the first check that others build on."""
    bundles: list[Bundle] = []
    runtimes: list[Runtime] = []

    def load_files() -> str:
        bundles.append(Bundle.load(directory))
        return f"{len(bundles[0].files)} files match their sha256 and each other"

    def load_runtime() -> str:
        runtimes.append(Runtime(bundles[0]))
        return "loads in ONNX Runtime with the manifest's inputs and outputs"

    checks: list[Check] = []
    for name, check in (
        ("files", load_files),
        ("graph", lambda: _graph(bundles[0])),
        ("interface", load_runtime),
    ):
        checks.append(attempt(name, check))
        if not checks[-1].passed:
            return checks
    runtime, decisions = runtimes[0], list[Decision]()
    return [
        *checks,
        attempt("golden vectors", lambda: _check_golden(runtime, decisions)),
        attempt("golden coverage", lambda: _check_coverage(runtime.bundle)),
        attempt("clipping and commands", lambda: _check_outputs(runtime.bundle, decisions)),
        attempt("edge observations", lambda: _check_edges(runtime)),
        attempt("sidecars", lambda: _check_sidecars(runtime.bundle)),
    ]


def verify_signature(directory: Path, key: Path) -> Check:
    """Whether the public `key` signed the bundle; raises `FileError` where it is no key."""
    require_public_key(key)

    def check() -> str:
        require_signature(Bundle.load(directory).container, key)
        return f"{key} signed these files"

    return attempt("signature", check)


def _graph(bundle: Bundle) -> str:
    """What the graph is like; that it may be so was found when the bundle was loaded."""
    millions = bundle.cost.multiplications / 1e6
    return (
        f"opset {bundle.model.opset}, {len(bundle.model.operators)} operators, one file, "
        f"{millions:.1f} million multiplications a decision"
    )


def _check_golden(runtime: Runtime, decisions: list[Decision]) -> str:
    """Compare with what was recorded; the `decisions` on it are kept for the checks behind this one."""
    golden = runtime.bundle.golden
    decisions += replay(runtime, golden.observations)
    answer = np.stack([decision.action_preclip for decision in decisions])
    result = parity(answer, golden.action_preclip)
    if not result.ok:
        row = result.worst_row
        worst = int(np.argmax(np.abs(answer[row] - golden.action_preclip[row])))
        raise CheckFailedError(
            f"pre-clip {runtime.spec.action[worst].name} of row {row} is {answer[row, worst]:.5f}, "
            f"torch gave {golden.action_preclip[row, worst]:.5f} "
            f"(largest difference {result.max_abs:.1e}, limit {PARITY:.0e}): graph and recording disagree"
        )
    clipped = np.clip(golden.action_preclip, -1.0, 1.0)
    if np.abs(golden.action - clipped).max() > PARITY:
        raise CheckFailedError(
            "the recorded actions are not the recorded pre-clip actions clipped to [-1, 1]"
        )
    return f"{len(golden)} vectors, largest pre-clip difference {result.max_abs:.1e} (limit {PARITY:.0e})"


def _check_coverage(bundle: Bundle) -> str:
    """Vectors that are all alike could not tell a swapped channel from a right one."""
    golden = bundle.golden
    if golden.on_policy < 1:
        raise CheckFailedError("no golden vector was recorded while the policy ran")
    for group in bundle.spec.observation:
        # One number, such as the only part's force limit, has no order to be mistaken: edge cases vary it.
        rows_meant = len(golden) if group.shape == (1,) else golden.on_policy
        rows = golden.observations[group.name][:rows_meant]
        if group.dtype == "uint8" and not np.ptp(rows, axis=(1, 2, 3)).any():
            raise CheckFailedError(f"every recorded {group.name!r} is blank, so it proves nothing")
        if not np.ptp(rows, axis=0).any():
            raise CheckFailedError(f"every recorded {group.name!r} is the same, so it proves nothing")
    return f"{golden.on_policy} on-policy vectors vary in every group"


def _check_outputs(bundle: Bundle, decisions: list[Decision]) -> str:
    spec = bundle.spec
    low, high = (np.array([getattr(part, end) for part in spec.action]) for end in ("low", "high"))
    for row, decision in enumerate(decisions):
        if not np.array_equal(decision.action, np.clip(decision.action_preclip, -1.0, 1.0)):
            raise CheckFailedError(
                f"action of golden row {row} is not the pre-clip action clipped to [-1, 1]"
            )
        wanted = low + 0.5 * (decision.action.astype(np.float64) + 1.0) * (high - low)
        wrong = np.abs(decision.command - wanted) > COMMAND_TOLERANCE * (high - low)
        if wrong.any():
            index = int(np.argmax(wrong))
            part = spec.action[index]
            raise CheckFailedError(
                f"command {part.name} of golden row {row} is {decision.command[index]:.6g}, "
                f"action {decision.action[index]:.4f} means {wanted[index]:.6g} {part.unit}: "
                "wrong unit or scale"
            )
    units = ", ".join(part.unit for part in spec.action)
    return f"actions stay in [-1, 1], commands in their limits ({units})"


def _check_edges(runtime: Runtime) -> str:
    decisions = list(replay(runtime, edge_cases(runtime.spec)))  # each raises where it is not finite
    return f"{len(decisions)} black, white, constant and extreme observations give finite actions"


def _check_sidecars(bundle: Bundle) -> str:
    """A card that praises what the manifest does not, or another graph's description, would mislead."""
    wanted = {
        LEAPP: leapp_yaml(bundle.files[POLICY], bundle.spec),
        CARD: model_card(bundle.spec, bundle.safety),
    }
    for name, content in wanted.items():
        if name in bundle.files and bundle.files[name] != content:
            raise CheckFailedError(
                f"{name} is not what this version makes of manifest and graph; write the bundle anew with "
                "cellwright export"
            )
    here = [name for name in wanted if name in bundle.files]
    return f"{' and '.join(here)} follow from manifest and graph" if here else "there are none"
