"""Generated code on this machine: its stack, and its decisions, called from Python."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.codegen.names import identifiers

FLAGS = ("-std=c99", "-O2")
_COMPILERS = ("cc", "gcc", "clang")


class CompilerError(ValueError):
    """There is no C compiler here, or it refuses the code; the message is one line."""


def compiler() -> str:
    """The C compiler of this machine, `CC` first; raises `CompilerError` where there is none."""
    for name in (os.environ.get("CC", ""), *_COMPILERS):
        if name and (found := shutil.which(name)):
            return found
    raise CompilerError(f"there is no C compiler here: install one of {', '.join(_COMPILERS)}, or set CC")


def run_compiler(arguments: Sequence[str | Path]) -> None:
    """Compile; raises `CompilerError` with the first complaint."""
    done = subprocess.run([compiler(), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        complaints = [
            line for line in done.stderr.splitlines() if "error" in line
        ] or done.stderr.splitlines()
        raise CompilerError(f"the C compiler says: {(complaints or ['nothing'])[0]}")


def stack_bytes(directory: Path, prefix: str, flags: Sequence[str] = FLAGS) -> int:
    """Most stack that a decision of the code in `directory` takes, without functions of the C library.

    It is the sum of the largest frames at each depth of calls: the decision, views or heads, a kernel, a
    function that a kernel calls. Raises `CompilerError` where the compiler cannot say it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "policy.o"
        run_compiler([*flags, "-fstack-usage", "-c", directory / f"{prefix}.c", "-o", target])
        usage = target.with_suffix(".su")
        if not usage.exists():
            raise CompilerError("the C compiler does not say how much stack a function takes")
        lines = [line.split("\t") for line in usage.read_text().splitlines()]
    frames: dict[str, int] = {}
    for where, size, kind in lines:
        if kind != "static":
            raise CompilerError(f"the stack of {where} is {kind}")
        frames[where.rsplit(":", 1)[1]] = int(size)
    depths = [
        [f"{prefix}_step", f"{prefix}_view"],
        ["views", "heads", "refused"],
        [name for name in frames if name.startswith("step_")],
        ["larger", "smaller", "clipped", "is_finite", "stand_still", "limit"],
    ]
    return sum(max((frames.get(name, 0) for name in names), default=0) for names in depths)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a decision in C gives; arrays are (actions,) float32."""

    status: int
    command: NDArray[np.float32]
    action: NDArray[np.float32]
    action_preclip: NDArray[np.float32]
    beyond_bounds: int
    group: int
    element: int


class Compiled:
    """A policy's generated code, compiled and loaded."""

    def __init__(
        self, files: Mapping[str, bytes], spec: PolicySpec, directory: Path, flags: Sequence[str] = FLAGS
    ) -> None:
        """Compile `files`, as `generate` gives them for the prefix `policy`, in `directory`.

        Raises `CompilerError` where that is not possible.
        """
        for name, data in files.items():
            (directory / name).write_bytes(data)
        sources = [directory / "policy.c", directory / "policy_selftest.c"]
        library = directory / "policy.so"
        run_compiler([*flags, "-shared", "-fPIC", "-o", library, *sources, "-lm"])
        self.library = ctypes.CDLL(str(library))
        names = identifiers([group.name for group in spec.observation])
        self._groups = dict(zip(names, spec.observation, strict=True))
        kinds: dict[str, Any] = {"uint8": ctypes.c_uint8, "float32": ctypes.c_float}
        fields: list[tuple[str, Any]] = [
            (name, kinds[group.dtype] * int(np.prod(group.shape))) for name, group in self._groups.items()
        ]
        row = ctypes.c_float * len(spec.action)
        whole = ctypes.c_int32
        self._observation = type("Observation", (ctypes.Structure,), {"_fields_": fields})()
        self._answer = type(
            "Action",
            (ctypes.Structure,),
            {
                "_fields_": [
                    *(("command", row), ("action", row), ("action_preclip", row)),
                    *(("beyond_bounds", whole), ("group", whole), ("element", whole)),
                ]
            },
        )()
        self._step = self.library.policy_step
        self._pointers = ctypes.byref(self._observation), ctypes.byref(self._answer)

    def give(self, observation: Mapping[str, NDArray[Any]]) -> None:
        """Copy an observation, group name to array, into the structure of C."""
        for name, group in self._groups.items():
            data = np.ascontiguousarray(observation[group.name], group.dtype).tobytes()
            ctypes.memmove(
                ctypes.byref(self._observation, getattr(type(self._observation), name).offset),
                data,
                len(data),
            )

    def step(self) -> int:
        """Decide on the observation that was given; returns the status."""
        return int(self._step(*self._pointers))

    def view(self, sizes: Sequence[int]) -> list[NDArray[np.float32]]:
        """The features of the observation that was given; `sizes` are those of the fields."""
        features = (ctypes.c_float * sum(sizes))()
        self.library.policy_view(self._pointers[0], ctypes.byref(features))
        return np.split(np.array(features, np.float32), np.cumsum(sizes)[:-1])

    def decide(self, observation: Mapping[str, NDArray[Any]]) -> Answer:
        """All that a decision gives."""
        self.give(observation)
        status = self.step()
        answer = self._answer
        return Answer(
            status=status,
            command=np.array(answer.command, np.float32),
            action=np.array(answer.action, np.float32),
            action_preclip=np.array(answer.action_preclip, np.float32),
            beyond_bounds=int(answer.beyond_bounds),
            group=int(answer.group),
            element=int(answer.element),
        )

    def selftest(self) -> tuple[int, float, int, int, int]:
        """Status, largest error, its vector and its action, and the number of vectors."""
        result = type(
            "Result",
            (ctypes.Structure,),
            {
                "_fields_": [
                    ("largest_error", ctypes.c_float),
                    *((name, ctypes.c_int32) for name in ("vector", "action", "vectors")),
                ]
            },
        )()
        status = int(self.library.policy_selftest(ctypes.byref(result)))
        return (
            status,
            float(result.largest_error),
            int(result.vector),
            int(result.action),
            int(result.vectors),
        )
