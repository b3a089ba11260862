"""What the tests of generated code share: observations, strict compilation, graphs of a few operators."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle, PolicySpec
from cellwright_runtime.codegen.compiled import compiler
from cellwright_runtime.codegen.generate import Generated, generate
from cellwright_runtime.parity import edge_cases

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

Observation = dict[str, NDArray[Any]]


@functools.cache
def generated(name: str) -> tuple[Bundle, Generated]:
    """A shipped policy and its code, with the names and vectors that the command chooses."""
    bundle = Bundle.load(zoo.path(name))
    return bundle, generate(bundle)


def compile_c(*arguments: str | Path) -> None:
    """Compile with every warning an error; fails with the compiler's words."""
    done = subprocess.run(
        [compiler(), *STRICT, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr[:3000]


def symbols(library: Path, *options: str) -> dict[str, str]:
    """Names that `nm` lists, with the letter of their kind."""
    program = shutil.which("nm")
    assert program, "the tests of generated code need nm, which comes with the C compiler"
    done = subprocess.run([program, "-D", *options, library], capture_output=True, text=True, check=True)
    return {
        name: kind for kind, name in re.findall(r"\b([A-Za-z]) (\w+)(?:@\S+)?$", done.stdout, re.MULTILINE)
    }


def observations(spec: PolicySpec, count: int, seed: int = 0) -> Iterator[Observation]:
    """Edge cases of the observation space and `count` random ones, some of them outside of their ranges."""
    edges = edge_cases(spec)
    for row in range(len(next(iter(edges.values())))):
        yield {name: values[row] for name, values in edges.items()}
    rng = np.random.default_rng(seed)
    for index in range(count):
        yield {group.name: _drawn(group, index, rng) for group in spec.observation}


def _drawn(group: Any, index: int, rng: np.random.Generator) -> NDArray[Any]:
    low, high = (np.broadcast_to(end, group.shape) for end in (group.low, group.high))
    if group.dtype == "uint8":
        kinds = (
            rng.integers(0, 256, group.shape),
            np.full(group.shape, rng.integers(0, 256)),
            255 * rng.integers(0, 2, group.shape),
            np.broadcast_to(np.linspace(0, 255, group.shape[2]), group.shape),
        )
        return kinds[index % len(kinds)].astype(np.uint8)
    drawn = rng.uniform(low, high) if index % 3 else np.where(rng.integers(0, 2, group.shape), low, high)
    return (drawn * (3.0 if index % 5 == 0 else 1.0)).astype(np.float32)


def packed(spec: PolicySpec, observation: Mapping[str, NDArray[Any]]) -> bytes:
    """An observation as the structure of C holds it, without gaps: groups of bytes are multiples of four."""
    parts = []
    for group in spec.observation:
        data = np.ascontiguousarray(observation[group.name], group.dtype).tobytes()
        assert len(data) % 4 == 0
        parts.append(data)
    return b"".join(parts)
