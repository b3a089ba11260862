"""Pythons of this machine, and empty environments made from them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OLDEST, NEWEST = 11, 13
"""Minor versions of Python 3 that the base supports."""
_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


class InstallationError(Exception):
    """A step failed; the message is what it printed."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment with nothing but pip in it."""

    directory: Path

    @classmethod
    def create(cls, python: str, directory: Path) -> Environment:
        """Make one with `python`; raises `InstallationError` where it cannot."""
        run([python, "-m", "venv", str(directory)])
        return cls(directory=directory)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.directory / "bin" / "python")

    def pip(self, *arguments: str) -> None:
        """Run its pip."""
        run([self.python, *_PIP, *arguments])

    def packages(self) -> Path:
        """Where it keeps what is installed."""
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        return Path(run([self.python, "-c", code]).strip())


def pythons() -> dict[int, str]:
    """Interpreters that work, by the minor version of Python 3, from `OLDEST` to `NEWEST`."""
    found: dict[int, str] = {}
    for minor in range(OLDEST, NEWEST + 1):
        installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
        candidates = [shutil.which(f"python3.{minor}"), *map(str, installed.glob(f"3.{minor}.*/bin/python"))]
        working = [each for each in candidates if each and _is(each, minor)]
        if working:
            found[minor] = working[0]
    return found


def run(command: Sequence[str]) -> str:
    """Run `command` away from this checkout and return what it printed; raises `InstallationError`."""
    # What a user's installation has too: byte code, and nothing of this checkout.
    unset = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=environment, check=False)
    if done.returncode:
        raise InstallationError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _is(python: str, minor: int) -> bool:
    code = f"import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, {minor}))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
