"""What lies beside a graph: its description for LEAPP, run by LEAPP itself, and the card for people."""

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from cellwright_policies import zoo
from cellwright_policies.export import export_again
from cellwright_runtime.bundle.card import model_card
from cellwright_runtime.bundle.leapp import leapp_yaml
from cellwright_runtime.bundle.policy import CARD, LEAPP, POLICY, Bundle, PolicySpec, write_bundle
from cellwright_runtime.runtime import Runtime
from cellwright_runtime.verification import verify_open_loop
from tests.policies.runtime.test_safety import envelope


@contextlib.contextmanager
def leapp_in(directory: Path) -> Iterator[Any]:
    """LEAPP's module; it writes a log into the working directory."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import leapp

            yield leapp
    finally:
        os.chdir(before)


@pytest.fixture(params=["sample", "peg-insertion", "weld-seam"])
def described(request: pytest.FixtureRequest, bundle_dir: Path, tmp_path: Path) -> Path:
    """A bundle with leapp.yaml: the small one, and copies of shipped ones."""
    if request.param == "sample":
        return Path(shutil.copytree(bundle_dir, tmp_path / "sample"))
    bundle = Bundle.load(zoo.path(request.param))
    files = {**bundle.files, LEAPP: leapp_yaml(bundle.files[POLICY], bundle.spec)}
    write_bundle(
        tmp_path / request.param, bundle.spec, {name: data for name, data in files.items() if name != CARD}
    )
    return tmp_path / request.param


def test_leapp_itself_runs_a_bundle_with_the_same_decisions(described: Path, tmp_path: Path) -> None:
    runtime = Runtime(described)
    golden = runtime.bundle.golden
    with leapp_in(tmp_path) as leapp, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manager = leapp.InferenceManager(str(described / LEAPP))
        assert set(manager.inputs) == {f"policy/{group.name}" for group in runtime.spec.observation}
        for row in range(0, len(golden), 16):
            observation = {name: values[row] for name, values in golden.observations.items()}
            given = {
                f"policy/{name}": torch.from_numpy(value[np.newaxis]) for name, value in observation.items()
            }
            answer = manager(given)
            decision = runtime.decide(observation)
            for name in ("action", "action_preclip", "command"):
                theirs, ours = answer[f"policy/{name}"].numpy()[0], getattr(decision, name)
                np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6)


def test_leapp_refuses_another_graph_than_the_one_described(bundle_dir: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(bundle_dir, tmp_path / "copied"))
    graph = bytearray((copied / POLICY).read_bytes())
    graph[-1] ^= 1
    (copied / POLICY).write_bytes(graph)
    with leapp_in(tmp_path) as leapp, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception, match=r"(?i)sha256|checksum|mismatch"):
            leapp.InferenceManager(str(copied / LEAPP))


def test_leapp_yaml_names_every_element_and_the_rate(bundle_dir: Path, spec: PolicySpec) -> None:
    content = yaml.safe_load((bundle_dir / LEAPP).read_text())
    node = content["models"]["policy"]
    seam = next(each for each in node["inputs"] if each["name"] == "seam")
    assert seam["element_names"][1] == [part.name for part in spec.observation[1].components]
    assert seam["shape"] == [1, 6]
    assert content["pipeline"]["configs"]["frequency"] == 25.0
    assert content["system information"]["leapp config version"] == "1.3"


def test_a_card_tells_what_the_manifest_says(spec: PolicySpec) -> None:
    card = model_card(spec, envelope()).decode()
    for told in (
        "# sample",
        "certified safety function",
        "| first_pass_yield C | 1 |",
        "| lateral_offset | -0.0015 | 0.0015 | m |",
        "| tool, speed | 0.25 | m/s |",
        "| tool, force | 30 | N |",
        "| latency in training | 0 to 0.08 | s |",
        "- `joints.jerk_rad_s3`: nobody publishes it",
    ):
        assert told in card, told
    assert model_card(spec, envelope()) == model_card(spec, envelope())


def test_a_card_does_not_become_what_a_manifest_wants_it_to(spec: PolicySpec) -> None:
    odd = replace(spec, name="a | b", training={"command": "<script>alert(1)</script> [x](http://y)"})
    card = model_card(odd, None).decode()
    assert "<script>" not in card
    assert "[x](" not in card
    assert "# a \\| b" in card


@pytest.mark.parametrize("name", [CARD, LEAPP])
def test_a_sidecar_that_does_not_follow_from_the_bundle_fails(
    bundle_dir: Path, tmp_path: Path, name: str
) -> None:
    bundle = Bundle.load(bundle_dir)
    praised = bundle.files[name].replace(b"sample", b"simply the best")
    write_bundle(tmp_path / "b", bundle.spec, {**bundle.files, name: praised})
    failed = [check for check in verify_open_loop(tmp_path / "b") if not check.passed]
    assert [check.name for check in failed] == ["sidecars"]
    assert failed[0].detail.startswith(f"{name} is not what this version makes of manifest and graph")


def test_writing_a_bundle_again_gives_the_same_bytes(bundle_dir: Path, tmp_path: Path) -> None:
    first = Bundle.load(bundle_dir)
    for name in ("once", "twice"):
        first = export_again(first, cameras=(), safety=envelope(), directory=tmp_path / name)
    assert json.loads(first.files["safety.json"])["safety_version"] == 1
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes(), path.name
