"""Frames as a camera gives them: 640 x 480 in NV12, luma above a quarter as much chroma."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from examples.ocr.models import DemoError

HEIGHT, WIDTH = 480, 640

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """Where somebody stands before the camera.

    Attributes:
        title: in a word or two.
        height: of the person's picture in pixels.
        left: where the picture begins.
        top: likewise.
        mirrored: left and right are exchanged.
        light: by which everything is multiplied.
    """

    title: str
    height: int
    left: int
    top: int
    mirrored: bool = False
    light: float = 1.0


SCENES = (
    Scene("close", 480, 110, 0),
    Scene("to the left", 380, 10, 100),
    Scene("mirrored", 420, 200, 40, mirrored=True),
    Scene("in the dusk", 440, 180, 20, light=0.55),
    Scene("far away", 260, 330, 150),
    Scene("half out of sight", 480, 400, 0),
    Scene("bright", 400, 90, 60, light=1.2),
)


def portrait() -> Pixels:
    """A photograph of Grace Hopper by the US Navy, which matplotlib carries, in RGB."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise DemoError(
            "the photograph comes in the package 'matplotlib', which is not installed; "
            "run: pip install matplotlib"
        )
    path = Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    image = cv2.imread(str(path))
    if image is None:
        raise DemoError(f"there is no picture {path}: reinstall matplotlib")
    return np.asarray(image[..., ::-1], np.uint8)


def frame_of(scene: Scene, person: Pixels) -> Pixels:
    """What the camera sees, in RGB."""
    size = (scene.height * person.shape[1] // person.shape[0], scene.height)
    picture = np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_AREA), np.uint8)
    if scene.mirrored:
        picture = picture[:, ::-1]
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    wall = np.stack([90 + down / 8, 100 + across / 12, 120 - down / 16], axis=-1)
    frame = wall.astype(np.uint8)
    part = picture[: HEIGHT - scene.top, : WIDTH - scene.left]
    bottom, right = scene.top + part.shape[0], scene.left + part.shape[1]
    frame[scene.top : bottom, scene.left : right] = part
    lit = np.clip(frame * scene.light, 0, 255)
    return np.asarray(lit, np.uint8)


def to_nv12(frame: Pixels) -> Pixels:
    """RGB as a camera delivers it: ``[height * 3 / 2, width]``, luma above chroma."""
    height, width = frame.shape[:2]
    planar = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), np.uint8)
    u, v = planar[height:].reshape(2, height // 2, width // 2)
    chroma = np.stack([u, v], axis=-1).reshape(height // 2, width)
    return np.concatenate([planar[:height], chroma])


def camera_frames() -> Pixels:
    """Every scene, one row each."""
    person = portrait()
    return np.stack([to_nv12(frame_of(scene, person)) for scene in SCENES])
