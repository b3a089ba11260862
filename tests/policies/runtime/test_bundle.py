import json
import os
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

from cellwright_runtime.bundle.container import MANIFEST, BundleError, manifest_digest
from cellwright_runtime.bundle.policy import (
    POLICY,
    SCORECARD,
    Bundle,
    ObservationGroup,
    PolicySpec,
    write_bundle,
)
from cellwright_runtime.bundle.vectors import GOLDEN
from cellwright_runtime.files.json_text import canonical_json
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
    data = bytearray((copied / POLICY).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / POLICY).write_bytes(data)
    with pytest.raises(BundleError, match=r"policy.onnx has sha256 .* the manifest says"):
        Bundle.load(copied)


def test_a_file_of_another_size_than_the_manifest_says_is_named(copied: Path) -> None:
    resealed(copied, lambda manifest: manifest["files"][GOLDEN].update(bytes=1))
    with pytest.raises(BundleError, match=r"golden.npz has \d+ bytes, the manifest says 1"):
        Bundle.load(copied)


def test_a_file_that_the_manifest_does_not_list_is_named(copied: Path) -> None:
    (copied / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"holds 'notes.txt', which its manifest.json does not list"):
        Bundle.load(copied)


@pytest.mark.parametrize("name", [MANIFEST, GOLDEN])
def test_a_file_that_is_a_link_is_named(copied: Path, name: str) -> None:
    (copied / name).rename(copied.parent / name)
    (copied / name).symlink_to(copied.parent / name)
    with pytest.raises(BundleError, match=f"{name} is a link; put the file itself there"):
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


def resealed(directory: Path, edit: Callable[[dict], object]) -> None:
    """Edit the manifest and give it the hash of its new content, as who forges it would."""

    def seal(manifest: dict) -> None:
        edit(manifest)
        manifest["manifest_sha256"] = manifest_digest(manifest)

    edited(directory, seal)


def test_a_changed_score_in_the_manifest_is_noticed(copied: Path) -> None:
    edited(copied, lambda manifest: manifest["scores"].update(first_pass_yield={"C": 0.5}))
    with pytest.raises(BundleError, match="changed after export"):
        Bundle.load(copied)


def test_a_forged_score_is_noticed_although_the_manifest_is_sealed_again(copied: Path) -> None:
    resealed(copied, lambda manifest: manifest["scores"].update(first_pass_yield={"C": 0.5}))
    with pytest.raises(BundleError, match=r"scores first_pass_yield is not what scorecard.json says"):
        Bundle.load(copied)


def test_a_key_that_comes_twice_is_refused(copied: Path) -> None:
    text = (copied / MANIFEST).read_text()
    (copied / MANIFEST).write_text(text.replace('"name": "sample"', '"name": "other",\n  "name": "sample"'))
    with pytest.raises(BundleError, match=r"manifest.json has the key 'name' twice"):
        Bundle.load(copied)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda m: m.update(own=1), "has 'own', which does not belong there"),
        (lambda m: m.update(kind="monitor"), "describes a bundle of kind 'monitor', need 'policy'"),
        (lambda m: m.update(name=None), "name is null, not a name"),
        (lambda m: m.update(name="two\nlines"), "name is .*, not a name"),
        (lambda m: m.update(environment="other:Cell-v0"), "environment 'other:Cell-v0' is no id such as"),
        (lambda m: m.update(control_rate_hz="25"), 'control_rate_hz is "25", not a number'),
        (lambda m: m["action"][0].update(low=True), "action 0 low is true, not a number"),
        (lambda m: m["action"].pop(), r"output action is \[1, 5\], need \[1, 4\]"),
        (lambda m: m["observation"][0].update(shape=[2, 10**9, 10**9]), "numbers, 1,000,000 are allowed"),
        (lambda m: m["observation"][0].update(shape=[2, 256]), "an image has channel, height and width"),
        (lambda m: m["observation"][0].update(shape=[2, 8, 32]), r"input image is uint8 \[1, 2, 16, 16\]"),
        (
            lambda m: m["observation"][0].update(name="view"),
            "takes image, seam; the manifest says view, seam",
        ),
        (lambda m: m["files"][GOLDEN].update(sha256=5), "golden.npz sha256 is 5, not a name"),
    ],
)
def test_a_manifest_that_contradicts_itself_or_its_files_is_named(
    edit: Callable[[dict], object], told: str, copied: Path
) -> None:
    resealed(copied, edit)
    with pytest.raises(BundleError, match=told) as caught:
        Bundle.load(copied)
    assert "\n" not in str(caught.value)


