"""The envelope that export measures, driven through the command, on two parts of a shipped policy."""

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_assets import ur10e
from cellwright_envs.disturbances.camera import FrameDelivery
from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.pool_camera import PERIOD_STEPS, PoolCamera, PoolLighting
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import CARD, LEAPP, SCORECARD, WEIGHTS, Bundle, headline, write_bundle
from cellwright_runtime.bundle.safety import SAFETY
from cellwright_runtime.files.json_text import canonical_json
from cellwright_runtime.runtime import Runtime
from cellwright_train.bundles.observed import (
    Observed,
    kept_elements,
    oldest_frame_periods,
    oldest_picture_periods,
)
from cellwright_train.bundles.scorecards import recorded, recorded_trial
from cellwright_train.cli import main
from cellwright_train.rollout.families import family_of

PARTS = 2


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped policy as it was before there were envelopes, with two of its recorded parts."""
    directory = tmp_path_factory.mktemp("plain") / "pegs"
    bundle = Bundle.load(zoo.path("peg-insertion"))
    results = tuple(result for _, result in recorded(bundle)[:PARTS])
    env = bundle.spec.environment
    told = family_of(env).evaluation(policy="pegs", env=env, seed=results[0].seed, results=results)
    card = told.as_json() | {"disturbances": bundle.scorecard["disturbances"]}
    left = (SAFETY, LEAPP, CARD, WEIGHTS)
    files = {name: data for name, data in bundle.files.items() if name not in left}
    spec = replace(bundle.spec, scores=headline(card), cameras=())
    write_bundle(directory, spec, files | {SCORECARD: canonical_json(card)})
    return directory


@pytest.fixture(scope="module")
def exported(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exported") / "pegs"
    assert main(["export", str(plain), "--out", str(directory)]) == 0
    return directory


def test_exporting_an_export_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    assert main(["export", str(exported), "--out", str(tmp_path / "again")]) == 0
    names = sorted(path.name for path in exported.iterdir())
    assert {SAFETY, LEAPP, CARD} <= set(names)
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == names
    for name in names:
        assert (exported / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_bundle_may_get_another_name(plain: Path, tmp_path: Path) -> None:
    assert main(["export", str(plain), "--out", str(tmp_path / "b"), "--name", "line-3"]) == 0
    bundle = Bundle.load(tmp_path / "b")
    assert bundle.spec.name == "line-3"
    assert bundle.files[CARD].startswith(b"# line-3\n")
    assert replace(bundle.spec, name=Bundle.load(plain).spec.name, cameras=()) == Bundle.load(plain).spec


def test_what_is_exported_verifies(exported: Path) -> None:
    assert main(["verify", str(exported), "--episodes", "1", "--workers", "1"]) == 0


def test_the_trained_ranges_are_those_of_the_recorded_parts(exported: Path) -> None:
    bundle = Bundle.load(exported)
    assert bundle.safety is not None
    trial = recorded_trial(bundle)
    env, _ = trial.workplace
    runtime = Runtime(bundle)
    seen: dict[str, list[np.ndarray]] = {}
    for episode in trial.plan:
        observation, _ = env.reset(seed=episode.seed, options={"product": episode.product})
        done = False
        while not done:
            for name, value in observation.items():
                seen.setdefault(name, []).append(np.array(value))
            observation, _, terminated, truncated, _ = env.step(runtime.act(observation))
            done = terminated or truncated
    trial.close()
    groups = {group.name: group.components for group in bundle.spec.observation}
    rows = {each.group: np.stack(seen[each.group]) for each in bundle.safety.observed}

    def ends(quantity: str) -> tuple[float, float]:
        """Of all ages of a quantity, in whatever group."""
        columns = [
            rows[group][:, index]
            for group in rows
            for index, element in enumerate(groups[group])
            if element.name.partition("_lag_")[0] == quantity
        ]
        return min(each.min() for each in columns), max(each.max() for each in columns)

    leash = bundle.safety.range_of("leash")
    kept = [bundle.spec.controller["leash"][0]] * 3 + [bundle.spec.controller["turning_leash"][0]] * 3
    assert (leash.low.value, leash.high.value) == (tuple(-each for each in kept), tuple(kept))
    for each in bundle.safety.observed:
        if each.group == "leash":  # the interface keeps it
            continue
        wanted = [
            # the interface keeps actions, too
            (element.low, element.high)
            if element.name.startswith("last_")
            else ends(element.name.partition("_lag_")[0])
            for element in groups[each.group]
        ]
        np.testing.assert_array_equal(each.low.array, [low for low, _ in wanted])
        np.testing.assert_array_equal(each.high.array, [high for _, high in wanted])
    assert (rows["history"].min(axis=0) > bundle.safety.range_of("history").low.array).any()
    frames = np.stack(seen["image"]).astype(float)
    for index, view in enumerate(bundle.safety.views):
        assert view.mean_low.number == pytest.approx(frames[:, index].mean(axis=(1, 2)).min() - 10.0)
        assert view.deviation_low.number == pytest.approx(0.5 * frames[:, index].std(axis=(1, 2)).min())


def test_what_a_weld_keeps_are_its_commands_and_means_over_them() -> None:
    spec = Bundle.load(zoo.path("weld-seam")).spec
    groups = {group.name: group.components for group in spec.observation}
    kept = kept_elements(spec)
    found = {name: {groups[name][index].name for index in elements} for name, elements in kept.items()}
    trims = ("travel_speed_trim", "wire_feed_trim", "voltage_trim")
    last = ("lateral_offset", "height_offset", "travel_speed", "wire_feed", "voltage")
    asked = (*trims, *(f"last_{command}" for command in last))
    assert found == {
        "averages": {f"{trim}_over_{seconds}_s" for trim in trims for seconds in ("1.5", "6")},
        "motion": {f"{name}_lag_{lag}" for name in asked for lag in (0, 2, 8)},
    }


@pytest.mark.parametrize("name", zoo.names())
def test_shipped_bundles_have_the_names_under_which_they_ship(name: str) -> None:
    assert Bundle.load(zoo.path(name)).spec.name == name


@pytest.mark.parametrize("name", zoo.names())
def test_shipped_envelopes_have_the_limits_of_what_the_interface_keeps(name: str) -> None:
    bundle = Bundle.load(zoo.path(name))
    assert bundle.safety is not None
    kept, told = kept_elements(bundle.spec), "of the policy's own commands: their limits in the manifest"
    for each in bundle.safety.observed:
        elements = kept.get(each.group, {})
        for index, element in elements.items():
            assert (each.low.value[index], each.high.value[index]) == (element.low, element.high)
        assert (told in each.low.source) == any(not element.setting for element in elements.values())
        derived = "settings leash and turning_leash, which the interface keeps" in each.low.source
        assert derived == any(element.setting for element in elements.values())


def test_limits_are_those_of_robot_and_cell(exported: Path) -> None:
    bundle = Bundle.load(exported)
    assert bundle.safety is not None
    safety, cell = bundle.safety, gymnasium.make(bundle.spec.environment).unwrapped
    config: Any = cell.config  # type: ignore[attr-defined]
    assert safety.joints.names == ur10e.JOINT_NAMES
    np.testing.assert_allclose(safety.joints.velocity_rad_s.array, ur10e.SPEED_LIMIT_RAD_S)
    speed = math.sqrt(3.0) * config.step_m / config.control_period_s
    assert safety.tool.speed_m_s is not None
    assert safety.tool.speed_m_s.number == pytest.approx(speed)
    assert safety.timing.control_period_s.number == pytest.approx(config.control_period_s)
    (box,) = safety.workspace
    np.testing.assert_allclose(box.high_m.array[:2], config.box_m + config.compliance.leash_m)
    cell.close()


@pytest.mark.parametrize("name", ["weld-seam", "weld-seam-without-pool"])
def test_a_torch_has_room_to_catch_up_with_both_corrections(name: str) -> None:
    bundle = Bundle.load(zoo.path(name))
    assert bundle.safety is not None
    assert bundle.safety.tool.speed_m_s is not None
    approach, rate = (float(bundle.spec.controller[key][0]) for key in ("approach_speed", "tracking_rate"))
    sent = math.hypot(approach, rate, rate)
    assert bundle.safety.tool.speed_m_s.number == pytest.approx(1.15 * sent)


def test_no_reference_moves_faster_or_jerks_more_than_the_envelope_says(exported: Path) -> None:
    """The formula for acceleration and jerk, against the filter stepped through full actions turned round."""
    safety = Bundle.load(exported).safety
    assert safety is not None
    spec = Bundle.load(exported).spec
    filter_s = float(spec.controller["reference_filter"][0])
    step_m, period_s, dt = spec.action[0].high, 1.0 / spec.control_rate_hz, 1e-5
    at, speed, target, accelerations = 0.0, 0.0, 0.0, []
    for index in range(int(20 * period_s / dt)):
        forwards = (index * dt) // (5 * period_s) % 2 == 0
        target += (step_m if forwards else -step_m) * dt / period_s
        acceleration = (target - at) / filter_s**2 - 2.0 * speed / filter_s
        accelerations.append(acceleration)
        speed += acceleration * dt
        at += speed * dt
    assert safety.tool.acceleration_m_s2 is not None
    assert safety.tool.jerk_m_s3 is not None
    largest = np.abs(accelerations).max()
    assert (
        0.97 * safety.tool.acceleration_m_s2.number < largest <= 1.001 * safety.tool.acceleration_m_s2.number
    )
    jerk = np.abs(np.diff(accelerations)).max() / dt
    assert 0.97 * safety.tool.jerk_m_s3.number < jerk <= 1.001 * safety.tool.jerk_m_s3.number


def test_a_frame_that_stays_the_same_is_noticed() -> None:
    bundle = Bundle.load(zoo.path("peg-insertion"))
    seen = Observed(bundle.spec)
    still = {name: values[0] for name, values in bundle.golden.observations.items()}
    moved = still | {"image": still["image"] ^ np.uint8(1)}
    seen.begin()
    for observation in (still, moved, moved, moved, still):
        seen(None, observation, np.zeros(6))  # type: ignore[arg-type]
    seen.begin()  # the first frame of the next part is not the last one's
    seen(None, still, np.zeros(6))  # type: ignore[arg-type]
    assert seen.views["hand"].longest_still == 2


def test_the_oldest_frame_is_that_of_the_delivery() -> None:
    assert oldest_frame_periods(FrameDelivery()) == 0
    # A frame that is late by two at most is not older than two, though all of them are late.
    assert oldest_frame_periods(FrameDelivery(late_probability=1.0, late_frames=2)) == 2


@pytest.mark.parametrize("name", ["train", "hard"])
def test_the_oldest_picture_is_that_of_the_pool_where_there_is_one(name: str) -> None:
    """Against the camera itself, whose pictures are numbered here."""
    disturbances = replace(NAMED[name], frame_delivery=FrameDelivery())
    assert oldest_picture_periods(disturbances, ("overview", "stripe")) == 0
    latest = disturbances.pool_view.latency_steps[1]
    camera = PoolCamera(4, PoolLighting())
    state: Any = SimpleNamespace(pool_view=SimpleNamespace(seed=0, latency_steps=latest))
    camera.begin(state)
    steps = iter(range(1000))
    camera._exposed = lambda *_, **__: np.full((4, 4), PERIOD_STEPS * next(steps), np.uint8)  # type: ignore[method-assign,assignment]
    ages = []
    for step in range(40):
        shown = camera.take(np.zeros(1), np.zeros(1), lateral_m=0.0, arc_on=True, time_s=0.0)
        ages.append(step - int(shown.image[0, 0]))
    assert oldest_picture_periods(disturbances, ("overview", "stripe", "pool")) == max(ages[latest + 2 :])


def test_a_bundle_keeps_what_it_says(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(plain), "--out", str(tmp_path / "b"), "--episodes", "3"]) == 2
    assert "is a bundle and keeps what it says; leave --episodes out" in capsys.readouterr().err
    assert main(["export", "oracle", "--out", str(tmp_path / "b")]) == 2
    assert "takes a run directory of `cellwright train` or a bundle" in capsys.readouterr().err


def test_the_measured_numbers_are_of_the_recorded_set(exported: Path) -> None:
    content = json.loads((exported / SAFETY).read_text())
    bundle = Bundle.load(exported)
    trial = recorded_trial(bundle)
    disturbances: Any = trial.workplace.env.unwrapped.disturbances  # type: ignore[attr-defined]
    trial.close()
    low, high = disturbances.actuator_latency.steps
    period_s = 1.0 / bundle.spec.control_rate_hz
    assert content["timing"]["latency_s"]["value"] == [low * period_s, high * period_s]
    assert f"{PARTS} parts" in content["observed"][0]["low"]["source"]
