"""The policy bundle: a policy as it is shipped, readable with NumPy and the standard library.

```
<bundle>/policy.onnx     raw observation in, clipped action and physical command out, one self-contained graph
         manifest.json   layout with units, rates, limits, training provenance, scores, hashes
         golden.npz      recorded observations with the outputs the training framework gave for them
         scorecard.json  what the policy scored, seed by seed
         safety.json     the envelope: limits, trained ranges and times, each with its source
         leapp.yaml      the graph as LEAPP describes one, for programs that read that format
         CARD.md         all of this for people
         weights.npz     optional: every weight of the training policy, to continue training from it
```

Reading a bundle unpickles nothing, imports no training code and takes no path or class name from the
manifest. `Bundle.load` does not run the graph. It only computes the size of every array and the cost of one
decision.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.cameras import TrainedView, read_view
from cellwright_runtime.bundle.container import (
    MANIFEST,
    BundleError,
    Container,
    Kind,
    bundle_errors,
    write_container,
)
from cellwright_runtime.bundle.safety import MOST_SAFETY_BYTES, SAFETY, Safety
from cellwright_runtime.bundle.vectors import GOLDEN, Golden
from cellwright_runtime.files.archive import read_npz
from cellwright_runtime.files.fields import Fields, wrong
from cellwright_runtime.files.json_text import canonical_json, parse_json
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.graph.bounds import Cost, require_bounded
from cellwright_runtime.graph.model import Model, Operator, read_model
from cellwright_runtime.vocabulary import SI_UNITS, Component, ControllerSetup, Layout, Setting, as_written

POLICY = "policy.onnx"
SCORECARD = "scorecard.json"
WEIGHTS = "weights.npz"
LEAPP = "leapp.yaml"
CARD = "CARD.md"
KIND = Kind(
    name="policy",
    required={POLICY: 16 * 2**20, GOLDEN: 16 * 2**20, SCORECARD: 4 * 2**20},
    optional={SAFETY: MOST_SAFETY_BYTES, WEIGHTS: 32 * 2**20, LEAPP: 2**20, CARD: 2**20},
)
"""Sizes are at least ten times those of the shipped policies, and small enough for a robot's computer."""
OUTPUTS = ("action", "action_preclip", "command")
PER_EPISODE = "per_episode"
MOST_EPISODES = 2000
"""Episodes in a scorecard. The intervals of more would need more memory than a robot's computer can spare."""
MOST_OBSERVED = 1_000_000
"""Numbers in one observation."""
_NOT_SCORES = (PER_EPISODE, "disturbances")
"""Fields of a scorecard that the manifest does not repeat."""
_ENVIRONMENT = re.compile(r"[\w.-]+/[\w.-]+-v\d+")
_VERSIONS = {"WeldSeam": 1, "PegInsertion": 1, "ConnectorInsertion": 1, "NutFastening": 2, "GearMesh": 1}
RETIRED = {
    f"cellwright/{task}-v{old}": f"cellwright/{task}-v{now}"
    for task, now in _VERSIONS.items()
    for old in range(now)
}
"""Environments that are no more, and those to train their policies again in."""


