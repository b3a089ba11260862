"""A small policy with every feature of a real one, for the tests of bundles and of what uses them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cellwright_policies.export import export_bundle
from cellwright_runtime.bundle.policy import ObservationGroup, PolicySpec
from cellwright_runtime.vocabulary import Component

ACTIONS = (
    ("lateral_offset", "m", -0.0015, 0.0015),
    ("height_offset", "m", -0.0015, 0.0015),
    ("travel_speed_trim", "1", -0.3, 0.3),
    ("wire_feed_trim", "1", -0.25, 0.25),
    ("voltage_trim", "V", -3.0, 3.0),
)


class SmallActor(nn.Module):
    """Scales an image by 1/255, normalises a vector by its bounds, answers with means beyond ±1 at times."""

    def __init__(self, low: float = -0.01, high: float = 0.02, size: int = 16) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.convolution = nn.Conv2d(2, 8, 4, 4)
        self.head = nn.Linear(8 * (size // 4) ** 2 + 6, len(ACTIONS))
        self.low, self.high = low, high
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.4

    def forward(self, image: torch.Tensor, seam: torch.Tensor) -> torch.Tensor:
        pixels = image.to(torch.float32) / 255.0
        features = torch.flatten(torch.relu(self.convolution(pixels)), 1)
        scaled = 2.0 * (seam - self.low) / (self.high - self.low) - 1.0
        return self.head(torch.cat([features, scaled], dim=1))


@pytest.fixture(scope="session")
def spec() -> PolicySpec:
    return PolicySpec(
        name="sample",
        environment="cellwright/WeldSeam-v1",
        control_rate_hz=25.0,
        observation=(
            ObservationGroup(
                name="image",
                dtype="uint8",
                shape=(2, 16, 16),
                components=tuple(
                    Component(name=name, unit="1", low=0.0, high=255.0) for name in ("overview", "stripe")
                ),
            ),
            ObservationGroup(
                name="seam",
                dtype="float32",
                shape=(6,),
                components=tuple(
                    Component(name=f"lateral_{ahead}", unit="m", low=-0.01, high=0.02) for ahead in range(6)
                ),
            ),
        ),
        action=tuple(
            Component(name=name, unit=unit, low=low, high=high) for name, unit, low, high in ACTIONS
        ),
        training={"command": "cellwright train debug --seed 1", "seed": 1},
        scores={"first_pass_yield": {"C": 1.0}},
    )


@pytest.fixture(scope="session")
def actor() -> SmallActor:
    return SmallActor()


@pytest.fixture(scope="session")
def observations() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (128, 2, 16, 16), dtype=np.uint8)
    images[:, 1] //= 3  # the channels of a real camera differ
    return {"image": images, "seam": rng.uniform(-0.01, 0.02, (128, 6)).astype(np.float32)}


@pytest.fixture(scope="session")
def bundle_dir(
    tmp_path_factory: pytest.TempPathFactory,
    actor: SmallActor,
    spec: PolicySpec,
    observations: dict[str, np.ndarray],
) -> Path:
    """A sound bundle; read only."""
    directory = tmp_path_factory.mktemp("bundles") / "sample"
    export_bundle(
        actor,
        spec=spec,
        observations=observations,
        scorecard={"first_pass_yield": {"C": 1.0}, "per_episode": []},
        directory=directory,
        weights={"head.bias": actor.head.bias.detach().numpy()},
    )
    return directory


@pytest.fixture(scope="session")
def one_observation(observations: dict[str, np.ndarray]) -> Callable[..., dict[str, Any]]:
    """The first recorded observation, with the given groups replaced."""

    def make(**replaced: Any) -> dict[str, Any]:
        return {name: rows[0] for name, rows in observations.items()} | replaced

    return make
