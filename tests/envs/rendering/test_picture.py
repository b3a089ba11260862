"""Pictures for people: shadows, the light of an arc, floor and sky."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets import box_mesh
from cellwright_envs.rendering.picture import take_picture
from cellwright_envs.rendering.scene import PointLight, Scene
from cellwright_envs.rendering.studio import Studio


def picture_of_a_floating_box(studio: Studio, arc: PointLight | None = None) -> NDArray[np.uint8]:
    """Look straight down from 3 m on a white box of 0.4 m that floats 0.3 m above the floor."""
    scene = Scene()
    scene.add_body("box", *box_mesh((0.4, 0.4, 0.4), np.zeros(3)), colour=(0.9, 0.9, 0.9), segmentation_id=0)
    scene.set_pose("box", np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1.0]]))
    down = np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 3.0], [0, 0, 0, 1]])
    return take_picture(scene, down, 80.0, 80.0, 47.5, 31.5, 96, 64, studio=studio, arc=arc)


def test_a_picture_has_the_shadow_of_the_key_light_beside_the_body() -> None:
    # Light travels towards +x: the shadow lies right of the box, nothing left of it.
    studio = Studio(key_direction_w=(1.0, 0.0, -1.0), key_lamps=4, sky_lamps=4)
    picture = picture_of_a_floating_box(studio)
    assert picture.shape == (64, 96, 3)
    brightness = picture.mean(axis=2)
    assert brightness[31, 65] < 0.8 * brightness[31, 20]
    assert brightness[31, 48] > brightness[31, 20]
    np.testing.assert_array_equal(picture, picture_of_a_floating_box(studio))


def test_an_arc_brightens_the_picture_around_it() -> None:
    studio = Studio(key_lamps=4, sky_lamps=4, supersampling=1)
    arc = PointLight(position_w=(0.0, 0.0, 0.72), intensity_m2=0.01)
    difference = picture_of_a_floating_box(studio, arc).astype(int) - picture_of_a_floating_box(studio)
    assert np.all(difference >= 0)
    assert difference[31, 48].min() > difference[31, 5].max()


def test_a_picture_of_nothing_is_floor_or_sky() -> None:
    up = np.eye(4)
    up[2, 3] = -1.0
    studio = Studio(key_lamps=1, sky_lamps=1, floor_height_m=None)
    sky = take_picture(Scene(), up, 30.0, 30.0, 7.5, 7.5, 16, 16, studio=studio)
    assert np.all(sky[..., 2] > sky[..., 0])


def test_a_studio_lit_from_below_is_refused() -> None:
    with pytest.raises(ValueError, match="above"):
        Studio(key_direction_w=(0.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="at least one"):
        Studio(sky_lamps=0)
