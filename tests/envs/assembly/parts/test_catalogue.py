"""Parts by name: splits, look-up, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.connectors import CONNECTORS
from cellwright_envs.assembly.parts.gears import GEARS
from cellwright_envs.assembly.parts.nuts import NUTS
from cellwright_envs.assembly.parts.pegs import PEGS, Peg

THIN = Peg(name="thin", family="round", size_m=4e-3, clearance_m=0.3e-3)
THICK = replace(THIN, name="thick", size_m=16e-3)
TWO = Catalogue(parts=(THIN, THICK), held_out=("thick",))


class Foreign(Peg):
    """Another task's part."""


def test_a_split_a_name_a_part_or_several_are_parts() -> None:
    assert TWO.resolve("train") == (THIN,)
    assert TWO.resolve("held-out") == TWO.resolve("thick") == (THICK,)
    assert TWO.resolve("all") == (THIN, THICK)
    worn = replace(THIN, name="worn", clearance_m=0.5e-3)
    assert TWO.resolve(worn) == (worn,)
    assert TWO.resolve(("held-out", worn, "thin")) == (THICK, worn, THIN)


def test_people_have_a_word_of_their_own_for_the_parts_of_every_task() -> None:
    catalogues = (PEGS, CONNECTORS, NUTS, GEARS)
    words = {(part.noun, part.place) for catalogue in catalogues for part in catalogue.parts}
    assert words == {("peg", "hole"), ("plug", "socket"), ("nut", "bolt"), ("gear", "shaft")}


def test_an_unknown_name_is_told_the_nearest_of_this_catalogue() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'thick'.*train, held-out, all, thin, thick"):
        TWO.resolve("thikc")


def test_the_part_of_another_task_is_refused() -> None:
    foreign = Catalogue(
        parts=(Foreign(name="gear", family="round", size_m=8e-3, clearance_m=1e-3),), held_out=()
    )
    with pytest.raises(ValueError, match="'thin' is a Peg, this task takes a Foreign"):
        foreign.resolve(THIN)


def test_two_parts_of_one_name_and_held_out_names_without_a_part_are_refused() -> None:
    with pytest.raises(ValueError, match=r"names of their own, got \['thin', 'thin'\]"):
        Catalogue(parts=(THIN, replace(THICK, name="thin")), held_out=())
    with pytest.raises(ValueError, match=r"\['medium'\] are no parts; known: thin"):
        Catalogue(parts=(THIN,), held_out=("medium",))
