"""Golden vectors: recorded observations with the outputs that the training framework gave for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.files.archive import npz_bytes, read_npz
from cellwright_runtime.files.reading import FileError

GOLDEN = "golden.npz"
MOST_VECTORS = 500
"""More than twice as many as export records. Verifying a bundle takes one decision for each."""
_OBSERVATION = "observation."


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Recorded observations with the outputs that the training framework gave for them.

    `observations` maps group name to (N, *shape); `action_preclip` and `action` are (N, actions) float32. The
    first `on_policy` rows were recorded while the policy ran; the rest are edge cases.
    """

    observations: Mapping[str, NDArray[Any]]
    action_preclip: NDArray[np.float32]
    action: NDArray[np.float32]
    on_policy: int

    def __len__(self) -> int:
        return len(self.action)

    def to_bytes(self) -> bytes:
        """As a compressed npz without pickle; equal content gives equal bytes."""
        arrays = {f"{_OBSERVATION}{name}": value for name, value in self.observations.items()}
        arrays |= {"action_preclip": self.action_preclip, "action": self.action}
        arrays["on_policy"] = np.array(self.on_policy, np.int64)
        return npz_bytes(arrays)

    @classmethod
    def from_bytes(cls, data: bytes, groups: Mapping[str, tuple[str, tuple[int, ...]]], actions: int) -> Self:
        """Read the vectors of a policy with these `groups`, name to (dtype, shape), and so many `actions`.

        Raises `FileError` where an array is missing, does not belong there, has another shape or type, or is
        not finite.
        """
        arrays = read_npz(data, GOLDEN)
        rows = len(arrays["action"]) if arrays.get("action", np.zeros(())).ndim else 0
        if not 1 <= rows <= MOST_VECTORS:
            raise FileError(f"{GOLDEN} action has {rows} rows, from 1 to {MOST_VECTORS} are needed")
        wanted = {f"{_OBSERVATION}{name}": (dtype, (rows, *shape)) for name, (dtype, shape) in groups.items()}
        wanted |= dict.fromkeys(("action_preclip", "action"), ("float32", (rows, actions)))
        wanted["on_policy"] = ("int64", ())
        for name in sorted(wanted.keys() | arrays.keys()):
            _require_fit(name, arrays.get(name), wanted.get(name))
        on_policy = int(arrays["on_policy"])
        if not 0 <= on_policy <= rows:
            raise FileError(f"{GOLDEN} on_policy is {on_policy}, from 0 to {rows} are possible")
        return cls(
            observations={name: arrays[f"{_OBSERVATION}{name}"] for name in groups},
            action_preclip=arrays["action_preclip"],
            action=arrays["action"],
            on_policy=on_policy,
        )


def _require_fit(name: str, array: NDArray[Any] | None, wanted: tuple[str, tuple[int, ...]] | None) -> None:
    if wanted is None:
        raise FileError(f"{GOLDEN} holds {name[:80]!r}, which does not belong there")
    if array is None:
        raise FileError(f"{GOLDEN} lacks the array {name!r}")
    if (array.dtype.name, array.shape) != wanted:
        raise FileError(f"{GOLDEN} {name} is {array.dtype.name} {array.shape}, need {wanted[0]} {wanted[1]}")
    if not np.isfinite(array).all():
        raise FileError(f"{GOLDEN} {name} holds a number that is not finite")
