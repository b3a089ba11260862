"""Statistics of a dataset are those of all its frames."""

import numpy as np
import pytest

from cellwright_train.data.statistics import QUANTILES, pooled, statistics, view_statistics


def test_statistics_of_two_episodes_pool_to_those_of_all_frames() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(30, 4)), 2.0 + 3.0 * rng.normal(size=(90, 4))
    whole = statistics(np.concatenate([first, second]))
    found = pooled(statistics(first), statistics(second))
    assert list(found) == list(whole)
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-12)


def test_quantiles_are_exact_in_an_episode_and_weighted_over_several() -> None:
    first, second = np.arange(101.0)[:, np.newaxis], 100.0 + np.arange(301.0)[:, np.newaxis]
    found = statistics(first)
    assert [found[name][0] for name in QUANTILES] == pytest.approx([1.0, 10.0, 50.0, 90.0, 99.0])
    both = pooled(found, statistics(second))
    assert both["q50"][0] == pytest.approx((101 * 50.0 + 301 * 250.0) / 402)


def test_views_are_counted_by_frames_from_0_to_1_in_three_equal_colours() -> None:
    view = np.array([[[0, 255], [51, 204]]] * 3, np.uint8)
    found = view_statistics(view)
    assert found["count"].tolist() == [3]
    assert found["mean"].shape == (3, 1, 1)
    assert found["mean"].ravel() == pytest.approx([0.5] * 3)
    assert found["max"].ravel() == pytest.approx([1.0] * 3)


def test_numbers_keep_their_type_where_they_are_no_means() -> None:
    found = statistics(np.array([[False], [True]]))
    assert found["min"].tolist() == [False]
    assert found["mean"].tolist() == [0.5]
