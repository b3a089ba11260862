"""Configurations of `cellwright train` by name."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellwright_envs.probe import PROBE_ID
from cellwright_policies.networks import NetworkConfig
from cellwright_policies.ppo import PPOConfig
from cellwright_runtime.files.json_text import parse_json
from cellwright_train.errors import UsageError
from cellwright_train.learning.curriculum import UNDISTURBED, CurriculumConfig, Mixture
from cellwright_train.learning.demonstrations import DemonstrationConfig
from cellwright_train.learning.settings import rebuilt


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """The test by which the best policy of a run is chosen: deterministic actions, always the same seeds."""

    episodes: int = 48
    """Episodes a test, spread evenly over the cells."""
    mixture: Mixture = UNDISTURBED
    """Disturbances they meet."""
    every_minutes: float = 6.0
    """Time between tests."""
    every_steps: int | None = None
    """Control steps between tests, instead of the time."""
    seed: int = 3_000_000_000
    """Seed of the first cell; training draws its seeds below 2**31."""

    def __post_init__(self) -> None:
        if self.episodes < 1 or self.seed < 0:
            raise ValueError(f"need {self.episodes=} >= 1 and {self.seed=} >= 0")
        if self.every_minutes <= 0:
            raise ValueError(f"need {self.every_minutes=} > 0")
        if self.every_steps is not None and self.every_steps < 1:
            raise ValueError(f"need {self.every_steps=} >= 1")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run: demonstrations, critic warm-up, then PPO with a curriculum over disturbances."""

    env_id: str
    """Registered environment."""
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the environment besides `privileged`; JSON values."""
    steps: int = 1_000_000
    """Control steps of PPO, over all cells; demonstrations come on top."""
    cells: int = 16
    """Cells stepped side by side."""
    workers: int = 2
    """Processes that step them; as many as there are cores."""
    device: str = "cpu"
    """Where networks act and learn, as torch names it, such as `cuda`; cells are always stepped on cores."""
    aux_targets: tuple[str, ...] = ()
    """Components of `privileged` that the auxiliary head of the actor predicts, by name."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    demonstrations: DemonstrationConfig = field(default_factory=DemonstrationConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    checkpoint_minutes: float = 4.0
    """Time between checkpoints."""

    def __post_init__(self) -> None:
        if self.steps < 0 or self.checkpoint_minutes <= 0:
            raise ValueError(f"need {self.steps=} >= 0 and {self.checkpoint_minutes=} > 0")
        if self.cells < 1 or self.workers < 1:
            raise ValueError(f"need {self.cells=} >= 1 and {self.workers=} >= 1")
        if self.ppo.rollout_steps * self.cells < self.ppo.batch_size:
            size = self.ppo.rollout_steps * self.cells
            raise ValueError(f"a rollout of {size} samples is smaller than {self.ppo.batch_size=}")


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return `config` as plain JSON values, every default resolved."""
    return dataclasses.asdict(config)


def from_json(data: Mapping[str, Any]) -> TrainConfig:
    """Rebuild what `to_json` returned. Raises `UsageError` for fields that are unknown, missing or wrong."""
    return rebuilt(TrainConfig, data)


def changed(config: TrainConfig, settings: Sequence[str]) -> TrainConfig:
    """`config` with `settings` of the form `ppo.learning_rate=5e-5`, each value as JSON or else plain text.

    Raises `UsageError` for a setting that is unknown, wrong or not of this form.
    """
    data = to_json(config)
    named: set[str] = set()
    for setting in settings:
        path, equals, text = setting.partition("=")
        *parents, name = path.split(".")
        inner: Any = data
        for parent in parents:
            inner = inner.get(parent) if isinstance(inner, dict) else None
        if not equals or not isinstance(inner, dict):
            raise UsageError(
                f"--set takes NAME=VALUE with a setting of the preset, such as ppo.learning_rate=5e-5; "
                f"got {setting!r}"
            )
        if path in named:
            raise UsageError(f"--set gives {path} twice; give it one value")
        named.add(path)
        try:
            inner[name] = parse_json(text.encode(), setting)
        except ValueError:
            inner[name] = text
    return from_json(data)


def preset(name: str) -> TrainConfig:
    """Return the preset called `name`. Raises ValueError with the alternatives."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown preset {name!r}; {hint}known: {', '.join(PRESETS)}")
    return PRESETS[name]