@dataclass(frozen=True, kw_only=True)
class ObservationGroup:
    """One named input of the policy.

    An image is uint8 (channel, height, width) with one component per channel; every other group is float32
    with one component per element, in C order. Raises `BundleError` where type, shape and components do not
    fit together, and for a unit that is not SI.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    components: tuple[Component, ...]

    def __post_init__(self) -> None:
        if self.dtype not in ("uint8", "float32"):
            raise BundleError(f"{self.name}: dtype {self.dtype!r}; a policy takes uint8 or float32")
        if not self.shape or min(self.shape) < 1:
            raise BundleError(f"{self.name}: shape {self.shape} has an empty axis")
        if self.dtype == "uint8" and len(self.shape) != 3:
            raise BundleError(f"{self.name}: shape {self.shape}, an image has channel, height and width")
        expected = self.shape[0] if self.dtype == "uint8" else math.prod(self.shape)
        if len(self.components) != expected:
            raise BundleError(
                f"{self.name}: {len(self.components)} components described, shape needs {expected}"
            )
        _require_si(self.components)

    @property
    def low(self) -> NDArray[np.float32]:
        """Lower bounds, broadcastable to `shape`."""
        return self._bounds([component.low for component in self.components])

    @property
    def high(self) -> NDArray[np.float32]:
        """Upper bounds, broadcastable to `shape`."""
        return self._bounds([component.high for component in self.components])

    def _bounds(self, values: list[float]) -> NDArray[np.float32]:
        per_channel = self.dtype == "uint8"
        return np.array(values, np.float32).reshape((-1, 1, 1) if per_channel else self.shape)


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """The manifest's description of a policy: everything except its weights and files.

    Raises `BundleError` for a value that no policy can have.
    """

    name: str
    environment: str
    """Id of the environment it was trained in."""
    control_rate_hz: float
    observation: tuple[ObservationGroup, ...]
    action: tuple[Component, ...]
    """Physical commands in order; action -1 maps to `low`, +1 to `high`."""
    controller: ControllerSetup = field(default_factory=ControllerSetup)
    """Settings and frames that the policy expects of the controller that it commands."""
    cameras: tuple[TrainedView, ...] = ()
    """Pinhole and place of the views in the image, for warping the frames of a real camera to them."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Provenance: command, seed, steps, versions, hash of the configuration."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """The part of scorecard.json that `headline` selects."""

    def __post_init__(self) -> None:
        if not _ENVIRONMENT.fullmatch(self.environment):
            raise BundleError(f"environment {self.environment!r:.80} is no id such as cellwright/WeldSeam-v1")
        if not 0 < self.control_rate_hz < np.inf:
            raise BundleError(f"control_rate_hz must be positive and finite, got {self.control_rate_hz}")
        names = [group.name for group in self.observation]
        if len(set(names)) != len(names) or not names:
            raise BundleError(f"observation groups need distinct names, got {names}")
        if "privileged" in names:
            raise BundleError("observation group 'privileged' is true state and never reaches an actor")
        if (observed := sum(math.prod(group.shape) for group in self.observation)) > MOST_OBSERVED:
            raise BundleError(f"an observation has {observed:,} numbers, {MOST_OBSERVED:,} are allowed")
        if not self.action:
            raise BundleError("a policy needs at least one action")
        channels = [
            part.name for group in self.observation if group.dtype == "uint8" for part in group.components
        ]
        if [each.view for each in self.cameras] != [name for name in channels if name in self._seen]:
            raise BundleError(
                f"cameras describe {', '.join(self._seen)}, the image has {', '.join(channels)}"
            )
        _require_si(self.action)

    @property
    def _seen(self) -> tuple[str, ...]:
        return tuple(each.view for each in self.cameras)

    @property
    def layout(self) -> Layout:
        """What an interface between this policy and its controller needs to know."""
        images = [group for group in self.observation if group.dtype == "uint8"]
        return Layout(
            control_period_s=1.0 / self.control_rate_hz,
            image_size_px=images[0].shape[-1] if images else 0,
            actions=tuple(
                replace(each, low=as_written(each.low), high=as_written(each.high)) for each in self.action
            ),
            groups={group.name: group.components for group in self.observation if group not in images},
            controller=self.controller,
        )


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A policy whose files are undamaged and fit together. Its outputs and scores are not verified yet."""

    directory: Path
    spec: PolicySpec
    files: Mapping[str, bytes]
    model: Model
    """The graph in policy.onnx."""
    cost: Cost
    """Computation and memory that one decision takes."""
    golden: Golden
    """The recorded vectors."""
    scorecard: Mapping[str, Any]
    """What the policy scored, as the exporter wrote it."""
    safety: Safety | None
    """The envelope; None for a bundle that was exported before there was one."""
    digest: str
    """SHA-256 of the manifest, which has those of all files."""
    container: Container
    """The files as they were read, with their signature."""

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read all files and check that they fit together, without running the graph.

        Raises `BundleError` where the directory is not the bundle of a policy, where a file is missing,
        damaged or too large, where two files contradict each other, and where the policy was trained in an
        environment that is no more.
        """
        container = Container.load(Path(directory), KIND)
        with bundle_errors():
            spec = _spec(container.content)
            _refuse_retired(spec, container.directory)
            scorecard = _scorecard(container.files[SCORECARD], spec)
            model = read_model(container.files[POLICY], POLICY)
            _require_interface(model, spec)
            cost = require_bounded(model, POLICY)
            _require_clip(model)
            layout = {group.name: (group.dtype, group.shape) for group in spec.observation}
            golden = Golden.from_bytes(container.files[GOLDEN], layout, len(spec.action))
            if WEIGHTS in container.files:
                _weights(container.files[WEIGHTS])
            safety = _safety(container.files[SAFETY], spec) if SAFETY in container.files else None
        return cls(
            directory=container.directory,
            spec=spec,
            files=container.files,
            model=model,
            cost=cost,
            golden=golden,
            scorecard=scorecard,
            safety=safety,
            digest=container.digest,
            container=container,
        )

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Weights of the training policy by state-dict name; raises `BundleError` where there are none."""
        if WEIGHTS not in self.files:
            raise BundleError(f"{self.directory} has no {WEIGHTS}, so training cannot continue from it")
        return _weights(self.files[WEIGHTS])


def write_bundle(
    directory: str | Path, spec: PolicySpec, files: Mapping[str, bytes], *, overwrite: bool = False
) -> None:
    """Write the bundle of a policy; raises `BundleError` as `write_container` does.

    This checks sizes and hashes only; `cellwright_policies.export.export_bundle` also checks the policy.
    """
    content = asdict(spec)
    for setting in content["controller"]["settings"]:
        del setting["meaning"]
    if not content["cameras"]:
        del content["cameras"]
    write_container(Path(directory), KIND, content, files, overwrite=overwrite)


def headline(scorecard: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a scorecard that the manifest repeats: all except the episodes and their disturbances."""
    return {name: value for name, value in scorecard.items() if name not in _NOT_SCORES}


