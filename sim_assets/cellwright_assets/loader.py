"""The one way to find a data file of this package, from a checkout or from an installed wheel."""

from pathlib import Path

DATA = Path(__file__).parent / "data"


def asset_path(name: str) -> Path:
    """Return the path of the data file called `name`, such as `ur10e_torch.urdf`.

    Raises ValueError, listing the names that exist, if there is no such file.
    """
    names = sorted(path.name for path in DATA.iterdir() if path.is_file())
    if name not in names:
        raise ValueError(f"no asset is called {name!r}; there are: {', '.join(names)}")
    return DATA / name
