"""Results of parts by seed, in a file that is written after each of them."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.files.json_text import canonical_json

REFERENCE = "environment"
SEATED = "seated"
"""What became of a part, and in the words of a session why it ended."""


class Results:
    """What became of each part, in the environment and in a session."""

    def __init__(self, path: Path, bundle: Bundle, *, client: str, disturbances: str, time: str) -> None:
        """Goes on with the file at `path`; ends the program where that has other results."""
        policy = hashlib.sha256(bundle.files["policy.onnx"]).hexdigest()[:16]
        about = {
            "bundle": bundle.spec.name,
            "environment": bundle.spec.environment,
            "policy": policy,
            "disturbances": disturbances,
            "client": client,
            "time": time,
        }
        self._path, self._data = path, {"about": about}
        if path.exists():
            self._data = json.loads(path.read_text())
            if self._data["about"] != about:
                sys.exit(f"{path} has results of {self._data['about']}, not of {about}; take another file")
        self.client = client

    def of(self, name: str) -> dict[str, Any]:
        """Results by seed of `environment`, or of the client."""
        return self._data.setdefault(name, {})

    def add(self, name: str, seed: int, told: dict[str, Any]) -> None:
        """Keep one, and write the file."""
        self.of(name)[str(seed)] = told
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(canonical_json(self._data))
        fresh.replace(self._path)

    def line(self, seed: int) -> str:
        """One part in words."""
        told, wanted = self.of(self.client)[str(seed)], self.of(REFERENCE)[str(seed)]
        return (
            f"{seed} {wanted['product']}: {REFERENCE} {wanted['verdict']}; {self.client} {told['verdict']}; "
            f"{told['reason']} ({told['seconds']:.0f} s)"
        )

    def misjudged(self) -> list[str]:
        """Seeds whose session took a part for seated that is not, or did not notice that it is.

        A session that welds comes to no verdict on its part.
        """
        return [
            seed
            for seed, told in self.of(self.client).items()
            if (told["reason"] == SEATED) != (told["verdict"] == SEATED)
        ]

    def agreement(self) -> Agreement:
        """Of all parts that have both results."""
        return agreement_of(self._data)


class Agreement:
    """How often a session and the environment come to one verdict, and how often to a good one."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        """`pairs` are the verdicts of environment and session, part by part."""
        self.parts = len(pairs)
        self.same = sum(wanted == got for wanted, got in pairs)
        self.good = tuple(sum(map(_is_good, verdicts)) for verdicts in zip(*pairs, strict=True)) or (0, 0)
        """Parts that pass C, or are seated, in the environment and in the session."""
        lost = sum(_is_good(wanted) and not _is_good(got) for wanted, got in pairs)
        won = sum(_is_good(got) and not _is_good(wanted) for wanted, got in pairs)
        self.p_value = float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0
        """Exact sign test (McNemar) of good parts, two-sided: small where the two differ systematically."""

    def interval(self, count: int) -> tuple[float, float]:
        """Exact 95 % interval (Clopper and Pearson) of the fraction that `count` parts are."""
        found = binomtest(count, self.parts).proportion_ci(method="exact")
        return float(found.low), float(found.high)

    def text(self, client: str) -> str:
        """In one line."""
        if not self.parts:
            return f"{client}: no part yet"
        low, high = self.interval(self.same)
        return (
            f"{client}: {self.same} of {self.parts} verdicts are those of the environment "
            f"({low:.3f} to {high:.3f}); good parts {self.good[1]} and {self.good[0]}, p {self.p_value:.3f}"
        )


def agreement_of(data: dict[str, Any]) -> Agreement:
    """The agreement of a file's content."""
    wanted, got = data.get(REFERENCE, {}), data.get(data["about"]["client"], {})
    return Agreement([(wanted[seed]["verdict"], got[seed]["verdict"]) for seed in got if seed in wanted])


def _is_good(verdict: str) -> bool:
    return verdict == SEATED or "C" in verdict.removeprefix("passes ").split(", ")
