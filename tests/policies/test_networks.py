"""The asymmetric policy: what the actor may know, what is exported, what the value's scale does."""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from cellwright_policies.layers import BoxScale, Keypoints
from cellwright_policies.networks import PRIVILEGED, CellActorCritic, NetworkConfig

PRIVILEGED_SIZE = 6
IMAGE_BOX = spaces.Box(0, 255, (2, 64, 64), np.uint8)


def observation_space() -> spaces.Dict:
    sizes = {"seam": 25, "signals": 42, "programme": 12, "motion": 30, "privileged": PRIVILEGED_SIZE}
    boxes = {
        key: spaces.Box(np.linspace(-3, 0, size, dtype=np.float32), np.linspace(1, 9, size, dtype=np.float32))
        for key, size in sizes.items()
    }
    return spaces.Dict({"image": IMAGE_BOX, **boxes})


def make_policy(seed: int = 0, **network: Any) -> CellActorCritic:
    torch.manual_seed(seed)
    return CellActorCritic(
        observation_space(),
        spaces.Box(-1, 1, (5,), np.float32),
        lambda _: 1e-3,
        network=NetworkConfig(**network),
        aux_indices=(4, 1),
    )


def sample(count: int = 4) -> dict[str, np.ndarray[Any, Any]]:
    space = observation_space()
    space.seed(1)
    drawn = [space.sample() for _ in range(count)]
    return {key: np.stack([observation[key] for observation in drawn]) for key in space.spaces}


def as_tensors(observations: dict[str, np.ndarray[Any, Any]]) -> dict[str, torch.Tensor]:
    return {key: torch.as_tensor(values) for key, values in observations.items()}


def test_no_action_depends_on_privileged_state() -> None:
    policy, observations = make_policy(), sample()
    other = observations | {PRIVILEGED: observations[PRIVILEGED] + 100.0}
    means = [policy.get_distribution(as_tensors(seen)).mode() for seen in (observations, other)]
    assert torch.equal(means[0], means[1])
    tensors = as_tensors(observations)
    tensors[PRIVILEGED].requires_grad_()
    tensors["seam"].requires_grad_()
    policy.get_distribution(tensors).mode().sum().backward()
    assert tensors[PRIVILEGED].grad is None
    assert tensors["seam"].grad is not None


def test_the_value_depends_on_privileged_state_and_not_on_the_image() -> None:
    policy, observations = make_policy(), sample()
    value = policy.predict_values(as_tensors(observations))
    without_image = observations | {"image": np.zeros_like(observations["image"])}
    assert torch.equal(policy.predict_values(as_tensors(without_image)), value)
    other_state = observations | {PRIVILEGED: observations[PRIVILEGED] + 0.5}
    assert not torch.equal(policy.predict_values(as_tensors(other_state)), value)


def test_learning_the_value_leaves_the_actor_as_it_was_and_the_other_way_round() -> None:
    policy, tensors = make_policy(), as_tensors(sample())
    policy.predict_values(tensors).sum().backward()
    assert all(parameter.grad is None for parameter in policy.actor_parameters())
    assert any(parameter.grad is not None for parameter in policy.critic_parameters())
    policy.zero_grad()
    features = policy.actor(tensors)
    (
        policy.distribution_of(features).mode().sum() + policy.aux_loss(features, tensors[PRIVILEGED])
    ).backward()
    assert all(parameter.grad is None for parameter in policy.critic_parameters())


def test_every_parameter_belongs_to_the_actor_or_to_the_critic() -> None:
    policy = make_policy()
    listed = [*policy.actor_parameters(), *policy.critic_parameters()]
    assert {id(parameter) for parameter in listed} == {id(parameter) for parameter in policy.parameters()}
    assert len(listed) == len({id(parameter) for parameter in listed})


