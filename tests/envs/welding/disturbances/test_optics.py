from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellwright_envs.disturbances.exposure import Exposure, SensorNoise, apply_effects
from cellwright_envs.disturbances.image_kernel import FrameEffects, Image
from cellwright_envs.welding.disturbances import WeldDisturbances
from cellwright_envs.welding.disturbances.optics import ArcGlare, Reflectance, Smoke, Spatter

SEEDS = st.integers(0, 2**32 - 1)
ARC_PX = np.array([31.0, 20.0])


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene() -> Image:
    """Return a grey ramp with a bright line, (64, 64) uint8."""
    image = np.linspace(20, 160, 64 * 64).reshape(64, 64).astype(np.uint8)
    image[44:46] = 220
    return image


def seen(image: Image, *, arc_px: NDArray[np.float64] = ARC_PX, seed: int = 2, **disturbances: Any) -> Image:
    """What the weld camera delivers of `image` (H, W), the arc burning, with nothing else disturbed."""
    state = WeldDisturbances(**disturbances).draw(generator(4))
    frames = state.corrupt(
        image[np.newaxis],
        arc_px[np.newaxis],
        arc_on=True,
        time_s=1.0,
        magnification=(1.0,),
        rng=generator(seed),
    )
    return frames[0]


EFFECTS: dict[str, Callable[[float], dict[str, Any]]] = {
    "glare": lambda strength: {"arc_glare": ArcGlare(radius_px=(0.0, 12.0 * strength))},
    "spatter": lambda strength: {"spatter": Spatter(streaks_per_s=(0.0, 200.0 * strength))},
    "smoke": lambda strength: {"smoke": Smoke(contrast_loss=(0.0, strength))},
    "gain": lambda strength: {"exposure": Exposure(gain_deviation=0.9 * strength)},
    "black_level": lambda strength: {"exposure": Exposure(offset_levels=60.0 * strength)},
    "albedo": lambda strength: {"reflectance": Reflectance(albedo_deviation=0.9 * strength)},
    "false_line": lambda strength: {"reflectance": Reflectance(false_line_levels=200.0 * strength)},
    "read_noise": lambda strength: {"sensor_noise": SensorNoise(read_levels=20.0 * strength)},
    "shot_noise": lambda strength: {"sensor_noise": SensorNoise(shot_levels=2.0 * strength)},
}


@pytest.mark.parametrize("name", EFFECTS)
def test_effect_is_off_at_zero(name: str) -> None:
    np.testing.assert_array_equal(seen(scene(), **EFFECTS[name](0.0)), scene())


@pytest.mark.parametrize("name", EFFECTS)
def test_stronger_effect_changes_more(name: str) -> None:
    def change(strength: float) -> float:
        return float(np.abs(seen(scene(), **EFFECTS[name](strength)).astype(float) - scene()).mean())

    assert 0.0 < change(0.4) < change(1.0)


@pytest.mark.parametrize("name", EFFECTS)
def test_effect_returns_a_new_image_and_leaves_the_old_one(name: str) -> None:
    image = scene()
    changed = seen(image, **EFFECTS[name](1.0))
    np.testing.assert_array_equal(image, scene())
    assert not np.shares_memory(changed, image)
    assert (changed.shape, changed.dtype) == (image.shape, image.dtype)


@pytest.mark.parametrize("name", EFFECTS)
def test_one_generator_is_one_picture(name: str) -> None:
    np.testing.assert_array_equal(seen(scene(), **EFFECTS[name](0.7)), seen(scene(), **EFFECTS[name](0.7)))


def test_glare_saturates_the_disc_and_fades_outside_it() -> None:
    black = np.zeros((64, 64), np.uint8)
    arc = ArcGlare(radius_px=(6.0, 6.0), halo_px=4.0)
    glare = seen(black, arc_px=np.array([30.0, 30.0]), arc_glare=arc)
    assert glare[30, 30] == glare[30, 36] == 255
    # One halo length beyond the edge: 255 / e = 94, within the approximation's 2 % of full scale.
    assert int(glare[30, 40]) == pytest.approx(255 * np.exp(-1.0), abs=5)
    assert np.all(np.diff(glare[30, 30:].astype(int)) <= 0)


def test_glare_flickers_from_frame_to_frame() -> None:
    arc = ArcGlare(radius_px=(3.0, 10.0))
    brightness = [seen(scene(), seed=seed, arc_glare=arc).mean() for seed in range(8)]
    assert len(set(brightness)) == 8


