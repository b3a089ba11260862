"""What becomes of a part after its first pass."""

from __future__ import annotations

from enum import StrEnum

from cellwright_train.results.insertions import InsertionResult
from cellwright_train.results.result import EpisodeResult
from cellwright_train.results.welds import WeldResult


class Fate(StrEnum):
    """Good as it is, good after rework, or scrap."""

    GOOD = "good"
    REWORK = "rework"
    SCRAP = "scrap"


def fate_of(result: EpisodeResult) -> Fate:
    """The fate of a part.

    A weld that fails level C and passes D is reworked; one beyond D, or after a crash, is scrap. A part that
    is not seated, but whole and still in the fingers, gets a second try; a broken or lost one is scrap
    (assumption).
    """
    if result.good:
        return Fate.GOOD
    match result:
        case WeldResult():
            spoilt = result.crashed or not result.passed["D"]
        case InsertionResult():
            spoilt = result.broken or result.lost
        case _:
            raise TypeError(f"a {type(result).__name__} has no fate on a line")
    return Fate.SCRAP if spoilt else Fate.REWORK


def has_crashed(result: EpisodeResult) -> bool:
    """Whether the robot collided, or pressed harder than the part bears."""
    return (isinstance(result, WeldResult) and result.crashed) or (
        isinstance(result, InsertionResult) and result.broken
    )
