"""Aims of shipped policies, and rows that hold what was measured against them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from cellwright_train.results.intervals import Estimate, proportion
from cellwright_train.results.result import EpisodeResult, Evaluation
from tools.documentation.markdown import table

Result = TypeVar("Result", bound=EpisodeResult)


class Aim(NamedTuple):
    """A fraction of parts [%] that a shipped policy is to do well."""

    subject: str
    """A policy, or the task that it ships for."""
    what: str
    percent: float
    products: str = "train"
    disturbances: str = "train"
    kind: str = ""
    """How the names of the products begin that count."""

    def counted(self, evaluation: Evaluation[Result] | None) -> list[Result]:
        """Results of the parts that count; none where nothing was recorded."""
        results = evaluation.results if evaluation else ()
        return [each for each in results if each.product.startswith(self.kind)]


def after(subject: str, change: str, percent: float) -> Aim:
    """An aim for training parts after a line change."""
    return Aim(subject, f"after {change}", percent, disturbances=f"train, after {change}")


class Row(NamedTuple):
    """An aim in a table; it is not reached where nothing was recorded."""

    subject: str
    what: str
    aim: str
    measured: str = "not recorded"
    reached: str = "no"

    def held(self, measured: str, reached: bool) -> Row:
        """The same with what was measured."""
        return self._replace(measured=measured, reached="yes" if reached else "no")

    def of_parts(self, good: Sequence[bool], percent: float, note: str = "") -> Row:
        """The same with the fraction of parts that are good, where there are any, held against `percent`."""
        if not good:
            return self
        rate = proportion(sum(good), len(good))
        return self.held(between(rate, "%", 100.0) + note, 100.0 * rate.value >= percent)


def between(estimate: Estimate, unit: str, factor: float = 1.0) -> str:
    """An estimate and its interval, `factor` times as large."""
    value, low, high = (factor * each for each in (estimate.value, estimate.low, estimate.high))
    return f"{value:.1f} {unit} ({low:.1f} to {high:.1f})"


def aims_table(subjects: str, rows: Iterable[Row]) -> str:
    """Every aim, the measured value, and whether it is reached."""
    return table((subjects, "what", "aim", "measured", "reached"), rows)
