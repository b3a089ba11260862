"""One change of a line, as a training meets it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from cellwright_envs.disturbances.line_change import LineChange
from cellwright_train.errors import UsageError
from cellwright_train.learning.line_conditions import FieldChange, PartConditions, StretchConfig
from cellwright_train.learning.presets import CurriculumConfig, from_json, preset, to_json
from cellwright_train.lines.cells import cells
from cellwright_train.lines.stretch import stretch
from cellwright_train.rollout.cell import CellChoice, Episode, reset_options
from tests.train.lines.conftest import line

PEGS = cells()["peg-insertion"]
BATCH = '[[batch]]\nproduct = "round-8-0.5+square-8-0.3"\n'
MOVED = '[[batch.change]]\nline_change = "moved-fixture"\n'
DARK = """[[batch.change]]
name = "dark"
description = "Dark."
[batch.change.set]
"room_light.lamp_factor" = { times = 0.5 }
"hand_camera.mean_translation_m" = { plus = [0.001, 0.002, 0.003] }
"""
TWO = f"{BATCH}parts = 4\n{MOVED}after = 2\n{BATCH}parts = 4\n{DARK}"


def test_it_reaches_from_the_change_before_to_the_change_after() -> None:
    made = line(TWO)
    first, last = stretch(made, PEGS, 1), stretch(made, PEGS, None)
    assert (first.event.name, last.event.name) == ("moved-fixture", "dark")
    assert [each.product for each in first.before] == ["round-8-0.5", "square-8-0.3"]
    assert all(not each.changes for each in first.before)
    assert last.before == first.after
    assert {each.field for each in last.after[0].changes} > {each.field for each in last.before[0].changes}


@pytest.mark.parametrize(("part", "place"), [(0, "before"), (2, "after"), (5, "after")])
def test_conditions_draw_what_the_part_of_the_line_draws(part: int, place: str) -> None:
    made = line(TWO)
    chosen = stretch(made, PEGS, None if part > 3 else 1)
    met = made.parts[part].episode
    conditions = next(each for each in getattr(chosen, place) if each.product == met.product)
    again = Episode(met.seed, conditions.product, conditions.line_changes, conditions.disturbances)
    with closing(CellChoice(env=PEGS, disturbances="none").make()) as env:
        hashes = set()
        for episode in (met, again):
            env.reset(seed=episode.seed, options=reset_options(env, episode))
            hashes.add(env.unwrapped.conditions_hash())  # type: ignore[attr-defined]
        assert len(hashes) == 1
        env.unwrapped.set_products(conditions.product)  # type: ignore[attr-defined]
        env.unwrapped.set_disturbances(  # type: ignore[attr-defined]
            conditions.disturbance_set(env.unwrapped.disturbance_sets)  # type: ignore[attr-defined]
        )
        env.reset(seed=met.seed)
        assert env.unwrapped.conditions_hash() in hashes  # type: ignore[attr-defined]


def test_a_configuration_keeps_it_through_json() -> None:
    chosen = stretch(line(TWO), PEGS, None)
    config = replace(
        preset("peg-insertion"),
        curriculum=CurriculumConfig(line=StretchConfig(before=chosen.before, after=chosen.after, kept=0.5)),
    )
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


@pytest.mark.parametrize(
    ("text", "env", "number", "message"),
    [
        (TWO, PEGS, 3, "--change must be 1 to 2"),
        (TWO, PEGS, 0, "--change must be 1 to 2"),
        (TWO, cells()["gear-mesh"], None, "and no cellwright/GearMesh"),
        (f"{BATCH}parts = 4\n", PEGS, None, "nothing changes in the cell peg-insertion"),
        (f"{BATCH}parts = 4\n{MOVED}", PEGS, None, "no part is made in peg-insertion before change 1"),
    ],
)
def test_what_cannot_be_adapted_to_is_one_line(text: str, env: str, number: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stretch(line(text), env, number)


def test_a_field_change_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="need one of times, plus, to and a value"):
        FieldChange(field="exposure.mean_gain", how="add", value=(1.0,))
    with pytest.raises(ValueError, match="need a product and a set"):
        PartConditions.of(None, "train", ())


def test_a_change_of_the_product_is_that_product() -> None:
    change = LineChange(description="Other parts.", product="square-8-0.3")
    assert PartConditions.of("round-8-0.5", "train", (change,)).product == "square-8-0.3"
    assert PartConditions.of("round-8-0.5", "train", ()).product == "round-8-0.5"