def test_a_bundle_of_before_there_were_kinds_is_a_policy(copied: Path) -> None:
    resealed(copied, lambda manifest: manifest.pop("kind"))
    assert Bundle.load(copied).spec.name == "sample"


def test_a_future_schema_is_refused_with_both_versions(copied: Path) -> None:
    edited(copied, lambda manifest: manifest.update(schema_version=99))
    with pytest.raises(BundleError, match="schema_version 99, this version reads 2"):
        Bundle.load(copied)


SETTING = {"name": "leash", "unit": "m", "value": [0.005], "frame": ""}


@pytest.mark.parametrize(
    ("controller", "told"),
    [
        ([], r"manifest.json controller is \[\], not an object"),
        ({"settings": {}, "frames": {}}, r"controller settings is \{\}, not a list"),
        ({"settings": [], "frames": []}, r"controller frames is \[\], not an object"),
        ({"settings": [], "frames": {"pose": 3}}, "controller frames pose is 3, not a name"),
        ({"settings": [{"name": "leash"}], "frames": {}}, "controller settings 0 lacks unit"),
        ({"settings": [SETTING | {"own": 1}], "frames": {}}, "settings 0 has 'own', which does not belong"),
        ({"settings": [SETTING | {"value": "5"}], "frames": {}}, 'value is "5", not a list of numbers'),
        (
            {"settings": [SETTING | {"value": [True]}], "frames": {}},
            r"value is \[true\], not a list of numbers",
        ),
        ({"settings": [SETTING | {"value": {"0.5": 1}}], "frames": {}}, "value is .*, not a list of numbers"),
        ({"settings": [SETTING | {"name": ""}], "frames": {}}, "has no name"),
        ({"settings": [SETTING, SETTING], "frames": {}}, "need distinct names, got leash, leash"),
    ],
)
def test_a_damaged_controller_is_told_and_never_guessed(copied: Path, controller: Any, told: str) -> None:
    resealed(copied, lambda manifest: manifest.update(controller=controller))
    with pytest.raises(BundleError, match=told):
        Bundle.load(copied)


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
        Bundle.load(tmp_path / "trapped")
    assert not trap.exists()


class _Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (open, (self.path, "w"))


def test_an_existing_bundle_is_only_replaced_when_told(
    copied: Path, spec: PolicySpec, bundle_dir: Path
) -> None:
    before = (copied / MANIFEST).read_bytes()
    files = Bundle.load(bundle_dir).files
    renamed = replace(spec, name="other")
    with pytest.raises(BundleError, match="--force"):
        write_bundle(copied, renamed, files)
    assert (copied / MANIFEST).read_bytes() == before
    write_bundle(copied, renamed, files, overwrite=True)
    assert Bundle.load(copied).spec.name == "other"


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


def test_names_in_a_strangers_files_stay_within_the_line(copied: Path) -> None:
    resealed(copied, lambda manifest: manifest["files"].update({"a\nb": {"sha256": "0", "bytes": 1}}))
    with pytest.raises(BundleError) as caught:
        Bundle.load(copied)
    assert "\n" not in str(caught.value)


def test_a_bundle_that_cannot_be_replaced_stays_as_it_was(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, rename = Bundle.load(copied), os.replace

    def fails(source: Path, target: Path) -> None:
        if Path(source).name == "new":
            raise OSError("no space left")
        rename(source, target)

    monkeypatch.setattr("cellwright_runtime.bundle.container.os.replace", fails)
    with pytest.raises(OSError, match="no space left"):
        write_bundle(copied, bundle.spec, bundle.files, overwrite=True)
    monkeypatch.undo()
    assert Bundle.load(copied).files == bundle.files
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]
