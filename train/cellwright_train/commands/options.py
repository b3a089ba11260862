"""What several commands are asked for."""

import os
from typing import Annotated

from tyro.conf import arg

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
Disturbances = Annotated[str, arg(metavar="{none,train,hard}|NAME")]


def default_workers() -> int:
    """As many processes as there are cores, up to four."""
    return min(os.cpu_count() or 1, 4)
