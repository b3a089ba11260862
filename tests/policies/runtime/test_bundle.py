import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_runtime.bundle.policy import (
    GOLDEN,
    MANIFEST,
    POLICY,
    SCORECARD,
    Bundle,
    BundleError,
    Golden,
    ObservationGroup,
    PolicySpec,
    _manifest_digest,
    canonical_json,
    npz_bytes,
    write_bundle,
)
from cellwright_runtime.vocabulary import Component, ControllerSetup, Setting


@pytest.fixture
def copied(bundle_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_dir, tmp_path / "copied"))


def test_what_was_written_is_read_back(bundle_dir: Path, spec: PolicySpec) -> None:
    bundle = Bundle.load(bundle_dir)
    assert bundle.spec == spec
    assert bundle.golden.on_policy == 128
    assert bundle.weights["head.bias"].shape == (5,)


def test_a_changed_file_is_named(copied: Path) -> None:
    (copied / POLICY).write_bytes((copied / POLICY).read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"policy.onnx has sha256 .* the manifest says"):
        Bundle.load(copied)


@pytest.mark.parametrize("name", [POLICY, GOLDEN, SCORECARD, MANIFEST])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(BundleError, match=name):
        Bundle.load(copied)


def test_a_controllers_settings_are_read_back_by_name(
    bundle_dir: Path, spec: PolicySpec, tmp_path: Path
) -> None:
    stiffness = Setting(name="stiffness", unit="N/m", value=(1500.0, 900.0), frame="tool")
    controller = ControllerSetup(settings=(stiffness,), frames={"seam": "torch"})
    bundle = Bundle.load(bundle_dir)
    write_bundle(tmp_path / "set", replace(spec, controller=controller), bundle.files)
    assert Bundle.load(tmp_path / "set").spec.controller == controller
    np.testing.assert_array_equal(controller["stiffness"], [1500.0, 900.0])


def edited(directory: Path, edit: Callable[[dict], object]) -> None:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    edit(manifest)
    (directory / MANIFEST).write_bytes(canonical_json(manifest))


def test_a_changed_score_in_the_manifest_is_noticed(copied: Path) -> None:
    edited(copied, lambda manifest: manifest["scores"].update(first_pass_yield={"C": 0.5}))
    with pytest.raises(BundleError, match="changed after export"):
        Bundle.load(copied)


def test_a_future_schema_is_refused_with_both_versions(copied: Path) -> None:
    edited(copied, lambda manifest: manifest.update(schema_version=99))
    with pytest.raises(BundleError, match="schema_version 99, this version reads 2"):
        Bundle.load(copied)


SETTING = {"name": "leash", "unit": "m", "value": [0.005], "frame": ""}


@pytest.mark.parametrize(
    ("controller", "told"),
    [
        ([], "controller needs settings, a list, and frames, an object"),
        ({"settings": {}, "frames": {}}, "controller needs settings, a list"),
        ({"settings": [], "frames": []}, "controller needs settings, a list, and frames"),
        ({"settings": [], "frames": {"pose": 3}}, "the frame of pose is 3, not a name"),
        ({"settings": [{"name": "leash"}], "frames": {}}, "a setting has name, unit, value and frame"),
        (
            {"settings": [SETTING | {"value": "5"}], "frames": {}},
            "leash: value is a list of numbers, not '5'",
        ),
        ({"settings": [SETTING | {"value": [True]}], "frames": {}}, "leash: value is a list of numbers"),
        ({"settings": [SETTING | {"value": {"0.5": 1}}], "frames": {}}, "leash: value is a list of numbers"),
        ({"settings": [SETTING | {"name": ""}], "frames": {}}, "has no name"),
        ({"settings": [SETTING, SETTING], "frames": {}}, "need distinct names, got leash, leash"),
    ],
)
def test_a_damaged_controller_is_told_and_never_guessed(copied: Path, controller: Any, told: str) -> None:
    manifest = json.loads((copied / MANIFEST).read_bytes())
    manifest["controller"] = controller
    manifest["manifest_sha256"] = _manifest_digest(manifest)
    (copied / MANIFEST).write_bytes(canonical_json(manifest))
    with pytest.raises(BundleError, match=told):
        Bundle.load(copied)


def test_a_torn_archive_is_told(bundle_dir: Path) -> None:
    data = (bundle_dir / GOLDEN).read_bytes()
    with pytest.raises(BundleError, match=r"golden\.npz is not an npz"):
        Golden.from_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"schema_version": 2}', b"\xff\xfe"])
