"""`cellwright verify`: does this bundle do what the trained policy did?

Every check answers with one line. The open-loop checks compare the graph with recorded vectors *before*
clipping, because a clip makes a wrong graph look right; the closed-loop gate repeats recorded seeds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from cellwright_policies.export import OPSET, PARITY, edge_cases, parity
from cellwright_runtime.bundle.policy import (
    MANIFEST,
    POLICY,
    SCORECARD,
    Bundle,
    BundleError,
    PolicySpec,
)
from cellwright_runtime.runtime import Decision, Runtime
from cellwright_runtime.vocabulary import Component, ControllerSetup, Setting
from cellwright_train.errors import UsageError, one_line
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout import cell
from cellwright_train.rollout.cell import CellChoice, Episode
from cellwright_train.rollout.evaluation import evaluate
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.policies import PolicyReference

ALLOWED_OPERATORS = frozenset(
    """Abs Add AveragePool Cast Clip Concat Constant Conv Div Elu Exp Flatten Gather GatherND Gelu Gemm
    GlobalAveragePool HardSwish Identity LayerNormalization LeakyRelu Log MatMul Max MaxPool Min Mul
    Neg Pow Reciprocal ReduceMax ReduceMean ReduceSum Relu Reshape Selu Shape Sigmoid Slice Softmax Softplus
    Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze""".split()  # noqa: SIM905  a list of 45 lines is no easier to read
)
"""Deterministic, stateless operators that small inference engines and code generators know."""
COMMAND_TOLERANCE = 1e-5
"""Of a command's range; float32 scaling stays far below."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the verdict."""

    name: str
    passed: bool
    detail: str


class _CheckFailedError(Exception):
    """Carries the reason out of a check."""


def verify(
    directory: Path,
    *,
    against: PolicyReference | None = None,
    episodes: int = 20,
    workers: int = 2,
    progress: bool = True,
) -> list[Check]:
    """Every check; the closed loop only for a bundle that passed the others, and not at 0 `episodes`."""
    checks = verify_open_loop(directory)
    if all(check.passed for check in checks):
        checks.append(verify_layout(directory))
    if episodes > 0 and all(check.passed for check in checks):
        checks.append(
            verify_closed_loop(
                directory, against=against, episodes=episodes, workers=workers, progress=progress
            )
        )
    return checks


def verify_open_loop(directory: Path) -> list[Check]:
    """Files, graph, layout and recorded vectors; stops at the first check that others build on."""
    checks: list[Check] = []
    loaded: list[Any] = []

    def load_files() -> str:
        loaded.append(Bundle.load(directory))
        return f"{len(loaded[0].files)} files match their sha256"

    def load_runtime() -> str:
        loaded.append(Runtime(directory))
        return "loads in ONNX Runtime with the manifest's inputs and outputs"

    for name, attempt in (
        ("files", load_files),
        ("graph", lambda: _check_graph(loaded[0])),
        ("interface", load_runtime),
    ):
        checks.append(_attempt(name, attempt))
        if not checks[-1].passed:
            return checks
    runtime: Runtime = loaded[1]
    return [
        *checks,
        _attempt("golden vectors", lambda: _check_golden(runtime)),
        _attempt("golden coverage", lambda: _check_coverage(runtime)),
        _attempt("clipping and commands", lambda: _check_outputs(runtime)),
        _attempt("edge observations", lambda: _check_edges(runtime)),
    ]


def verify_layout(directory: Path) -> Check:
    """Compare names, units, bounds and order with the environment the bundle says it was trained in."""
    return _attempt("layout", lambda: _check_layout(Bundle.load(directory).spec))


def verify_closed_loop(
    directory: Path,
    *,
    against: PolicyReference | None = None,
    episodes: int = 20,
    workers: int = 2,
    progress: bool = True,
) -> Check:
    """Repeat the scorecard's first `episodes` with the bundle: the same parts must be good.

    The reference is what the scorecard recorded from the training framework at export, or, where `against`
    names a run, that run's policy on the same seeds now.
    """
    return _attempt(
        "closed loop", lambda: _check_closed_loop(directory, against, episodes, workers, progress)
    )


