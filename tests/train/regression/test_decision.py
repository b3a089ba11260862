import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from cellwright_train.regression.decision import Judgement, ScenarioDecision
from cellwright_train.regression.measure import Measure
from cellwright_train.regression.rule import Budget
from cellwright_train.regression.sequential import worsening

TIME = Measure(name="time", unit="s", margin=1.0, worse="more")
FORCE = Measure(name="force", unit="N", margin=5.0, worse="more")
GOOD = (True, True)

Values = dict[str, tuple[float | None, float | None]]
Pair = tuple[Values, tuple[bool, bool]]


def decision(**changes: float) -> ScenarioDecision:
    return ScenarioDecision([TIME, FORCE], budget=Budget(scenarios=51), **{"success_margin": 0.1, **changes})


def fed(pairs: Iterable[Pair], **changes: float) -> ScenarioDecision:
    scenario = decision(**changes)
    for values, success in pairs:
        scenario.add(values, success=success)
    return scenario


def values(time_s: float | None = 10.0, force_n: float | None = 20.0) -> Values:
    """Of a candidate, beside a baseline of 10 s and 20 N."""
    return {"time": (10.0, time_s), "force": (20.0, force_n)}


def noisy(rng: np.random.Generator, pairs: int) -> list[Pair]:
    return [(values(rng.normal(10.0, 0.1), rng.normal(20.0, 0.5)), GOOD) for _ in range(pairs)]


def test_a_slower_candidate_is_a_regression_and_the_measure_is_named() -> None:
    judgement = fed([(values(time_s=10.3), GOOD)] * 40).judgement()
    assert judgement.verdict == "REGRESSION"
    assert judgement.pairs <= 18
    assert judgement.worst.measure == TIME
    assert (judgement.worst.worse, judgement.worst.equal) == (judgement.pairs, 0)
    assert judgement.worst.difference.value == pytest.approx(0.3)
    assert [finding.measure.name for finding in judgement.findings] == ["time", "force", "success"]


def test_a_measure_that_no_part_has_holds_nothing_up() -> None:
    """The time of good parts, where no part is good under either policy."""
    force = {"force": (20.0, 20.0)}
    neither: Pair = ({"time": (None, None), **force}, (False, False))
    judgement = fed([neither] * 200).judgement()
    assert judgement.verdict == "no regression"
    time = judgement.findings[0]
    assert time.neither == judgement.pairs < 100
    assert (time.equal, time.excluded, time.log_e, time.difference.value) == (0, False, 0.0, None)
    assert fed([neither] * 20).forecast(most=200).pairs == judgement.pairs
    # One part that has it is enough to be asked for more of them.
    seen = ({"time": (10.0, 10.0), **force}, GOOD)
    assert fed([seen, *[neither] * 199]).verdict == "UNDERPOWERED"


def test_a_failing_candidate_is_a_regression_of_success() -> None:
    judgement = fed([(values(), (True, False))] * 40).judgement()
    assert judgement.verdict == "REGRESSION"
    assert judgement.worst.measure.name == "success"
    assert judgement.worst.difference.value == 1.0
    assert judgement.worst.difference.low is not None
    assert 0.4 < judgement.worst.difference.low < 1.0
    better = fed([(values(), (False, True))] * 40).judgement()
    assert better.verdict != "REGRESSION"
    assert better.findings[-1].better == better.pairs


def test_a_candidate_that_is_as_good_is_no_regression_once_all_margins_are_excluded() -> None:
    judgement = fed(noisy(np.random.default_rng(1), 90)).judgement()
    assert judgement.verdict == "no regression"
    assert 50 <= judgement.pairs <= 75
    assert all(finding.excluded for finding in judgement.findings)
    earlier = fed(noisy(np.random.default_rng(1), judgement.pairs - 1)).judgement()
    assert earlier.verdict == "UNDERPOWERED"
    assert earlier.pairs == judgement.pairs - 1
    assert not all(finding.excluded for finding in earlier.findings) or earlier.worst.log_e > 2


def test_a_worsening_in_every_pair_is_a_regression_although_it_is_far_below_the_margin() -> None:
    pairs = [(values(time_s=10.01), GOOD)] * 40
    assert fed(pairs, success_margin=0.5).verdict == "REGRESSION"


@pytest.mark.parametrize("asked_every", [1, 7, 1000])
def test_the_verdict_depends_neither_on_when_one_asks_nor_on_what_came_after(asked_every: int) -> None:
    pairs = [(values(time_s=10.3), GOOD)] * 25 + [(values(time_s=2.0), GOOD)] * 60
    scenario = decision()
    for number, (row, success) in enumerate(pairs):
        scenario.add(row, success=success)
        if number % asked_every == 0:
            _ = scenario.verdict
    assert scenario.judgement() == fed(pairs[:25]).judgement()
    assert scenario.verdict == "REGRESSION"


def test_no_regression_stands_as_well() -> None:
    pairs = noisy(np.random.default_rng(1), 80)
    later = [*pairs, *[(values(time_s=99.0), GOOD)] * 40]
    assert fed(later).judgement() == fed(pairs).judgement()


def test_a_candidate_that_does_not_get_to_a_value_is_worse() -> None:
    judgement = fed([(values(force_n=None), GOOD)] * 40).judgement()
    assert judgement.verdict == "REGRESSION"
    assert judgement.worst.measure == FORCE
    assert judgement.worst.difference.value is None


def test_a_few_ruined_parts_are_not_cleared_by_the_many_equal_ones() -> None:
    rng = np.random.default_rng(2)
    said = []
    for _ in range(20):
        ruined = rng.random(100) < 0.15
        said.append(fed([(values(time_s=60.0 if each else 10.0), GOOD) for each in ruined]).verdict)
    assert "no regression" not in said


