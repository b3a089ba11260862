"""Trained policies that ship with the package, each a bundle in a directory of its own."""

from pathlib import Path

from cellwright_runtime.bundle.container import is_bundle

DIRECTORY = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Names of the bundles that are here, sorted."""
    return tuple(sorted(path.name for path in DIRECTORY.iterdir() if is_bundle(path)))


def path(name: str) -> Path:
    """Directory of the bundle `name`; raises ValueError with the names there are."""
    if name not in names():
        raise ValueError(f"no policy {name!r} in the zoo; there is {', '.join(names()) or 'none yet'}")
    return DIRECTORY / name