def _require_si(components: tuple[Component, ...]) -> None:
    for component in components:
        if component.unit not in SI_UNITS:
            raise BundleError(
                f"{component.name}: unit {component.unit!r} is not SI; use one of {', '.join(SI_UNITS)}"
            )


def _spec(content: Mapping[str, Any]) -> PolicySpec:
    fields = Fields(content, MANIFEST)
    try:
        spec = PolicySpec(
            name=fields.name("name"),
            environment=fields.name("environment"),
            control_rate_hz=fields.number("control_rate_hz"),
            observation=tuple(_group(group) for group in fields.items("observation")),
            action=_components(fields, "action"),
            controller=_controller(Fields(fields.take("controller"), f"{MANIFEST} controller")),
            cameras=tuple(read_view(view) for view in fields.items("cameras")) if "cameras" in fields else (),
            training=fields.object("training"),
            scores=fields.object("scores"),
        )
    except FileError:
        raise
    except ValueError as error:  # from the vocabulary, whose messages name no file
        raise BundleError(f"{MANIFEST} {error}") from None
    fields.done()
    return spec


def _refuse_retired(spec: PolicySpec, directory: Path) -> None:
    """Raise `BundleError` where the environment of the policy is one of `RETIRED`."""
    if spec.environment in RETIRED:
        raise BundleError(
            f"{directory} was trained in {spec.environment}, which this version of cellwright no longer has: "
            f"train again in {RETIRED[spec.environment]}, or use the release of cellwright that exported it"
        )


def _group(fields: Fields) -> ObservationGroup:
    group = ObservationGroup(
        name=fields.name("name"),
        dtype=fields.name("dtype"),
        shape=fields.wholes("shape"),
        components=_components(fields, "components"),
    )
    fields.done()
    return group


def _components(fields: Fields, name: str) -> tuple[Component, ...]:
    return tuple(_component(entry) for entry in fields.items(name))


def _component(fields: Fields) -> Component:
    component = Component(
        name=fields.name("name"),
        unit=fields.name("unit"),
        low=fields.number("low"),
        high=fields.number("high"),
    )
    fields.done()
    return component


def _controller(fields: Fields) -> ControllerSetup:
    settings, frames = fields.items("settings"), Fields(fields.take("frames"), fields.where("frames"))
    fields.done()
    named = {name: frames.name(name) for name in frames}
    return ControllerSetup(settings=tuple(_setting(each) for each in settings), frames=named)


