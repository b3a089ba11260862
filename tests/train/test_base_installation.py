"""What the command does where only numpy, onnxruntime, tyro and rich are installed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ABSENT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):  # what it finds of the metadata of distributions stays
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.split(".")[0] in {names} else PathFinder.find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from cellwright_train.cli import main
sys.exit(main(sys.argv[1:]))
"""
MORE = {
    "PIL",
    "cv2",
    "gymnasium",
    "jinja2",
    "matplotlib",
    "mcap",
    "msgspec",
    "numba",
    "onnx",
    "onnxscript",
    "pyarrow",
    "pybullet",
    "rerun",
    "ruckig",
    "safetensors",
    "stable_baselines3",
    "tensorboard",
    "torch",
    "tqdm",
}
LEARNING = {"onnx", "onnxscript", "safetensors", "stable_baselines3", "tensorboard", "torch"}


def without(names: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = ABSENT.format(names=names)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


def test_a_bundle_is_verified_and_what_was_left_out_is_said() -> None:
    done = without(MORE, "verify", "zoo:peg-insertion")
    assert (done.returncode, done.stderr) == (0, "")
    assert "golden vectors" in done.stdout
    told = "scores and closed loop were left out: they need the cells, pip install 'cellwright[sim]'\n"
    assert done.stdout.endswith(told)


def test_code_is_generated(tmp_path: Path) -> None:
    done = without(MORE, "codegen", "zoo:peg-insertion", "--out", str(tmp_path / "code"), "--vectors", "2")
    assert (done.returncode, done.stderr) == (0, "")
    envelope = ["policy_envelope.h", "policy_envelope.c", "policy_envelope_selftest.c"]
    files = ["policy.h", "policy.c", "policy_selftest.c", *envelope, "policy.st"]
    assert done.stdout.endswith(f"{tmp_path / 'code'}: {', '.join(files)}\n")
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == sorted(files)
    assert re.search(r"stack, compiled here with -O2\W+1,\d{3} bytes", done.stdout)


@pytest.mark.parametrize(
    ("names", "command", "extra"),
    [
        (MORE, "evaluate oracle", "sim"),
        (MORE, "verify zoo:peg-insertion --against somewhere", "sim"),
        (MORE, "demo", "train"),
        (MORE, "virtual-controller ur", "sim"),
        (LEARNING, "export somewhere --out bundle", "train"),
        ({"pyarrow"}, "record oracle --out somewhere", "data"),
        ({"rerun"}, "watch oracle --viewer", "viewer"),
        ({"mcap"}, "replay stop-001.mcap", "robot"),
    ],
)
def test_a_command_that_needs_more_names_the_extra(names: set[str], command: str, extra: str) -> None:
    done = without(names, *command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"which is not installed: pip install 'cellwright[{extra}]'\n")
    assert done.stderr.count("\n") == 1


def test_an_expert_is_evaluated_without_the_training_stack() -> None:
    command = "evaluate oracle --env cellwright/PegInsertion-v1 --episodes 1 --workers 1"
    done = without(LEARNING | {"PIL", "jinja2", "matplotlib"}, *command.split())
    assert done.returncode == 0, done.stderr
