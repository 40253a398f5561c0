"""Takes the photograph: exposure, colour cast, blur, grain, and the bytes of the file.

Owns: everything between the painted picture and the file. Grain is drawn from raw bytes: a normal
deviate a pixel would cost more than painting the face.
"""

import dataclasses

import cv2
import numpy as np

from synthetic_faces.canvas import paint

_PNG_LEVEL = 3


@dataclasses.dataclass(frozen=True)
class Camera:
    """How a photograph is taken. `gain` is per colour (blue, green, red); `grain` is its amplitude
    in grey levels."""

    gain: tuple[float, float, float]
    blur_sigma_px: float
    grain: float
    jpeg_quality: int
    colourless: bool


def draw_camera(rng: np.random.Generator, *, spoilt: bool) -> Camera:
    """Draw a camera; a spoilt photograph is too dark and out of focus."""
    blue, green, red = (rng.uniform(0.35, 0.5) if spoilt else rng.uniform(0.8, 1.12)) * rng.uniform(
        0.9, 1.1, size=3
    )
    return Camera(
        gain=(float(blue), float(green), float(red)),
        blur_sigma_px=float(
            rng.uniform(3.0, 5.0) if spoilt else rng.choice([0.0, 0.0, rng.uniform(0.5, 1.4)])
        ),
        grain=float(rng.uniform(0, 1) ** 2 * 26),
        jpeg_quality=int(rng.integers(45, 96)),
        colourless=bool(rng.random() < 0.1),
    )


def expose(canvas: paint.Canvas, camera: Camera, *, rng: np.random.Generator) -> paint.Canvas:
    """Return the photograph of a painted picture, the same size."""
    seen = (
        canvas if camera.blur_sigma_px == 0 else paint.soften(canvas, sigma_px=camera.blur_sigma_px)
    )
    tables = np.clip(np.arange(256)[:, np.newaxis] * camera.gain, 0, 255).astype(np.uint8)
    seen = np.asarray(cv2.LUT(seen, tables[np.newaxis]), dtype=np.uint8)
    if camera.colourless:
        seen = np.asarray(
            cv2.cvtColor(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), dtype=np.uint8
        )
    if camera.grain < 1:
        return seen
    noise = np.frombuffer(rng.bytes(seen.size), np.uint8).reshape(seen.shape)
    strength = camera.grain / 128
    return np.asarray(
        cv2.addWeighted(seen, 1.0, noise, strength, -127.5 * strength), dtype=np.uint8
    )


def encode(photograph: paint.Canvas, *, suffix: str, jpeg_quality: int) -> bytes:
    """Return the bytes of a picture file of the kind that `suffix` (with its dot, in any case)
    names."""
    kind = suffix.lower()
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality],
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL],
    }
    _, encoded = cv2.imencode(kind, photograph, options.get(kind, []))
    return encoded.tobytes()
