"""`cellwright bench`: every speed and ratio that the documentation states, with its spread."""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cellwright_policies import zoo
from cellwright_train.bench import assembly, code, envelope, rendering, servo, training
from cellwright_train.bench.figures import (
    ALL_ENV_DISTURBANCES,
    FULL,
    QUICK,
    Effort,
    Figures,
    figure,
    seconds_each,
)
from cellwright_train.rollout.cell import CellChoice, action_components, control_rate_hz, observation_groups

_PACKAGES = (
    "cellwright",
    "gymnasium",
    "numba",
    "numpy",
    "onnxruntime",
    "pybullet",
    "stable-baselines3",
    "torch",
)
SHIPPED = "weld-seam"


def measure(*, quick: bool = False, progress: bool = True) -> dict[str, Any]:
    """Every figure under its own key: `value`, `unit`, `low` and `high` over repeats, and the `aim`."""
    effort = QUICK if quick else FULL
    cases: list[Callable[[Effort], Figures]] = [
        weld_process,
        rendering.weld_cameras_against_tiny_renderer,
        rendering.insertion_cameras_against_tiny_renderer,
        weld_seam_steps,
        rendering.weld_seam_against_panda_gym,
        assembly.insertion_steps,
        bundle_latency,
        envelope.envelope_cycle,
        servo.drivers_in_real_time,
        code.generated_code,
        training.ppo_throughput,
    ]
    figures: Figures = {}
    bar = tqdm(cases, desc="bench", unit="case", disable=not progress, leave=False)
    for case in bar:
        bar.set_postfix_str(case.__name__.replace("_", " "))
        figures |= case(effort)
    return {"machine": _machine(), "versions": _versions(), "quick": quick, "figures": figures}


def weld_process(effort: Effort) -> Figures:
    """One 10 ms step of the weld process for one cell, called from Python."""
    from cellwright_envs.welding.inspection.quality import WeldJoint
    from cellwright_envs.welding.process.weld_process import WeldConditions, WeldProcess, draw_constants

    rng = np.random.default_rng(0)
    conditions = WeldConditions(
        joint=WeldJoint.T_FILLET,
        thickness_m=3.2e-3,
        gap_m=0.0,
        wire_feed_m_s=0.07,
        voltage_v=20.0,
        travel_speed_m_s=8e-3,
        contact_tip_distance_m=15e-3,
    )
    process = WeldProcess(1)
    process.reset(0, draw_constants(rng), conditions, rng)
    inputs = conditions.inputs()[np.newaxis].copy()
    seconds_each(lambda: process.step(inputs), 200)
    microseconds = [1e6 * seconds_each(lambda: process.step(inputs), 3000) for _ in range(effort.repeats)]
    return {"weld_process_us_per_10_ms_step": figure(microseconds, "us", "<= 10")}


def weld_seam_steps(effort: Effort) -> Figures:
    """Control steps of `WeldSeam` with its camera, beside its bare physics sub-steps and renders."""
    env = CellChoice(disturbances=ALL_ENV_DISTURBANCES).make()
    inner: Any = env.unwrapped
    rng = np.random.default_rng(0)
    rates, ratios = [], []
    try:
        _run_steps(env, effort.env_steps, rng)
        for _ in range(effort.repeats):
            step_s = _run_steps(env, effort.env_steps, rng)
            raw_s = _raw_step_s(inner, effort.env_steps)
            rates.append(1.0 / step_s)
            ratios.append(step_s / raw_s)
    finally:
        env.close()
    return {
        "weld_seam_steps_per_s_one_process": figure(rates, "steps/s", ">= 1500"),
        "weld_seam_step_time_over_raw_physics_and_render": figure(ratios, "x", "<= 1.6"),
    }


def _run_steps(env: Any, steps: int, rng: np.random.Generator) -> float:
    """Mean seconds per control step, without resets, as for the raw loop."""
    spent_s, done = 0.0, 0
    while done < steps:
        env.reset(seed=int(rng.integers(2**31)))
        actions = rng.uniform(-0.3, 0.3, (steps - done, 5)).astype(np.float32)
        begin = time.perf_counter()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            done += 1
            if terminated or truncated:
                break
        spent_s += time.perf_counter() - begin
    return spent_s / steps


def _raw_step_s(inner: Any, steps: int) -> float:
    """Seconds of the indispensable part of a step: its physics sub-steps and both camera renders."""
    import pybullet

    client = inner.cell.world._client  # the bare engine call, without the world's own work around it
    sub_steps = round(inner.config.control_period_s / inner.cell.world.physics_period_s)
    image = np.empty(inner.observation_space["image"].shape, np.uint8)
    where = {
        "world_from_tool": inner.pose_w,
        "path_position_m": inner.wire.torch.path_position_m,
        "wire_tip_t": inner.wire.tip_t,
        "arc_on": True,
        "window_px": inner.interface.window_px(inner.wire.torch.path_position_m),
    }

    def raw() -> None:
        for _ in range(sub_steps):
            pybullet.stepSimulation(physicsClientId=client)
        inner.sensor.camera.render(image, part_shift_w=np.zeros(3), **where)

    seconds_each(raw, 20)
    return seconds_each(raw, steps)


def bundle_latency(effort: Effort) -> Figures:
    """One decision of a bundle in ONNX Runtime on one thread, checks of the observation included."""
    from cellwright_runtime.runtime import Runtime

    with tempfile.TemporaryDirectory() as scratch:
        runtime = Runtime(_a_bundle(Path(scratch)))
        golden = runtime.bundle.golden
        rows = [
            {name: values[row] for name, values in golden.observations.items()} for row in range(len(golden))
        ]
        milliseconds = []
        for index in range(effort.decisions):
            begin = time.perf_counter()
            runtime.act(rows[index % len(rows)])
            milliseconds.append(1e3 * (time.perf_counter() - begin))
    halves = np.array_split(np.array(milliseconds), effort.repeats)
    return {
        "bundle_latency_p50_ms": figure([float(np.quantile(part, 0.5)) for part in halves], "ms"),
        "bundle_latency_p99_ms": figure([float(np.quantile(part, 0.99)) for part in halves], "ms", "<= 1"),
    }


def _a_bundle(scratch: Path) -> Path:
    """The shipped weld policy, or where there is none an untrained network of the same shape."""
    if SHIPPED in zoo.names():
        return zoo.path(SHIPPED)
    from cellwright_policies.export import MIN_ON_POLICY, export_bundle
    from cellwright_runtime.bundle.policy import PolicySpec
    from cellwright_train.bench.training import untrained_policy

    env = CellChoice().make(privileged=True)
    try:
        actor = untrained_policy(env).actor_module()
        spec = PolicySpec(
            name="untrained",
            environment=env.spec.id if env.spec else "",
            control_rate_hz=control_rate_hz(env),
            observation=observation_groups(env, tuple(actor.input_keys)),
            action=action_components(env),
        )
        env.reset(seed=0)
        rows = [env.step(np.zeros(5, np.float32))[0] for _ in range(MIN_ON_POLICY)]
    finally:
        env.close()
    observations = {group.name: np.stack([row[group.name] for row in rows]) for group in spec.observation}
    export_bundle(
        actor,
        spec=spec,
        observations=observations,
        scorecard={"per_episode": []},
        directory=scratch / "bundle",
    )
    return scratch / "bundle"


def _machine() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        named = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        cpu = named[0].split(":", 1)[1].strip() if named else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in (*_PACKAGES, "panda-gym"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
