"""Weld inspection to the limits of `quality`: the bead per millimetre, and the scorecard of a weld."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.inspection.editions import CODES, NEWEST, edition_of
from cellwright_envs.welding.inspection.quality import (
    LEVELS,
    NONE,
    THIN_PLATE_M,
    Feature,
    LimitRow,
    WeldJoint,
)
from cellwright_perception.compiled import compiled

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BIN_M = 1.0e-3
SHORT_FRACTION = 0.25
SHORT_WINDOW_BINS = 100
"""Short imperfections: those of one code together at most 25 mm in any 100 mm of weld, or 25 % of a shorter
weld (ISO 5817, terms and definitions)."""


def _limits(rows: tuple[LimitRow, ...]) -> FloatArray:
    """Limits as (thin and thick, rows, levels, 4): constant, slope, cap, and the smallest size that counts
    as a short imperfection, infinite where any length is permitted."""
    table = np.zeros((2, len(rows), len(LEVELS), 4))
    for r, row in enumerate(rows):
        for side, limits in enumerate((row.thin, row.thick)):
            for level, limit in enumerate(limits):
                constant, slope, cap, short = limit
                table[side, r, level] = constant, slope, cap, row.detectable_mm * 1e-3 if short else np.inf
                if limit == NONE:
                    table[side, r, level] = row.detectable_mm * 1e-3, 0.0, np.inf, np.inf
    return table


def _columns(rows: tuple[LimitRow, ...]) -> IntArray:
    """Per row (rows, 6): measured size, reference, bit of the mask, and whether it applies to each joint."""
    return np.array(
        [
            (row.feature, row.reference, CODES.index(row.code), *(joint in row.joints for joint in WeldJoint))
            for row in rows
        ],
        dtype=np.int64,
    )


_GAP_BIT = CODES.index(617)
_DETECTABLE_THROAT_M = 0.1e-3
"""Smallest lack of throat that an inspector finds: an assumption, the same as in row 5213."""


@compiled
def _grade_bin(
    f: FloatArray, joint: int, limits: FloatArray, rows: IntArray, masks: IntArray, shorts: IntArray
) -> None:
    """Set per level the violations by size in `masks`, and in `shorts` those that a short length excuses."""
    side = 0 if f[Feature.THICKNESS] <= THIN_PLATE_M + 1e-9 else 1
    for level in range(3):
        masks[level] = 0
        shorts[level] = 0
    for r in range(rows.shape[0]):
        size, bit = f[rows[r, 0]], rows[r, 2]
        if not rows[r, 3 + joint] or size <= 0.0:
            continue
        # A gap counts only where a thicker throat does not make up for it (ISO 5817, row 617).
        if bit == _GAP_BIT and f[Feature.THROAT_DEFICIT] <= _DETECTABLE_THROAT_M:
            continue
        for level in range(3):
            constant, slope, cap, found = limits[side, r, level]
            if size > min(constant + slope * f[rows[r, 1]], cap) + 1e-12:
                masks[level] |= 1 << bit
            elif size > found:
                shorts[level] |= 1 << bit


@compiled
def _grade_now(
    features: FloatArray,
    joints: IntArray,
    limits: FloatArray,
    rows: IntArray,
    masks: IntArray,
    scratch: IntArray,
) -> None:
    for cell in range(features.shape[0]):
        _grade_bin(features[cell], joints[cell], limits, rows, masks[cell], scratch)


@compiled
def _grade_weld(
    features: FloatArray,
    joint: int,
    length_m: float,
    limits: FloatArray,
    rows: IntArray,
    masks: IntArray,
    shorts: IntArray,
) -> None:
    """Grade bins (bins, features) of a weld of `length_m` into `masks` (bins, 3), short ones included.

    What is too long together is a violation wherever it lies in those 100 mm. A last bin counts as a whole
    millimetre, however short it is.
    """
    bins = features.shape[0]
    for b in range(bins):
        _grade_bin(features[b], joint, limits, rows, masks[b], shorts[b])
    window = min(bins, SHORT_WINDOW_BINS)
    allowed = SHORT_FRACTION * min(length_m / BIN_M, SHORT_WINDOW_BINS) + 1e-9
    for level in range(3):
        for code in range(len(CODES)):
            bit = 1 << code
            count = 0
            for b in range(bins):
                count += (shorts[b, level] & bit) != 0
                if b >= window:
                    count -= (shorts[b - window, level] & bit) != 0
                if count > allowed:
                    for k in range(max(b - window + 1, 0), b + 1):
                        masks[k, level] |= shorts[k, level] & bit


@compiled
def _add(
    begin_m: FloatArray,
    end_m: FloatArray,
    welding: FloatArray,
    features: FloatArray,
    sums: FloatArray,
    weights: FloatArray,
    bins: IntArray,
) -> None:
    for cell in range(begin_m.shape[0]):
        low, high = begin_m[cell], end_m[cell]
        if welding[cell] == 0 or high <= low:
            continue
        first = max(int(low / BIN_M), 0)
        last = min(int(high / BIN_M), bins[cell] - 1)
        for b in range(first, last + 1):
            overlap = min(high, (b + 1) * BIN_M) - max(low, b * BIN_M)
            if overlap <= 0.0:
                continue
            weights[cell, b] += overlap
            for k in range(features.shape[1]):
                if k in (Feature.BURN_THROUGH, Feature.PORE_DIAMETER):
                    sums[cell, b, k] = max(sums[cell, b, k], features[cell, k])
                else:
                    sums[cell, b, k] += overlap * features[cell, k]


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """The result of the inspection of one weld."""

    iso_edition: str
    """Edition of the limits that it was graded by, a name in `EDITIONS`."""
    passed: dict[str, bool]
    """By level: whether the weld is complete, without crash, and without a violation of that level."""
    defect_length_m: dict[str, float]
    """By level: length with any violation, unwelded length included."""
    defect_length_by_code_m: dict[int, float]
    """By ISO 6520-1 code: length that violates level C; unwelded length is not included."""
    weld_length_m: float
    """Length of the seam to be welded."""
    unwelded_length_m: float
    """Length of seam that got no metal: it fails every level, without an ISO 6520-1 code."""
    tracking_error_mean_m: float
    """Mean distance of the wire from the seam."""
    tracking_error_p95_m: float
    """95th percentile of the same."""
    cycle_time_s: float
    """Time from the first move to the end of the episode."""
    crashed: bool
    """Whether the torch or arm touched something, or the wire left the seam so far that the part is scrap."""

    def as_dict(self) -> dict[str, object]:
        """Return the fields as plain containers, codes as text."""
        fields = asdict(self)
        fields["defect_length_by_code_m"] = {str(k): v for k, v in self.defect_length_by_code_m.items()}
        return fields

    def numbers(self) -> dict[str, float]:
        """Return every figure by name, always the same names, codes without a defect among them."""
        codes = dict.fromkeys(edition_of(self.iso_edition).codes, 0.0) | self.defect_length_by_code_m
        return {
            **{f"passed_{level}": float(passed) for level, passed in self.passed.items()},
            **{f"defect_length_{level}_m": length_m for level, length_m in self.defect_length_m.items()},
            **{f"defect_length_{code}_m": length_m for code, length_m in codes.items()},
            "weld_length_m": self.weld_length_m,
            "unwelded_length_m": self.unwelded_length_m,
            "tracking_error_mean_m": self.tracking_error_mean_m,
            "tracking_error_p95_m": self.tracking_error_p95_m,
            "cycle_time_s": self.cycle_time_s,
            "crashed": float(self.crashed),
        }

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(self.as_dict())


class BeadRecord:
    """Measured bead of several cells in bins of one millimetre along the seam.

    Features of a bin are the mean over its length, burn-through and pores the worst. `iso_edition` names the
    limits that it is graded by; raises ValueError where there is no such edition.
    """

    def __init__(self, cells: int, max_length_m: float, iso_edition: str = NEWEST) -> None:
        self.iso_edition = iso_edition
        rows = edition_of(iso_edition).rows
        self._limits, self._rows = _limits(rows), _columns(rows)
        bins = int(np.ceil(max_length_m / BIN_M - 1e-9))
        self._sums = np.zeros((cells, bins, len(Feature)))
        self._weights_m = np.zeros((cells, bins))
        self._lengths_m = np.zeros(cells)
        self._bins = np.zeros(cells, dtype=np.int64)
        self._joints = np.zeros(cells, dtype=np.int64)
        self._masks = np.zeros((cells, len(LEVELS)), dtype=np.int64)
        self._scratch = np.zeros(len(LEVELS), dtype=np.int64)

    def reset(self, cell: int, joint: WeldJoint, length_m: float) -> None:
        """Start an empty record of a seam of `length_m` [m] in one cell."""
        bins = int(np.ceil(length_m / BIN_M - 1e-9))
        if not 0 < bins <= self._weights_m.shape[1]:
            raise ValueError(f"{length_m=} needs 1 to {self._weights_m.shape[1]} bins of {BIN_M} m")
        self._sums[cell] = 0.0
        self._weights_m[cell] = 0.0
        self._lengths_m[cell] = length_m
        self._bins[cell] = bins
        self._joints[cell] = joint

    def add(
        self,
        begin_m: FloatArray,
        end_m: FloatArray,
        welding: FloatArray,
        features: FloatArray,
    ) -> None:
        """Lay the bead measured while the wire moved from `begin_m` to `end_m` (cells,) along the seam.

        `features` is (cells, features) and `welding` (cells,) is 0 where there was no arc.
        """
        _add(begin_m, end_m, welding, features, self._sums, self._weights_m, self._bins)

    def violations_now(self, features: FloatArray) -> IntArray:
        """Return masks (cells, levels) of what `features` (cells, features) violate; reused next call.

        Imperfections that are permitted where short are not counted here.
        """
        _grade_now(features, self._joints, self._limits, self._rows, self._masks, self._scratch)
        return self._masks

    def bins(self, cell: int) -> FloatArray:
        """Return the features (bins, features) [m] along one seam, NaN where it is not welded."""
        bins = self._bins[cell]
        weights_m = self._weights_m[cell, :bins, None]
        welded = weights_m >= 0.5 * self._bin_lengths_m(cell)[:, None]
        means = self._sums[cell, :bins] / np.where(weights_m > 0, weights_m, 1.0)
        worst = [Feature.BURN_THROUGH, Feature.PORE_DIAMETER]
        means[:, worst] = self._sums[cell, :bins][:, worst]
        return np.where(welded, means, np.nan)

    def grade(self, cell: int) -> IntArray:
        """Return masks (bins, levels) of the codes violated per millimetre, bits as in `CODES`.

        Bins without weld metal have a mask of -1: every bit set.
        """
        features = self.bins(cell)
        masks = np.zeros((len(features), len(LEVELS)), dtype=np.int64)
        joint, shorts = int(self._joints[cell]), np.zeros_like(masks)
        length_m = float(self._lengths_m[cell])
        _grade_weld(features, joint, length_m, self._limits, self._rows, masks, shorts)
        masks[np.isnan(features[:, 0])] = -1
        return masks

    def scorecard(
        self,
        cell: int,
        *,
        tracking_errors_m: FloatArray,
        cycle_time_s: float,
        crashed: bool,
    ) -> Scorecard:
        """Judge the weld of one cell; `tracking_errors_m` (n,) are distances of wire from seam."""
        masks, lengths_m = self.grade(cell), self._bin_lengths_m(cell)
        defects_m = ((masks != 0) * lengths_m[:, None]).sum(axis=0)
        bits = (masks[:, 1, None] >> np.arange(len(CODES))) & 1
        by_code_m = (bits * (masks[:, 1, None] >= 0) * lengths_m[:, None]).sum(axis=0)
        errors_m = np.abs(tracking_errors_m) if len(tracking_errors_m) else np.zeros(1)
        return Scorecard(
            iso_edition=self.iso_edition,
            passed={k: bool(d == 0 and not crashed) for k, d in zip(LEVELS, defects_m, strict=True)},
            defect_length_m={k: float(d) for k, d in zip(LEVELS, defects_m, strict=True)},
            defect_length_by_code_m={c: float(d) for c, d in zip(CODES, by_code_m, strict=True) if d > 0},
            weld_length_m=float(self._lengths_m[cell]),
            unwelded_length_m=float(lengths_m[masks[:, 0] < 0].sum()),
            tracking_error_mean_m=float(errors_m.mean()),
            tracking_error_p95_m=float(np.percentile(errors_m, 95)),
            cycle_time_s=float(cycle_time_s),
            crashed=crashed,
        )

    def _bin_lengths_m(self, cell: int) -> FloatArray:
        """Lengths (bins,) of the bins; the last one ends with the seam."""
        starts_m = np.arange(self._bins[cell]) * BIN_M
        return np.minimum(self._lengths_m[cell] - starts_m, BIN_M)


def codes_of(mask: int) -> tuple[int, ...]:
    """Return the ISO 6520-1 codes whose bits are set in a mask of graded features."""
    return tuple(code for bit, code in enumerate(CODES) if mask >> bit & 1)
