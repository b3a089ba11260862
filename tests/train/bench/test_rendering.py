"""The cameras that are timed against TinyRenderer are those of training, and see what it sees."""

from collections.abc import Callable

import pytest

from cellwright_train.bench.figures import Effort, Figures
from cellwright_train.bench.rendering import (
    insertion_cameras_against_tiny_renderer,
    weld_cameras_against_tiny_renderer,
)

ONCE = Effort(repeats=1, env_steps=1, frames=1, decisions=1, training_iterations=0)


@pytest.mark.parametrize(
    ("name", "measure"),
    [("weld", weld_cameras_against_tiny_renderer), ("insertion", insertion_cameras_against_tiny_renderer)],
)
def test_both_renderers_see_the_same_depths_and_silhouettes(
    name: str, measure: Callable[[Effort], Figures]
) -> None:
    figures = measure(ONCE)
    assert figures[f"{name}_cameras_depth_difference_to_tiny_renderer_mm"]["value"] < 0.01
    assert figures[f"{name}_cameras_silhouette_overlap_with_tiny_renderer"]["value"] > 0.99
    assert figures[f"{name}_cameras_speed_up_over_tiny_renderer"]["value"] > 1.0
