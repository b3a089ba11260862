"""What is found in features that hold it, and not in features that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellwright_train.errors import UsageError
from tools import identified as tool
from tools.documentation.identified import identified as block
from tools.documentation.identified import told_apart
from tools.identified import CHANGED, TARGETS, Part, explained, fitted, identified, separated

NAMES = (
    *("gap_0_mm_ahead", "thickness", "wire_slip", "supply_offset", "penetration_constant"),
    *("root_index", "lack_of_penetration_index", "burn_through_index"),
)


def parts(count: int, seed: int, *, late: bool = False, moved: float = 0.0) -> list[Part]:
    """Welds whose features hold all but the slip of the wire, the last ones from the middle on if `late`."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        middle = moved + rng.normal(size=(1, len(NAMES)))
        truth = np.repeat(middle, 40, axis=0) + 0.1 * rng.normal(size=(40, len(NAMES)))
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


@pytest.mark.parametrize("moved", [-4.0, 4.0])
def test_parts_after_a_change_are_told_apart_by_what_features_hold(moved: float) -> None:
    fit, before, after = parts(40, 1), parts(20, 2), parts(20, 3, moved=moved)
    told = separated(fit, before, after, NAMES, "penetration constant")
    assert told["told_apart"] > 0.95
    assert told["moved"] == pytest.approx(moved, abs=1.0)
    assert told["predicted"] == pytest.approx(told["moved"], abs=0.3)
    unknown = separated(fit, before, after, NAMES, "slip of the wire")
    assert 0.2 < unknown["told_apart"] < 0.8
    assert abs(unknown["moved"]) > 300.0
    assert separated(fit, before, after, NAMES, "margin to burn-through")["parts"] == [10, 10]


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
    rows = told_apart(tmp_path).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == [f"`{name}`" for name in CHANGED]
    moved = {row.split(" | ")[1].strip("`"): float(row.split(" | ")[4].split()[0]) for row in rows}
    assert moved["weld-slipping-wire"] > 4.0
    assert moved["weld-thick-plate"] == pytest.approx(0.06 * 2.3, rel=0.02)
    assert moved["weld-wide-gaps"] > 0.1
    monkeypatch.setattr("sys.argv", ["tool", "weld-seam", "--parts", "5"])
    with pytest.raises(UsageError, match="at least 6"):
        tool.main()