WELD_SEAM = TrainConfig(
    env_id="cellwright/WeldSeam-v1",
    env_kwargs={"product": ["train", "geometry"]},
    steps=1_400_000,
    aux_targets=(
        "lateral_error_0_mm_ahead",
        "lateral_error_4_mm_ahead",
        "height_error_0_mm_ahead",
        "gap_0_mm_ahead",
        "gap_4_mm_ahead",
        "wire_lateral",
        "thickness",
        "misalignment",
        "wire_slip",
        "supply_offset",
        "root_index",
        "ideal_travel_speed",
        "ideal_wire_feed",
        "ideal_voltage",
        "width",
        "penetration",
        "penetration_constant",
    ),
    network=NetworkConfig(initial_std=0.12),
    # Where wire and seam are in the views is learnt from different parts, not from more of the same:
    # with four times the parts the error in lateral places fell from 0.21 to 0.15 mm.
    demonstrations=DemonstrationConfig(
        expert="oracle",
        steps=400_000,
        rounds=6,
        final_epochs=3,
        keep_every=4,
        short_fraction=0.5,
        short_steps=130,
        mixture=Mixture(sets=("train", "hard"), fractions=(0.625, 0.375)),
    ),
    ppo=PPOConfig(
        rollout_steps=512,
        learning_rate_left=0.1,
        aux_coefficient=0.2,
        teacher_coefficient=1.0,
        teacher_steps=2_000_000,
    ),
    curriculum=CurriculumConfig(
        mixtures=(
            Mixture(sets=("none", "train"), fractions=(0.25, 0.75)),
            Mixture(sets=("none", "train", "hard"), fractions=(0.0625, 0.5625, 0.375)),
        ),
        longest_stage_steps=500_000,
    ),
    evaluation=EvaluationConfig(
        episodes=96, mixture=Mixture(sets=("train", "hard"), fractions=(0.5, 0.5)), every_minutes=5.0
    ),
)

PEG_INSERTION = TrainConfig(
    env_id="cellwright/PegInsertion-v1",
    env_kwargs={"product": "train", "max_episode_steps": 400},
    steps=1_000_000,
    aux_targets=(
        "tip_x",
        "tip_y",
        "tip_z",
        "axis_x",
        "axis_y",
        "yaw_error",
        "clearance",
        "latency",
    ),
    network=NetworkConfig(initial_std=0.15, channels=(16, 32), keypoints=24, standardise_views=True),
    demonstrations=DemonstrationConfig(
        expert="guide",
        steps=300_000,
        rounds=8,
        epochs=1,
        final_epochs=3,
        keep_every=4,
        noise=0.1,
        aux_coefficient=0.3,
        largest_shift_px=6,
        short_fraction=0.5,
        short_steps=24,
        # Where most parts begin near their hole, nothing learns to see that one has strayed from it.
        mixture=Mixture(sets=("wide", "hard", "astray"), fractions=(0.25, 0.5, 0.25)),
    ),
    ppo=PPOConfig(
        rollout_steps=512,
        gamma=0.995,  # a search of 15 s is some 300 steps
        learning_rate=5e-5,
        learning_rate_left=0.1,
        aux_coefficient=0.1,
        target_kl=0.02,
        teacher_coefficient=1.0,
        teacher_steps=1_000_000,
    ),
    curriculum=CurriculumConfig(
        mixtures=(Mixture(sets=("train", "wide", "hard"), fractions=(0.25, 0.375, 0.375)),)
    ),
    evaluation=EvaluationConfig(
        episodes=128, mixture=Mixture(sets=("train", "hard"), fractions=(0.5, 0.5)), every_minutes=8.0
    ),
)