def _attempt(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name=name, passed=True, detail=check())
    except (_CheckFailedError, BundleError, UsageError) as error:
        return Check(name=name, passed=False, detail=one_line(error))


def _check_graph(bundle: Bundle) -> str:
    try:
        model = onnx.load_model_from_string(bundle.files[POLICY])
    except Exception as error:  # protobuf's errors share no base with a narrower meaning
        raise _CheckFailedError(f"{POLICY} is not an ONNX model: {one_line(error)[:120]}") from None
    if outside := [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]:
        raise _CheckFailedError(
            f"{POLICY} keeps {outside[0]} in an external data file; a bundle needs one self-contained file"
        )
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # see above
        raise _CheckFailedError(f"{POLICY} is not valid ONNX: {one_line(error)[:120]}") from None
    _check_operators(model)
    _check_clip(model)
    return f"opset {model.opset_import[0].version}, {len(model.graph.node)} operators, one file"


def _check_operators(model: onnx.ModelProto) -> None:
    domains = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if set(domains) != {"ai.onnx"} or model.functions:
        raise _CheckFailedError(f"{POLICY} uses operator sets {', '.join(domains)}; only ai.onnx is allowed")
    if domains["ai.onnx"] > OPSET:
        raise _CheckFailedError(f"{POLICY} needs opset {domains['ai.onnx']}, the limit is {OPSET}")
    if foreign := sorted({node.op_type for node in model.graph.node} - ALLOWED_OPERATORS):
        raise _CheckFailedError(f"{POLICY} uses {', '.join(foreign)}, which is not on the operator list")
    for value in (*model.graph.input, *model.graph.output):
        sizes = value.type.tensor_type.shape.dim
        if not sizes or any(size.HasField("dim_param") or size.dim_value < 1 for size in sizes):
            raise _CheckFailedError(f"{POLICY} {value.name} has a dynamic shape; batch 1 must be static")


