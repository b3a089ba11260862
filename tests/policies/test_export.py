from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from gymnasium import spaces
from torch import nn

from cellwright_policies import export
from cellwright_policies.export import ExportError, export_bundle, golden_vectors, parity
from cellwright_policies.networks import CellActorCritic, NetworkConfig
from cellwright_runtime.bundle.container import BundleError
from cellwright_runtime.bundle.policy import POLICY, Bundle, PolicySpec
from cellwright_runtime.runtime import Runtime

Observations = dict[str, np.ndarray]


def test_exporting_twice_gives_the_same_bytes(
    bundle_dir: Path, tmp_path: Path, actor: nn.Module, spec: PolicySpec, observations: Observations
) -> None:
    weights = {"head.bias": actor.head.bias.detach().numpy()}
    again = export_bundle(
        actor,
        spec=spec,
        observations=observations,
        scorecard={"first_pass_yield": {"C": 1.0}, "per_episode": []},
        directory=tmp_path / "again",
        weights=weights,
    )
    for path in bundle_dir.iterdir():
        assert path.read_bytes() == (again.directory / path.name).read_bytes(), path.name


def test_the_graph_is_static_and_self_contained(bundle_dir: Path) -> None:
    model = onnx.load(bundle_dir / POLICY, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [export.OPSET]
    assert [node.name for node in model.graph.input] == ["image", "seam"]
    assert [node.name for node in model.graph.output] == ["action", "action_preclip", "command"]
    assert all(not tensor.external_data for tensor in model.graph.initializer)


def test_the_graph_names_no_path_of_the_machine_it_was_made_on(bundle_dir: Path) -> None:
    content = (bundle_dir / POLICY).read_bytes()
    assert b".py" not in content
    assert str(Path.home()).encode() not in content


def test_golden_vectors_hold_the_edges_of_the_observation_space(bundle_dir: Path) -> None:
    golden = Bundle.load(bundle_dir).golden
    images = golden.observations["image"][golden.on_policy :]
    seams = golden.observations["seam"][golden.on_policy :]
    assert (images == 0).all(axis=(1, 2, 3)).any()
    assert (images == 255).all(axis=(1, 2, 3)).any()
    assert (images[:, 0] != images[:, 1]).any()
    assert seams.min() == np.float32(-0.01)
    assert seams.max() == np.float32(0.02)


def test_a_graph_that_disagrees_with_torch_is_not_written(
    tmp_path: Path, actor: nn.Module, spec: PolicySpec, observations: Observations
) -> None:
    class Drifting(nn.Module):
        """Answers differently each time, as one with dropout left on would."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = actor, 0

        def forward(self, image: torch.Tensor, seam: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.inner(image, seam) + 1e-3 * self.calls

    with pytest.raises(ExportError, match=r"differ by .* before clipping"):
        _export(Drifting(), spec, observations, tmp_path / "wrong")
    assert list(tmp_path.iterdir()) == []


class Undefined(nn.Module):
    def forward(self, image: torch.Tensor, seam: torch.Tensor) -> torch.Tensor:
        return torch.log(seam[:, :5])


def test_a_policy_that_answers_nan_is_not_exported(
    tmp_path: Path, spec: PolicySpec, observations: Observations
) -> None:
    with pytest.raises(ExportError, match="NaN"):
        _export(Undefined(), spec, observations, tmp_path / "undefined")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: {name: values[:10] for name, values in rows.items()}, "at least 128"),
        (lambda rows: {"image": rows["image"]}, "no observations were recorded for 'seam'"),
        (
            lambda rows: rows | {"image": rows["image"].transpose(0, 2, 3, 1)},
            r"need uint8 \(N, \*\(2, 16, 16\)\)",
        ),
    ],
)
def test_recordings_that_cannot_prove_anything_are_refused(
    actor: nn.Module, spec: PolicySpec, observations: Observations, change: Any, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        golden_vectors(actor, spec, change(observations))


def test_an_existing_directory_is_refused_before_any_work(
    tmp_path: Path, actor: nn.Module, spec: PolicySpec, observations: Observations
) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(BundleError, match="exists"):
        _export(actor, spec, observations, tmp_path / "taken")


def test_exporting_leaves_the_training_policy_as_it_was(
    tmp_path: Path, spec: PolicySpec, observations: Observations, actor: nn.Module
) -> None:
    actor.train()
    _export(actor, spec, observations, tmp_path / "trained-on")
    assert actor.training
    assert all(parameter.requires_grad for parameter in actor.parameters())


def test_a_policy_with_keypoints_is_exported_as_it_acts(
    tmp_path: Path, spec: PolicySpec, observations: Observations
) -> None:
    space = spaces.Dict(
        {
            "image": spaces.Box(0, 255, observations["image"].shape[1:], np.uint8),
            "seam": spaces.Box(-0.01, 0.02, observations["seam"].shape[1:], np.float32),
        }
    )
    actions = spaces.Box(-1.0, 1.0, (5,), np.float32)
    policy = CellActorCritic(
        space, actions, lambda _: 1e-3, network=NetworkConfig(channels=(4,), keypoints=5)
    )
    _export(policy.actor_module(), spec, observations, tmp_path / "keypoints")
    decision = Runtime(tmp_path / "keypoints").decide({key: rows[0] for key, rows in observations.items()})
    wanted = policy.act_batch({key: rows[:1] for key, rows in observations.items()})[0]
    np.testing.assert_allclose(decision.action, wanted, atol=1e-5)
    assert np.abs(wanted).max() > 1e-4


def test_parity_counts_nan_as_disagreement() -> None:
    wanted = np.zeros((2, 2), np.float32)
    assert parity(wanted, wanted).ok
    assert not parity(np.array([[0, 0], [np.nan, 0]], np.float32), wanted).ok


def test_parity_is_absolute_for_ordinary_actions_and_relative_beyond() -> None:
    assert not parity(np.full((1, 1), 2e-5, np.float32), np.zeros((1, 1), np.float32)).ok
    assert parity(np.full((1, 1), 100.0005, np.float32), np.full((1, 1), 100, np.float32)).ok


def _export(actor: nn.Module, spec: PolicySpec, observations: Observations, directory: Path) -> Bundle:
    return export_bundle(
        actor,
        spec=spec,
        observations=observations,
        scorecard={"first_pass_yield": {"C": 1.0}, "per_episode": []},
        directory=directory,
    )
