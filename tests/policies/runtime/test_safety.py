import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_runtime.bundle.container import BundleError
from cellwright_runtime.bundle.policy import Bundle, PolicySpec, write_bundle
from cellwright_runtime.bundle.safety import (
    SAFETY,
    Bound,
    Interventions,
    JointLimits,
    ObservedRange,
    ObservedView,
    Safety,
    Slew,
    Timing,
    ToolLimits,
    WorkspaceBox,
)
from cellwright_runtime.files.reading import FileError


def bound(*values: float) -> Bound:
    return Bound(value=values, source="environment: a test")


def envelope() -> Safety:
    return Safety(
        joints=JointLimits(
            robot="UR10e",
            names=("base", "elbow"),
            position_low_rad=bound(-6.0, -3.0),
            position_high_rad=bound(6.0, 3.0),
            position_margin_rad=bound(0.1),
            velocity_rad_s=bound(2.0, 3.0),
            rate_margin=bound(0.25),
        ),
        tool=ToolLimits(speed_m_s=bound(0.25), force_n=bound(30.0)),
        timing=Timing(
            control_period_s=bound(0.04),
            inference_deadline_s=bound(0.04),
            latency_s=bound(0.0, 0.08),
            image_age_s=bound(0.2),
            observation_age_s=bound(0.04),
        ),
        interventions=Interventions(largest_fraction=bound(0.1), window_s=bound(2.0)),
        workspace=(
            WorkspaceBox(
                name="reference",
                frame="nominal_fixture",
                low_m=bound(-0.01, -0.01, -0.03),
                high_m=bound(0.01, 0.01, 0.03),
            ),
        ),
        slew=(Slew(name="x", unit="m/s", rate=bound(0.04)),),
        observed=(
            ObservedRange(
                group="seam", low=bound(*[0.0] * 6), high=bound(*[1.0] * 6), margin=bound(*[0.1] * 6)
            ),
        ),
        views=tuple(
            ObservedView(
                view=view,
                mean_low=bound(20.0),
                mean_high=bound(90.0),
                deviation_low=bound(5.0),
                deviation_high=bound(60.0),
                longest_still_s=bound(0.12),
            )
            for view in ("overview", "stripe")
        ),
        left_out={"joints.jerk_rad_s3": "nobody publishes it"},
    )


def changed(change: Callable[[Any], object]) -> bytes:
    content = json.loads(envelope().to_bytes())
    change(content)
    return json.dumps(content).encode()


def test_what_was_written_is_read_back() -> None:
    data = envelope().to_bytes()
    assert Safety.from_bytes(data) == envelope()
    assert Safety.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(safety_version=2), "safety.json has safety_version 2, this version reads 1"),
        (lambda c: c.pop("left_out"), "safety.json lacks left_out"),
        (lambda c: c.update(extra=1), "safety.json has 'extra', which does not belong there"),
        (lambda c: c["joints"].update(jerk=1), "joints has 'jerk', which does not belong there"),
        (lambda c: c["joints"]["velocity_rad_s"].update(value=[2.0]), "velocity_rad_s has 1 numbers"),
        (lambda c: c["joints"]["velocity_rad_s"].update(value=[2.0, 0.0]), "velocity_rad_s must be above 0"),
        (lambda c: c["joints"]["position_margin_rad"].update(value=[3.0]), "leaves nothing between"),
        (lambda c: c["joints"]["rate_margin"].update(value=[1.0]), "rate_margin must be from 0 to below 1"),
        (lambda c: c["joints"].update(names=["elbow", "elbow"]), "names need distinct texts"),
        (lambda c: c["tool"]["force_n"].update(source="I think"), "force_n source 'I think' does not begin"),
        (lambda c: c["tool"]["force_n"].pop("source"), "tool force_n lacks source"),
        (lambda c: c["tool"]["force_n"].update(value=30.0), "tool force_n value is 30.0, not a list"),
        (lambda c: c["tool"]["force_n"].update(value=[True]), "value is .true., not a list of numbers"),
        (lambda c: c["tool"].update(force_n=None), "tool force_n is null, not an object"),
        (lambda c: c["timing"]["latency_s"].update(value=[0.1, 0.0]), "latency_s needs 0 <= shortest"),
        (lambda c: c["timing"].pop("image_age_s"), "timing lacks image_age_s"),
        (lambda c: c["interventions"]["largest_fraction"].update(value=[1.5]), "is 1.5, more than 1"),
        (lambda c: c["workspace"][0].update(frame="world"), "'world', not in base or nominal_fixture"),
        (lambda c: c["workspace"][0]["low_m"].update(value=[1, 1, 1]), "needs low_m below high_m"),
        (lambda c: c["workspace"].append(c["workspace"][0]), "workspace names one thing twice: reference"),
        (lambda c: c["slew"][0].update(unit="mm/s"), "slew x: unit 'mm/s' is none of"),
        (lambda c: c["observed"][0]["high"].update(value=[-1.0] * 6), "observed seam needs low <= high"),
        (lambda c: c["views"][0]["mean_high"].update(value=[300.0]), "needs mean_low <= mean_high <= 255"),
        (lambda c: c["left_out"].update(a=""), "left_out a gives no reason"),
    ],
)  # fmt: skip
def test_what_no_envelope_can_have_is_named_in_one_line(change: Callable[[Any], object], told: str) -> None:
    with pytest.raises(FileError, match=told) as refused:
        Safety.from_bytes(changed(change))
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(SAFETY)


def test_a_number_that_is_not_finite_is_refused() -> None:
    data = envelope().to_bytes().replace(b"0.25", b"NaN", 1)
    with pytest.raises(FileError, match="holds NaN, which is no number"):
        Safety.from_bytes(data)


def test_fences_stand_within_the_limits_by_their_margins() -> None:
    joints = envelope().joints
    np.testing.assert_allclose(joints.fence_low_rad, [-5.9, -2.9])
    np.testing.assert_allclose(joints.fence_high_rad, [5.9, 2.9])
    np.testing.assert_allclose(joints.usable(joints.velocity_rad_s), [1.5, 2.25])


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_value_is_outside_where_it_is_beyond_range_and_margin_or_no_number(value: float) -> None:
    seen = ObservedRange(group="g", low=bound(-1.0), high=bound(2.0), margin=bound(0.5))
    assert bool(seen.outside([value])[0]) is not (-1.5 <= value <= 2.5)


def test_a_bundle_carries_its_envelope(bundle_dir: Path, spec: PolicySpec, tmp_path: Path) -> None:
    plain = Bundle.load(bundle_dir)
    assert plain.safety is None
    write_bundle(tmp_path / "b", plain.spec, {**plain.files, SAFETY: envelope().to_bytes()})
    assert Bundle.load(tmp_path / "b").safety == envelope()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            replace(envelope(), observed=()),
            r"safety.json observed describes {}, the manifest has {'seam': 6}",
        ),
        (replace(envelope(), views=()), "views describes , the manifest has overview, stripe"),
        (
            replace(envelope(), timing=replace(envelope().timing, control_period_s=bound(0.05))),
            "control_period_s is not that of 25 Hz",
        ),
    ],
)
def test_an_envelope_of_another_policy_is_refused(
    bundle_dir: Path, tmp_path: Path, other: Safety, told: str
) -> None:
    plain = Bundle.load(bundle_dir)
    write_bundle(tmp_path / "b", plain.spec, {**plain.files, SAFETY: other.to_bytes()})
    with pytest.raises(BundleError, match=told):
        Bundle.load(tmp_path / "b")
