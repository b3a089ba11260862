import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.welding.disturbances.process import (
    Draught,
    GasFlow,
    PlateTemperature,
    SupplyVoltage,
    WireFeedSlip,
)

SEEDS = st.integers(0, 2**32 - 1)
TIMES_S = np.linspace(0.0, 60.0, 121).tolist()


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_everything_off_leaves_the_procedure_alone() -> None:
    rng = generator(0)
    assert WireFeedSlip().draw(rng).factor(3.0) == 1.0
    assert SupplyVoltage().draw(rng).offset_v(3.0) == 0.0
    assert GasFlow().draw(rng).flow_l_min(3.0) == 15.0
    assert Draught().draw(rng).speed_m_s(3.0) == 0.0
    assert PlateTemperature().draw(rng).start_k == 293.15


@given(SEEDS)
def test_values_stay_in_their_ranges_at_all_times(seed: int) -> None:
    slip = WireFeedSlip(slip=(0.02, 0.08), variation=0.05).draw(generator(seed))
    supply = SupplyVoltage(limit_v=0.8).draw(generator(seed))
    draught = Draught(limit_m_s=1.5).draw(generator(seed))
    gas = GasFlow(deviation_l_min=(-3.0, 5.0)).draw(generator(seed))
    for time_s in TIMES_S:
        assert 0.92 <= slip.factor(time_s) <= 0.98
        assert -0.8 <= supply.offset_v(time_s) <= 0.8
        assert 0.0 <= draught.speed_m_s(time_s) <= 1.5
        assert 12.0 <= gas.flow_l_min(time_s) <= 20.0
    assert 273.15 <= PlateTemperature(above_ambient_k=(-20.0, 60.0)).draw(generator(seed)).start_k <= 353.15


def test_slip_and_supply_vary_slowly_within_an_episode() -> None:
    slip = WireFeedSlip(slip=(0.0, 0.1), variation=0.02).draw(generator(4))
    supply = SupplyVoltage(limit_v=1.0).draw(generator(5))
    for question in (slip.factor, supply.offset_v):
        values = np.array([question(time_s) for time_s in TIMES_S])
        assert np.ptp(values) > 0.0
        # Half a second apart, a step is a small part of the whole swing.
        assert np.abs(np.diff(values)).max() < 0.5 * np.ptp(values)


@given(SEEDS)
def test_gas_fails_once_and_comes_back(seed: int) -> None:
    config = GasFlow(loss_probability=1.0, loss_start_s=(2.0, 5.0), loss_duration_s=(1.0, 2.0))
    state = config.draw(generator(seed))
    is_lost = np.array([state.flow_l_min(time_s) < 15.0 for time_s in np.arange(0.0, 10.0, 0.05)])
    assert not is_lost[0]
    assert not is_lost[-1]
    assert np.abs(np.diff(is_lost.astype(int))).sum() == 2
    assert state.flow_l_min(state.loss_start_s) <= 0.4 * 15.0


def test_stronger_slip_takes_more_wire() -> None:
    weak, strong = (
        [WireFeedSlip(slip=(0.0, most)).draw(generator(seed)).factor(1.0) for seed in range(200)]
        for most in (0.04, 0.12)
    )
    assert np.mean(strong) < np.mean(weak)


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (WireFeedSlip, {"slip": (0.1, 0.0)}),
        (SupplyVoltage, {"limit_v": -1.0}),
        (GasFlow, {"loss_probability": 1.5}),
        (GasFlow, {"deviation_l_min": (-16.0, 0.0)}),
        (Draught, {"correlation_s": 0.0}),
        (PlateTemperature, {"above_ambient_k": (-100.0, 0.0)}),
    ],
)
def test_impossible_settings_are_refused_by_name(config: type, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        config(**arguments)