def test_short_exposure_does_not_dim_the_arc() -> None:
    effects = FrameEffects(gain=0.3, glare_radius_low_px=5.0, glare_radius_high_px=5.0, glare_halo_px=4.0)
    dark = apply_effects(scene(), effects, rng=generator(0), arc_px=ARC_PX)
    assert dark[20, 31] == 255
    assert dark[63, 0] < scene()[63, 0]


def test_arc_outside_the_picture_is_no_error() -> None:
    arc = ArcGlare(radius_px=(3.0, 3.0))
    far = seen(scene(), arc_px=np.array([31.0, -4000.0]), arc_glare=arc)
    np.testing.assert_array_equal(far, scene())


def test_smoke_pulls_grey_levels_together() -> None:
    smoky = seen(scene(), smoke=Smoke(contrast_loss=(0.4, 0.4), veil_level=90.0)).astype(float)
    np.testing.assert_allclose(smoky, 0.6 * scene() + 0.4 * 90.0, atol=0.51)


@given(SEEDS, st.floats(0.0, 100.0))
def test_smoke_stays_in_its_range(seed: int, time_s: float) -> None:
    assert 0.1 <= Smoke(contrast_loss=(0.1, 0.4)).draw(generator(seed)).contrast_loss(time_s) <= 0.4


def test_noise_has_the_configured_spread_and_no_bias() -> None:
    grey = np.full((64, 64), 100, np.uint8)
    effects = FrameEffects(read_noise_levels=3.0, shot_noise_levels=0.16)
    frames = np.array([apply_effects(grey, effects, rng=generator(seed)) for seed in range(20)]).astype(float)
    assert frames.mean() == pytest.approx(100.0, abs=0.1)
    # 9 + 0.16 * 100, and 1/12 from rounding.
    assert frames.std() == pytest.approx(np.sqrt(25.0 + 1.0 / 12.0), rel=0.02)


def test_noise_of_neighbouring_pixels_views_and_frames_is_unrelated() -> None:
    grey = np.full((2, 64, 64), 128, np.uint8)
    rng = generator(3)
    effects = FrameEffects(read_noise_levels=10.0)
    first, second = (
        apply_effects(grey, effects, rng=rng, magnification=(1.0, 2.0), arc_px=np.zeros((2, 2))).astype(float)
        for _ in range(2)
    )
    for one, other in (
        (first[0], second[0]),
        (first[0], first[1]),
        (first[0, :, 1:], first[0, :, :-1]),
        (first[0, 1:], first[0, :-1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.06


def test_number_of_streaks_is_poisson() -> None:
    black = np.zeros((64, 64), np.uint8)
    effects = FrameEffects(streaks=0.8, streak_length_px=8.0)
    rng = generator(0)
    lit = [apply_effects(black, effects, rng=rng, arc_px=np.array([32.0, 32.0])).any() for _ in range(3000)]
    # Streaks that start outside the picture are lost, so somewhat fewer frames than 1 - exp(-0.8) show one.
    assert 0.25 < np.mean(lit) < 1.0 - np.exp(-0.8)


def test_all_effects_together_stay_in_range_and_shape() -> None:
    images = np.stack([scene(), 255 - scene()])
    effects = FrameEffects(1.5, 200.0, 0.4, 0.1, 0.3, 90.0, 4.0, 12.0, 8.0, 3.0, 12.0, 1.6, 9.0, 6.0, 0.3)
    out = apply_effects(
        images,
        effects,
        rng=generator(0),
        arc_px=np.array([[31.0, 20.0], [31.0, -60.0]]),
        magnification=(1.0, 2.3),
    )
    assert (out.shape, out.dtype) == (images.shape, images.dtype)
    assert out[0, 20, 31] == 255


def test_views_without_a_magnification_each_are_refused() -> None:
    with pytest.raises(ValueError, match="2 views"):
        apply_effects(np.stack([scene(), scene()]), FrameEffects(), rng=generator(0))


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (ArcGlare, {"radius_px": (5.0, 2.0)}),
        (Spatter, {"streaks_per_s": (-1.0, 2.0)}),
        (Smoke, {"contrast_loss": (0.0, 1.1)}),
        (Exposure, {"gain_deviation": 1.0}),
        (Reflectance, {"mean_albedo": 0.0}),
        (SensorNoise, {"read_levels": -1.0}),
    ],
)
def test_impossible_settings_are_refused_by_name(config: type, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        config(**arguments)
