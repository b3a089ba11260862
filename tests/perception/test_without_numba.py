"""What stands beside a robot, without numba and without everything else that a robot's computer lacks."""

import subprocess
import sys
import textwrap
from dataclasses import astuple
from pathlib import Path
from types import ModuleType

import numpy as np

from cellwright_perception.seam.line_profile import ProfileSensor
from cellwright_perception.seam.measurement import JOINTS, SeamSensor
from cellwright_perception.seam.outlier_gate import OutlierGate
from cellwright_perception.seam.seam_map import SeamMap
from cellwright_perception.seam.seam_profile import SeamProfile
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

ABSENT = ("numba", "llvmlite", "cv2", "torch", "pybullet", "gymnasium", "stable_baselines3", "onnx", "scipy")

BARE = f"""
import importlib, importlib.abc, pkgutil, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
"""
EVERY_MODULE = """
import cellwright_assets, cellwright_perception, cellwright_runtime
for package in (cellwright_assets, cellwright_perception, cellwright_runtime):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("numba_compiler"):
            importlib.import_module(found.name)
"""
MAP = """
from test_without_numba import mapped
import numpy as np
with np.load(sys.argv[1]) as file, np.errstate(all="raise"):
    np.savez(sys.argv[2], mapped=mapped(file["profiles"]))
"""
MEASURE = """
from test_without_numba import believed, measured
import numpy as np
with np.load(sys.argv[1]) as file, np.errstate(all="raise"):
    np.savez(sys.argv[2], measured=measured(file["images"]), believed=believed(file["values"]))
"""


def measured(images: np.ndarray) -> np.ndarray:
    """Every joint looked for in each of `images`, from both sides."""
    sensor = SeamSensor(SeamSensorGeometry())
    return np.array(
        [
            astuple(sensor.measure(image, joint, mirrored=mirrored, window_px=(3.0, -2.0)))
            for image in images
            for joint in JOINTS
            for mirrored in (False, True)
        ]
    )


def believed(values: np.ndarray) -> np.ndarray:
    """What gate and profile make of a row of measurements (N, 3)."""
    gate, profile = OutlierGate(), SeamProfile(look_ahead_m=0.025, capacity=32)
    for index, row in enumerate(values.tolist()):
        if gate.passes(*row):
            profile.push(1e-3 * index, *row, 0.7)
    return profile.sample(np.linspace(0.0, 1e-3 * len(values), 90))


def mapped(profiles: np.ndarray) -> np.ndarray:
    """Every joint in each of `profiles` (N, 640, 2), and what a map makes of all of them."""
    sensor, rows = ProfileSensor(SeamSensorGeometry(), profiles.shape[1]), []
    for joint in JOINTS:
        seam = SeamMap()
        for index, profile in enumerate(profiles):
            found = sensor.measure(profile, joint, opening_rad=1.5, gap_fraction=0.9, search=(0.0, 4e-3))
            rows.append(astuple(found))
            seam.push(0.3e-3 * index, found)
        known = seam.sample(np.linspace(-1e-3, 0.4e-3 * len(profiles), 40))
        rows += np.column_stack([known.values_m, known.confidence]).tolist()
    return np.array(rows)


def in_a_bare_process(source: str, *arguments: str) -> None:
    paths = [*(path for path in sys.path if path), str(Path(__file__).parent)]
    program = BARE + f"sys.path[:] = {paths!r}\n" + textwrap.dedent(source)
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_beside_a_robot_is_imported() -> None:
    in_a_bare_process(EVERY_MODULE)


def test_seams_are_measured_with_the_same_bits(laser: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 256, (64, 64)).astype(np.uint8), np.zeros((64, 64), np.uint8)]
    for gap_m in (0.0, 0.7e-3, 1.6e-3):
        for kind in JOINTS:
            roll_rad = rng.uniform(-0.1, 0.1)
            joint = laser.Joint(kind=kind, gap_m=gap_m, roll_rad=roll_rad, lateral_m=1e-3, mismatch_m=3e-4)
            images.append(laser.render(joint, rng))
    values = np.cumsum(rng.normal(0.0, 2e-4, (80, 3)), axis=0)
    values[30] += 5e-3
    values[50:] += 3e-3
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, images=np.array(images), values=values)
    in_a_bare_process(MEASURE, str(given), str(found))
    with np.load(found) as bare:
        compiled = measured(np.array(images))
        assert np.count_nonzero(compiled[:, -1]) > 10
        np.testing.assert_array_equal(bare["measured"], compiled)
        np.testing.assert_array_equal(bare["believed"], believed(values))


def test_profiles_are_mapped_with_the_same_bits(tmp_path: Path) -> None:
    """Butts, fillets and laps with scatter, missing points, spatter and a tack; and nothing but noise."""
    rng = np.random.default_rng(7)
    across = np.linspace(-0.0125, 0.0125, 640)
    profiles = []
    for index in range(24):
        gap_m = rng.uniform(0.0, 1.2e-3)
        inside = np.abs(across) < 0.5 * gap_m + 0.3e-3
        groove = np.where(inside, -0.5e-3 + (np.abs(across) - 0.5 * gap_m) * 5 / 3, 0.0)
        groove[np.abs(across) < 0.5 * gap_m] = np.nan
        vee = np.abs(across + 0.4 * gap_m * (np.abs(across - 0.5 * gap_m) < 0.5 * gap_m)) + 1e-3
        step = np.where(across > 2e-3, 4e-3 - across, np.abs(across))
        up = (groove, vee, np.maximum(vee, 1.8e-3), step)[index % 4] + rng.normal(0.0, 0.05e-3, 640)
        up[rng.random(640) < 0.05] = np.nan
        start = int(rng.integers(0, 600))
        up[start : start + 30] += 2e-3
        profiles.append(np.column_stack([np.where(np.isnan(up), np.nan, across), up]))
    profiles += [np.full((640, 2), np.nan), rng.uniform(-0.01, 0.01, (640, 2))]
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, profiles=np.array(profiles))
    in_a_bare_process(MAP, str(given), str(found))
    with np.load(found) as bare:
        compiled = mapped(np.array(profiles))
        assert np.count_nonzero(compiled[:, 4]) > 40
        np.testing.assert_array_equal(bare["mapped"], compiled)
