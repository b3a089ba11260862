"""A loop over columns gives the same bits compiled, one column at a time, and by NumPy, all at once."""

from typing import Any

import numpy as np

from cellwright_perception import columns as c
from cellwright_perception.compiled import compiled


@compiled
def _every_operation(values: Any, image: Any, bins: Any, out: Any) -> float:
    count = len(values)
    for column in c.each(0, count):
        place = c.whole(3.0 * values[column])
        inside = (place >= 0) & (place < 3)
        c.add(bins, 0, c.where(inside, place, -1), values[column])
        out[0, column] = c.smaller(values[column], 0.25) + c.larger(values[column], 0.5)
    for line in c.rows(0, image.shape[0]):
        for column in c.each(1, count):
            image[line, column] = image[line, column] - line * values[column]
    c.running(values, out[1])
    ranked, listed = c.ordered(values), c.listed(out[1])
    for column in c.each(0, count):
        out[2, column] = ranked[column]
    bins[1, 0], bins[1, 1], bins[1, 2] = c.strongest(values), c.count_positive(values), listed[3]
    return float(c.total(values))


def test_compiled_and_numpy_agree_to_the_last_bit() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(0.3, 0.5, 700)
    values[[40, 90]] = values.max() + 1.0  # of equal ones, the first
    image = np.round(rng.normal(size=(6, 700)), 1).astype(np.float32)
    results = []
    for run in (_every_operation, _every_operation.py_func):  # type: ignore[attr-defined]
        drawn, bins, out = image.copy(), np.zeros((2, 3)), np.zeros((3, 700))
        results.append((run(values, drawn, bins, out), drawn, bins, out))
    for one_by_one, at_once in zip(*results, strict=True):
        np.testing.assert_array_equal(one_by_one, at_once)
    total, _, bins, out = results[0]
    assert bins[1, :2].tolist() == [40, np.count_nonzero(values > 0.0)]
    np.testing.assert_allclose(total, values.sum())
    np.testing.assert_allclose(bins[0].sum(), values[(values >= 0.0) & (values < 1.0)].sum())
    np.testing.assert_array_equal(out[2], np.sort(values))
