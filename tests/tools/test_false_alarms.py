"""The count of false alarms: rare where nothing changed, and the rule at fault where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cellwright_train.errors import UsageError
from cellwright_train.regression import sequential
from cellwright_train.regression.yardsticks import MEASURES
from tools.false_alarms import Episodes, repeated


def episodes(number: int, count: int = 200) -> Episodes:
    """Insertions that have nothing to do with each other: a force with a long tail, a tenth of them bad."""
    rng = np.random.default_rng(number)
    good = rng.random(count) > 0.1
    force, offset = rng.lognormal(2.0, 0.8, count), rng.normal(0.3, 0.1, count)
    rows = zip(
        offset.tolist(), force.tolist(), rng.exponential(2.0, count).tolist(), good.tolist(), strict=True
    )
    return Episodes(
        scenario=f"s{number}",
        measures=MEASURES["assembly"],
        values=tuple(
            {"lateral_mm": a, "peak_force_n": b, "cycle_time_s": c if ok else None} for a, b, c, ok in rows
        ),
        good=tuple(good.tolist()),
    )


SUITE = [episodes(number) for number in range(3)]


def test_alarms_are_rare_where_nothing_changed() -> None:
    found = repeated(SUITE, parts=20, repeats=60, seed=1, alpha=0.01)
    assert sum(found.values()) == 60
    assert found["REGRESSION"] <= 1


def test_a_rule_that_looks_too_often_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = sequential.coin

    def greedy(heads: object, tails: object) -> object:
        return 6.0 * honest(heads, tails)  # type: ignore[arg-type]

    monkeypatch.setattr(sequential, "coin", greedy)
    assert repeated(SUITE, parts=20, repeats=30, seed=1, alpha=0.01)["REGRESSION"] > 3


def test_repeats_with_one_seed_are_the_same() -> None:
    asked = {"parts": 10, "repeats": 5, "alpha": 0.5}
    assert repeated(SUITE, seed=3, **asked) == repeated(SUITE, seed=3, **asked)  # type: ignore[arg-type]


def test_what_is_no_scenario_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"env": "cellwright/PegInsertion-v1", "per_episode": []}))
    with pytest.raises(UsageError, match="holds no results of a scenario"):
        Episodes.read(file)