def _check_clip(model: onnx.ModelProto) -> None:
    """`action` must come out of a clip of `action_preclip`, even where no recorded vector saturates."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    node = made_by.get("action")
    if node is None or node.op_type != "Clip" or node.input[0] != "action_preclip":
        raise _CheckFailedError(f"{POLICY} does not clip: 'action' must be Clip(action_preclip, -1, 1)")


def _check_golden(runtime: Runtime) -> str:
    golden = runtime.bundle.golden
    actions = len(runtime.spec.action)
    if golden.action_preclip.shape != (len(golden), actions) or golden.action.shape != (len(golden), actions):
        raise _CheckFailedError(f"golden actions are {golden.action_preclip.shape}, need (N, {actions})")
    decisions = _replay(runtime, golden.observations, len(golden))
    answer = np.stack([decision.action_preclip for decision in decisions])
    result = parity(answer, golden.action_preclip)
    if not result.ok:
        row = result.worst_row
        worst = int(np.argmax(np.abs(answer[row] - golden.action_preclip[row])))
        raise _CheckFailedError(
            f"pre-clip {runtime.spec.action[worst].name} of row {row} is {answer[row, worst]:.5f}, "
            f"torch gave {golden.action_preclip[row, worst]:.5f} "
            f"(largest difference {result.max_abs:.1e}, limit {PARITY:.0e}): graph and recording disagree"
        )
    clipped = np.clip(golden.action_preclip, -1.0, 1.0)
    if np.abs(golden.action - clipped).max() > PARITY:
        raise _CheckFailedError(
            "the recorded actions are not the recorded pre-clip actions clipped to [-1, 1]"
        )
    return f"{len(golden)} vectors, largest pre-clip difference {result.max_abs:.1e} (limit {PARITY:.0e})"


def _check_coverage(runtime: Runtime) -> str:
    """Vectors that are all alike could not tell a swapped channel from a right one."""
    golden = runtime.bundle.golden
    if golden.on_policy < 1:
        raise _CheckFailedError("no golden vector was recorded while the policy ran")
    for group in runtime.spec.observation:
        # One number, such as the only part's force limit, has no order to be mistaken: edge cases vary it.
        rows_meant = len(golden) if group.shape == (1,) else golden.on_policy
        rows = golden.observations[group.name][:rows_meant].astype(np.float64)
        if group.dtype == "uint8" and rows.std(axis=(1, 2, 3)).max() == 0:
            raise _CheckFailedError(f"every recorded {group.name!r} is blank, so it proves nothing")
        if np.ptp(rows, axis=0).max() == 0:
            raise _CheckFailedError(f"every recorded {group.name!r} is the same, so it proves nothing")
    return f"{golden.on_policy} on-policy vectors vary in every group"


def _check_outputs(runtime: Runtime) -> str:
    low, high = _limits(runtime.spec.action)
    golden = runtime.bundle.golden
    for row, decision in enumerate(_replay(runtime, golden.observations, len(golden))):
        if not np.array_equal(decision.action, np.clip(decision.action_preclip, -1.0, 1.0)):
            raise _CheckFailedError(
                f"action of golden row {row} is not the pre-clip action clipped to [-1, 1]"
            )
        wanted = low + 0.5 * (decision.action.astype(np.float64) + 1.0) * (high - low)
        wrong = np.abs(decision.command - wanted) > COMMAND_TOLERANCE * (high - low)
        if wrong.any():
            index = int(np.argmax(wrong))
            part = runtime.spec.action[index]
            raise _CheckFailedError(
                f"command {part.name} of golden row {row} is {decision.command[index]:.6g}, "
                f"action {decision.action[index]:.4f} means {wanted[index]:.6g} {part.unit}: "
                "wrong unit or scale"
            )
    units = ", ".join(part.unit for part in runtime.spec.action)
    return f"actions stay in [-1, 1], commands in their limits ({units})"


def _check_edges(runtime: Runtime) -> str:
    edges = edge_cases(runtime.spec)
    rows = len(next(iter(edges.values())))
    for row, decision in enumerate(_replay(runtime, edges, rows)):
        if not (np.isfinite(decision.action_preclip).all() and np.abs(decision.action).max() <= 1.0):
            raise _CheckFailedError(
                f"edge observation {row} gives {decision.action_preclip}, not a finite action"
            )
    return f"{rows} black, white, constant and extreme observations give finite actions"


def _check_layout(spec: PolicySpec) -> str:
    choice = CellChoice(env=spec.environment, disturbances="none")
    env = choice.make()
    try:
        groups = cell.observation_groups(env, tuple(group.name for group in spec.observation))
        actions, rate_hz = cell.action_components(env), cell.control_rate_hz(env)
        controller = cell.controller(env)
    except KeyError as error:
        raise _CheckFailedError(f"{choice.env} has no observation group {error}") from None
    finally:
        env.close()
    for ours, theirs in zip(spec.observation, groups, strict=True):
        if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            raise _CheckFailedError(
                f"{MANIFEST} says {ours.name} is {ours.dtype} {ours.shape}, {choice.env} gives "
                f"{theirs.dtype} {theirs.shape}"
            )
        _same_components(ours.name, ours.components, theirs.components, choice.env)
    _same_components("action", spec.action, actions, choice.env)
    if spec.control_rate_hz != rate_hz:
        raise _CheckFailedError(
            f"{MANIFEST} says {spec.control_rate_hz} Hz, {choice.env} runs at {rate_hz} Hz"
        )
    _same_controller(spec.controller, controller, choice.env)
    return f"names, units, bounds, order and controller settings are those of {choice.env}"


def _same_controller(ours: ControllerSetup, theirs: ControllerSetup, env_id: str) -> None:
    mine, wanted = ({each.name: each for each in one.settings} for one in (ours, theirs))
    for name in mine | wanted:
        if mine.get(name) != wanted.get(name):
            raise _CheckFailedError(
                f"{MANIFEST} controller {name} is {_told(mine.get(name))}, "
                f"in {env_id} it is {_told(wanted.get(name))}"
            )
    if ours.frames != theirs.frames:
        raise _CheckFailedError(f"{MANIFEST} has the frames {ours.frames}, {env_id} has {theirs.frames}")


def _told(setting: Setting | None) -> str:
    if setting is None:
        return "missing"
    values = ", ".join(f"{value:g}" for value in setting.value)
    return f"{values} {setting.unit}{setting.frame and f' in {setting.frame}'}"


def _same_components(where: str, ours: Sequence[Component], theirs: Sequence[Component], env_id: str) -> None:
    for index, (mine, wanted) in enumerate(zip(ours, theirs, strict=True)):
        if mine != wanted:
            raise _CheckFailedError(
                f"{MANIFEST} {where} element {index} is {_described(mine)}, {env_id} has {_described(wanted)}"
            )


def _described(part: Component) -> str:
    return f"{part.name} [{part.low:g}, {part.high:g}] {part.unit}"


def _check_closed_loop(
    directory: Path, against: PolicyReference | None, episodes: int, workers: int, progress: bool
) -> str:
    bundle = Bundle.load(directory)
    recorded = _recorded(bundle)
    plan, wanted = (list(each)[:episodes] for each in zip(*recorded, strict=True))
    choice = _choice(bundle, [episode for episode, _ in recorded])
    if against is not None:
        against.require_fit(choice.env)
        wanted = list(evaluate(against, choice, plan, workers=workers, progress=progress).results)
    reference = PolicyReference(name=f"bundle {directory.name}", kind="bundle", path=directory)
    worked = evaluate(reference, choice, plan, workers=workers, progress=progress)
    for result, before in zip(worked.results, wanted, strict=True):
        if result.verdict != before.verdict:
            raise _CheckFailedError(
                f"seed {result.seed} ({result.product}) gives {result.told} with the bundle, "
                f"{before.told} with {against.name if against else 'the policy as exported'}"
            )
    source = against.name if against else "the recorded results"
    return f"{len(plan)} seeds repeated, the same parts are good as with {source} ({worked.good} of them)"


def _recorded(bundle: Bundle) -> list[tuple[Episode, EpisodeResult]]:
    """Every episode of the scorecard and how it ended."""
    entries = bundle.scorecard.get("per_episode", [])
    if not isinstance(entries, list):
        raise _CheckFailedError(f"{SCORECARD} per_episode is {entries!r}, not a list of episodes")
    if not entries:
        raise _CheckFailedError(f"{SCORECARD} records no episode to repeat")
    kind = family_of(bundle.spec.environment).result
    return [_episode(kind, entry, f"{SCORECARD} episode {i}") for i, entry in enumerate(entries)]


def _episode(kind: type[EpisodeResult], entry: Any, where: str) -> tuple[Episode, EpisodeResult]:
    if not isinstance(entry, dict):
        raise _CheckFailedError(f"{where} is {entry!r}, not an object")
    try:
        seed, product = entry["seed"], entry["product"]
        if type(seed) is not int or seed < 0:
            raise _CheckFailedError(f"{where} has the seed {seed!r}, not a whole number from 0")
        if not isinstance(product, str | None):
            raise _CheckFailedError(f"{where} has the product {product!r}, not a name")
        return Episode(seed, product or None), kind.from_json(entry)
    except KeyError as error:
        raise _CheckFailedError(f"{where} lacks {error}") from None
    except (TypeError, ValueError) as error:
        raise _CheckFailedError(f"{where} is not what {kind.__name__} wrote: {one_line(error)}") from None


def _choice(bundle: Bundle, plan: Sequence[Episode]) -> CellChoice:
    products = tuple(dict.fromkeys(episode.product for episode in plan if episode.product))
    disturbances = bundle.scorecard.get("disturbances")
    if not isinstance(disturbances, str):
        raise _CheckFailedError(f"{SCORECARD} disturbances is {disturbances!r}, not a name")
    return CellChoice(env=bundle.spec.environment, products=products, disturbances=disturbances)


def _limits(components: Sequence[Component]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([part.low for part in components]), np.array([part.high for part in components])


def _replay(runtime: Runtime, observations: Any, rows: int) -> list[Decision]:
    return [
        runtime.decide({name: values[row] for name, values in observations.items()}) for row in range(rows)
    ]