def test_the_deployable_module_gives_the_mean_action_from_what_the_robot_sees() -> None:
    policy, observations = make_policy(), sample()
    module = policy.actor_module()
    assert PRIVILEGED not in module.input_keys
    preclip = module(*(torch.as_tensor(observations[key]) for key in module.input_keys))
    with torch.no_grad():
        torch.testing.assert_close(preclip, policy.get_distribution(as_tensors(observations)).mode())
    seen = {key: value for key, value in observations.items() if key != PRIVILEGED}
    np.testing.assert_allclose(policy.act_batch(seen), preclip.detach().clamp(-1, 1).numpy(), atol=1e-6)


def test_the_deployable_module_is_a_copy() -> None:
    policy = make_policy()
    module = policy.actor_module()
    with torch.no_grad():
        policy.action_net.bias.add_(1.0)
    assert module.action_net.bias.abs().max() == 0.0


@pytest.mark.parametrize("keypoints", [0, 5])
def test_standardised_views_look_the_same_in_any_light(keypoints: int) -> None:
    policy = make_policy(standardise_views=True, keypoints=keypoints, train_in_bfloat16=False)
    plain = make_policy(keypoints=keypoints, train_in_bfloat16=False)
    lit, dim = sample(), sample()
    lit["image"] = 2 * (lit["image"] // 2)
    dim["image"] = lit["image"] // 2 + 20  # half of the light and another black level
    seen = [policy.actor(as_tensors(views)) for views in (lit, dim)]
    told_apart = (plain.actor(as_tensors(lit)) - plain.actor(as_tensors(dim))).abs().max()
    assert (seen[0] - seen[1]).abs().max() < 0.05 * told_apart


def test_a_view_without_contrast_is_not_blown_up() -> None:
    policy = make_policy(standardise_views=True)
    dark = sample()
    dark["image"][:] = 7
    noisy = dict(dark, image=dark["image"] + np.random.default_rng(0).integers(0, 2, dark["image"].shape))
    noisy["image"] = noisy["image"].astype(np.uint8)
    seen = [policy.actor(as_tensors(views)) for views in (dark, noisy)]
    assert torch.equal(seen[0], policy.actor(as_tensors(dict(dark, image=dark["image"] + 193))))
    assert (seen[0] - seen[1]).abs().max() < 0.2


def test_first_actions_are_small() -> None:
    assert np.abs(make_policy().act_batch(sample(32))).max() < 0.2


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_bfloat16_is_used_only_where_the_processor_has_it(
    has_bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bfloat16})
    assert make_policy(train_in_bfloat16=None).actor.train_in_bfloat16 is has_bfloat16
    assert make_policy(train_in_bfloat16=True).actor.train_in_bfloat16


def test_training_in_bfloat16_sees_nearly_what_acting_in_float32_does() -> None:
    policy, tensors = make_policy(train_in_bfloat16=True), as_tensors(sample(16))
    trained = policy.actor(tensors)
    with torch.no_grad():
        acted = policy.actor(tensors)
    assert trained.dtype == acted.dtype == torch.float32
    assert (trained - acted).abs().max() < 0.03 * acted.abs().max()


def test_rescaling_the_value_changes_no_value() -> None:
    policy, tensors = make_policy(), as_tensors(sample())
    before = policy.predict_values(tensors)
    policy.rescale_value(mean=120.0, std=35.0)
    torch.testing.assert_close(policy.predict_values(tensors), before, rtol=1e-4, atol=1e-4)
    assert float(policy.value_std) == 35.0


def test_inputs_are_scaled_by_their_bounds() -> None:
    boxes = {"a": spaces.Box(-2, 6, (2,)), "b": spaces.Box(0, 1, (1,))}
    scale = BoxScale(boxes)
    scaled = scale([torch.tensor([[-2.0, 6.0]]), torch.tensor([[0.5]])])
    torch.testing.assert_close(scaled, torch.tensor([[-1.0, 1.0, 0.0]]))


