"""Every classic deployment mistake has to make `verify` fail, with one line that says why."""

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from cellwright_envs import ENVIRONMENTS
from cellwright_policies import export
from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO, PPOConfig
from cellwright_runtime.bundle.policy import POLICY, SCORECARD, Bundle, PolicySpec, headline, write_bundle
from cellwright_runtime.bundle.vectors import GOLDEN, Golden
from cellwright_runtime.files.json_text import canonical_json
from cellwright_runtime.verification import Check, verify_open_loop
from cellwright_runtime.vocabulary import ControllerSetup
from cellwright_train.bundles import verification
from cellwright_train.bundles.scorecards import recorded
from cellwright_train.bundles.verification import verify_closed_loop, verify_layout, verify_scores
from cellwright_train.cli import main
from cellwright_train.learning.presets import TrainConfig
from cellwright_train.learning.runs import RunDirectory, RunState
from cellwright_train.results.insertions import InsertionEvaluation
from cellwright_train.results.welds import WeldEvaluation, WeldResult
from cellwright_train.rollout.cell import (
    CellChoice,
    Episode,
    action_components,
    control_rate_hz,
    controller,
    observation_groups,
)
from cellwright_train.rollout.evaluation import evaluate
from cellwright_train.rollout.policies import resolve_policy
from cellwright_train.rollout.trial import Trial


