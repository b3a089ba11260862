"""The catalogue of products, its splits, and what a product may be."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cellwright_envs.welding.part.paths import PlanarPath
from cellwright_envs.welding.part.product import (
    HELD_OUT,
    JOINTS,
    PRODUCTS,
    SPLITS,
    WeldProduct,
    resolve_products,
)
from cellwright_envs.welding.weld_cell import taught_program
from cellwright_envs.welding.weld_seam import LONGEST_SEAM_M

LAP = PRODUCTS["lap-straight-2.3"]


def test_training_never_sees_what_is_held_out() -> None:
    assert not set(SPLITS["train"]) & set(SPLITS["held-out"])
    assert set(SPLITS["train"]) | set(SPLITS["held-out"]) == set(SPLITS["all"])
    apart = [set(SPLITS[name]) for name in ("all", "mixed-gas", "geometry", "geometry-held-out")]
    assert set.union(*apart) == set(PRODUCTS)
    assert sum(map(len, apart)) == len(PRODUCTS)


def test_held_out_geometry_lies_between_and_beyond_that_of_training() -> None:
    def values(*splits: str) -> tuple[set[float], set[float]]:
        parts = [PRODUCTS[name] for split in splits for name in SPLITS[split]]
        work = {part.procedure.work_angle_rad for part in parts if part.procedure.work_angle_rad}
        planar = [part.path for part in parts if isinstance(part.path, PlanarPath)]
        return work, {abs(curvature) for path in planar for curvature, _ in path.segments if curvature}

    (trained_rad, trained_1_m), (other_rad, other_1_m) = (
        values("train", "geometry"),
        values("geometry-held-out"),
    )
    assert not trained_rad & other_rad
    assert not trained_1_m & other_1_m
    assert min(other_rad) < min(trained_rad)
    assert max(other_rad) > max(trained_rad)
    assert max(other_1_m) > max(trained_1_m)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_joint(split: str) -> None:
    assert {PRODUCTS[name].joint for name in SPLITS[split]} == set(JOINTS)


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_arm_reaches_all_of_every_product(name: str) -> None:
    frames, _, joints_rad = taught_program(PRODUCTS[name])
    assert len(joints_rad) * 5 >= frames.index(frames.length_m)
    assert frames.length_m <= LONGEST_SEAM_M


def test_a_name_a_split_a_product_and_several_of_these_resolve() -> None:
    assert resolve_products("lap-straight-2.3") == resolve_products(LAP) == (LAP,)
    assert resolve_products("held-out") == tuple(PRODUCTS[name] for name in HELD_OUT)
    assert resolve_products((LAP, "tee-arc-4.5")) == (LAP, PRODUCTS["tee-arc-4.5"])


def test_an_unknown_name_is_answered_with_the_nearest_and_all_others() -> None:
    with pytest.raises(
        ValueError,
        match=r"did you mean 'held-out'\? known: train, held-out, all, mixed-gas, geometry, geometry-held",
    ):
        resolve_products("heldout")
    with pytest.raises(ValueError, match=r"did you mean 'tee-arc-4\.5'"):
        resolve_products((LAP, "tee-ark-4.5"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("joint", "corner"), ("thickness_m", 0.5e-3), ("thickness_m", 12e-3), ("gap_m", -1e-4), ("gap_m", 2e-3)],
)
def test_a_product_outside_the_model_is_refused_with_the_value(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{field}( must be .*|=){value}"):
        dataclasses.replace(LAP, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("current_a", 500.0), ("voltage_v", 10.0), ("travel_speed_m_s", 0.5), ("push_angle_rad", 1.0)],
)
def test_a_procedure_outside_the_model_is_refused_with_the_value(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}={value} is outside"):
        dataclasses.replace(LAP.procedure, **{field: value})


def test_more_current_needs_more_wire() -> None:
    hotter = dataclasses.replace(LAP.procedure, current_a=LAP.procedure.current_a + 20.0)
    assert hotter.wire_feed_m_s > LAP.procedure.wire_feed_m_s


def test_products_are_values() -> None:
    twin = WeldProduct(**{each.name: getattr(LAP, each.name) for each in dataclasses.fields(LAP)})
    assert twin == LAP
    assert hash(twin) == hash(LAP)