def test_fitted_inputs_have_mean_0_and_deviation_1_and_constants_stay_finite() -> None:
    scale = BoxScale({"a": spaces.Box(0, 10, (2,))})
    data = np.stack([np.random.default_rng(0).normal(7, 0.2, 500), np.full(500, 3.0)], axis=1).astype(
        np.float32
    )
    scale.fit({"a": data})
    scaled = scale([torch.as_tensor(data)])
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(2), rtol=0, atol=1e-3)
    assert float(scaled[:, 0].std()) == pytest.approx(1.0, abs=0.01)
    assert float(scaled[:, 1].abs().max()) < 1e-5


def test_the_auxiliary_loss_is_zero_for_the_right_answer_only() -> None:
    policy, tensors = make_policy(), as_tensors(sample())
    boxes = observation_space()[PRIVILEGED]
    assert isinstance(boxes, spaces.Box)
    scaled = (
        2 * (tensors[PRIVILEGED] - torch.as_tensor(boxes.low)) / torch.as_tensor(boxes.high - boxes.low) - 1
    )
    with torch.no_grad():
        policy.aux_net.weight.zero_()
        policy.aux_net.bias.copy_(scaled[0, [4, 1]])
    features = policy.actor(tensors)
    right = tensors[PRIVILEGED][:1].expand(4, -1)
    assert policy.aux_loss(features, right).item() < 1e-9
    assert policy.aux_loss(features, right + 1.0).item() > 1e-3
    near, far, further = (policy.aux_loss(features, right + off).item() for off in (0.1, 40.0, 80.0))
    assert near < 0.01 * far
    assert further < 2.2 * far  # who got lost does not count by the square


def test_keypoints_tell_column_row_and_height_of_a_peak() -> None:
    maps = torch.zeros(1, 2, 5, 9)
    maps[0, 0, 1, 8] = 40.0
    maps[0, 1, 4, 2] = 60.0
    points = Keypoints(2, 5, 9)(maps)
    torch.testing.assert_close(points, torch.tensor([[1.0, -0.5, -0.5, 1.0, 4.0, 6.0]]))


@pytest.mark.parametrize("channels", [(8,), (8, 12)])
def test_points_of_a_view_come_from_that_view_alone(channels: tuple[int, ...]) -> None:
    policy = make_policy(channels=channels, keypoints=6)
    images = torch.rand(3, 2, 64, 64, requires_grad=True)
    points = policy.actor.convolutions(images)
    assert points.shape == (3, 2 * 6 * 3)
    points[:, :12].sum().backward()  # positions of the first view's points
    assert images.grad is not None
    assert torch.any(images.grad[:, 0] != 0)
    assert torch.all(images.grad[:, 1] == 0)


def test_constructor_arguments_rebuild_the_same_policy() -> None:
    policy = make_policy(channels=(8, 8), hidden=(32,))
    again = CellActorCritic(**policy._get_constructor_parameters())
    again.load_state_dict(policy.state_dict())
    np.testing.assert_array_equal(again.act_batch(sample()), policy.act_batch(sample()))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Dict({"image": spaces.Box(0, 255, (64, 64), np.uint8), "seam": spaces.Box(0, 1, (2,))}),
        spaces.Dict(
            {"image": spaces.Box(0, 255, (2, 64, 64), np.uint8), "seam": spaces.Box(0, np.inf, (2,))}
        ),
        spaces.Box(0, 1, (3,)),
    ],
)
def test_spaces_that_cannot_work_are_refused(space: gym.Space[Any]) -> None:
    with pytest.raises(ValueError, match=r"image|bounds|Dict"):
        CellActorCritic(space, spaces.Box(-1, 1, (5,), np.float32), lambda _: 1e-3)


@pytest.mark.parametrize("wrong", [{"initial_std": 0.0}, {"hidden": ()}, {"keypoints": -1}])
def test_network_sizes_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(NetworkConfig(), **wrong)