class Mistaken(nn.Module):
    """The right network behind a wrong step before or after it."""

    def __init__(
        self,
        actor: nn.Module,
        *,
        image: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
        seam: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
        action: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        self.actor, self.image, self.seam, self.action = actor, image, seam, action

    def forward(self, image: torch.Tensor, seam: torch.Tensor) -> torch.Tensor:
        return self.action(self.actor(self.image(image), self.seam(seam)))


MISTAKES: dict[str, dict[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "missing normalisation": {"seam": lambda x: (x + 1.0) * 0.5 * 0.03 - 0.01},
    "millimetres for metres": {"seam": lambda x: x * 1e3},
    "degrees for radians": {"seam": lambda x: x * 57.29578},
    "divided by 255 twice": {"image": lambda x: x.float() / 255.0},
    "height-width-channel read as channel-height-width": {
        "image": lambda x: x.permute(0, 2, 3, 1).reshape(1, 2, 16, 16)
    },
    "channels swapped": {"image": lambda x: x.flip(1)},
    "two actions swapped": {"action": lambda x: x[:, [1, 0, 2, 3, 4]]},
    "one sign flipped": {"action": lambda x: x * torch.tensor([1.0, -1.0, 1.0, 1.0, 1.0])},
    "history reversed": {"seam": lambda x: x.flip(1)},
}


def reasons(checks: list[Check]) -> str:
    failed = [check for check in checks if not check.passed]
    assert all("\n" not in check.detail for check in failed)
    return "; ".join(f"{check.name}: {check.detail}" for check in failed)


def variant(bundle_dir: Path, directory: Path, **files: bytes) -> Path:
    """A bundle with other files and consistent hashes, as someone's own tool would write it."""
    bundle = Bundle.load(bundle_dir)
    names = {"policy": POLICY, "golden": GOLDEN, "scorecard": SCORECARD}
    changed = {names[key]: data for key, data in files.items()}
    scores = headline(json.loads(files.get("scorecard", bundle.files[SCORECARD])))
    kept = {name: data for name, data in bundle.files.items() if name not in ("leapp.yaml", "CARD.md")}
    write_bundle(directory, replace(bundle.spec, scores=scores), kept | changed)
    return directory


def edited(bundle_dir: Path, edit: Callable[[onnx.ModelProto], None]) -> bytes:
    model = onnx.load_model_from_string(Bundle.load(bundle_dir).files[POLICY])
    edit(model)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    return buffer.getvalue()


def test_a_sound_bundle_passes(bundle_dir: Path) -> None:
    checks = verify_open_loop(bundle_dir)
    assert reasons(checks) == ""
    assert len(checks) == 8


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_graph_is_found(
    mistake: str, bundle_dir: Path, tmp_path: Path, actor: nn.Module, spec: PolicySpec
) -> None:
    graph = export.to_onnx(Mistaken(actor, **MISTAKES[mistake]), spec)
    wrong = variant(bundle_dir, tmp_path / "wrong", policy=graph)
    assert "golden vectors: pre-clip" in reasons(verify_open_loop(wrong))


def test_an_action_that_is_not_clipped_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    def unclip(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if "action" in node.output)
        node.CopyFrom(helper.make_node("Identity", ["action_preclip"], ["action"]))

    wrong = variant(bundle_dir, tmp_path / "wrong", policy=edited(bundle_dir, unclip))
    assert "does not clip" in reasons(verify_open_loop(wrong))


def test_a_clip_at_other_limits_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    def loosen(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(helper.make_tensor("two", TensorProto.FLOAT, [], [2.0]))
        next(node for node in model.graph.node if "action" in node.output).input[2] = "two"

    wrong = variant(bundle_dir, tmp_path / "wrong", policy=edited(bundle_dir, loosen))
    assert "clips 'action' at other limits than constants of -1 and 1" in reasons(verify_open_loop(wrong))


def test_commands_in_millimetres_are_found(
    bundle_dir: Path, tmp_path: Path, actor: nn.Module, spec: PolicySpec
) -> None:
    first, *rest = spec.action
    in_mm = replace(spec, action=(replace(first, low=first.low * 1e3, high=first.high * 1e3), *rest))
    wrong = variant(bundle_dir, tmp_path / "wrong", policy=export.to_onnx(actor, in_mm))
    told = reasons(verify_open_loop(wrong))
    assert "command lateral_offset" in told
    assert "wrong unit or scale" in told


def test_a_tampered_file_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    wrong = variant(bundle_dir, tmp_path / "wrong")
    data = bytearray((wrong / POLICY).read_bytes())
    data[len(data) // 2] ^= 1
    (wrong / POLICY).write_bytes(bytes(data))
    assert "files:" in reasons(verify_open_loop(wrong))


def test_a_wrong_hash_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    wrong = variant(bundle_dir, tmp_path / "wrong")
    manifest = wrong / "manifest.json"
    digest = hashlib.sha256((wrong / SCORECARD).read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(digest, "0" * 64))
    assert "files:" in reasons(verify_open_loop(wrong))


def test_weights_in_an_external_file_are_found(bundle_dir: Path, tmp_path: Path) -> None:
    def move_out(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "weights.bin"

    wrong = variant(bundle_dir, tmp_path / "wrong", policy=edited(bundle_dir, move_out))
    assert "external data file" in reasons(verify_open_loop(wrong))


def test_a_dynamic_batch_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    def loosen(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"

    wrong = variant(bundle_dir, tmp_path / "wrong", policy=edited(bundle_dir, loosen))
    assert "image has a dynamic shape" in reasons(verify_open_loop(wrong))


def test_an_operator_off_the_list_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    def add_noise(model: onnx.ModelProto) -> None:
        node = helper.make_node("RandomNormalLike", ["action_preclip"], ["noise"])
        model.graph.node.append(node)

    wrong = variant(bundle_dir, tmp_path / "wrong", policy=edited(bundle_dir, add_noise))
    assert "RandomNormalLike" in reasons(verify_open_loop(wrong))


def test_a_recording_of_another_policy_is_found(
    bundle_dir: Path, tmp_path: Path, actor: nn.Module, spec: PolicySpec, observations: dict[str, np.ndarray]
) -> None:
    older = export.golden_vectors(Mistaken(actor, action=lambda x: 0.999 * x), spec, observations)
    wrong = variant(bundle_dir, tmp_path / "wrong", golden=older.to_bytes())
    assert "graph and recording disagree" in reasons(verify_open_loop(wrong))


def test_a_recording_that_proves_nothing_is_found(bundle_dir: Path, tmp_path: Path) -> None:
    golden = Bundle.load(bundle_dir).golden
    first = {name: np.repeat(rows[:1], len(rows), axis=0) for name, rows in golden.observations.items()}
    same = Golden(
        observations=first,
        action_preclip=np.repeat(golden.action_preclip[:1], len(golden), axis=0),
        action=np.repeat(golden.action[:1], len(golden), axis=0),
        on_policy=golden.on_policy,
    )
    wrong = variant(bundle_dir, tmp_path / "wrong", golden=same.to_bytes())
    assert "proves nothing" in reasons(verify_open_loop(wrong))


def test_recorded_actions_that_were_never_clipped_are_found(bundle_dir: Path, tmp_path: Path) -> None:
    golden = Bundle.load(bundle_dir).golden
    raw = replace(golden, action=golden.action_preclip)
    wrong = variant(bundle_dir, tmp_path / "wrong", golden=raw.to_bytes())
    assert "recorded actions are not" in reasons(verify_open_loop(wrong))


def weld(seed: int, product: str, passes_c: bool) -> WeldResult:
    return WeldResult(
        seed=seed,
        product=product,
        passed={"B": False, "C": passes_c, "D": True},
        defect_mm=0.0,
        defect_mm_by_code={},
        seam_mm=160.0,
        tracking_mean_mm=0.1,
        tracking_p95_mm=0.2,
        cycle_time_s=20.0,
        crashed=False,
        iso_edition="2023",
    )


CARD: dict[str, Any] = WeldEvaluation(
    policy="run",
    env="cellwright/WeldSeam-v1",
    seed=7,
    results=(weld(7, "lap", True), weld(8, "tee", False)),
).as_json() | {"disturbances": "train"}


BEGUN = RunState(
    steps=0,
    rounds_collected=0,
    rounds_done=0,
    passes_done=0,
    resets=0,
    seconds=0.0,
    metrics_rows=0,
    curriculum={},
)


@pytest.fixture
def scored(bundle_dir: Path, tmp_path: Path) -> Path:
    return variant(bundle_dir, tmp_path / "scored", scorecard=canonical_json(CARD))


def welding(monkeypatch: pytest.MonkeyPatch, second_passes: bool) -> None:
    """Stands in for the cell: the bundle's second seam passes C or not."""

    def fake(trial: Trial, **_: object) -> WeldEvaluation:
        passes_c = [True, second_passes]
        parts = zip(trial.plan, passes_c, strict=True)
        results = tuple(weld(e.seed, e.product or "", passed) for e, passed in parts)
        return WeldEvaluation(policy="fake", env="", seed=7, results=results)

    monkeypatch.setattr(verification, "evaluate", fake)


def test_the_same_seams_passing_is_a_pass(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    welding(monkeypatch, second_passes=False)
    check = verify_closed_loop(scored, progress=False)
    assert check.passed, check.detail
    assert check.detail.startswith("2 seeds repeated")
    # One is good: the other failed before, too.
    assert check.detail.endswith("(1 of them), graded by ISO 5817, edition 2023")


def test_seams_of_another_edition_are_no_repetition(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    welding(monkeypatch, second_passes=False)
    episodes = [each | {"iso_edition": "2014"} for each in CARD["per_episode"]]
    card = CARD | {"iso_edition": "2014", "per_episode": episodes}
    check = verify_closed_loop(
        variant(bundle_dir, tmp_path / "other", scorecard=canonical_json(card)), progress=False
    )
    assert not check.passed
    assert "seed 7 (lap) is graded by ISO 5817, edition 2023, was by ISO 5817, edition 2014" in check.detail


def test_a_seam_that_passes_now_but_did_not_then_is_a_failure(
    scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    welding(monkeypatch, second_passes=True)
    check = verify_closed_loop(scored, progress=False)
    assert not check.passed
    assert "seed 8 (tee) gives B fail, C pass, D pass with the bundle" in check.detail


def test_a_scorecard_without_episodes_is_a_failure(bundle_dir: Path) -> None:
    check = verify_closed_loop(bundle_dir, progress=False)
    assert not check.passed
    assert "no episode" in check.detail


FIRST = CARD["per_episode"][0]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"per_episode": 3}, "scorecard.json per_episode is 3, not a list of at most 2000 episodes"),
        ({"per_episode": [3]}, "scorecard.json episode 0 is 3, not an object"),
        ({"per_episode": [FIRST, {"seed": 7, "product": "lap"}]}, "scorecard.json episode 1 lacks 'passed'"),
        ({"per_episode": [FIRST | {"seed": "abc"}]}, "episode 0 has the seed 'abc', not a whole number"),
        ({"per_episode": [FIRST | {"seed": -1}]}, "episode 0 has the seed -1, not a whole number"),
        ({"per_episode": [FIRST | {"product": ["lap"]}]}, "episode 0 has the product ['lap'], not a name"),
        (
            {"per_episode": [FIRST | {"passed": [True]}]},
            "episode 0 is not what WeldResult wrote: list indices",
        ),
        ({"per_episode": [FIRST | {"crashed": None}]}, "episode 0 crashed is null, not true or false"),
        ({"per_episode": [FIRST | {"crashed": 0}]}, "episode 0 crashed is 0, not true or false"),
        ({"per_episode": [FIRST | {"seam_mm": "160"}]}, 'episode 0 seam_mm is "160", not a number'),
        ({"per_episode": [FIRST | {"seam_mm": True}]}, "episode 0 seam_mm is true, not a number"),
        (
            {"per_episode": [FIRST | {"defect_mm": {"total": 0.0, "by_code": {"504": None}}}]},
            "episode 0 defect_mm_by_code 504 is null, not a number",
        ),
        (
            {"per_episode": [FIRST | {"passed": {"B": 1, "C": True, "D": True}}]},
            "episode 0 passed is not what WeldResult wrote",
        ),
        ({"per_episode": [FIRST | {"own": 1}]}, "episode 0 own is not what WeldResult wrote"),
        ({"disturbances": None}, "scorecard.json disturbances is null, not a name"),
    ],
)
def test_a_scorecard_that_no_export_wrote_is_a_failure_that_says_where(
    edit: dict[str, Any], told: str, bundle_dir: Path, tmp_path: Path
) -> None:
    wrong = variant(bundle_dir, tmp_path / "wrong", scorecard=canonical_json(CARD | edit))
    check = verify_closed_loop(wrong, progress=False)
    assert not check.passed
    assert told in check.detail
    assert "\n" not in check.detail


def test_scores_that_follow_from_the_episodes_pass(scored: Path) -> None:
    check = verify_scores(scored)
    assert check.passed, check.detail
    assert check.detail.endswith("2 recorded episodes, graded by ISO 5817, edition 2023")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            {"first_pass_yield": {"B": 0.0, "C": 1.0, "D": 1.0}},
            "scorecard.json first_pass_yield C is 1.0, not 0.5",
        ),
        ({"first_pass_yield": 1.0}, "scorecard.json first_pass_yield is 1.0, not {'B': 0.0,"),
        ({"crashes": 1}, "scorecard.json crashes is 1, not 0"),
        ({"first_pass_yield": {"C": 0.5}}, "scorecard.json first_pass_yield B is null, not 0.0"),
        ({"crashes": False}, "scorecard.json crashes is false, not 0"),
        ({"episodes": 40}, "scorecard.json episodes is 40, not 2"),
        ({"env": "cellwright/PegInsertion-v1"}, "scorecard.json env is "),
        ({"policy": None}, "scorecard.json policy is null, not a name"),
        ({"own": 1}, "scorecard.json own is 1, not None"),
        (
            {"iso_edition": "2014"},
            "scorecard.json iso_edition is \"2014\", not '2023', which its episodes",
        ),
        (
            {"per_episode": [FIRST | {"iso_edition": "2007"}]},
            "episode 0 is not what WeldResult wrote: no edition of ISO 5817 is called '2007'",
        ),
        (
            {"per_episode": [{name: FIRST[name] for name in FIRST if name != "iso_edition"}]},
            "episode 0 is not what WeldResult wrote: a weld without iso_edition was graded by limits",
        ),
        ({"per_episode": []}, "scorecard.json records no episode to repeat"),
        ({"per_episode": [FIRST | {"seam_mm": 0.0}]}, "episodes add up to no scores: need as many positive"),
        (
            {
                "episodes": 9,
                "per_episode": [FIRST | {"seed": 7 + i, "cycle_time_s": 1e308} for i in range(9)],
            },
            "scorecard.json cycle_time_s is 20.0, not inf",
        ),
        (
            {"per_episode": [FIRST | {"defect_mm": {"total": 0.0, "by_code": {"pores": 1.0}}}]},
            "episodes add up to no scores: invalid literal for int()",
        ),
    ],
)
def test_scores_that_no_episode_gave_are_a_failure_that_says_which(
    edit: dict[str, Any], told: str, bundle_dir: Path, tmp_path: Path
) -> None:
    check = verify_scores(variant(bundle_dir, tmp_path / "forged", scorecard=canonical_json(CARD | edit)))
    assert not check.passed
    assert told in check.detail
    assert "\n" not in check.detail


PEG = "cellwright/PegInsertion-v1"


class Presser(nn.Module):
    """A network that presses down where the drawing has the hole, whatever it sees and feels."""

    input_keys = ("image", "pose", "leash", "wrench")

    def forward(
        self, image: torch.Tensor, pose: torch.Tensor, leash: torch.Tensor, wrench: torch.Tensor
    ) -> torch.Tensor:
        wanted = torch.cat([-pose[:, :2], torch.full_like(pose[:, :1], -2e-3), -pose[:, 3:]], dim=1)
        scale = torch.tensor([0.7e-3] * 3 + [0.008] * 3)
        return (wanted - leash) / scale + 0.0 * (image.float().mean() + wrench.mean())


@pytest.fixture(scope="module")
def insertion_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in the assembly cell that has learned nothing yet."""
    env: Any = CellChoice(env=PEG, disturbances="none").make(privileged=True)
    config = TrainConfig(env_id=PEG, ppo=PPOConfig(rollout_steps=64, batch_size=64))
    shape = {"network": config.network, "aux_indices": ()}
    model = CellPPO(
        CellActorCritic, DummyVecEnv([lambda: env]), config=config.ppo, policy_kwargs=shape, seed=0
    )
    run = RunDirectory.create(tmp_path_factory.mktemp("runs") / "peg", config, seed=1)
    run.save_best(model, BEGUN)
    run.note_command("cellwright train peg-insertion --seed 1")
    run.note_command("cellwright train --resume")
    env.close()
    return run.path


def test_an_insertion_run_is_exported_into_a_bundle_that_passes_against_it(
    insertion_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    few = ["--products", "round-16-1", "--disturbances", "none", "--episodes", "2", "--workers", "1"]
    assert main(["export", str(insertion_run), "--out", str(bundle), *few]) == 0
    spec = Bundle.load(bundle).spec
    assert spec.environment == PEG
    assert spec.training["command"] == "cellwright train peg-insertion --seed 1; cellwright train --resume"
    assert main(["verify", str(bundle), "--against", str(insertion_run), "--workers", "1"]) == 0
    assert "2 seeds repeated" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--name", "a\nb"], "the name 'a\\\\nb' is not one of 1 to 200 printable characters"),
        (["--name", "\udcff"], "'\\\\udcff' is not UTF-8"),
        (["--episodes", "2001"], "a scorecard holds at most 2000 episodes, got 2001"),
    ],
)
def test_what_no_bundle_can_hold_is_refused_before_the_work(
    option: list[str], told: str, insertion_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(insertion_run), "--out", str(tmp_path / "bundle"), *option]) == 2
    assert told.replace("\\\\", "\\") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def insertion_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that inserts, with the scorecard of its first two parts."""
    actor = Presser()
    env: Any = CellChoice(env=PEG, disturbances="none").make()
    observation, _ = env.reset(seed=0)
    rows = [observation]
    for _ in range(export.MIN_ON_POLICY - 1):
        observation, _, terminated, *_ = env.step(np.array([0, 0, -0.5, 0, 0, 0], np.float32))
        rows.append(env.reset()[0] if terminated else observation)
    spec = PolicySpec(
        name="presser",
        environment=PEG,
        control_rate_hz=control_rate_hz(env),
        observation=observation_groups(env, actor.input_keys),
        action=action_components(env),
        controller=controller(env),
    )
    env.close()
    plan = (Episode(0, "round-16-1"), Episode(1, "round-12-0.3"))
    directory = tmp_path_factory.mktemp("bundles") / "presser"
    for scorecard in ({"per_episode": []}, None):
        export.export_bundle(
            actor,
            spec=spec,
            observations={key: np.stack([row[key] for row in rows]) for key in actor.input_keys},
            scorecard=scorecard or scored_by(directory, plan),
            directory=directory,
            overwrite=True,
        )
    return directory


def scored_by(directory: Path, plan: tuple[Episode, ...]) -> dict[str, Any]:
    choice = CellChoice(env=PEG, disturbances="none")
    trial = Trial(policy=resolve_policy(str(directory)), cell=choice, plan=plan)
    told = evaluate(trial, workers=1, progress=False)
    return told.as_json() | {"disturbances": "none"}


def test_a_sound_insertion_bundle_passes_every_check(insertion_bundle: Path) -> None:
    checks = verification.verify(insertion_bundle, workers=1, progress=False)
    assert reasons(checks) == ""
    assert checks[-1].detail.startswith("2 seeds repeated, the same parts are good as with the recorded")


@pytest.mark.parametrize("otherwise", [0, 2, 3])
def test_one_insertion_in_ten_may_come_out_otherwise(
    otherwise: int, insertion_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contact amplifies the last bits; what more of them show is another policy."""
    card = json.loads((insertion_bundle / SCORECARD).read_text())
    parts = [card["per_episode"][0] | {"seed": seed} for seed in range(20)]
    told = card | {"episodes": 20, "per_episode": parts}
    bundle = variant(insertion_bundle, tmp_path / "twenty", scorecard=canonical_json(told))

    def fake(trial: Trial, **_: object) -> InsertionEvaluation:
        before = [result for _, result in recorded(Bundle.load(bundle))]
        now = [replace(each, success=each.success != (i < otherwise)) for i, each in enumerate(before)]
        return InsertionEvaluation(policy="fake", env=PEG, seed=0, results=tuple(now))

    monkeypatch.setattr(verification, "evaluate", fake)
    check = verify_closed_loop(bundle, progress=False)
    assert check.passed == (otherwise <= 2)
    assert ("2 whose contacts went another way" in check.detail) == (otherwise == 2)
    assert check.detail.count("with the bundle") == (3 if otherwise == 3 else 0)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda c: replace(c, settings=c.settings[1:]),
            "controller stiffness is missing, in .* it is 1500 N/m",
        ),
        (
            lambda c: replace(c, settings=(replace(c.settings[0], value=(900.0,)), *c.settings[1:])),
            "controller stiffness is 900 N/m, in .* it is 1500 N/m",
        ),
        (
            lambda c: replace(c, settings=(*c.settings, replace(c.settings[0], name="mass"))),
            "controller mass is 1500 N/m, in .* it is missing",
        ),
        (lambda c: replace(c, frames={**c.frames, "wrench": "base"}), "'wrench': 'base'.* has .*'tool'"),
    ],
)
def test_another_controller_than_the_environments_is_found(
    edit: Callable[[ControllerSetup], ControllerSetup], told: str, insertion_bundle: Path, tmp_path: Path
) -> None:
    bundle = Bundle.load(insertion_bundle)
    changed = replace(bundle.spec, controller=edit(bundle.spec.controller))
    write_bundle(tmp_path / "changed", changed, bundle.files)
    check = verify_layout(tmp_path / "changed")
    assert not check.passed
    assert re.search(told, check.detail)


def test_an_insertion_that_succeeds_now_but_did_not_then_is_a_failure(
    insertion_bundle: Path, tmp_path: Path
) -> None:
    card = Bundle.load(insertion_bundle).scorecard
    first = card["per_episode"][0]
    first["success"] = not first["success"]
    wrong = variant(insertion_bundle, tmp_path / "wrong", scorecard=canonical_json(card))
    check = verify_closed_loop(wrong, workers=1, progress=False)
    assert not check.passed
    assert "seed 0 (round-16-1) gives" in check.detail


def test_the_environment_of_a_bundle_is_the_one_it_is_evaluated_in(
    insertion_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", str(insertion_bundle), "--episodes", "1", "--workers", "1"]
    target = tmp_path / "told.json"
    assert main([*arguments, "--json", str(target)]) == 0
    assert json.loads(target.read_text())["env"] == PEG
    assert main([*arguments, "--env", "cellwright/WeldSeam-v1"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "was trained in cellwright/PegInsertion-v1 and does not act in cellwright/WeldSeam-v1" in told


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_whatever_an_actor_may_see_or_do_can_stand_in_a_bundle(env_id: str) -> None:
    env: Any = CellChoice(env=env_id, disturbances="none").make()
    groups = observation_groups(env, tuple(env.observation_space.spaces))
    assert [group.shape for group in groups] == [space.shape for space in env.observation_space.values()]
    assert len(action_components(env)) == env.action_space.shape[0]
    env.close()
