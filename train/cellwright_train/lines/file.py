"""What a file of a line says, key by key."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=10**6)]
Positive = Annotated[int, Meta(ge=1, le=10**4)]
Seed = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e6)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
Sentence = Annotated[str, Meta(min_length=1, max_length=400)]

RETEACHING_S = 900.0
"""A manual calibration of a tool centre point takes about 15 min (Cakir and Deniz 2019, abstract)."""
REPLACING_S = 600.0
"""A contact tip is changed in 10 min (ABICOR BINZEL, *Understanding contact tips*)."""
REWORK_S = 300.0
"""Grinding out and welding again by hand, or a second try by hand (assumption)."""
INSPECTED_EVERY, BAD_IN_A_ROW = 10, 2
"""Sampling inspection (assumption); 100 % inspection is 1."""


class Operations(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to one field of a disturbance; a list acts number by number."""

    times: float | tuple[float, ...] | None = None
    """Multiply the field."""
    plus: float | tuple[float, ...] | None = None
    """Add to the field, in the field's unit."""
    to: float | tuple[float, ...] | None = None
    """Set the field."""


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that changes during a batch, for the cell of that batch, until it is undone.

    It has one of `line_change`, `set` and `undo`.
    """

    after: Count = 0
    """Parts of the batch that come before it."""
    line_change: Name | None = None
    """A change of the catalogue, such as `moved-fixture`."""
    set: dict[str, Any] = {}
    """Fields of disturbances with their operation: `{ "exposure.mean_gain" = { times = 0.55 } }`."""
    undo: Name | None = None
    """Name of the change that ends here."""
    name: Name | None = None
    """Its own name, for reports and `undo`; needed with `set`, that of the catalogue where left out."""
    description: Sentence | None = None
    """One sentence for reports; needed with `set`."""
    announced: bool = False
    """Whether people at the line know of it at once; see [re-teaching](#re-teaching)."""


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Parts that are made one after the other in one cell."""

    product: Annotated[str, Meta(min_length=1, max_length=2000)]
    """A product, several joined by `+` that take turns, or a split: `train`, `held-out`, `all`."""
    parts: Positive
    """How many."""
    cell: Name | None = None
    """Cell of this batch, where it is not that of the line."""
    disturbances: Name | None = None
    """Set of disturbances of this batch, where it is not that of the line."""
    handling_s: Seconds | None = None
    """As that of the line, for this batch."""
    rework_s: Seconds | None = None
    """As that of the line, for this batch."""
    ideal_cycle_s: Annotated[float, Meta(gt=0.0, le=1e6)] | None = None
    """As that of the line, for this batch."""
    replace: tuple[Name, ...] = ()
    """Names of worn equipment that is replaced before the batch begins."""
    change: tuple[Change, ...] = ()
    """What changes, each under a header `[[batch.change]]`."""


class Wear(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Equipment that wears with every part of its cell."""

    name: Name
    """For `replace` and reports."""
    set: dict[str, Any]
    """What one part does to fields of disturbances. After n parts, `plus` adds n times as much, `times`
    multiplies by the n-th power."""
    cell: Name | None = None
    """Cell in which it is, where it is not that of the line."""
    used_parts: Count = 0
    """Parts that it has already done when the line starts."""
    replacing_s: Seconds = REPLACING_S
    """Time for which the line stands still while it is replaced."""


class LineFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line: what is made, in which order, and what changes."""

    name: Name
    """Lower-case letters, digits and `-`; the ids of its parts begin with it."""
    description: Sentence
    """One sentence for reports."""
    seed: Seed
    """Part i has the seed `seed` + i, where the first part is 0."""
    cell: Name
    """Task, such as `weld-seam` or `peg-insertion`; its newest version is taken."""
    handling_s: Seconds
    """Time to load and unload a part, in which the robot waits."""
    disturbances: Name = "train"
    """Set of disturbances, or several joined by `+`."""
    ideal_cycle_s: Annotated[float, Meta(gt=0.0, le=1e6)] | None = None
    """Time that the robot should take for a part; without it a shift has no performance and no OEE."""
    reteaching_s: Seconds = RETEACHING_S
    """Time for which the line stands still while people teach a controller again."""
    rework_s: Seconds = REWORK_S
    """Time that one person takes to rework a part, beside the line."""
    inspected_every: Positive = INSPECTED_EVERY
    """Every so many parts of a cell one is inspected; 1 inspects all."""
    bad_in_a_row: Positive = BAD_IN_A_ROW
    """Inspected parts in a row that are not good, after which people stop the line and teach again."""
    wear: tuple[Wear, ...] = ()
    """Equipment that wears, each under a header `[[wear]]`."""
    batch: Annotated[tuple[Batch, ...], Meta(min_length=1)]
    """What is made, each batch under a header `[[batch]]`."""
