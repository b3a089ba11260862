"""The networks: an actor that reads what the robot has, a critic that reads the true state and no image."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.distributions import DiagGaussianDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn

from cellwright_policies.layers import LARGEST_INPUT, BoxScale, Keypoints, mlp, orthogonal, standardised

IMAGE = "image"
PRIVILEGED = "privileged"

Observation = Mapping[str, torch.Tensor]

_MOST_LAYERS = 32
"""Of convolutions, of the actor and of the critic; a file that asks for thousands is damaged."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes of the actor and of the critic."""

    channels: tuple[int, ...] = (32, 48, 64)
    """Channels after each convolution of the actor."""
    first_kernel_px: int = 4
    """Side of the first convolution's kernel."""
    first_stride_px: int = 4
    """Its stride, which sets the cost of all that follows; the other convolutions are 3 by 3, stride 2."""
    keypoints: int = 0
    """Number of points that are located in each view, instead of passing on the last map: for tasks that
    depend on where objects are. Each view then has convolutions of its own with `channels`, of which only the
    first has a stride. With 0, all views share their convolutions."""
    standardise_views: bool = False
    """Whether every view is first brought to a mean of 0 and a spread of 1, against changes of the light."""
    image_features: int = 128
    """Features read from the image."""
    signal_features: int = 128
    """Features read from all other observations."""
    hidden: tuple[int, ...] = (256, 128)
    """Layers of the actor between features and action."""
    critic_hidden: tuple[int, ...] = (256, 256)
    """Layers of the critic."""
    initial_std: float = 0.15
    """Standard deviation of the first actions, of which the range is [-1, 1]."""
    train_in_bfloat16: bool | None = None
    """Whether the convolutions are trained in bfloat16; acting and the exported network use float32. None:
    where the processor computes in bfloat16, which doubles the speed; elsewhere it would take six times as
    long."""

    def __post_init__(self) -> None:
        if not self.channels or not self.hidden or not self.critic_hidden:
            raise ValueError(
                f"need at least one layer each: {self.channels=} {self.hidden=} {self.critic_hidden=}"
            )
        layers = max(len(self.channels), len(self.hidden), len(self.critic_hidden))
        if layers > _MOST_LAYERS:
            raise ValueError(f"a network has at most {_MOST_LAYERS} layers of a kind, got {layers}")
        if min(*self.channels, *self.hidden, *self.critic_hidden) < 1:
            raise ValueError(
                f"layers need a size >= 1: {self.channels=} {self.hidden=} {self.critic_hidden=}"
            )
        if self.first_kernel_px < 1 or self.first_stride_px < 1:
            raise ValueError(f"need {self.first_kernel_px=} >= 1 and {self.first_stride_px=} >= 1")
        if self.image_features < 1 or self.signal_features < 1:
            raise ValueError(f"need {self.image_features=} >= 1 and {self.signal_features=} >= 1")
        if self.keypoints < 0:
            raise ValueError(f"need {self.keypoints=} >= 0")
        if not 0 < self.initial_std <= 1:
            raise ValueError(f"need 0 < {self.initial_std=} <= 1")


def computes_in_bfloat16() -> bool:
    """Say whether this processor has instructions for bfloat16."""
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


_GREY_MEAN, _GREY_SPREAD = 0.4, 0.25
"""Mean and spread of the grey values of a lit cell, with white as 1: with these a map starts around zero."""


class Actor(nn.Module):
    """Observation without privileged state to actor features: a CNN for the image, an MLP for the rest."""

    def __init__(self, observation_space: spaces.Dict, config: NetworkConfig) -> None:
        super().__init__()
        boxes = _boxes(observation_space)
        image_shape = boxes[IMAGE].shape
        if len(image_shape) != 3 or boxes[IMAGE].dtype != np.uint8:
            raise ValueError(f"the image must be uint8 (channels, height, width), got {boxes[IMAGE]}")
        self.input_keys = tuple(key for key in boxes if key != PRIVILEGED)
        self.scale = BoxScale({key: boxes[key] for key in self.input_keys if key != IMAGE})
        self.train_in_bfloat16 = (
            computes_in_bfloat16() if config.train_in_bfloat16 is None else config.train_in_bfloat16
        )
        self.keypoints = config.keypoints > 0
        self.standardise_views = config.standardise_views
        self.convolutions = (_keypoints if self.keypoints else _convolutions)(image_shape, config)
        with torch.no_grad():
            flat = self.convolutions(torch.zeros(1, *image_shape)).flatten(1).shape[1]
        self.image_features = nn.Sequential(nn.Linear(flat, config.image_features), nn.ReLU())
        self.signal_features = nn.Sequential(nn.Linear(self.scale.size, config.signal_features), nn.ReLU())
        self.trunk = mlp((config.image_features + config.signal_features, *config.hidden))
        self.features_dim = config.hidden[-1]
        self.apply(orthogonal)
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, observation: Observation) -> torch.Tensor:
        """Return (n, features) for a batch of raw observations."""
        # bfloat16 pays off in the backward pass only; acting in float32 is what the exported network does too
        training = self.train_in_bfloat16 and torch.is_grad_enabled()
        views = observation[IMAGE]
        with torch.autocast(views.device.type, torch.bfloat16, enabled=training):
            coarse = training and not self.standardise_views  # a dark view's contrast would be rounded away
            image = views.to(torch.bfloat16 if coarse else torch.float32)
            image = image.contiguous(memory_format=torch.channels_last)
            if self.standardise_views:
                image = standardised(image)
            elif self.keypoints:
                image = (image / 255.0 - _GREY_MEAN) / _GREY_SPREAD
            else:
                image = image / 255.0
            seen = self.image_features(self.convolutions(image).flatten(1)).float()
        felt = self.signal_features(self.scale([observation[key] for key in self.scale.keys]))
        return self.trunk(torch.cat([seen, felt], dim=1))


