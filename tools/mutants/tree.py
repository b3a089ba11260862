"""A copy of the repository, compiled code included, in which mistakes are made and undone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.mutants.modules import compiled_users
from tools.mutants.mutant import PACKAGES, ROOT, Mutant

IMPORT = "import"
"""Takes the place of a test's name where a package cannot be imported, so that no test runs."""
_COMPILED = "*.nb[ci]"
_COMPILE = """
import gymnasium, cellwright_envs
for name in [name for name in gymnasium.registry if name.startswith("cellwright/")]:
    env = gymnasium.make(name, disable_env_checker=True, privileged=True)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
"""


class Tree:
    """A copy below `directory`, and a process that runs its tests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "tree"
        self._aside = directory / "compiled"
        self._said = directory / "said.txt"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.directory / name)
        for home in PACKAGES.values():
            for code in (ROOT / home).rglob(f"__pycache__/{_COMPILED}"):
                place = self.directory / code.relative_to(ROOT)
                place.parent.mkdir(exist_ok=True)
                shutil.copy2(code, place)
        self._aside.mkdir()
        self.sound = {"", IMPORT}
        """Tests that were seen to pass without a mistake, and the two names that are not tests."""

        self._warm: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str], limit_s: float) -> tuple[int | None, str]:
        """Pytest's exit code, None where it took longer than `limit_s`, and its output."""
        if self._warm is None or self._warm.poll() is not None:
            self._warm = subprocess.Popen(
                [sys.executable, "-m", "tools.mutants.warm"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        order = {
            "arguments": arguments,
            "environment": self.environment,
            "directory": str(self.directory),
            "output": str(self._said),
            "limit_s": limit_s,
        }
        assert self._warm.stdin is not None
        assert self._warm.stdout is not None
        print(json.dumps(order), file=self._warm.stdin, flush=True)
        code: int | None = json.loads(self._warm.stdout.readline())
        return code, self._said.read_text(errors="replace")

    def close(self) -> None:
        """End the process that runs tests."""
        if self._warm is not None and self._warm.stdin is not None:
            self._warm.stdin.close()
            self._warm.wait()

    def compile(self) -> None:
        """Compile, once for all mutants, what the environments need and is not compiled yet."""
        subprocess.run([sys.executable, "-c", _COMPILE], cwd=self.directory, env=self.environment, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of a process that imports the copy."""
        homes = dict.fromkeys(str(self.directory / home) for home in PACKAGES.values())
        path = os.pathsep.join([*homes, str(self.directory)])
        own = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **own}

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Make the mistake for the time of the block.

        Numba compiles a function again only where the time of its own file changed, but its compiled code
        also holds values of imported modules. So the compiled code of all modules that may hold the mistake
        is moved elsewhere for that time.
        """
        path = self.directory / mutant.file
        times, source = path.stat(), path.read_text()
        kept = {code: self._aside / f"{number}" for number, code in enumerate(self._code_with(mutant.file))}
        for code, place in kept.items():
            shutil.move(code, place)
        path.write_text(mutant.mutated(source))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10_000_000_000))
        try:
            yield
        finally:
            path.write_text(source)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            for code in self._code_with(mutant.file):
                code.unlink()
            for code, place in kept.items():
                shutil.move(place, code)

    def _code_with(self, file: str) -> list[Path]:
        """Files of compiled code in which values of `file` may be frozen."""
        return [
            code
            for user in compiled_users(file)
            for code in (self.directory / user).parent.glob(f"__pycache__/{Path(user).stem}.{_COMPILED}")
        ]
