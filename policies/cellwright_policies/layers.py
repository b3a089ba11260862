"""Parts of the networks: scaling of inputs, standardised views, keypoints."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn


class BoxScale(nn.Module):
    """Concatenates observation groups, each scaled from its bounds to [-1, 1], then standardised.

    Bounds must hold whatever may come, so that most of the time a component uses a small part of its range.
    `fit` therefore adds a shift and a gain measured on data: buffers, which are saved and exported but not
    trained.
    """

    low: torch.Tensor
    half_range: torch.Tensor
    shift: torch.Tensor
    gain: torch.Tensor

    def __init__(self, boxes: Mapping[str, spaces.Box]) -> None:
        super().__init__()
        self.keys = tuple(boxes)
        low = np.concatenate([box.low.ravel() for box in boxes.values()]).astype(np.float64)
        high = np.concatenate([box.high.ravel() for box in boxes.values()]).astype(np.float64)
        if not (np.all(np.isfinite(high - low)) and np.all(high > low)):
            raise ValueError(f"the bounds of {', '.join(self.keys)} must be finite and high above low")
        self.size = len(low)
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32))
        self.register_buffer("half_range", torch.tensor((high - low) / 2, dtype=torch.float32))
        self.register_buffer("shift", torch.zeros(self.size))
        self.register_buffer("gain", torch.ones(self.size))

    def forward(self, groups: list[torch.Tensor]) -> torch.Tensor:
        """Map the groups, in the order of `keys`, each (n, …) in physical units, to (n, size)."""
        flat = torch.cat([group.flatten(1) for group in groups], dim=1)
        return torch.clamp((self.scaled(flat) - self.shift) * self.gain, -LARGEST_INPUT, LARGEST_INPUT)

    def scaled(self, flat: torch.Tensor) -> torch.Tensor:
        """Scale concatenated groups (n, size) from their bounds to [-1, 1]."""
        return (flat - self.low) / self.half_range - 1.0

    def fit(self, observations: Mapping[str, NDArray[np.float32]]) -> None:
        """Measure shift and gain on `observations`, each (n, …); what hardly moves keeps a gain of 1."""
        flat = np.concatenate(
            [observations[key].reshape(len(observations[key]), -1) for key in self.keys], axis=1
        )
        scaled = self.scaled(torch.as_tensor(flat, dtype=torch.float32, device=self.low.device))
        std = scaled.std(dim=0)
        self.shift.copy_(scaled.mean(dim=0))
        self.gain.copy_(
            torch.where(std > _SMALLEST_STD, 1.0 / std.clamp(min=_SMALLEST_STD), torch.ones_like(std))
        )


LARGEST_INPUT = 5.0
"""Standardised inputs are clipped here, so that unusual ones stay near those of training."""
_SMALLEST_STD = 1e-3
"""A component whose standard deviation is below this fraction of half its range counts as constant."""


class Keypoints(nn.Module):
    """Where each channel of a map is bright: a spatial softmax (Levine et al., arXiv:1504.00702).

    Turns (n, channels, H, W) into (n, 3 channels): the mean position of every channel from -1 to 1 along its
    columns and rows, weighed by the softmax of its values, and its largest value.
    """

    grid: torch.Tensor

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(
            torch.linspace(-1.0, 1.0, height), torch.linspace(-1.0, 1.0, width), indexing="ij"
        )
        self.register_buffer("grid", torch.stack([columns.flatten(), rows.flatten()], dim=1))
        self.sharpness = nn.Parameter(torch.ones(channels, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the columns and rows of all channels, then their largest values."""
        flat = maps.flatten(2)
        positions = torch.softmax(self.sharpness * flat, dim=-1) @ self.grid
        return torch.cat([positions.flatten(1), _PEAK_SCALE * flat.amax(dim=-1)], dim=1)


_PEAK_SCALE = 0.1
"""Brings the largest values near the range of the positions."""


def standardised(views: torch.Tensor) -> torch.Tensor:
    """Bring every view of (n, views, H, W), grey values, to a mean of 0 and a spread of 1.

    Sums of grey values are whole numbers, which float32 adds up without error in any order: a view without
    contrast becomes the same zeros in every runtime.
    """
    centred = views - views.mean(dim=(2, 3), keepdim=True)
    variance = centred.square().mean(dim=(2, 3), keepdim=True)
    return centred * torch.rsqrt(variance + _LEAST_SPREAD**2)


_LEAST_SPREAD = 5.1
"""A view with less contrast [grey values] shows noise: it is not brought to a spread of 1."""


def mlp(sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers from each of `sizes` to the next, each with a ReLU."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers)


def orthogonal(module: nn.Module) -> None:
    """Start the weights of a layer orthogonal, its bias at zero."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.orthogonal_(module.weight, gain=2**0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
