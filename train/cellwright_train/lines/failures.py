"""The first failure of each contender after each change, repeated with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cellwright_train.lines.account import Account
from cellwright_train.lines.line import Event
from cellwright_train.lines.shift import Shift
from cellwright_train.lines.walk import Row
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.rollout.recording import PartRecord, pictured

MOST = 12
"""Failures with pictures; each takes two episodes and two fine pictures."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A part that is not good, the first after a change."""

    contender: int
    event: Event
    row: Row


@dataclass(frozen=True, kw_only=True)
class FilmedFailure:
    """The same with pictures of its beginning and its end."""

    failure: Failure
    record: PartRecord[Any]


def first_failures(accounts: Sequence[Account]) -> list[Failure]:
    """The first part after each change that is not good, change by change, then contender by contender."""
    found = [
        Failure(contender=number, event=event, row=row)
        for number, account in enumerate(accounts)
        for event, row in _of(account)
    ]
    return sorted(found, key=lambda each: (each.event.index, each.contender))


def _of(account: Account) -> list[tuple[Event, Row]]:
    found: list[tuple[Event, Row]] = []
    for cell in account.line.cells:
        events = [event for event in account.line.events if event.cell == cell]
        ends = [event.index for event in events[1:]] + [len(account.line.parts)]
        for event, end in zip(events, ends, strict=True):
            span = (row for row in account.rows[event.index : end] if row.part.cell == cell)
            found += [(event, row) for row in span if not row.result.good][:1]
    return found


def filmed_failures(shift: Shift, accounts: Sequence[Account], crew: Crew) -> list[FilmedFailure]:
    """Repeat the first of them with pictures; the crew has the trials of `shift`."""
    chosen = first_failures(accounts)[:MOST]
    tasks = [
        Task(
            pictured,
            each.row.work.episode,
            shift.trial_number(each.contender, each.row.part.cell),
        )
        for each in chosen
    ]
    records = dict(crew.do(tasks))
    return [FilmedFailure(failure=failure, record=records[index]) for index, failure in enumerate(chosen)]
