"""`python -m tools.installation [--lowest] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from tools.installation.environment import Environment, InstallationError, pythons, run

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("inside.py")
MOST_OWN_MB, MOST_MB = 50.0, 215.0
HEAVY = ("numpy", "onnxruntime")
"""Their size, with what they require, is no choice of ours."""


def main() -> int:
    """Returns 1 where the installation fails, a policy differs, or it is larger than it may be."""
    parser = argparse.ArgumentParser(prog="python -m tools.installation", description=__doc__)
    parser.add_argument(
        "--lowest", action="store_true", help="the oldest Python and the lowest bounds instead"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    found = pythons()
    if not found:
        print("no Python 3.11 to 3.13 with venv on this machine", file=sys.stderr)
        return 1
    python = found[min(found) if options.lowest else max(found)]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            figures = _installed(python, Path(scratch), lowest=options.lowest)
    except InstallationError as error:
        print(f"installation failed: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    if not options.lowest and (figures["own_mb"] > MOST_OWN_MB or figures["all_mb"] > MOST_MB):
        print(f"larger than {MOST_OWN_MB:g} MB of its own or {MOST_MB:g} MB in all", file=sys.stderr)
        return 1
    return 0


def _installed(python: str, scratch: Path, *, lowest: bool) -> dict[str, Any]:
    """Install from a folder of wheels into an empty environment, and look at what came of it."""
    environment = Environment.create(python, scratch / "venv")
    wheels, wheel = scratch / "wheels", scratch / "wheel"
    # Built by itself and away from the checkout: nothing but the wheel can then be what works.
    environment.pip("wheel", "--no-deps", "--wheel-dir", str(wheel), str(ROOT))
    (built,) = wheel.glob("*.whl")
    pinned = [f"{name}=={_lowest(name)}.*" for name in HEAVY] if lowest else []
    environment.pip("download", "--only-binary=:all:", "--dest", str(wheels), str(built), *pinned)
    empty_mb = _size_mb(environment.packages())
    begin = time.monotonic()
    environment.pip("install", "--no-index", "--find-links", str(wheels), "cellwright", *pinned)
    seconds = time.monotonic() - begin
    all_mb = _size_mb(environment.packages()) - empty_mb
    inside = json.loads(run([environment.python, "-I", str(INSIDE)]))
    command = str(environment.directory / "bin" / "cellwright")
    for policy in inside["worst"]:
        run([command, "verify", f"zoo:{policy}", "--episodes", "0"])
    return {
        "python": run([environment.python, "--version"]).split()[1],
        "wheel_mb": round(built.stat().st_size / 1e6, 1),
        "all_mb": round(all_mb, 1),
        "own_mb": round(all_mb - _heavy_mb(python, scratch, wheels, pinned), 1),
        "install_s": round(seconds, 1),
        **inside,
    }


def _heavy_mb(python: str, scratch: Path, wheels: Path, pinned: list[str]) -> float:
    """What numpy and onnxruntime take with all that they require."""
    alone = Environment.create(python, scratch / "alone")
    empty_mb = _size_mb(alone.packages())
    alone.pip("install", "--no-index", "--find-links", str(wheels), *(pinned or HEAVY))
    return _size_mb(alone.packages()) - empty_mb


def _size_mb(directory: Path) -> float:
    """Bytes of all files, in MB of 10^6."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6


def _lowest(name: str) -> str:
    """The lower bound of a requirement of the base, as pyproject.toml states it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bound = next(each for each in project["dependencies"] if each.startswith(f"{name}>="))
    return str(bound).removeprefix(f"{name}>=")


if __name__ == "__main__":
    sys.exit(main())
