"""What feeds a step computes the same bits on every processor."""

from pathlib import Path

import pytest

from tools.trajectories.sources import EXEMPT, ROOT, checked_files, faults


def test_what_feeds_a_step_does_not_depend_on_the_processor() -> None:
    files = checked_files()
    assert Path("envs/cellwright_envs/cell_env.py") in files
    found = []
    for file in files:
        always_compiled = file.parts[0] == "envs"
        source = (ROOT / file).read_text()
        found += [f"{file}, {fault}" for fault in faults(source, always_compiled=always_compiled)]
    assert found == []


@pytest.mark.parametrize("file", EXEMPT)
def test_each_exemption_is_needed(file: str) -> None:
    assert faults((ROOT / file).read_text())


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("a @ b", "@"),
        ("a @= b", "@"),
        ("np.dot(a, b)", "dot"),
        ("a.dot(b)", "dot"),
        ("np.einsum('ij,j', a, b)", "einsum"),
        ("np.linalg.norm(a)", "linalg"),
        ("from numpy import dot", "numpy"),
        ("from numpy.linalg import norm", "numpy"),
        ("np.arctan2(a, b)", "np.arctan2"),
        ("a**0.6", "power"),
        ("np.argsort(a)", "argsort"),
        ("a.argsort(kind='quicksort')", "argsort"),
        ("@njit(fastmath=True)\ndef f(): ...", "fastmath"),
        ("@njit\ndef f(a, b):\n    return a @ b", "@"),
        ("import cv2", "OpenCV"),
    ],
)
def test_what_depends_on_the_processor_is_named(source: str, named: str) -> None:
    (found,) = faults(source)
    assert named in found


@pytest.mark.parametrize(
    "source",
    [
        "math.sin(a) + np.sqrt(b) + a**2",
        "@njit(cache=True)\ndef f(a):\n    return np.exp(a) * a**0.6",
        "a.argsort(kind='stable')",
        "arithmetic.inner(a, b)",
    ],
)
def test_what_is_the_same_everywhere_passes(source: str) -> None:
    assert faults(source) == []


def test_what_may_be_compiled_is_not_always() -> None:
    source = "@compilable\ndef f(a):\n    return np.exp(a)"
    assert faults(source, always_compiled=True) == []
    assert len(faults(source)) == 1
