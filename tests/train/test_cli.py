import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cellwright_train.cli import COMMANDS, main
from cellwright_train.errors import UsageError
from cellwright_train.learning.presets import PRESETS
from cellwright_train.learning.runs import RunDirectory

PEG = ("--env", "cellwright/PegInsertion-v1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Expected one of {demo, train, adapt, evaluate, scenarios, leaderboard, regress, shift, export"),
        (["evalaute"], "did you mean evaluate?"),
        (["evaluate"], "POLICY"),
        (["evaluate", "oracle", "--epsiodes", "3"], "did you mean --episodes?"),
        (["evaluate", "oracle", "--episodes", "many"], "--episodes"),
        (["evaluate", "oracle", "--episodes", "0"], "--episodes must be at least 1, got 0"),
        (["evaluate", "oracle", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["verify", "zoo:weld-seam", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["verify", "zoo:weld-seam", "--episodes", "-1"], "--episodes must be at least 0, got -1"),
        (["train", "debug", "--seed", "-1", "--run-dir", "/tmp/never"], "--seed must be at least 0, got -1"),
        (["train", "debug", "--minutes", "0"], "--minutes must be more than 0, got 0"),
        (["train", "debug", "--minutes", "nan"], "--minutes must be more than 0, got nan"),
        (["train", "debug", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["train", "debug", "--device", "gpu", "--run-dir", "/tmp/never"], "no device 'gpu' here"),
        (["demo", "--minutes", "nan"], "--minutes must be more than 0, got nan"),
        (["demo", "--seed", "4294967296"], "--seed must be from 0 to 4294967295, got 4294967296"),
        (["train", "debug", "--run-dir", __file__], "test_cli.py is a file; name a directory with --run-dir"),
        (["train", "debug", "--run-dir", f"{__file__}/run"], "Not a directory"),
        (["train", "--resume", "--run-dir", __file__], "test_cli.py holds no checkpoints"),
        (["demo", "--parts", "0"], "--parts must be at least 1, got 0"),
        (["evaluate", "orakle"], "did you mean 'oracle'?"),
        (["evaluate", "zoo:weld"], "unknown zoo policy 'zoo:weld'"),
        (["evaluate", "oracle", "--products", "trian"], "did you mean 'train'?"),
        (["evaluate", "oracle", "--env", "cellwright/WeldSeem-v1"], "did you mean 'cellwright/WeldSeam-v1'?"),
        (["evaluate", "oracle", "--env", "cellwright/WeldSeam-v0"], "did you mean 'cellwright/WeldSeam-v1'?"),
        (["evaluate", "oracle", "--disturbances", "hrad"], "hrad"),
        (["evaluate", "spiral-search"], "not of cellwright/WeldSeam-v1; choose with --env"),
        (
            ["evaluate", "seam-tracker", *PEG],
            "an expert of cellwright/WeldSeam-v1 and cellwright/WeldSeamWithoutPool-v1, not of cellw",
        ),
        (["evaluate", "oracle", *PEG, "--products", "lap-straight-1.6"], "unknown part 'lap-straight-1.6'"),
        (["evaluate", "oracle", *PEG, "--disturbances", "arc_glare"], "arc_glare"),
        (["evaluate", "zoo:weld-seam", *PEG], "was trained in cellwright/WeldSeam-v1 and does not act in"),
        (["watch", "zoo:weld-seam", *PEG], "was trained in cellwright/WeldSeam-v1 and does not act in"),
        (["evaluate", "oracle", "--line-change", "moved-fixtrue"], "did you mean 'moved-fixture'?"),
        (["evaluate", "oracle", *PEG, "--line-change", "bent-wire"], "unknown line change 'bent-wire'"),
        (["evaluate", "oracle", "--json", "/no/such/place/a.json"], "/no/such/place is no directory"),
        (["evaluate", "oracle", "--json", "/tmp/a", "--report", "/tmp/a"], "name two files"),
        (["demo", "--out", "/no/such/place/a.html"], "/no/such/place is no directory"),
        (
            ["verify", "zoo:peg-insertion", "--against", "oracle"],
            "oracle is an expert; --against takes the run",
        ),
        (["verify", "/no/such/bundle"], "is not a directory"),
        (["verify", "."], "no manifest.json"),
        (["codegen", "/no/such/bundle", "--out", "/tmp/never"], "is not a directory; codegen takes a bundle"),
        (["codegen", "zoo:peg", "--out", "/tmp/never"], "did you mean 'zoo:peg-insertion'?"),
        (["codegen", ".", "--out", "/tmp/never"], "no manifest.json"),
        (["codegen", "zoo:peg-insertion", "--out", "/tmp/never", "--prefix", "A b"], "--prefix 'A b' cannot"),
        (["codegen", "zoo:peg-insertion", "--out", "/tmp/never", "--vectors", "0"], "must be at least 1"),
        (["codegen", "zoo:weld-seam", "--out", "/proc/never"], "/proc/never cannot be written"),
        (["codegen", "zoo:weld-seam", "--out", "/tmp"], "/tmp exists; choose another directory or pass"),
        (["export", "/no/such/run", "--out", "/tmp/never"], "does not exist"),
        (["export", "oracle", "--out", "/tmp/never"], "export takes a run directory"),
        (["train", "weld-saem"], "did you mean 'weld-seam'?"),
        (["train", "--resume", "--run-dir", "/no/such/run"], "no checkpoints"),
        (["train", "debug", "--demonstrations", "/no/such"], "is no cell of a known family"),
        (
            ["train", "peg-insertion", "--run-dir", "/tmp/never", "--demonstrations", "/no/such"],
            "/no/such cannot be read",
        ),
        (
            ["train", "--resume", "--run-dir", "/no/such/run", "--demonstrations", "a"],
            "--resume goes on after its demonstrations; leave a out",
        ),
        (["train", "gear-mesh", "--from", "oracle"], "oracle is an expert and does not learn"),
        (["train", "gear-mesh", "--from", "zoo:gear"], "did you mean 'zoo:gear-mesh'?"),
        (
            ["train", "gear-mesh", "--from", "zoo:nut-fastening"],
            "is a policy for cellwright/NutFastening-v2, and this trains in cellwright/GearMesh-v1",
        ),
        (
            ["train", "gear-mesh", "--from", "zoo:gear-mesh", "--set", "network.signal_features=64"],
            "zoo:gear-mesh policy/actor",
        ),
        (
            ["train", "gear-mesh", "--from", "zoo:gear-mesh", "--demonstrations", "a"],
            "--demonstrations and --from both say what training begins with; leave one out",
        ),
        (["train", "gear-mesh", "--set", "ppo.epoch=3"], "did you mean 'ppo.epochs'?"),
        (["train", "gear-mesh", "--set", "ppo.epochs=many"], 'ppo.epochs is "many", not a whole number'),
        (
            ["train", "gear-mesh", "--set", "ppo.epochs"],
            "--set takes NAME=VALUE with a setting of the preset",
        ),
        (["train", "gear-mesh", "--set", "popo.epochs=3"], "got 'popo.epochs=3'"),
        (["train", "gear-mesh", "--set", "popo.epochs=3", "--set", "seed=2"], "got 'popo.epochs=3'"),
        (
            ["train", "gear-mesh", "--set", "steps=3", "ppo.epochs=2", "--set", "steps=4"],
            "--set gives steps twice; give it one value",
        ),
        (["train", "gear-mesh", "--set", "steps.epochs=3"], "got 'steps.epochs=3'"),
        (
            ["train", "--resume", "--run-dir", "/no/such/run", "--from", "zoo:gear-mesh"],
            "--resume goes on as the run began; leave --from zoo:gear-mesh out",
        ),
        (
            ["train", "--resume", "--run-dir", "/no/such/run", "--set", "steps=1"],
            "--resume goes on as the run began; leave --set steps=1 out",
        ),
        (["watch", "oracle", "--out", "weld.docx"], "use .gif, .png or .rrd"),
        (["record", "oracle"], "--out"),
        (["record", "orakle", "--out", "/tmp/never"], "did you mean 'oracle'?"),
        (["record", "oracle", "--out", "/no/such/place/a"], "cannot be written: No such file or directory"),
        (["record", "oracle", "--out", __file__], "is no directory that can be replaced"),
        (["record", "oracle", "--out", "/"], "is no directory that can be replaced"),
        (["record", "oracle", "--out", "/tmp/never", "--episodes", "0"], "--episodes must be at least 1"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert output.err.startswith("cellwright: ")
    assert output.err.count("\n") == 1


def test_a_seed_that_is_refused_leaves_no_run_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "debug", "--run-dir", str(tmp_path / "run"), "--seed", "99999999999999999999"]
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert told == "cellwright: --seed must be from 0 to 4294967295, got 99999999999999999999\n"
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="seed must be from 0 to 4294967295, got 4294967296"):
        RunDirectory.create(tmp_path / "run", PRESETS["debug"], seed=2**32)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "config", ["{}", "garbage", "[1]", '{"env_id": "cellwright/GearMesh-v1", "stps": 1}']
)
@pytest.mark.parametrize("command", ["evaluate", "export --out bundle", "train --resume --run-dir"])
def test_a_run_edited_into_nonsense_gets_one_line_and_exit_code_2(
    config: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.json").write_text(config)
    assert main([*command.split(), str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "config.json is no configuration of a run" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_gets_one_line_and_exit_code_2(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory.create(tmp_path / "run", PRESETS["peg-insertion"], seed=1)
    run.best.mkdir()
    (run.best / "1").mkdir()
    (run.best / "1" / "model.safetensors").write_bytes(content)
    assert main(["evaluate", str(run.path), "--episodes", "2", "--workers", "2"]) == 2
    told = capsys.readouterr().err
    assert "best/1 cannot be loaded, copy or train it again" in told
    assert told.splitlines()[-1].startswith("cellwright: ")
    assert "Traceback" not in told


def test_a_damaged_bundle_gets_one_line_and_exit_code_2(
    bundle_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_bytes((bundle_dir / "manifest.json").read_bytes())
    assert main(["evaluate", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert " is missing" in told
    assert told.count("\n") == 1


def test_a_bundle_for_other_observations_is_told_the_shape(
    bundle_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle_dir), "--episodes", "1", "--workers", "1"]) == 2
    assert "'image' is uint8 (3, 64, 64), the policy takes uint8 (2, 16, 16)" in capsys.readouterr().err


def test_verify_of_a_foreign_bundle_fails_with_exit_code_1(
    bundle_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(bundle_dir)]) == 1
    output = capsys.readouterr()
    assert "layout: manifest.json says image is uint8 (2, 16, 16)" in output.err
    assert "golden vectors" in output.out


def test_existing_files_are_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = tmp_path / "weld.gif"
    film.write_text("keep me")
    assert main(["watch", "oracle", "--out", str(film)]) == 2
    assert "exists" in capsys.readouterr().err
    assert film.read_text() == "keep me"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes").write_text("keep me")
    assert main(["train", "debug", "--run-dir", str(tmp_path / "run")]) == 2
    assert "not empty" in capsys.readouterr().err


def test_evaluate_writes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "result.json"
    arguments = ["evaluate", "seam-tracker", "--episodes", "2", "--seed", "5", "--workers", "1"]
    assert main([*arguments, "--disturbances", "none", "--json", str(target)]) == 0
    told = json.loads(target.read_text())
    assert (told["policy"], told["env"], told["episodes"], told["seed"]) == (
        "seam-tracker",
        "cellwright/WeldSeam-v1",
        2,
        5,
    )
    assert [episode["seed"] for episode in told["per_episode"]] == [5, 6]
    assert "95 % intervals" in capsys.readouterr().out


def test_evaluate_of_insertions_writes_what_insertions_have(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    arguments = ["evaluate", "blind-insertion", *PEG, "--episodes", "2", "--seed", "5", "--workers", "1"]
    arguments += ["--products", "held-out", "--line-change", "dim-light"]
    assert main([*arguments, "--json", str(target)]) == 0
    told = json.loads(target.read_text())
    assert told["line_change"] == "dim-light"
    assert (told["env"], told["products"], told["disturbances"]) == (PEG[1], "held-out", "train")
    assert {"success_rate", "loose_success_rate", "broken", "lost", "cut_off"} < set(told)
    assert (told["cellwright"], told["policy_sha256"]) == (version("cellwright"), "blind-insertion")
    assert [episode["product"] for episode in told["per_episode"]] == [
        "hexagonal-8-0.5-chamfer",
        "hexagonal-12-0.3",
    ]


def test_a_line_change_stands_beside_the_same_parts_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, plain = tmp_path / "changed.json", tmp_path / "plain.json"
    arguments = ["evaluate", "oracle", *PEG, "--episodes", "3", "--seed", "5", "--workers", "2"]
    assert main([*arguments, "--line-change", "worn-fingers", "--json", str(target)]) == 0
    shown = capsys.readouterr().out
    assert "the same parts without it" in shown
    assert "effect of the change on good parts, pair by pair: " in shown
    assert main([*arguments, "--json", str(plain)]) == 0
    told, without = json.loads(target.read_text()), json.loads(plain.read_text())
    assert told["control"]["per_episode"] == without["per_episode"]
    assert told["control"]["success_rate"] == without["success_rate"]
    hashes = [[row["conditions"] for row in arm["per_episode"]] for arm in (told, without)]
    assert len({*hashes[0], *hashes[1]}) == 6
    difference = told["success_rate"] - without["success_rate"]
    assert told["effect"]["good"]["value"] == pytest.approx(difference)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: cellwright {command}" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom cellwright_train.cli import main\nmain(['--help'])\n"
        "heavy = {'torch', 'gymnasium', 'pybullet', 'numba', 'matplotlib', 'onnx', 'numpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
