"""Camera: exposure, colour cast, blur, grain, and encoding of the image file.

Owns everything between the painted image and the file. Grain is uniform, made from raw random
bytes. A normal deviate a pixel was rejected: it would take longer than painting the face.
"""

import dataclasses

import cv2
import numpy as np

from synthetic_faces.canvas import paint

_PNG_LEVEL = 3


@dataclasses.dataclass(frozen=True)
class Camera:
    """Settings of a photograph: `gain` of blue, green and red, `grain` amplitude in grey levels."""

    gain: tuple[float, float, float]
    blur_sigma_px: float
    grain: float
    jpeg_quality: int
    grayscale: bool


def draw_camera(rng: np.random.Generator, *, degraded: bool) -> Camera:
    """Draw a camera; a degraded photograph is too dark and out of focus."""
    exposure = rng.uniform(0.35, 0.5) if degraded else rng.uniform(0.8, 1.12)
    blue, green, red = exposure * rng.uniform(0.9, 1.1, size=3)
    # The order of the fields is the order of the random draws, which decides the bytes.
    return Camera(
        gain=(float(blue), float(green), float(red)),
        blur_sigma_px=_blur_sigma_px(rng, degraded=degraded),
        grain=float(rng.uniform(0, 1) ** 2 * 26),
        jpeg_quality=int(rng.integers(45, 96)),
        grayscale=bool(rng.random() < 0.1),
    )


def _blur_sigma_px(rng: np.random.Generator, *, degraded: bool) -> float:
    if degraded:
        return float(rng.uniform(3.0, 5.0))
    return float(rng.choice([0.0, 0.0, rng.uniform(0.5, 1.4)]))


def expose(canvas: paint.Canvas, camera: Camera, *, rng: np.random.Generator) -> paint.Canvas:
    """Return the photograph of a painted image, the same size."""
    image = paint.soften(canvas, sigma_px=camera.blur_sigma_px)
    tables = np.clip(np.arange(256)[:, np.newaxis] * camera.gain, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, tables[np.newaxis]), dtype=np.uint8)
    if camera.grayscale:
        image = np.asarray(
            cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
            dtype=np.uint8,
        )
    if camera.grain < 1:
        return image
    noise = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    strength = camera.grain / 128
    return np.asarray(
        cv2.addWeighted(image, 1.0, noise, strength, -127.5 * strength), dtype=np.uint8
    )


def encode(photograph: paint.Canvas, *, suffix: str, jpeg_quality: int) -> bytes:
    """Return the bytes of an image file; `suffix` is its extension with the dot, in any case."""
    kind = suffix.lower()
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality],
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL],
    }
    _, encoded = cv2.imencode(kind, photograph, options.get(kind, []))
    return encoded.tobytes()
