"""`inspect`, `diff`, `keygen`, `sign` and `verify --key`, as people call them."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import SCORECARD, Bundle, headline, write_bundle
from cellwright_runtime.files.json_text import canonical_json
from cellwright_train.bundles.comparing import differences
from cellwright_train.bundles.verification import verify_scores
from cellwright_train.cli import main
from tests.train.test_base_installation import MORE, without

NAME = zoo.names()[0]


def copied(directory: Path) -> Path:
    return Path(shutil.copytree(zoo.path(NAME), directory))


def test_inspect_shows_policy_envelope_scores_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", f"zoo:{NAME}"]) == 0
    shown = capsys.readouterr().out
    for told in (
        NAME,
        "not signed",
        "million multiplications",
        "timing latency_s",
        "environment:",
        "safety.json",
    ):
        assert told in shown, told


def test_inspect_as_json_is_the_manifest_and_the_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", f"zoo:{NAME}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["manifest"] == json.loads((zoo.path(NAME) / "manifest.json").read_text())
    assert told["safety"] == json.loads((zoo.path(NAME) / "safety.json").read_text())
    assert told["signature"] is None


def test_a_bundle_and_its_copy_do_not_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied(tmp_path / "copy")
    assert main(["diff", f"zoo:{NAME}", str(tmp_path / "copy")]) == 0
    assert capsys.readouterr().out == "nothing differs\n"


def test_diff_names_every_field_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = Bundle.load(zoo.path(NAME))
    first = bundle.spec.action[0]
    action = (replace(first, high=2 * first.high, low=2 * first.low), *bundle.spec.action[1:])
    write_bundle(
        tmp_path / "b",
        replace(bundle.spec, action=action),
        {name: data for name, data in bundle.files.items() if name not in ("CARD.md", "leapp.yaml")},
    )
    assert main(["diff", f"zoo:{NAME}", str(tmp_path / "b"), "--json"]) == 1
    found = {each["where"]: each for each in json.loads(capsys.readouterr().out)}
    assert found[f"manifest action {first.name} high"]["second"] == json.dumps(2 * first.high)
    assert found["file CARD.md"]["second"] == "–"
    assert not [where for where in found if where.startswith(("scorecard", "graph", "safety"))]


def test_diff_says_how_far_decisions_are_apart(tmp_path: Path) -> None:
    """Two weights are swapped for zeros: the decisions change, and the graph's constants are said to."""
    import onnx
    from onnx import numpy_helper

    bundle = Bundle.load(zoo.path(NAME))
    model = onnx.load_from_string(bundle.files["policy.onnx"])
    largest = max(model.graph.initializer, key=lambda each: numpy_helper.to_array(each).size)
    values = numpy_helper.to_array(largest).copy()
    values.ravel()[: values.size // 2] = 0.0
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    files = {**bundle.files, "policy.onnx": model.SerializeToString()}
    write_bundle(tmp_path / "b", bundle.spec, files)
    found = differences(bundle, Bundle.load(tmp_path / "b"))
    assert found[0].where.startswith("action ")
    assert float(found[0].first) != float(found[0].second)
    (constants,) = [each for each in found if each.where == "graph constants"]
    total = int(constants.first)
    assert constants.second == f"{total}, {total - 1} of them equal by name and value"


def test_a_bundle_is_signed_and_verified_with_keys_from_keygen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, key = copied(tmp_path / "b"), tmp_path / "line-3"
    assert main(["keygen", str(key)]) == 0
    verify = ["verify", str(directory), "--episodes", "0", "--key", f"{key}.pub"]
    assert main(verify) == 1
    assert "is not signed; `cellwright sign` signs a bundle" in capsys.readouterr().err
    assert main(["sign", str(directory), "--key", f"{key}.key"]) == 0
    assert main(verify) == 0
    assert main(["verify", str(directory), "--episodes", "0"]) == 0
    assert main(["inspect", str(directory)]) == 0
    assert "signed, by whom" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("keygen {place}", " exists, and a key is never written over"),
        ("sign {bundle} --key {place}.pub", "line-3.pub is no private key in PEM"),
        ("sign {bundle} --key {place}.none", "line-3.none is missing"),
        ("sign nowhere --key {place}.key", "nowhere is not a directory; sign takes a bundle"),
        ("verify {bundle} --episodes 0 --key {place}.key", "line-3.key is no public key in PEM"),
        ("inspect zoo:nothing", "unknown zoo policy 'zoo:nothing'"),
        ("diff {bundle} nowhere", "nowhere is not a directory; diff takes a bundle"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, told: str
) -> None:
    place = tmp_path / "line-3"
    assert main(["keygen", str(place)]) == 0
    capsys.readouterr()
    arguments = [part.format(place=place, bundle=zoo.path(NAME)) for part in command.split()]
    assert main(arguments) == 2
    complaint = capsys.readouterr().err
    assert told in complaint
    assert complaint.count("\n") == 1


def test_a_base_installation_inspects_and_names_the_extra_for_keys() -> None:
    done = without(MORE | {"cryptography"}, "inspect", f"zoo:{NAME}")
    assert (done.returncode, done.stderr) == (0, "")
    done = without(MORE | {"cryptography"}, "keygen", "line-3")
    assert done.returncode == 2
    assert done.stderr.endswith("cryptography, which is not installed: pip install 'cellwright[robot]'\n")


def with_scorecard(directory: Path, change: Any) -> Path:
    """A shipped bundle whose scorecard was changed, and everything hashed anew."""
    bundle = Bundle.load(zoo.path(NAME))
    card = json.loads(bundle.files[SCORECARD])
    change(card)
    files = {name: data for name, data in bundle.files.items() if name != "CARD.md"}
    write_bundle(
        directory, replace(bundle.spec, scores=headline(card)), files | {SCORECARD: canonical_json(card)}
    )
    return directory


def best_twice(card: dict[str, Any]) -> None:
    card["per_episode"][1] = card["per_episode"][0]


def picked(card: dict[str, Any]) -> None:
    del card["per_episode"][1]
    card["episodes"] -= 1


def silent(card: dict[str, Any]) -> None:
    del card["broken"]


def inflated(card: dict[str, Any]) -> None:
    card["success_rate"] = 1.0 if card["success_rate"] < 1.0 else 0.99


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (best_twice, "episode 1 has the seed 100000, not 100001: seeds count up from the first"),
        (picked, "episode 1 has the seed 100002, not 100001"),
        (silent, "lacks the score broken, which its episodes make"),
        (inflated, "success_rate is"),
    ],
)
def test_scores_that_do_not_follow_from_all_recorded_parts_fail(
    tmp_path: Path, change: Any, told: str
) -> None:
    check = verify_scores(with_scorecard(tmp_path / "b", change))
    assert not check.passed
    assert told in check.detail


def test_openssl_style_keys_survive_a_new_process(tmp_path: Path) -> None:
    directory = copied(tmp_path / "b")
    program = "import sys; from cellwright_train.cli import main; sys.exit(main(sys.argv[1:]))"
    for arguments in (
        ["keygen", str(tmp_path / "k")],
        ["sign", str(directory), "--key", str(tmp_path / "k.key")],
    ):
        assert subprocess.run([sys.executable, "-c", program, *arguments], check=False).returncode == 0
    assert main(["verify", str(directory), "--episodes", "0", "--key", str(tmp_path / "k.pub")]) == 0
    assert np.frombuffer((directory / "bundle.sig").read_bytes(), np.uint8).size == 64