def test_a_broken_manifest_gets_one_line(copied: Path, content: bytes) -> None:
    (copied / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError) as caught:
        Bundle.load(copied)
    assert "\n" not in str(caught.value)


def test_a_manifest_cannot_name_a_file_outside_the_bundle(copied: Path) -> None:
    edited(copied, lambda manifest: manifest["files"].update({"../secret": {"sha256": "", "bytes": 0}}))
    with pytest.raises(BundleError, match="no part of a bundle"):
        Bundle.load(copied)


def test_loading_never_unpickles(spec: PolicySpec, bundle_dir: Path, tmp_path: Path) -> None:
    files = dict(Bundle.load(bundle_dir).files)
    trap = tmp_path / "sprung"
    files[GOLDEN] = pickle.dumps(_Trap(str(trap)))
    write_bundle(tmp_path / "trapped", spec, files)
    with pytest.raises(BundleError, match="npz of plain arrays"):
        _ = Bundle.load(tmp_path / "trapped").golden
    assert not trap.exists()


class _Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (open, (self.path, "w"))


def test_object_arrays_are_not_stored() -> None:
    with pytest.raises(BundleError, match="pickled"):
        npz_bytes({"strange": np.array([{}], dtype=object)})


def test_equal_arrays_give_equal_bytes() -> None:
    arrays = {"b": np.arange(5.0), "a": np.zeros(3)}
    assert npz_bytes(arrays) == npz_bytes(dict(reversed(arrays.items())))


def test_golden_vectors_survive_a_round_trip() -> None:
    action = np.ones((3, 2), np.float32)
    golden = Golden(
        observations={"x": np.zeros((3, 4))}, action_preclip=2 * action, action=action, on_policy=2
    )
    again = Golden.from_bytes(golden.to_bytes())
    np.testing.assert_array_equal(again.action_preclip, golden.action_preclip)
    assert (again.on_policy, list(again.observations)) == (2, ["x"])


def test_an_existing_bundle_is_only_replaced_when_told(
    copied: Path, spec: PolicySpec, bundle_dir: Path
) -> None:
    before = (copied / MANIFEST).read_bytes()
    files = Bundle.load(bundle_dir).files
    renamed = replace(spec, name="other")
    with pytest.raises(BundleError, match="--force"):
        write_bundle(copied, renamed, files)
    assert (copied / MANIFEST).read_bytes() == before
    assert write_bundle(copied, renamed, files, overwrite=True).spec.name == "other"


def test_a_directory_that_is_no_bundle_is_never_replaced(
    tmp_path: Path, spec: PolicySpec, bundle_dir: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("four years of work")
    with pytest.raises(BundleError, match="not a bundle"):
        write_bundle(tmp_path, spec, Bundle.load(bundle_dir).files, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, spec: PolicySpec) -> None:
    with pytest.raises(BundleError, match=r"a bundle needs golden\.npz"):
        write_bundle(tmp_path / "half", spec, {POLICY: b"", SCORECARD: b"{}"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unit", ["px", "step"])
def test_a_manifest_takes_no_units_of_the_simulator(unit: str, spec: PolicySpec) -> None:
    odd = Component(name="lateral", unit=unit, low=-1.0, high=1.0)
    with pytest.raises(BundleError, match=f"lateral: unit '{unit}' is not SI"):
        ObservationGroup(name="seam", dtype="float32", shape=(1,), components=(odd,))
    with pytest.raises(BundleError, match=f"lateral: unit '{unit}' is not SI"):
        replace(spec, action=(odd,))


def test_every_element_needs_a_description() -> None:
    with pytest.raises(BundleError, match="1 components described, shape needs 2"):
        ObservationGroup(
            name="seam",
            dtype="float32",
            shape=(2,),
            components=(Component(name="a", unit="m", low=0, high=1),),
        )


def test_privileged_state_never_reaches_a_bundle(spec: PolicySpec) -> None:
    seam = spec.observation[1]
    with pytest.raises(BundleError, match="privileged"):
        replace(spec, observation=(*spec.observation, replace(seam, name="privileged")))


def test_reading_a_bundle_needs_no_training_stack() -> None:
    heavy = ("torch", "stable_baselines3", "gymnasium", "onnx", "pybullet", "cellwright_envs", "matplotlib")
    program = (
        "import sys, cellwright_runtime.bundle.policy, cellwright_runtime.runtime\n"
        f"loaded = [name for name in {heavy} if name in sys.modules]\n"
        "sys.exit(', '.join(loaded) or None)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
