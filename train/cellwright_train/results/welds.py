"""Results of welds: the recorded part of each scorecard, and the summary of many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cellwright_envs.welding.inspection.editions import EDITIONS, edition_of
from cellwright_train.results import intervals
from cellwright_train.results.intervals import Estimate
from cellwright_train.results.result import EpisodeResult, Evaluation, Figure

LEVELS = ("B", "C", "D")
"""Quality levels of ISO 5817."""


@dataclass(frozen=True, kw_only=True)
class WeldResult(EpisodeResult):
    """One weld, inspected."""

    passed: dict[str, bool]
    """Quality level to verdict."""
    defect_mm: float
    """Length that fails level C, whatever the code, unwelded length included."""
    defect_mm_by_code: dict[str, float]
    """The same by ISO 6520-1 code; lengths of different codes may overlap."""
    seam_mm: float
    tracking_mean_mm: float
    tracking_p95_mm: float
    cycle_time_s: float
    crashed: bool
    iso_edition: str
    """Edition of ISO 5817 behind `passed`."""
    cut_off: bool = False
    """The time limit came first."""

    @classmethod
    def read(cls, card: Any, *, seed: int, product: str, conditions: str, cut_off: bool) -> Self:
        """A weld that was cut off passes no level, because its end is not known."""
        return cls(
            seed=seed,
            product=product,
            conditions=conditions,
            passed={level: bool(card.passed[level]) and not cut_off for level in LEVELS},
            defect_mm=1e3 * float(card.defect_length_m["C"]),
            defect_mm_by_code={
                str(code): 1e3 * float(length)
                for code, length in sorted(card.defect_length_by_code_m.items())
            },
            seam_mm=1e3 * float(card.weld_length_m),
            tracking_mean_mm=1e3 * float(card.tracking_error_mean_m),
            tracking_p95_mm=1e3 * float(card.tracking_error_p95_m),
            cycle_time_s=float(card.cycle_time_s),
            crashed=bool(card.crashed),
            cut_off=cut_off,
            iso_edition=card.iso_edition,
        )

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Back from what `as_json` gave.

        Raises KeyError where something is missing, ValueError where the edition of ISO 5817 is unknown.
        """
        return cls(
            seed=int(entry["seed"]),
            product=entry["product"],
            conditions=entry.get("conditions", ""),
            passed={level: bool(entry["passed"][level]) for level in LEVELS},
            defect_mm=entry["defect_mm"]["total"],
            defect_mm_by_code=entry["defect_mm"]["by_code"],
            seam_mm=entry["seam_mm"],
            tracking_mean_mm=entry["tracking_error_mm"]["mean"],
            tracking_p95_mm=entry["tracking_error_mm"]["p95"],
            cycle_time_s=entry["cycle_time_s"],
            crashed=entry["crashed"],
            cut_off=entry["cut_off"],
            iso_edition=_edition(entry),
        )

    def as_json(self) -> dict[str, Any]:
        """The entry of `per_episode`."""
        return {
            "seed": self.seed,
            "product": self.product,
            "conditions": self.conditions,
            "passed": dict(self.passed),
            "defect_mm": {"total": self.defect_mm, "by_code": dict(self.defect_mm_by_code)},
            "seam_mm": self.seam_mm,
            "tracking_error_mm": {"mean": self.tracking_mean_mm, "p95": self.tracking_p95_mm},
            "cycle_time_s": self.cycle_time_s,
            "crashed": self.crashed,
            "cut_off": self.cut_off,
            "iso_edition": self.iso_edition,
        }

    @property
    def verdict(self) -> Mapping[str, bool]:
        """The levels."""
        return self.passed

    @property
    def graded_by(self) -> str:
        """ISO 5817 and its edition."""
        return f"ISO 5817, edition {self.iso_edition}"

    @property
    def outcome(self) -> str:
        """Every level with pass or fail, and whether the time was not enough."""
        levels = [f"{level} {'pass' if ok else 'fail'}" for level, ok in self.passed.items()]
        return ", ".join([*levels, "cut off"] if self.cut_off else levels)

    @property
    def good(self) -> bool:
        """Level C."""
        return self.passed["C"]

    @property
    def shortfall(self) -> float:
        """Millimetres that fail level C."""
        return self.defect_mm