class Critic(nn.Module):
    """Privileged state and low-dimensional observation to critic features; reads no image."""

    def __init__(self, observation_space: spaces.Dict, config: NetworkConfig) -> None:
        super().__init__()
        boxes = _boxes(observation_space)
        self.scale = BoxScale({key: box for key, box in boxes.items() if key != IMAGE})
        self.trunk = mlp((self.scale.size, *config.critic_hidden))
        self.features_dim = config.critic_hidden[-1]
        self.apply(orthogonal)

    def forward(self, observation: Observation) -> torch.Tensor:
        """Return (n, features) for a batch of raw observations."""
        return self.trunk(self.scale([observation[key] for key in self.scale.keys]))


class ActorModule(nn.Module):
    """The deployable part: observation groups, in the order of `input_keys`, to actions before clipping."""

    def __init__(self, actor: Actor, action_net: nn.Linear) -> None:
        super().__init__()
        self.input_keys = actor.input_keys
        self.actor = copy.deepcopy(actor)
        self.actor.train_in_bfloat16 = False
        self.action_net = copy.deepcopy(action_net)
        self.eval()

    def forward(self, *groups: torch.Tensor) -> torch.Tensor:
        """Map the groups, image (n, …) uint8 and others (n, …) float32 in physical units, to (n, actions)."""
        return self.action_net(self.actor(dict(zip(self.input_keys, groups, strict=True))))


