"""Episodes as CSV, a row each, for spreadsheets and for other tools that compare policies."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from cellwright_train.results.result import EpisodeResult, Evaluation


def episode_table(evaluation: Evaluation[Any], identity: Mapping[str, str]) -> str:
    """CSV of the episodes; `identity` is that of their trial.

    The first columns have the names that `verdikt-eval` looks for. `success` is 1 or 0. Episodes of two
    policies are a pair where `conditions` agree. After these comes every number of the cell's own results.
    """
    rows = [
        {"policy_id": evaluation.policy, **identity, "env": evaluation.env, **_row(index, result)}
        for index, result in enumerate(evaluation.results)
    ]
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(index: int, result: EpisodeResult) -> dict[str, Any]:
    numbers = {
        name: _cell(value) for name, value in result.as_json().items() if not isinstance(value, dict | list)
    }
    return {
        "task": result.product,
        "episode_idx": index,
        "seed": result.seed,
        "conditions": result.conditions,
        "label_source": "simulator",
        **numbers,
        "success": int(result.good),
    }


def _cell(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
