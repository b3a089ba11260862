"""Decisions of generated C beside those of ONNX Runtime."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.codegen.compiled import FLAGS, Compiled, CompilerError
from cellwright_runtime.codegen.generate import generate
from cellwright_runtime.runtime import Runtime
from cellwright_train.bench.figures import Effort, Figures, figure, missing

_WARM_UP = 20


def generated_code(effort: Effort) -> Figures:
    """One decision of every shipped policy in C at -O2, and in ONNX Runtime on one thread."""
    figures: Figures = {}
    for name in zoo.names():
        key = name.replace("-", "_")
        runtime = Runtime(zoo.path(name))
        golden = runtime.bundle.golden
        rows = [
            {group: values[row] for group, values in golden.observations.items()}
            for row in range(len(golden))
        ]

        def decide(row: int, runtime: Runtime = runtime, rows: list = rows) -> Callable[[], object]:
            return lambda: runtime.act(rows[row])

        figures |= _latency(f"{key}_onnx_runtime", decide, len(rows), effort, ("", "<= 0.5"))
        try:
            figures |= _in_c(f"{key}_c", runtime.bundle, rows, effort)
        except CompilerError as error:
            figures[f"{key}_c_p50_ms"] = missing(str(error), "ms", "<= 1")
    return figures


def _in_c(name: str, bundle: Bundle, rows: list, effort: Effort) -> Figures:
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Compiled(generate(bundle, vectors=1).files, bundle.spec, Path(scratch), FLAGS)

        def decide(row: int) -> Callable[[], object]:
            compiled.give(rows[row])
            return compiled.step

        return _latency(name, decide, len(rows), effort, ("<= 1", ""))


def _latency(
    name: str,
    prepare: Callable[[int], Callable[[], object]],
    rows: int,
    effort: Effort,
    aims: tuple[str, str],
) -> Figures:
    """Median and 99th percentile of a decision; what `prepare` does for a row is not timed."""
    milliseconds = []
    for index in range(_WARM_UP + effort.decisions):
        work = prepare(index % rows)
        begin = time.perf_counter()
        work()
        milliseconds.append(1e3 * (time.perf_counter() - begin))
    halves = np.array_split(np.array(milliseconds[_WARM_UP:]), effort.repeats)
    return {
        f"{name}_{label}_ms": figure([float(np.quantile(part, quantile)) for part in halves], "ms", aim)
        for (label, quantile), aim in zip((("p50", 0.5), ("p99", 0.99)), aims, strict=True)
    }
