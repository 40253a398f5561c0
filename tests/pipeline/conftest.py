"""Fixtures of the job's tests: a small release of AffectNet's 2017 layout with generated images."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from pipeline import config
from pipeline.files import lock, storage

if TYPE_CHECKING:
    from tests.pipeline.files import s3_server

HEADER = [
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height",
    "facial_landmarks", "expression", "valence", "arousal",
]  # fmt: skip


def landmarks_text(x: float = 30, y: float = 40) -> str:
    """Return 68 points on a diagonal from (x, y), as AffectNet writes them."""
    return ";".join(f"{x + i / 2:.2f};{y + i / 4:.2f}" for i in range(68))


def picture(index: int, *, width: int = 120, height: int = 90) -> np.ndarray:
    """Return an image that no other index has: uint8[H, W, 3]."""
    random = np.random.Generator(np.random.PCG64(index))
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


class ReleaseWriter:
    """Collects rows and images, then writes the lists."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = root / "Manually_Annotated" / "Manually_Annotated_Images"
        self.rows: dict[str, list[Sequence[object]]] = {"training": [], "validation": []}
        self.count = 0

    def add(self, table: str, label: object, **other: object) -> str:
        """Add an image and its row; return its path in the table."""
        self.count += 1
        path = str(other.get("path", f"{self.count % 3 + 1}/{self.count:056x}.jpg"))
        if "path" not in other:
            file = self.images / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(cv2.imencode(".jpg", picture(self.count))[1].tobytes())
        box = other.get("box", (30, 20, 50, 40))
        points = other.get("landmarks", landmarks_text())
        self.rows[table].append(
            [path, *box, points, label, other.get("valence", 0.5), other.get("arousal", -0.25)]
        )
        return path

    def write(self) -> Path:
        """Write training.csv with a header and validation.csv without one."""
        lists = self.root / "Manually_Annotated_file_lists"
        lists.mkdir(parents=True, exist_ok=True)
        for table, rows in self.rows.items():
            with (lists / f"{table}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([HEADER, *rows] if table == "training" else rows)
        return self.root


@pytest.fixture
def release(tmp_path: Path) -> ReleaseWriter:
    """An empty release to add rows to."""
    return ReleaseWriter(tmp_path / "AffectNet")


@pytest.fixture
def small_release(tmp_path: Path) -> Path:
    """12 neutral, 6 happy, 4 sad, 2 anger, 1 none and 1 no-face row; 2 of four in validation."""
    return write_small_release(tmp_path / "small")


def write_small_release(root: Path) -> Path:
    """Write the release that `small_release` is."""
    release = ReleaseWriter(root)
    for label, count in ((0, 12), (1, 6), (2, 4), (6, 2), (8, 1), (10, 1)):
        for _ in range(count):
            release.add("training", label)
    for label in (0, 1, 2, 6):
        for _ in range(2):
            release.add("validation", label)
    return release.write()


@pytest.fixture
def job_config(small_release: Path, tmp_path: Path) -> Callable[..., config.JobConfig]:
    """Make configurations for the small release: 32 px, one process."""

    def make(**changes: object) -> config.JobConfig:
        fields = {
            "input_dir": str(small_release),
            "data_dir": str(tmp_path / "data"),
            "config_name": "tiny",
            "image_size": 32,
            "num_workers": 1,
            **changes,
        }
        return config.JobConfig(**fields)  # type: ignore[arg-type]  # The tests name fields by word.

    return make


@pytest.fixture(scope="module")
def s3_running() -> "Iterator[s3_server.Server]":
    """An S3 server on loopback."""
    # Inside: few tests want it, and it takes a second to import.
    from tests.pipeline.files import s3_server

    with s3_server.running() as server:
        yield server


@pytest.fixture
def s3(s3_running: "s3_server.Server", monkeypatch: pytest.MonkeyPatch) -> "s3_server.Server":
    """The server, with an empty s3://bucket; its locks are settled at once."""
    monkeypatch.setattr(lock, "SETTLE_S", 0.0)
    s3_running.reset()
    storage.forget_listings()
    return s3_running
