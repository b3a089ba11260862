"""The one place where OpenCV is loaded."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType


@cache
def opencv() -> ModuleType:
    """Return the module `cv2`, loaded on first use.

    Raises ImportError with the fix in one line where OpenCV or a system library under it is missing: the
    wheel `opencv-python` needs libGL, which slim containers and controllers do not have.
    """
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise ImportError(
            f"OpenCV does not load ({error}); fix: `apt-get install libgl1` or "
            "`pip install opencv-python-headless`",
            name="cv2",
        ) from None
