"""Episodes as a table: read back by the standard library, and by two tools that nobody here wrote."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas
import pytest
import robostats
from verdikt.ingest import get
from verdikt.stats import paired_p

from cellwright_train.cli import main
from cellwright_train.regression.paired import sign_test

PARTS = 6


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same parts by two experts, of which one sees nothing."""
    directory = tmp_path_factory.mktemp("tables")
    paths = {policy: directory / f"{policy}.csv" for policy in ("oracle", "blind-insertion")}
    for policy, path in paths.items():
        asked = f"evaluate {policy} --env cellwright/PegInsertion-v1 --episodes {PARTS} --seed 300000"
        assert main([*asked.split(), "--csv", str(path), "--workers", "1"]) == 0
    return paths


def test_a_row_has_what_tells_part_and_policy(tables: dict[str, Path]) -> None:
    with tables["oracle"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seed"]) for row in rows] == list(range(300000, 300000 + PARTS))
    assert [int(row["episode_idx"]) for row in rows] == list(range(PARTS))
    assert {row["policy_id"] for row in rows} == {"oracle"}
    assert len({row["conditions"] for row in rows}) == PARTS
    assert {row["success"] for row in rows} <= {"0", "1"}
    assert all(float(row["peak_force_n"]) >= 0 for row in rows)


def test_robostats_pairs_them_by_their_conditions(tables: dict[str, Path]) -> None:
    sets = [
        robostats.load_csv(
            path,
            protocol=robostats.Protocol(execution_horizon=1),
            success_field="success",
            policy_id_field="policy_id",
            task_id_field="env",
            scenario_fields=("conditions",),
            seed_field="seed",
        )
        for path in tables.values()
    ]
    theirs = robostats.mcnemar(robostats.pair(*sets), method="exact")
    frames = [pandas.read_csv(path) for path in tables.values()]
    worse = int(((frames[0].success == 1) & (frames[1].success == 0)).sum())
    better = int(((frames[0].success == 0) & (frames[1].success == 1)).sum())
    assert worse > 0
    assert theirs.p_value == pytest.approx(sign_test(worse, better), abs=1e-9)


def test_verdikt_reads_them_as_they_are(tables: dict[str, Path]) -> None:
    arms = [get("csv").parse(path) for path in tables.values()]
    assert [arm[0].policy_id for arm in arms] == list(tables)
    assert {each.label_source for arm in arms for each in arm} == {"simulator"}
    assert [each.seed for each in arms[0]] == [each.seed for each in arms[1]]
    pairs = [(one.success, other.success) for one, other in zip(*arms, strict=True)]
    worse, better = pairs.count((True, False)), pairs.count((False, True))
    assert worse > 0
    assert paired_p(worse, better) == pytest.approx(sign_test(worse, better), abs=1e-9)
