"""The cameras that a policy was trained with: the pinhole of each view and its place in a frame of the cell.

A real camera has another resolution, a lens that distorts, and a mounting of its own. Its frames are warped
to the views described here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_perception.camera import CameraModel, looking_at
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_runtime.files.fields import Fields
from cellwright_runtime.files.reading import FileError
from cellwright_runtime.vocabulary import ControllerSetup

_ASSEMBLY, _WELDING = ("hand", "fixed"), ("overview", "stripe")


@dataclass(frozen=True, kw_only=True)
class TrainedView:
    """One view of the trained image. Raises ValueError for numbers that no camera has."""

    view: str
    """Name of the image's channel."""
    width_px: int
    height_px: int
    focal_px: tuple[float, float]
    """Along the columns and along the rows."""
    principal_px: tuple[float, float]
    """Column and row of the optical axis; the centre of the first pixel is (0, 0)."""
    frame: str
    """Frame that the camera is mounted in, such as tool or nominal_fixture."""
    camera_from_frame: tuple[float, ...]
    """(16,): the rows of the transform (4, 4) from `frame` to the camera: z forward, x right, y down."""
    window: bool = False
    """Whether the view is a window that moves over the camera's image: its principal point moves with it."""

    def __post_init__(self) -> None:
        if len(self.focal_px) != 2 or len(self.principal_px) != 2 or len(self.camera_from_frame) != 16:
            raise ValueError(f"camera {self.view}: need 2 focal lengths, a principal point and 16 numbers")
        transform = self.transform
        rotation = transform[:3, :3]
        if not (
            np.isfinite(transform).all()
            and np.allclose(transform[3], [0.0, 0.0, 0.0, 1.0])
            and np.abs(product(rotation, rotation.T) - np.eye(3)).max() < 1e-6
            and np.abs(np.cross(rotation[0], rotation[1]) - rotation[2]).max() < 1e-6
        ):
            raise ValueError(f"camera {self.view}: camera_from_frame is no rotation and translation")
        _ = self.model  # which refuses a size or a focal length that no camera has

    @property
    def model(self) -> CameraModel:
        """The pinhole."""
        (fx, fy), (cx, cy) = self.focal_px, self.principal_px
        return CameraModel(width=self.width_px, height=self.height_px, fx=fx, fy=fy, cx=cx, cy=cy)

    @property
    def transform(self) -> NDArray[np.float64]:
        """Transform (4, 4) from `frame` to the camera."""
        return np.array(self.camera_from_frame).reshape(4, 4)

    @property
    def centre_m(self) -> NDArray[np.float64]:
        """Optical centre (3,) [m] in `frame`."""
        rotation, translation = self.transform[:3, :3], self.transform[:3, 3]
        return 0.0 - (rotation * translation[:, np.newaxis]).sum(axis=0)


def trained_views(
    controller: ControllerSetup, names: tuple[str, ...], size_px: int
) -> tuple[TrainedView, ...]:
    """The pinhole views among the image channels `names`, each `size_px` wide and high, from the settings.

    A view of another kind, such as the pool's, which is rectified to the plate, is left out, and so is
    everything where the settings name no camera. Raises ValueError for a setting of another unit or length.
    """
    if names[:2] == _ASSEMBLY and "hand_camera" in controller:
        return tuple(_mounted(controller, name, size_px) for name in _ASSEMBLY)
    if names[:2] == _WELDING and "overview_focal" in controller:
        geometry = seam_sensor(controller, size_px)
        place = _numbers(geometry.camera_from_tool)
        return (
            _view("overview", geometry.overview, "tool", place),
            _view("stripe", geometry.stripe, "tool", place, window=True),
        )
    return ()


def seam_sensor(controller: ControllerSetup, size_px: int) -> SeamSensorGeometry:
    """Camera and laser of the seam sensor, from the settings of a weld; raises ValueError where one is
    missing, of another unit or of no use."""
    px, py, pz = controller.read("camera", "m", count=3).tolist()
    tx, ty, tz = controller.read("camera_target", "m", count=3).tolist()
    return SeamSensorGeometry(
        look_ahead_m=float(controller.read("laser_look_ahead", "m", above=0.0)[0]),
        camera_position_t=(px, py, pz),
        camera_target_t=(tx, ty, tz),
        image_size_px=size_px,
        overview_focal_px=float(controller.read("overview_focal", "1", above=0.0)[0]),
        stripe_focal_px=float(controller.read("stripe_focal", "1", above=0.0)[0]),
    )


def read_view(fields: Fields) -> TrainedView:
    """A view of a manifest; raises `FileError` where a field is missing or of another type."""
    window = fields.take("window")
    if not isinstance(window, bool):
        raise FileError(f"{fields.where('window')} is not true or false")
    view = TrainedView(
        view=fields.name("view"),
        width_px=fields.whole("width_px"),
        height_px=fields.whole("height_px"),
        focal_px=fields.numbers("focal_px"),  # type: ignore[arg-type]
        principal_px=fields.numbers("principal_px"),  # type: ignore[arg-type]
        frame=fields.name("frame"),
        camera_from_frame=fields.numbers("camera_from_frame"),
        window=window,
    )
    fields.done()
    return view


def _mounted(controller: ControllerSetup, name: str, size_px: int) -> TrainedView:
    position = controller.read(f"{name}_camera", "m", count=3)
    target = controller.read(f"{name}_camera_target", "m", count=3)
    focal_px, centre_px = float(controller.read(f"{name}_camera_focal", "1")[0]), (size_px - 1) / 2
    model = CameraModel(width=size_px, height=size_px, fx=focal_px, fy=focal_px, cx=centre_px, cy=centre_px)
    frame = controller.setting(f"{name}_camera").frame
    return _view(name, model, frame, _numbers(looking_at(position, target)))


def _view(
    name: str, model: CameraModel, frame: str, place: tuple[float, ...], *, window: bool = False
) -> TrainedView:
    return TrainedView(
        view=name,
        width_px=model.width,
        height_px=model.height,
        focal_px=(model.fx, model.fy),
        principal_px=(model.cx, model.cy),
        frame=frame,
        camera_from_frame=place,
        window=window,
    )


def _numbers(transform: NDArray[np.float64]) -> tuple[float, ...]:
    """The 16 numbers of a transform (4, 4), with 0 for -0."""
    return tuple((transform.ravel() + 0.0).tolist())
