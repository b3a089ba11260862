"""The cameras of a cell are one for a session: newest frames, oldest exposure, every loss told."""

import time
from pathlib import Path

import numpy as np
import pytest

from cellwright_envs.assembly.cameras import VIEWS
from cellwright_envs.virtual.cell_tables import InsertionTables, RobotTable
from cellwright_envs.virtual.insertion_station import InsertionStation
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.camera.sources import CameraError, Frame
from cellwright_runtime.cell.cell_camera import CellCamera
from cellwright_runtime.cell.cell_file import CellFile

SPEC = Bundle.load(zoo.path("peg-insertion")).spec


class Source:
    """A camera of which a test says what it shows."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.closed = False

    def show(self, image: np.ndarray, time_s: float) -> None:
        number = 1 if self.frame is None else self.frame.number + 1
        self.frame = Frame(image=image, number=number, time_s=time_s)

    def read(self) -> Frame:
        if self.frame is None:
            raise CameraError("it was unplugged")
        return self.frame

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def station() -> InsertionStation:
    made = InsertionStation(SPEC.environment, seed=3, disturbances="train")
    made.begin()
    return made


@pytest.fixture
def file(station: InsertionStation, tmp_path: Path) -> CellFile:
    path = tmp_path / "cell.toml"
    sources = {name: f"shared:/nowhere/{name}" for name in VIEWS}
    path.write_text(InsertionTables(station).text(RobotTable(driver="ur", host="127.0.0.2"), sources))
    return CellFile.read(path)


def test_the_cell_of_the_simulation_gives_its_pictures_to_the_last_bit(
    station: InsertionStation, file: CellFile
) -> None:
    file.require_fit(Bundle.load(zoo.path("peg-insertion")))
    sources = {f"shared:/nowhere/{name}": Source() for name in VIEWS}
    image = station.newest().image
    for view, source in enumerate(sources.values()):
        source.show(image[view], 5.0 + view)
    camera = CellCamera(file, SPEC, opened=lambda text: sources[text])
    newest = camera.newest()
    np.testing.assert_array_equal(newest.image, image)
    assert newest.exposed_s == 5.0  # that of the older frame
    assert camera.newest() is newest
    sources["shared:/nowhere/fixed"].show(255 - image[1], 7.0)
    later = camera.newest()
    assert later.number > newest.number
    np.testing.assert_array_equal(later.image[1], 255 - image[1])
    sources["shared:/nowhere/hand"].frame = None
    with pytest.raises(CameraError, match="unplugged"):
        camera.newest()
    camera.close()
    assert all(source.closed for source in sources.values())


def test_by_a_clock_that_frames_do_not_know_they_are_exposed_when_seen(file: CellFile) -> None:
    sources = {f"shared:/nowhere/{name}": Source() for name in VIEWS}
    for source in sources.values():
        source.show(np.full((64, 64), 9, np.uint8), time.monotonic())
    now_s = [100.0]
    camera = CellCamera(file, SPEC, clock=lambda: now_s[0], opened=lambda text: sources[text])
    assert camera.newest().exposed_s == 100.0
    now_s[0] = 101.0
    assert camera.newest().exposed_s == 100.0


def test_a_camera_that_does_not_open_lets_go_of_the_others(file: CellFile) -> None:
    first = Source()

    def opened(text: str) -> Source:
        if text.endswith("fixed"):
            raise CameraError("cannot be opened")
        return first

    with pytest.raises(CameraError, match="cannot be opened"):
        CellCamera(file, SPEC, opened=opened)
    assert first.closed
