"""The bundle: a policy as it leaves the house, readable with numpy and the standard library.

```
<bundle>/policy.onnx     raw observation in, clipped action and physical command out, one self-contained graph
         manifest.json   layout with units, rates, limits, training provenance, scores, hashes
         golden.npz      recorded observations with the outputs the training framework gave for them
         scorecard.json  what it scored, seed by seed
         weights.npz     optional: every weight of the training policy, to train on from here
```

Reading a bundle never unpickles, imports no training code and takes no path or class name from the manifest.
"""

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.vocabulary import SI_UNITS, Component, ControllerSetup, Layout, Setting, as_written

SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
POLICY = "policy.onnx"
GOLDEN = "golden.npz"
SCORECARD = "scorecard.json"
WEIGHTS = "weights.npz"
REQUIRED_FILES = (POLICY, GOLDEN, SCORECARD)
OUTPUTS = ("action", "action_preclip", "command")


class BundleError(ValueError):
    """A directory is not a bundle that can be trusted; the message is one line naming what is wrong."""


@dataclass(frozen=True, kw_only=True)
class ObservationGroup:
    """One named input of the policy.

    An image is uint8 (channel, height, width) with one component per channel; every other group is float32
    with one component per element, in C order.
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
        expected = self.shape[0] if self.dtype == "uint8" else int(np.prod(self.shape))
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
    """Everything about a policy but its weights and files."""

    name: str
    environment: str
    """Id of the environment it was trained in."""
    control_rate_hz: float
    observation: tuple[ObservationGroup, ...]
    action: tuple[Component, ...]
    """Physical commands in order; action -1 maps to `low`, +1 to `high`."""
    controller: ControllerSetup = field(default_factory=ControllerSetup)
    """What the policy expects of the controller that it commands."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Provenance: command, seed, steps, versions, hash of the configuration."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Headline numbers of scorecard.json."""

    def __post_init__(self) -> None:
        if not 0 < self.control_rate_hz < np.inf:
            raise BundleError(f"control_rate_hz must be positive and finite, got {self.control_rate_hz}")
        names = [group.name for group in self.observation]
        if len(set(names)) != len(names) or not names:
            raise BundleError(f"observation groups need distinct names, got {names}")
        if "privileged" in names:
            raise BundleError("observation group 'privileged' is true state and never reaches an actor")
        if not self.action:
            raise BundleError("a policy needs at least one action")
        _require_si(self.action)

    @property
    def layout(self) -> Layout:
        """What an interface between this policy and its controller has to know."""
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
class Golden:
    """Recorded observations and what the training framework answered.

    `observations` maps group name to (N, *shape); `action_preclip` and `action` are (N, actions) float32. The
    first `on_policy` rows were recorded while the policy ran; the rest are edge cases.
    """

    observations: Mapping[str, NDArray[Any]]
    action_preclip: NDArray[np.float32]
    action: NDArray[np.float32]
    on_policy: int

    def __len__(self) -> int:
        return len(self.action)

    def to_bytes(self) -> bytes:
        """As a compressed npz without pickle; equal content gives equal bytes."""
        arrays = {f"observation.{name}": value for name, value in self.observations.items()}
        arrays |= {"action_preclip": self.action_preclip, "action": self.action}
        arrays["on_policy"] = np.array(self.on_policy, np.int64)
        return npz_bytes(arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read back; raises `BundleError` where an array is missing or pickled."""
        arrays = _arrays(data, GOLDEN)
        try:
            return cls(
                observations={
                    key.removeprefix("observation."): value
                    for key, value in arrays.items()
                    if key.startswith("observation.")
                },
                action_preclip=arrays["action_preclip"],
                action=arrays["action"],
                on_policy=int(arrays["on_policy"]),
            )
        except KeyError as error:
            raise BundleError(f"{GOLDEN} lacks the array {error}") from None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose structure and hashes have been checked."""

    directory: Path
    spec: PolicySpec
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read and check everything.

        Raises `BundleError` where the directory is no bundle, a file is missing, a hash does not match or the
        manifest contradicts itself.
        """
        directory = Path(directory)
        manifest = _read_manifest(directory)
        spec = _spec_from(manifest)
        files = {name: _read_file(directory, name, entry) for name, entry in manifest["files"].items()}
        return cls(directory=directory, spec=spec, manifest=manifest, files=files)

    @property
    def golden(self) -> Golden:
        """The recorded vectors."""
        return Golden.from_bytes(self.files[GOLDEN])

    @property
    def scorecard(self) -> dict[str, Any]:
        """What the policy scored, as written by the exporter."""
        try:
            card = json.loads(self.files[SCORECARD])
        except ValueError as error:
            raise BundleError(f"{SCORECARD} is not JSON: {error}") from None
        if not isinstance(card, dict):
            raise BundleError(f"{SCORECARD} holds a {type(card).__name__}, expected an object")
        return card

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """Weights of the training policy by state-dict name; `BundleError` where the bundle ships none."""
        if WEIGHTS not in self.files:
            raise BundleError(f"{self.directory} ships no {WEIGHTS}, so training cannot go on from it")
        return _arrays(self.files[WEIGHTS], WEIGHTS)