CONNECTOR_INSERTION = dataclasses.replace(
    PEG_INSERTION,
    env_id="cellwright/ConnectorInsertion-v1",
    env_kwargs={"product": "train", "max_episode_steps": 400},
    aux_targets=(*PEG_INSERTION.aux_targets, "latched"),
)

NUT_FASTENING = dataclasses.replace(
    PEG_INSERTION,
    env_id="cellwright/NutFastening-v2",
    env_kwargs={"product": "train", "max_episode_steps": 260},
    aux_targets=(
        *(name for name in PEG_INSERTION.aux_targets if name != "yaw_error"),  # a nut fits at any turn
        "engaged",
        "crossed",
        "point",
        "turns_left",
        "tightness",
    ),
    # Large noise on the spindle alone overtightens nuts.
    network=dataclasses.replace(PEG_INSERTION.network, initial_std=0.08),
    # With larger steps PPO first learns to turn fast, and breaks a fifth of the nuts under latency meanwhile.
    ppo=dataclasses.replace(
        PEG_INSERTION.ppo,
        std_range=(0.03, 0.08),
        learning_rate=3e-5,
        target_kl=0.015,
        teacher_coefficient=10.0,
    ),
    steps=600_000,
)

GEAR_MESH = dataclasses.replace(
    PEG_INSERTION,
    env_id="cellwright/GearMesh-v1",
    env_kwargs={"product": "train", "max_episode_steps": 400},
    # They identify the gear by its teeth, and with that how far the teeth may be from the gaps.
    aux_targets=(*PEG_INSERTION.aux_targets, "symmetry", "backlash"),
    # Teeth are hard enough to see: with standardised views a fifth of the test parts failed.
    network=dataclasses.replace(PEG_INSERTION.network, standardise_views=False),
    # With the mixture of pegs, a quarter of it without `hard` and `astray`, 65 % seated under `train` after
    # imitation, and small steps of PPO moved that by nothing in 220,000 steps.
    demonstrations=dataclasses.replace(
        PEG_INSERTION.demonstrations,
        keep_every=3,
        mixture=Mixture(sets=("train", "wide", "hard", "astray"), fractions=(0.45, 0.15, 0.3, 0.1)),
    ),
    ppo=dataclasses.replace(PEG_INSERTION.ppo, learning_rate=1e-4, target_kl=0.04),
    curriculum=CurriculumConfig(
        mixtures=(Mixture(sets=("train", "wide", "hard"), fractions=(0.4, 0.25, 0.35)),)
    ),
    steps=800_000,
)


PRESETS: dict[str, TrainConfig] = {
    "connector-insertion": CONNECTOR_INSERTION,
    "gear-mesh": GEAR_MESH,
    "nut-fastening": NUT_FASTENING,
    "peg-insertion": PEG_INSERTION,
    "weld-seam": WELD_SEAM,
    "weld-seam-without-pool": dataclasses.replace(WELD_SEAM, env_id="cellwright/WeldSeamWithoutPool-v1"),
    "weld-seam-quick": dataclasses.replace(
        WELD_SEAM,
        steps=60_000,
        demonstrations=dataclasses.replace(WELD_SEAM.demonstrations, steps=16_000, rounds=4),
        evaluation=dataclasses.replace(WELD_SEAM.evaluation, episodes=16, every_minutes=2.0),
    ),
    "debug": TrainConfig(
        env_id=PROBE_ID,
        env_kwargs={"episode_steps": 40},
        steps=6_144,
        cells=8,
        aux_targets=("offset",),
        demonstrations=DemonstrationConfig(expert="", steps=0),
        network=NetworkConfig(initial_std=0.4),
        ppo=PPOConfig(
            rollout_steps=64, batch_size=128, learning_rate=1e-3, target_kl=0.05, warmup_rollouts=1
        ),
        curriculum=CurriculumConfig(
            mixtures=(
                Mixture(sets=("none",), fractions=(1.0,)),
                Mixture(sets=("none", "train"), fractions=(0.5, 0.5)),
            ),
            longest_stage_steps=3_072,
        ),
        evaluation=EvaluationConfig(episodes=8, every_minutes=0.05),
        checkpoint_minutes=0.05,
    ),
}
