"""What is refused is refused by every command alike, in one line, before anything of it runs."""

import io
import os
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cellwright_envs import ENVIRONMENTS
from cellwright_runtime.bundle.container import MANIFEST, BundleError
from cellwright_runtime.bundle.policy import POLICY, RETIRED, SCORECARD, Bundle, write_bundle
from cellwright_runtime.bundle.vectors import GOLDEN
from cellwright_runtime.runtime import Runtime
from cellwright_train.cli import main

Files = dict[str, bytes]


def graph(edit: Callable[[onnx.GraphProto], None]) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        model = onnx.load_model_from_string(files[POLICY])
        edit(model.graph)
        files[POLICY] = model.SerializeToString()

    return change


def endless_loop(target: onnx.GraphProto) -> None:
    """A loop over 2**62 rounds, each of which says that another one comes."""
    true = numpy_helper.from_array(np.array(True), "true")
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Identity", ["state"], ["next"])],
        "body",
        [value("round", TensorProto.INT64, []), value("going", TensorProto.BOOL, []), value("state", 1, [])],
        [value("on", TensorProto.BOOL, []), value("next", 1, [])],
        [true],
    )
    rounds = numpy_helper.from_array(np.array(2**62), "rounds")
    target.initializer.extend([rounds, numpy_helper.from_array(np.float32(0), "zero")])
    target.node.insert(0, helper.make_node("Loop", ["rounds", "", "zero"], ["end"], body=body))


def growing_sum(target: onnx.GraphProto) -> None:
    rows = numpy_helper.from_array(np.ones((60_000, 1), np.float32), "rows")
    columns = numpy_helper.from_array(np.ones((1, 60_000), np.float32), "columns")
    target.initializer.extend([rows, columns])
    target.node.insert(0, helper.make_node("Add", ["rows", "columns"], ["sum"]))


def sixty_products(target: onnx.GraphProto) -> None:
    target.initializer.append(numpy_helper.from_array(np.ones((1500, 1500), np.float32), "w0"))
    for index in range(60):
        node = helper.make_node("MatMul", [f"w{index}", "w0"], [f"w{index + 1}"])
        target.node.insert(index, node)


def index_beyond(target: onnx.GraphProto) -> None:
    target.initializer.append(numpy_helper.from_array(np.array([10**6]), "far"))
    target.node.insert(0, helper.make_node("Gather", ["seam", "far"], ["memory"], axis=1))


def unpacking_to_gigabytes(files: Files) -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("action.npy", "w") as file,
    ):
        for _ in range(160):
            file.write(bytes(2**20))
    files[GOLDEN] = buffer.getvalue()


def actions_of_nan(files: Files) -> None:
    arrays = dict(np.load(io.BytesIO(files[GOLDEN])))
    arrays["action_preclip"] = np.full_like(arrays["action_preclip"], np.nan)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    files[GOLDEN] = buffer.getvalue()


def brackets(files: Files) -> None:
    files[SCORECARD] = b"[" * 100_000


HOSTILE: dict[str, tuple[Callable[[Files], None], str]] = {
    "an endless loop": (graph(endless_loop), "policy.onnx is not a policy's ONNX graph: .* has a sub-graph"),
    "a sum that grows": (graph(growing_sum), "policy.onnx needs more than .* at Add sum"),
    "sixty products": (graph(sixty_products), "policy.onnx needs more than .* at MatMul w1"),
    "an index beyond": (
        graph(index_beyond),
        "policy.onnx Gather memory: an index is not among the 6 elements",
    ),
    "a bomb": (unpacking_to_gigabytes, "golden.npz is not an npz of plain arrays: unpacks to more than"),
    "actions of NaN": (actions_of_nan, "golden.npz action_preclip holds a number that is not finite"),
    "brackets": (brackets, "scorecard.json is nested deeper than 32 levels"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused_by_every_command_in_the_same_line(
    name: str, bundle_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told = HOSTILE[name]
    bundle = Bundle.load(bundle_dir)
    files = dict(bundle.files)
    change(files)
    write_bundle(tmp_path / "hostile", bundle.spec, files)
    hostile = str(tmp_path / "hostile")
    begin_s = time.perf_counter()
    with pytest.raises(BundleError, match=told) as caught:
        Runtime(hostile)
    assert time.perf_counter() - begin_s < 5.0
    line = str(caught.value)
    assert "\n" not in line
    for command in (["evaluate"], ["watch", "--out", str(tmp_path / "film.gif")], ["verify"]):
        assert main([command[0], hostile, *command[1:]]) == 2
        output = capsys.readouterr()
        assert " ".join(line.split()) in " ".join((output.out + output.err).split())


def test_a_manifest_of_gigabytes_is_not_read(bundle_dir: Path, tmp_path: Path) -> None:
    for path in bundle_dir.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    os.truncate(tmp_path / MANIFEST, 4 * 2**30)  # without taking room on the disk
    with pytest.raises(BundleError, match=r"manifest.json has 4,294,967,296 bytes, more than the 1,048,576"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("env_id", RETIRED)
def test_a_policy_of_an_environment_that_is_no_more_is_refused_with_what_to_do(
    env_id: str, bundle_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, old = Bundle.load(bundle_dir), tmp_path / "old"
    write_bundle(old, replace(sound.spec, environment=env_id), sound.files)
    told = (
        f"{old} was trained in {env_id}, which this version of cellwright no longer has: train again in "
        f"{RETIRED[env_id]}, or use the release of cellwright that exported it"
    )
    for read in (Bundle.load, Runtime):
        with pytest.raises(BundleError) as refused:
            read(old)
        assert str(refused.value) == told
    for command in (["verify"], ["evaluate"], ["watch", "--out", str(tmp_path / "film.gif")]):
        assert main([command[0], str(old), *command[1:]]) == 2
        assert capsys.readouterr().err == f"cellwright: {told}\n"


def test_what_is_no_more_is_not_registered_and_what_came_instead_is() -> None:
    for env_id, instead in RETIRED.items():
        assert env_id not in ENVIRONMENTS
        assert instead in ENVIRONMENTS
