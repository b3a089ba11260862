"""What stands beside a robot, without numba and without everything else that a robot's computer lacks."""

import subprocess
import sys
import textwrap
from dataclasses import astuple
from pathlib import Path

import numpy as np

from cellwright_perception.seam.cross_section import JOINTS
from cellwright_perception.seam.line_profile import ProfileSensor
from cellwright_perception.seam.seam_map import SeamMap
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
