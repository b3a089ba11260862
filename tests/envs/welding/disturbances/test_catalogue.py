import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.welding.disturbances import NAMED, WeldDisturbances, WeldDisturbanceState, resolve
from cellwright_envs.welding.disturbances.events import GapStep, ProcedureChange

SEEDS = st.integers(0, 2**32 - 1)
NAMES = [each.name for each in fields(WeldDisturbances)]
POSITION_M = np.linspace(0.0, 0.4, 201)
THICKNESSES_M = st.floats(1.5e-3, 10e-3)


def drawn(name: str, seed: int) -> WeldDisturbanceState:
    return resolve(name).draw(np.random.default_rng(seed))


def same(first: object, second: object) -> bool:
    return pickle.dumps(first) == pickle.dumps(second)


@pytest.mark.parametrize("name", NAMED)
def test_one_seed_is_one_episode(name: str) -> None:
    assert same(drawn(name, 3), drawn(name, 3))
    assert not same(drawn(name, 3), drawn(name, 4))


@pytest.mark.parametrize("name", NAMED)
def test_configuration_and_episode_survive_pickling(name: str) -> None:
    assert pickle.loads(pickle.dumps(NAMED[name])) == NAMED[name]
    state = drawn(name, 1)
    copy = pickle.loads(pickle.dumps(state))
    np.testing.assert_array_equal(copy.tool_centre_point.offset_t(2.5), state.tool_centre_point.offset_t(2.5))
    np.testing.assert_array_equal(copy.part_warp.offset_m(POSITION_M), state.part_warp.offset_m(POSITION_M))


@pytest.mark.parametrize("off", NAMES)
def test_switching_one_off_leaves_the_draws_of_the_others(off: str) -> None:
    # The hard set with every event certain, so that each disturbance shows in its draw.
    full = replace(
        NAMED["hard"],
        gap_step=GapStep(probability=1.0),
        procedure_change=ProcedureChange(probability=1.0),
    )
    partial = replace(full, **{off: getattr(resolve("none"), off)})
    states = [config.draw(np.random.default_rng(7)) for config in (full, partial)]
    for name in NAMES:
        assert same(getattr(states[0], name), getattr(states[1], name)) == (name != off)


@pytest.mark.parametrize("name", NAMED)
def test_drawing_takes_as_much_from_the_generator_whatever_is_on(name: str) -> None:
    rng, reference = np.random.default_rng(0), np.random.default_rng(0)
    resolve(name).draw(rng)
    resolve("none").draw(reference)
    assert rng.random() == reference.random()


@given(SEEDS)
def test_no_disturbance_leaves_everything_as_drawn(seed: int) -> None:
    state = drawn("none", seed)
    images = np.random.default_rng(seed).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    rng = np.random.default_rng(1)
    seen = state.corrupt(
        images, np.full((2, 2), 30.0), arc_on=True, time_s=3.0, magnification=(1.0, 2.3), rng=rng
    )
    np.testing.assert_array_equal(seen, images)
    gap_m = state.gap_m(POSITION_M, seam_length_m=0.4, nominal_gap_m=0.5e-3, thickness_m=3e-3)
    np.testing.assert_array_equal(gap_m, 0.5e-3)
    assert state.actuator_latency.steps == 0
    assert state.frame_delivery.delivered(40) == 40


@given(SEEDS, THICKNESSES_M, st.floats(0.0, 1.5e-3))
def test_training_leaves_fit_up_inside_level_c(seed: int, thickness_m: float, nominal_gap_m: float) -> None:
    state = drawn("train", seed)
    gap_m = state.gap_m(POSITION_M, seam_length_m=0.4, nominal_gap_m=nominal_gap_m, thickness_m=thickness_m)
    assert gap_m.min() >= 0.0
    assert gap_m.max() <= nominal_gap_m + min(0.2 * thickness_m, 0.6e-3) + 1e-12
    # ISO 5817 no. 507, level C.
    level_c_m = 0.15 * thickness_m + (0.2e-3 if thickness_m <= 3e-3 else 0.0)
    assert np.abs(state.misalignment.step_m(POSITION_M, thickness_m)).max() <= level_c_m


@given(SEEDS)
def test_training_makes_no_pores_by_itself(seed: int) -> None:
    state = drawn("train", seed)
    for time_s in np.linspace(0.0, 60.0, 31).tolist():
        assert 12.0 <= state.gas_flow.flow_l_min(time_s) <= 20.0
        assert state.draught.speed_m_s(time_s) <= 1.5


@given(SEEDS)
def test_training_keeps_the_wire_tip_within_a_millimetre_to_the_side(seed: int) -> None:
    state = drawn("train", seed)
    assert max(abs(state.tool_centre_point.offset_t(t / 4.0)[1]) for t in range(80)) <= 1.0e-3


@given(SEEDS)
def test_gap_step_and_profile_open_no_further_than_the_larger_alone(seed: int) -> None:
    state = drawn("gap_profile+gap_step", seed)
    gap_m = state.gap_m(POSITION_M, seam_length_m=0.4, nominal_gap_m=0.0, thickness_m=5e-3)
    assert gap_m.max() <= 0.6e-3 + 1e-12


def test_glare_and_spatter_go_out_with_the_arc() -> None:
    state = drawn("arc_glare+spatter", 0)
    images = np.full((2, 64, 64), 80, np.uint8)
    arc_px = np.full((2, 2), 31.0)
    lit, dark = (
        state.corrupt(
            images, arc_px, arc_on=arc_on, time_s=1.0, magnification=(1.0, 2.3), rng=np.random.default_rng(0)
        )
        for arc_on in (True, False)
    )
    assert (lit != images).any()
    np.testing.assert_array_equal(dark, images)


def test_hard_corrupts_images_more_than_train() -> None:
    images = np.tile(np.linspace(20, 160, 64).astype(np.uint8), (2, 64, 1))

    def change(name: str) -> float:
        changes = []
        for seed in range(20):
            seen = drawn(name, seed).corrupt(
                images,
                np.array([[31.0, 20.0], [31.0, -50.0]]),
                arc_on=True,
                time_s=1.0,
                magnification=(1.0, 2.3),
                rng=np.random.default_rng(seed),
            )
            changes.append(np.abs(seen.astype(float) - images).mean())
        return float(np.mean(changes))

    assert change("hard") > 1.3 * change("train")


@pytest.mark.parametrize("name", NAMES)
def test_single_disturbance_is_that_one_at_training_strength(name: str) -> None:
    only = NAMED[name]
    assert getattr(only, name) == getattr(NAMED["train"], name) != getattr(resolve("none"), name)
    assert replace(only, **{name: getattr(resolve("none"), name)}) == resolve("none")


def test_names_join_with_plus() -> None:
    both = resolve("fixture_offset + arc_glare")
    assert both.fixture_offset == resolve("train").fixture_offset
    assert both.arc_glare == resolve("train").arc_glare
    assert both.smoke == resolve("none").smoke


def test_an_object_resolves_to_itself() -> None:
    config = WeldDisturbances()
    assert resolve(config) is config


@pytest.mark.parametrize("name", ["fixture_ofset", "train+fixture_ofset"])
def test_unknown_name_is_answered_with_the_nearest_and_all_others(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"'fixture_ofset'. Did you mean 'fixture_offset'\?.*none, train, hard"
    ):
        resolve(name)


def test_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="Known: none"):
        resolve("")
