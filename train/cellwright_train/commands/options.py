"""What several commands are asked for."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from cellwright_train.errors import UsageError, unknown

if TYPE_CHECKING:
    from cellwright_runtime.envelope.limits import Limits

BundleName = Positional[Annotated[str, arg(metavar="BUNDLE", help="a bundle directory, or zoo:NAME")]]
POLICY_HELP = "a bundle, a run directory, an expert's name, or zoo:NAME"

Policy = Annotated[str, arg(metavar="POLICY", help=POLICY_HELP)]
Env = Annotated[
    str | None,
    arg(
        metavar="ID",
        help="an environment; default: the one the policy was trained in, for experts the weld cell",
    ),
]
Products = Annotated[str, arg(metavar="{train,held-out,all}|NAME[+NAME...]")]
Repeated = UseAppendAction[tuple[tuple[str, ...], ...]]
"""Values behind one option, behind several of the same name, or both."""
Disturbances = Annotated[str, arg(metavar="{none,train,hard}|NAME")]


def default_workers() -> int:
    """As many processes as there are cores, up to four."""
    return min(os.cpu_count() or 1, 4)


def bundle_directory(name: str, command: str) -> Path:
    """The directory that `BundleName` means; raises `UsageError` where there is none, for this `command`."""
    from cellwright_policies import zoo

    if name.startswith("zoo:"):
        known = zoo.names()
        if name.removeprefix("zoo:") not in known:
            raise unknown("zoo policy", name, [f"zoo:{each}" for each in known])
        return zoo.path(name.removeprefix("zoo:"))
    directory = Path(name)
    if not directory.is_dir():
        raise UsageError(
            f"{name} is not a directory; {command} takes a bundle, as `cellwright export` writes it"
        )
    return directory


def tightened(limits: "Limits", given: Mapping[str, float]) -> "Limits":
    """The limits with what `--limit` gives; raises `UsageError` for what they refuse."""
    try:
        return limits.tightened(**given)
    except ValueError as error:
        raise UsageError(f"--limit: {error}") from None