def _setting(fields: Fields) -> Setting:
    setting = Setting(
        name=fields.name("name", empty=True),  # `Setting` has the better message for an empty name
        unit=fields.name("unit"),
        value=fields.numbers("value"),
        frame=fields.name("frame", empty=True),
    )
    fields.done()
    return setting


def _scorecard(data: bytes, spec: PolicySpec) -> dict[str, Any]:
    card = parse_json(data, SCORECARD)
    if not isinstance(card, dict):
        raise FileError(f"{SCORECARD} holds a {type(card).__name__}, expected an object")
    episodes = card.get(PER_EPISODE)
    if not isinstance(episodes, list) or len(episodes) > MOST_EPISODES:
        raise wrong(f"{SCORECARD} {PER_EPISODE}", episodes, f"a list of at most {MOST_EPISODES} episodes")
    scores = headline(card)
    for name in sorted(scores.keys() | spec.scores.keys()):
        ours, theirs = (canonical_json(each.get(name)) for each in (spec.scores, scores))
        if ours != theirs:
            raise FileError(f"{MANIFEST} scores {name[:80]} is not what {SCORECARD} says")
    return card


def _safety(data: bytes, spec: PolicySpec) -> Safety:
    safety = Safety.from_bytes(data)
    low_dimensional = {each.name: math.prod(each.shape) for each in spec.observation if each.dtype != "uint8"}
    views = [part.name for each in spec.observation if each.dtype == "uint8" for part in each.components]
    found = {each.group: len(each.low.value) for each in safety.observed}
    if found != low_dimensional:
        raise FileError(f"{SAFETY} observed describes {found}, the manifest has {low_dimensional}")
    if (seen := [each.view for each in safety.views]) != views:
        raise FileError(
            f"{SAFETY} views describes {', '.join(seen)[:200]}, the manifest has {', '.join(views)}"
        )
    if not math.isclose(safety.timing.control_period_s.number * spec.control_rate_hz, 1.0, rel_tol=1e-9):
        raise FileError(f"{SAFETY} timing control_period_s is not that of {spec.control_rate_hz:g} Hz")
    return safety


def _weights(data: bytes) -> dict[str, NDArray[Any]]:
    with bundle_errors():
        arrays = read_npz(data, WEIGHTS)
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                raise FileError(f"{WEIGHTS} {name[:80]} holds a number that is not finite")
    return arrays


def _require_interface(model: Model, spec: PolicySpec) -> None:
    """Raise `FileError` unless the graph has the inputs and outputs that the manifest describes."""
    groups = {group.name: group for group in spec.observation}
    if set(model.inputs) != set(groups):
        raise FileError(
            f"{POLICY} takes {', '.join(sorted(model.inputs))[:200]}; the manifest says {', '.join(groups)}"
        )
    for name, group in groups.items():
        found = model.inputs[name]
        if (found.dtype, found.shape) != (group.dtype, (1, *group.shape)):
            raise FileError(
                f"{POLICY} input {name} is {found.dtype} {list(found.shape)}, "
                f"the manifest says {group.dtype} {[1, *group.shape]}"
            )
    if set(model.outputs) != set(OUTPUTS):
        raise FileError(f"{POLICY} gives {', '.join(model.outputs)[:200]}; it needs {', '.join(OUTPUTS)}")
    for name, found in model.outputs.items():
        if found.shape != (1, len(spec.action)):
            raise FileError(f"{POLICY} output {name} is {list(found.shape)}, need [1, {len(spec.action)}]")


def _require_clip(model: Model) -> None:
    """Raise `FileError` unless the graph computes `action` by clipping `action_preclip` to -1..1.

    The golden vectors do not prove this: it may be that none of them saturates.
    """
    made_by: dict[str, Operator] = {name: each for each in model.operators for name in each.outputs}
    clip = made_by.get("action")
    if clip is None or clip.kind != "Clip" or clip.inputs[0] != "action_preclip":
        raise FileError(f"{POLICY} does not clip: 'action' must be Clip(action_preclip, -1, 1)")
    limits = [model.constants.get(name) for name in clip.inputs[1:]]
    if [limit and limit.constant is not None and limit.constant.item() for limit in limits] != [-1.0, 1.0]:
        raise FileError(f"{POLICY} clips 'action' at other limits than constants of -1 and 1")