def _require_si(components: tuple[Component, ...]) -> None:
    for component in components:
        if component.unit not in SI_UNITS:
            raise BundleError(
                f"{component.name}: unit {component.unit!r} is not SI; use one of {', '.join(SI_UNITS)}"
            )


def is_bundle(directory: str | Path) -> bool:
    """Whether `directory` claims to be a bundle (it has a manifest); `Bundle.load` checks the claim."""
    return (Path(directory) / MANIFEST).is_file()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, UTF-8, two spaces of indent and no NaN: equal values give equal bytes."""
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Compressed npz of plain arrays; equal content gives equal bytes (no timestamps)."""
    if pickled := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise BundleError(f"cannot store {', '.join(pickled)}: an object array would have to be pickled")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def write_bundle(
    directory: str | Path, spec: PolicySpec, files: Mapping[str, bytes], *, overwrite: bool = False
) -> Bundle:
    """Write a bundle in one rename: either all of it is there afterwards or nothing changed.

    This checks structure and hashes only; `cellwright_policies.export.export_bundle` also checks the policy.
    Raises `BundleError` where `directory` exists and `overwrite` is false, or is no bundle.
    """
    directory = Path(directory)
    refuse_existing(directory, overwrite=overwrite)
    if missing := [name for name in REQUIRED_FILES if name not in files]:
        raise BundleError(f"a bundle needs {', '.join(missing)}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        (fresh / MANIFEST).write_bytes(_manifest_bytes(spec, files))
        Bundle.load(fresh)
        if directory.exists():
            os.replace(directory, scratch / "old")
        os.replace(fresh, directory)
    finally:
        shutil.rmtree(scratch)
    return Bundle.load(directory)


def refuse_existing(directory: Path, *, overwrite: bool) -> None:
    """Raise `BundleError` unless `directory` is free to be written, or is a bundle that may be replaced."""
    if not directory.exists():
        return
    if not overwrite:
        raise BundleError(f"{directory} exists; choose another directory or pass --force to replace it")
    if not (is_bundle(directory) or (directory.is_dir() and not any(directory.iterdir()))):
        raise BundleError(f"{directory} exists and is not a bundle, so it is not replaced")


def _manifest_bytes(spec: PolicySpec, files: Mapping[str, bytes]) -> bytes:
    manifest = {"schema_version": SCHEMA_VERSION, **asdict(spec)}
    for setting in manifest["controller"]["settings"]:
        del setting["meaning"]
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }
    manifest["manifest_sha256"] = _manifest_digest(manifest)
    return canonical_json(manifest)