def test_the_worst_that_a_part_can_do_counts_like_a_failed_part() -> None:
    # One part in sixty, ruined by ten margins or by a thousand: the same to the pair.
    def cleared_after(time_s: float) -> int:
        rows: list[Pair] = [(values(time_s=time_s if i == 5 else 10.0), GOOD) for i in range(150)]
        return fed(rows).judgement().pairs

    failed: list[Pair] = [(values(), (True, i != 5)) for i in range(150)]
    assert cleared_after(20.0) == cleared_after(1010.0) == fed(failed).judgement().pairs
    assert cleared_after(15.0) < cleared_after(20.0)


def test_the_best_that_a_part_can_do_counts_like_a_part_that_no_longer_fails() -> None:
    def evidence(baseline_s: float | None) -> float:
        gained: Values = {"time": (baseline_s, 1.0), "force": (20.0, 20.0)}
        return fed([*[(values(time_s=10.5), GOOD)] * 5, (gained, GOOD)]).judgement().findings[0].log_e

    assert evidence(11.0) == evidence(1000.0) == evidence(None)
    assert evidence(10.0) > evidence(11.0)


def test_evidence_is_that_of_the_pairs_up_to_the_verdict() -> None:
    judgement = fed([(values(time_s=10.3), GOOD)] * 40).judgement()
    assert judgement.worst.log_e == pytest.approx(worsening(np.full(judgement.pairs, 0.03))[-1])


def test_the_median_is_of_the_pairs_that_differ() -> None:
    pairs: list[Pair] = [(values(time_s=10.0), GOOD)] * 8 + [
        (values(time_s=t), GOOD) for t in (9.0, 12.0, 13.0)
    ]
    time = fed(pairs).judgement().findings[0]
    assert (time.worse, time.better, time.equal, time.neither) == (2, 1, 8, 0)
    assert time.difference.value == pytest.approx(2.0)
    assert time.difference.low is None


def test_the_greatest_part_in_the_evidence_is_weighed_by_the_budget() -> None:
    # Success has more of the alarms than any measure: with the same evidence, it counts for more.
    budget = Budget(scenarios=51, measures=0.2, success=0.7, pooled=0.1)
    scenario = ScenarioDecision([TIME, FORCE], success_margin=0.1, budget=budget)
    for _ in range(10):
        scenario.add(values(time_s=11.0), success=(True, False))
    assert scenario.judgement().worst.measure.name == "success"


def test_nothing_is_known_before_the_first_pair() -> None:
    judgement = decision().judgement()
    assert (judgement.verdict, judgement.pairs) == ("UNDERPOWERED", 0)
    assert all(finding.log_e == 0.0 and not finding.excluded for finding in judgement.findings)
    assert decision().verdict == "UNDERPOWERED"
    assert decision().forecast().pairs is None
    assert fed([(values(), GOOD)]).judgement().pairs == 1


def test_the_forecast_is_of_the_pairs_that_were_fed() -> None:
    rng = np.random.default_rng(3)
    scenario = fed(noisy(rng, 20))
    told = scenario.forecast(most=150)
    assert told.pairs == pytest.approx(60, abs=10)
    assert told.worsening[2] is None
    assert len(told.exclusion) == 3
    assert scenario.forecast(most=30).pairs is None


def test_a_forecast_takes_at_most_a_thousand_pairs_unless_told_otherwise() -> None:
    rng = np.random.default_rng(4)
    scenario = fed((values(), (bool(rng.random() < 0.5), bool(rng.random() < 0.5))) for _ in range(60))
    assert scenario.forecast() == scenario.forecast(most=1000)


def test_a_scenario_may_have_success_only() -> None:
    scenario = ScenarioDecision([], success_margin=0.2, budget=Budget(scenarios=1))
    for _ in range(40):
        scenario.add({}, success=GOOD)
    assert scenario.verdict == "no regression"


@pytest.mark.parametrize("row", [{}, {"time": (1.0, 1.0)}, {**values(), "tilt": (0.0, 0.0)}])
def test_a_pair_with_other_measures_is_refused_and_not_counted(row: Values) -> None:
    scenario = decision()
    with pytest.raises(ValueError, match=r"need \['time', 'force'\], got"):
        scenario.add(row, success=GOOD)
    with pytest.raises(ValueError, match="finite"):
        scenario.add(values(time_s=math.nan), success=GOOD)
    assert scenario.judgement().pairs == 0


def refused_names() -> ScenarioDecision:
    return ScenarioDecision([TIME, TIME], success_margin=0.1, budget=Budget(scenarios=1))


def refused_success() -> ScenarioDecision:
    success = Measure(name="success", unit="", margin=0.1, worse="less")
    return ScenarioDecision([success], success_margin=0.1, budget=Budget(scenarios=1))


@pytest.mark.parametrize(
    "make",
    [
        refused_names,
        refused_success,
        lambda: decision(success_margin=0.0),
        lambda: decision(success_margin=1.0),
        lambda: decision(miss=0.0),
        lambda: decision(miss=1.0),
    ],
)
def test_what_cannot_work_is_refused(make: Callable[[], ScenarioDecision]) -> None:
    with pytest.raises(ValueError, match="need"):
        make()


def test_a_higher_risk_clears_earlier() -> None:
    pairs = noisy(np.random.default_rng(1), 90)

    def cleared(miss: float) -> Judgement:
        return fed(pairs, miss=miss).judgement()

    assert cleared(0.1).pairs < cleared(0.01).pairs
    assert cleared(0.01) == fed(pairs).judgement()
