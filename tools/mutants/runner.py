"""Runs the tests of a mutant and reports whether one of them failed."""

from __future__ import annotations

import queue
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.mutant import Mutant, MutantError
from tools.mutants.tree import IMPORT, Tree


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of running the tests of a mutant."""

    mutant: Mutant
    killed_by: str
    """Test that failed, or `import`; empty where the mutant survives or could not be judged."""
    trouble: str
    """Why it could not be judged; empty where it was."""
    seconds: float

    @property
    def killed(self) -> bool:
        return bool(self.killed_by)


def judged(
    mutants: Sequence[Mutant], *, jobs: int, limit_s: float, done: Callable[[Verdict], None]
) -> list[Verdict]:
    """Judge every mutant, `jobs` at a time; `done` is called with each verdict as it comes.

    The tests of one mutant may take `limit_s` [s].
    """
    with _trees(jobs) as trees, ThreadPoolExecutor(jobs) as pool:
        list(pool.map(Tree.compile, trees.queue))

        def judge(mutant: Mutant) -> Verdict:
            tree = trees.get()
            try:
                return _judged(tree, mutant, limit_s)
            finally:
                trees.put(tree)

        verdicts: list[Verdict] = []
        for future in as_completed([pool.submit(judge, mutant) for mutant in mutants]):
            verdicts.append(future.result())
            done(verdicts[-1])
    return verdicts


@contextmanager
def _trees(jobs: int) -> Iterator[queue.Queue[Tree]]:
    trees: queue.Queue[Tree] = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        everyone = [Tree(Path(directory) / f"job-{job}") for job in range(jobs)]
        for tree in everyone:
            trees.put(tree)
        try:
            yield trees
        finally:
            for tree in everyone:
                tree.close()


def _judged(tree: Tree, mutant: Mutant, limit_s: float) -> Verdict:
    begin_s, killed_by, trouble = time.monotonic(), "", ""
    try:
        with tree.mutated(mutant):
            for test in mutant.tests:
                if killed_by := _failing(tree, test.split(), limit_s - (time.monotonic() - begin_s)):
                    break
        if killed_by not in tree.sound and _failing(tree, [killed_by], limit_s):
            killed_by, trouble = "", f"{killed_by} also fails without the mistake"
        tree.sound.add(killed_by)
    except (MutantError, TimeoutError) as error:
        trouble = str(error) or f"its tests take more than {limit_s:.0f} s"
    seconds = time.monotonic() - begin_s
    return Verdict(mutant=mutant, killed_by=killed_by, trouble=trouble, seconds=seconds)


def _failing(tree: Tree, tests: list[str], limit_s: float) -> str:
    """Name of the first test that fails, empty where all pass; `tests` are arguments of pytest.

    Raises TimeoutError where they take longer than `limit_s`.
    """
    arguments = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    code, said = tree.run(arguments, max(limit_s, 1.0))
    if code is None:
        raise TimeoutError
    if code == 0:
        return ""
    failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR tests"))]
    if failed:
        return failed[0].split(" ", 1)[1].split(" - ")[0]
    if "while loading conftest" in said:
        return IMPORT
    raise MutantError(f"pytest ended with {code} for {' '.join(tests)}:\n{said[-2000:]}")