def _manifest_digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    return hashlib.sha256(canonical_json(rest)).hexdigest()


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    if not directory.is_dir():
        raise BundleError(f"{directory} is not a directory; a bundle is a directory with a {MANIFEST}")
    if not path.is_file():
        raise BundleError(f"{directory} holds no {MANIFEST}, so it is not a bundle")
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}") from None
    if not isinstance(manifest, dict):
        raise BundleError(f"{path} holds a {type(manifest).__name__}, expected an object")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        found = manifest.get("schema_version")
        raise BundleError(f"{path} has schema_version {found!r}, this version reads {SCHEMA_VERSION}")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        raise BundleError(f"{path}: files must map names to {{sha256, bytes}}")
    if missing := [name for name in REQUIRED_FILES if name not in files]:
        raise BundleError(f"{path} lists no hash for {', '.join(missing)}")
    if foreign := sorted(set(files) - {*REQUIRED_FILES, WEIGHTS}):
        raise BundleError(f"{path} lists {', '.join(foreign)}, which is no part of a bundle")
    if manifest.get("manifest_sha256") != _manifest_digest(manifest):
        raise BundleError(f"{path} was changed after export: its manifest_sha256 does not match its content")
    return manifest


def _spec_from(manifest: Mapping[str, Any]) -> PolicySpec:
    try:
        return PolicySpec(
            name=str(manifest["name"]),
            environment=str(manifest["environment"]),
            control_rate_hz=float(manifest["control_rate_hz"]),
            observation=tuple(
                ObservationGroup(
                    name=str(group["name"]),
                    dtype=str(group["dtype"]),
                    shape=tuple(int(size) for size in group["shape"]),
                    components=_components(group["components"]),
                )
                for group in manifest["observation"]
            ),
            action=_components(manifest["action"]),
            controller=_controller(manifest["controller"]),
            training=dict(manifest["training"]),
            scores=dict(manifest["scores"]),
        )
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{MANIFEST} {reason}") from None


def _components(entries: list[dict[str, Any]]) -> tuple[Component, ...]:
    return tuple(
        Component(
            name=str(entry["name"]),
            unit=str(entry["unit"]),
            low=float(entry["low"]),
            high=float(entry["high"]),
        )
        for entry in entries
    )


def _controller(entry: Any) -> ControllerSetup:
    parts = entry if isinstance(entry, dict) else {}
    settings, frames = parts.get("settings"), parts.get("frames")
    if not isinstance(settings, list) or not isinstance(frames, dict):
        raise BundleError(f"{MANIFEST} controller needs settings, a list, and frames, an object")
    if odd := [name for name, frame in frames.items() if not isinstance(frame, str)]:
        raise BundleError(f"{MANIFEST} controller: the frame of {odd[0]} is {frames[odd[0]]!r}, not a name")
    return ControllerSetup(settings=tuple(_setting(each) for each in settings), frames=frames)


def _setting(entry: Any) -> Setting:
    if not isinstance(entry, dict) or set(entry) != {"name", "unit", "value", "frame"}:
        told = json.dumps(entry)[:80]
        raise BundleError(f"{MANIFEST} controller: a setting has name, unit, value and frame, not {told}")
    name, unit, value, frame = (entry[key] for key in ("name", "unit", "value", "frame"))
    if not all(isinstance(text, str) for text in (name, unit, frame)):
        raise BundleError(f"{MANIFEST} controller {name}: name, unit and frame are texts")
    # A number that is a text, or a truth value, would pass for others.
    if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
        raise BundleError(f"{MANIFEST} controller {name}: value is a list of numbers, not {value!r}")
    return Setting(name=name, unit=unit, value=tuple(map(float, value)), frame=frame)


def _read_file(directory: Path, name: str, entry: Mapping[str, Any]) -> bytes:
    path = directory / name
    if not path.is_file():
        raise BundleError(f"{path} is missing, the manifest lists it")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.get("sha256"):
        wanted = str(entry.get("sha256"))
        raise BundleError(
            f"{path} has sha256 {digest[:12]}…, the manifest says {wanted[:12]}…: changed or damaged"
        )
    return data


def _arrays(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{name} is not an npz of plain arrays: {error}") from None
