"""What a page of a regression draws."""

from __future__ import annotations

import math

import numpy as np

from cellwright_train.report.regression_page import worsenings

ROWS = [
    {"good": [True, True], "values": {"time_s": [2.0, 2.6]}},
    {"good": [True, False], "values": {"time_s": [2.0, None]}},
    {"good": [False, False], "values": {"time_s": [None, None]}},
]


def test_pairs_are_drawn_in_margins_of_their_measure() -> None:
    time = {"measure": "time_s", "unit": "s", "margin": 0.2, "worse_is": "more"}
    np.testing.assert_allclose(worsenings(time, ROWS), [3.0, math.inf, math.nan])
    success = {"measure": "success", "unit": "", "margin": 0.1, "worse_is": "less"}
    np.testing.assert_allclose(worsenings(success, ROWS), [0.0, 10.0, 0.0])