class CellActorCritic(ActorCriticPolicy):
    """Asymmetric Stable-Baselines3 policy with an auxiliary head on the actor.

    The actor never reads `privileged`. `aux_indices` are the components of `privileged` that its auxiliary
    head predicts from the robot's observations. The value is `value_mean + value_std * network`, so that the
    network's output stays of order one; `rescale_value` moves both without changing any value (PopArt,
    arXiv:1602.07714).
    """

    action_net: nn.Linear
    value_net: nn.Linear
    value_mean: torch.Tensor
    value_std: torch.Tensor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        network: NetworkConfig | None = None,
        aux_indices: tuple[int, ...] = (),
        **_: Any,
    ) -> None:
        if not isinstance(observation_space, spaces.Dict):
            raise ValueError(f"the observation space must be a Dict, got {observation_space}")
        self.network = network or NetworkConfig()
        self.aux_indices = tuple(aux_indices)
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=[],
            features_extractor_class=_NoExtractor,
            log_std_init=float(np.log(self.network.initial_std)),
        )

    def _build(self, lr_schedule: Schedule) -> None:
        space = self.observation_space
        assert isinstance(space, spaces.Dict)
        assert isinstance(self.action_dist, DiagGaussianDistribution)
        self.actor = Actor(space, self.network)
        self.critic = Critic(space, self.network)
        action_net, self.log_std = self.action_dist.proba_distribution_net(
            latent_dim=self.actor.features_dim, log_std_init=self.log_std_init
        )
        assert isinstance(action_net, nn.Linear)
        self.action_net = action_net
        self.value_net = nn.Linear(self.critic.features_dim, 1)
        targets = len(self.aux_indices)
        self.aux_net = nn.Linear(self.actor.features_dim, targets) if targets else nn.Identity()
        with torch.no_grad():
            self.action_net.weight.mul_(0.01 / self.action_net.weight.norm(dim=1, keepdim=True))
            self.action_net.bias.zero_()
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        groups = [{"params": self.actor_parameters()}, {"params": self.critic_parameters()}]
        self.optimizer = torch.optim.Adam(groups, lr=lr_schedule(1), eps=1e-5)

    def actor_parameters(self) -> list[nn.Parameter]:
        """Return what decides the action, with the auxiliary head that shapes it."""
        modules = (self.actor, self.action_net, self.aux_net)
        return [self.log_std, *(parameter for module in modules for parameter in module.parameters())]

    def critic_parameters(self) -> list[nn.Parameter]:
        """Return what decides the value."""
        return [*self.critic.parameters(), *self.value_net.parameters()]

    def forward(
        self, obs: PyTorchObs, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return action before clipping (n, actions), value (n, 1) and log probability (n,)."""
        distribution = self.get_distribution(obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, self.predict_values(obs), distribution.log_prob(actions)

    def evaluate_actions(
        self, obs: PyTorchObs, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return value (n, 1), log probability (n,) and entropy (n,) of `actions`."""
        distribution = self.get_distribution(obs)
        return self.predict_values(obs), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: PyTorchObs) -> Distribution:
        """Return the distribution of actions before clipping."""
        return self.distribution_of(self.actor(obs))

    def distribution_of(self, features: torch.Tensor) -> Distribution:
        """Return the distribution of actions for actor features (n, features)."""
        return self.action_dist.proba_distribution(self.action_net(features), self.log_std)

    def predict_values(self, obs: PyTorchObs) -> torch.Tensor:
        """Return the expected return (n, 1) in units of reward."""
        return self.value_mean + self.value_std * self.normalised_values(obs)

    def normalised_values(self, obs: PyTorchObs) -> torch.Tensor:
        """Return the critic's output (n, 1), which is of order one."""
        return self.value_net(self.critic(obs))

    def rescale_value(self, mean: float, std: float) -> None:
        """Make `mean` and `std` the scale of the value without changing any value."""
        with torch.no_grad():
            self.value_net.weight.mul_(self.value_std / std)
            self.value_net.bias.copy_((self.value_std * self.value_net.bias + self.value_mean - mean) / std)
            self.value_mean.fill_(mean)
            self.value_std.fill_(std)

    def aux_loss(self, features: torch.Tensor, privileged: torch.Tensor) -> torch.Tensor:
        """Return the loss of the auxiliary head, in standardised units of its targets: the squared error up
        to 1, linear beyond."""
        if not self.aux_indices:
            return features.new_zeros(())
        scale = self.critic.scale
        first = 0
        for key in scale.keys:
            if key == PRIVILEGED:
                break
            first += int(np.prod(self.observation_space[key].shape))  # type: ignore[index]
        columns = [first + index for index in self.aux_indices]
        half_range, low = scale.half_range[columns], scale.low[columns]
        scaled = (privileged[:, list(self.aux_indices)] - low) / half_range - 1.0
        targets = torch.clamp(
            (scaled - scale.shift[columns]) * scale.gain[columns], -LARGEST_INPUT, LARGEST_INPUT
        )
        # Huber's loss, twice: with the squared error, the few episodes that went astray would dominate.
        return 2.0 * nn.functional.huber_loss(self.aux_net(features), targets)

    def fit_inputs(self, observations: Mapping[str, NDArray[np.float32]]) -> None:
        """Measure the shift and gain of all low-dimensional inputs on `observations`, each (n, …)."""
        self.actor.scale.fit(observations)
        self.critic.scale.fit(observations)

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Do nothing: the policy remembers nothing. With `act_batch` it stands wherever an expert does."""

    def act_batch(self, observations: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the deterministic clipped actions (n, actions) for a batch; `privileged` is not needed."""
        tensors = {
            key: torch.as_tensor(observations[key], device=self.device) for key in self.actor.input_keys
        }
        with torch.no_grad():
            return self.action_net(self.actor(tensors)).clamp(-1.0, 1.0).cpu().numpy()

    def actor_module(self) -> ActorModule:
        """Return a copy of the deployable part in float32."""
        return ActorModule(self.actor, self.action_net)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "network": self.network,
            "aux_indices": self.aux_indices,
        }


class _NoExtractor(BaseFeaturesExtractor):
    """What Stable-Baselines3's constructor asks for and this policy does not use."""

    def __init__(self, observation_space: spaces.Space) -> None:
        super().__init__(observation_space, features_dim=1)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


def _boxes(observation_space: spaces.Dict) -> dict[str, spaces.Box]:
    return {key: space for key, space in observation_space.items() if isinstance(space, spaces.Box)}


def _convolutions(image_shape: Sequence[int], config: NetworkConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels, kernel, stride = image_shape[0], config.first_kernel_px, config.first_stride_px
    for out in config.channels:
        layers += [nn.Conv2d(channels, out, kernel, stride, padding=(kernel - 1) // 2), nn.ReLU()]
        channels, kernel, stride = out, 3, 2
    return nn.Sequential(*layers)


def _keypoints(image_shape: Sequence[int], config: NetworkConfig) -> nn.Sequential:
    """Convolutions and the keypoints of their last map, apart for each view."""
    views = image_shape[0]
    first, *others = (views * channels for channels in config.channels)
    kernel, points = config.first_kernel_px, views * config.keypoints
    layers: list[nn.Module] = [
        nn.Conv2d(views, first, kernel, config.first_stride_px, padding=(kernel - 1) // 2, groups=views),
        nn.ReLU(),
    ]
    channels = first
    for out in others:
        layers += [nn.Conv2d(channels, out, 3, padding=1, groups=views), nn.ReLU()]
        channels = out
    # Dilated, it covers as much of the image around a point as a small part does.
    layers.append(nn.Conv2d(channels, points, 3, padding=2, dilation=2, groups=views))
    maps = nn.Sequential(*layers)
    with torch.no_grad():
        height, width = maps(torch.zeros(1, *image_shape)).shape[2:]
    return maps.append(Keypoints(points, height, width))
