"""What is found in features that hold it, and not in features that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellwright_train.errors import UsageError
from tools import identified as tool
from tools.documentation.identified import identified as block
from tools.identified import TARGETS, Part, explained, fitted, identified

NAMES = (
    *("gap_0_mm_ahead", "thickness", "wire_slip", "supply_offset", "penetration_constant"),
    *("root_index", "lack_of_penetration_index", "burn_through_index"),
)


def parts(count: int, seed: int, *, late: bool = False) -> list[Part]:
    """Welds whose features hold all but the slip of the wire, the last ones from the middle on if `late`."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        truth = np.repeat(rng.normal(size=(1, len(NAMES))), 40, axis=0) + 0.1 * rng.normal(
            size=(40, len(NAMES))
        )
        features = truth + 0.05 * rng.normal(size=truth.shape)
        features[:, NAMES.index("wire_slip")] = rng.normal(size=40)
        if late:
            features[:20] = rng.normal(size=(20, len(NAMES)))
        made.append(Part(("butt" if number % 2 else "lap") + f"-{number}", features, truth))
    return made


def test_what_features_hold_is_found_and_what_they_lack_is_not() -> None:
    told = identified(parts(40, 1), parts(20, 2), NAMES)
    assert list(told) == list(TARGETS)
    assert all(each["all"] > 0.95 for name, each in told.items() if name != "slip of the wire")
    assert told["slip of the wire"]["all"] < 0.2
    assert told["slip of the wire"]["rms"] == pytest.approx(100.0, rel=0.2)
    assert told["gap"]["parts"] == 20
    assert told["margin to burn-through"]["parts"] == 10


def test_what_comes_late_is_found_at_the_end_alone() -> None:
    told = identified(parts(40, 1), parts(20, 2, late=True), NAMES)["penetration constant"]
    assert told["end"] > 0.95
    assert told["start"] < 0.2


def test_a_regression_is_right_where_features_are_not_around_zero() -> None:
    features = 50.0 + np.random.default_rng(1).normal(size=(500, 2))
    values = 3.0 * features[:, 0] - features[:, 1] + 7.0
    predicted = fitted(np.split(features, 20), np.split(values, 20))(features)
    np.testing.assert_allclose(predicted, values, atol=0.05)
    assert explained(predicted, values, float(values.var())) > 0.999
    assert explained(np.full(500, values.mean()), values, float(values.var())) == pytest.approx(0.0, abs=1e-9)


def test_what_is_alike_within_a_part_is_not_taken_for_knowledge() -> None:
    """Many features that say which part it is, and nothing else: the mean is the best that can be said."""
    rng = np.random.default_rng(1)
    marks = [np.repeat(rng.normal(size=(1, 60)), 50, axis=0) for _ in range(60)]
    values = [np.full(50, rng.normal()) for _ in range(60)]
    predict = fitted(marks[:40], values[:40])
    true = np.concatenate(values[40:])
    assert explained(np.concatenate([predict(each) for each in marks[40:]]), true, float(true.var())) > -0.3


def test_margins_are_distances_from_the_limits() -> None:
    truth = dict(zip(NAMES, np.arange(8.0), strict=True)) | {"root_index": np.array([0.9])}
    truth |= {"lack_of_penetration_index": np.array([0.5]), "burn_through_index": np.array([1.1])}
    names = [name for name in TARGETS if name.startswith("margin")]
    np.testing.assert_allclose([TARGETS[name][2](truth)[0] for name in names], [0.4, 0.2])


def test_the_command_watches_a_policy_and_the_table_tells_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = "butt-straight-2.3"
    resolve = tool.Trial.resolve
    monkeypatch.setattr(
        tool.Trial, "resolve", lambda *names, **asked: resolve(*names, products=product, **asked)
    )
    file = tmp_path / "identified-weld-seam.json"
    monkeypatch.setattr("sys.argv", ["tool", "weld-seam", "--parts", "6", "--json", str(file)])
    assert tool.main() == 0
    table = block(tmp_path)
    assert table.count("`zoo:weld-seam`") == len(TARGETS)
    assert "gap [mm]" in table
    monkeypatch.setattr("sys.argv", ["tool", "weld-seam", "--parts", "5"])
    with pytest.raises(UsageError, match="at least 6"):
        tool.main()
