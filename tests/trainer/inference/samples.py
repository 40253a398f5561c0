"""Images and files for the tests of inference."""

import pathlib

import cv2
import numpy as np
import PIL.Image

from pipeline.rows import annotations
from pipeline.shards import row_example
from tests.trainer import conftest

BOX = (20.5, 10.0, 60.0, 70.0)


def gradient(*, width: int, height: int) -> np.ndarray:
    """Return uint8[H, W, 3]: red grows to the right, green downwards."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([red, green, np.full_like(red, 60)], axis=2).astype(np.uint8)


def noise(*, width: int, height: int) -> np.ndarray:
    """Return uint8[H, W, 3] with details at every size."""
    generator = np.random.default_rng(0)
    pixels = np.zeros((height, width, 3))
    for side in (4, 16, 64):
        coarse = generator.uniform(0, 85, (side, side, 3))
        pixels += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels.astype(np.uint8)


def save(path: pathlib.Path, pixels: np.ndarray, **options) -> pathlib.Path:
    PIL.Image.fromarray(pixels).save(path, **options)
    return path


def write_video(
    path: pathlib.Path, *, levels, frames_per_s: float, codec: str = "MJPG"
) -> pathlib.Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), frames_per_s, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), (level, 0, 0), np.uint8))  # Blue: OpenCV's order is BGR.
    writer.release()
    return path


def pipeline_crop(content: bytes, *, box) -> np.ndarray:
    """Return the crop that the pipeline would store for a row with this box."""
    row = annotations.Row(
        "train",
        "manual",
        "a.jpg",
        "a.jpg",
        1,
        0.0,
        0.0,
        box,
        "annotation" if box else "picture",
        b"",
        "a.csv, row 2",
    )
    settings = row_example.ExampleSettings(conftest.GEOMETRY, "jpeg", soft_labels=False)
    return row_example.crop(content, row, settings).face
