"""Benchmark of prediction: images a second and peak memory of trainer.predict, by image size.

python -m benchmarks.predict --photos=FOLDER --model_dir=RUN classifies photographs of the folder,
and images of 10 megapixels with six of them in different sizes. --checkouts=A,B compares two
versions of this project, each with its own program. The time counts from the first line printed, so
that neither imports nor the first image, for which TensorFlow compiles, are in it.
"""

import itertools
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from absl import flags

from benchmarks import command_line, measure

PHOTOS = flags.DEFINE_string("photos", None, "folder of photographs of faces", required=True)
MODEL_DIR = flags.DEFINE_string("model_dir", None, "a trained run", required=True)
CHECKOUTS = flags.DEFINE_list("checkouts", ["."], "checkouts of this project to compare")
RUNS = flags.DEFINE_integer("runs", 3, "runs of each; the median is printed", 1)
IMAGES = flags.DEFINE_integer("images", 96, "photographs; of 10 megapixels a quarter as many")

SIZE = (3650, 2740)
SIDES = (1200, 700, 350, 200, 120, 80)
"""Sides of the photographs in an image of 10 megapixels."""

_AT_ONCE_S = 0.02
"""Lines printed within this time of the first belong to its batch."""


class Speed(NamedTuple):
    """One run of the program."""

    images_per_s: float
    peak_mb: float
    faces: int


def composed(photos: Sequence[np.ndarray], *, seed: int) -> np.ndarray:
    """Return an image of 10 megapixels, uint8[H, W, 3], with photographs of SIDES in it."""
    generator = np.random.default_rng(seed)
    blurred = cv2.resize(photos[seed % len(photos)], (16, 12), interpolation=cv2.INTER_AREA)
    image = cv2.resize(blurred, SIZE, interpolation=cv2.INTER_CUBIC)
    left = 0
    for side in SIDES:
        photo = photos[generator.integers(len(photos))]
        top = int(generator.integers(0, SIZE[1] - side))
        image[top : top + side, left : left + side] = cv2.resize(photo, (side, side))
        left += side + 30
    return image


def write_images(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Write the images of both sizes, and return their folders by name."""
    found = (cv2.imread(str(path)) for path in sorted(pathlib.Path(PHOTOS.value).rglob("*.jpg")))
    photos = list(itertools.islice((each for each in found if each is not None), IMAGES.value))
    folders = {"photographs": folder / "photographs", "10 megapixels": folder / "large"}
    for each in folders.values():
        each.mkdir()
    for number, photo in enumerate(photos):
        cv2.imwrite(str(folders["photographs"] / f"{number}.jpg"), photo)
    for seed in range(max(2, IMAGES.value // 4)):
        cv2.imwrite(str(folders["10 megapixels"] / f"{seed}.jpg"), composed(photos, seed=seed))
    return folders


def run(checkout: str, folder: pathlib.Path) -> Speed:
    """Run the program of a checkout on the images of a folder."""
    command = [sys.executable, "-m", "trainer.predict", str(folder)]
    # No GPU, which the first versions do not use either.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": ""}
    with subprocess.Popen(
        [*command, f"--model_dir={pathlib.Path(MODEL_DIR.value).resolve()}"],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        lines = [(time.monotonic(), line.split("  ")) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not lines:
        raise RuntimeError(
            f"{' '.join(command)} in {checkout} printed no face: exit code {process.returncode}"
        )
    first, last = lines[0][0], lines[-1][0]
    later = {parts[0] for at, parts in lines if at > first + _AT_ONCE_S}
    faces = sum(parts[1].startswith("face ") for _, parts in lines)
    return Speed(len(later) / (last - first), usage.ru_maxrss / 1000, faces)


def main(argv: Sequence[str]) -> None:
    """Measure each checkout on both sizes, in turn."""
    del argv
    print(f"machine       {measure.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        for name, images in write_images(pathlib.Path(folder)).items():
            speeds: dict[str, list[Speed]] = {checkout: [] for checkout in CHECKOUTS.value}
            for _ in range(RUNS.value):
                for checkout, runs in speeds.items():
                    runs.append(run(checkout, images))
            for checkout, runs in speeds.items():
                images_per_s, peak_mb, faces = map(statistics.median, zip(*runs, strict=True))
                found = f"{peak_mb:,.0f} MB at most, {faces:,.0f} faces"
                print(f"{name:<14}{checkout}: {images_per_s:.2f} images/s, {found}", flush=True)


if __name__ == "__main__":
    command_line.run(main)