def _edition(entry: Mapping[str, Any]) -> str:
    """Edition of ISO 5817 behind an entry of `per_episode`; raises ValueError where it is unknown."""
    if "iso_edition" not in entry:
        raise ValueError(
            "a weld without iso_edition was graded by limits that are gone; evaluate the policy again, "
            f"by one of {', '.join(EDITIONS)}"
        )
    return edition_of(entry["iso_edition"]).name


@dataclass(frozen=True, kw_only=True)
class WeldEvaluation(Evaluation[WeldResult]):
    """A policy's welds."""

    def first_pass_yield(self, level: str) -> Estimate:
        """Fraction of parts that pass `level` as welded, without rework."""
        return intervals.proportion(sum(r.passed[level] for r in self.results), len(self.results))

    @property
    def defect_mm_per_m(self) -> Estimate:
        """Millimetres of seam that fail level C, per metre of seam."""
        return intervals.ratio_of_sums([r.defect_mm for r in self.results], self._seams_m)

    @property
    def defect_mm_per_m_by_code(self) -> dict[str, float]:
        """The same by ISO 6520-1 code; codes may overlap, so they add up to the total or more."""
        codes = sorted({code for r in self.results for code in r.defect_mm_by_code}, key=int)
        seams_m = sum(self._seams_m)
        return {
            code: sum(r.defect_mm_by_code.get(code, 0.0) for r in self.results) / seams_m for code in codes
        }

    @property
    def tracking_mean_mm(self) -> Estimate:
        """Mean distance of the wire from the seam, over episodes."""
        return intervals.mean([r.tracking_mean_mm for r in self.results])

    @property
    def tracking_p95_mm(self) -> Estimate:
        """Mean over episodes of the distance that 95 % of an episode stays below."""
        return intervals.mean([r.tracking_p95_mm for r in self.results])

    @property
    def cycle_time_s(self) -> Estimate:
        """Mean seconds per part."""
        return intervals.mean([r.cycle_time_s for r in self.results])

    @property
    def crashes(self) -> int:
        """Episodes that ended in a collision or with the wire off the seam."""
        return sum(r.crashed for r in self.results)

    @property
    def cut_off(self) -> int:
        """Parts for which the time was not enough."""
        return sum(r.cut_off for r in self.results)

    @property
    def iso_edition(self) -> str:
        """The edition of ISO 5817 that graded all parts; raises ValueError where there are several."""
        names = sorted({r.iso_edition for r in self.results})
        if len(names) > 1:
            raise ValueError(f"parts graded by {' and '.join(names)} have no yield in common")
        return names[0]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What a table shows, from left to right."""
        return (
            *(Figure(f"passes {level}", "%", self.first_pass_yield(level)) for level in LEVELS),
            Figure("defects C", "mm per m", self.defect_mm_per_m, 1),
            Figure("off seam", "mm", self.tracking_mean_mm, 2),
            Figure("p95 off seam", "mm", self.tracking_p95_mm, 2),
            Figure("cycle", "s", self.cycle_time_s, 1),
            Figure("crashes", "", self.crashes),
            Figure("cut off", "", self.cut_off),
        )

    def headline(self) -> dict[str, Any]:
        """Yield by level, defects, tracking, time and what went wrong."""
        return {
            "first_pass_yield": {level: self.first_pass_yield(level).value for level in LEVELS},
            "defect_mm_per_m": {"total": self.defect_mm_per_m.value, "by_code": self.defect_mm_per_m_by_code},
            "tracking_error_mm": {"mean": self.tracking_mean_mm.value, "p95": self.tracking_p95_mm.value},
            "cycle_time_s": self.cycle_time_s.value,
            "crashes": self.crashes,
            "cut_off": self.cut_off,
            "iso_edition": self.iso_edition,
        }

    @property
    def _seams_m(self) -> list[float]:
        return [r.seam_mm / 1e3 for r in self.results]
