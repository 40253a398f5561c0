"""One drawn release in every layout: each is read as the same images, labels and landmarks."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from affectnet_tfds import crop_geometry, image_codec
from pipeline.rows import annotations
from pipeline.shards import image_files
from pipeline.sources import base
from pipeline.sources.layouts import registry
from synthetic_faces import release, settings
from synthetic_faces.examples import dataset_rows

NUM_IMAGES = dataset_rows.MIN_IMAGES
CSV = base.Request(csv="faces.csv", columns="left=x0,top=y0,right=x1,bottom=y1,landmarks=points")
LAYOUTS = {  # the generator's name → how it is read
    "npy": base.Request(),
    "affectnetplus": base.Request(subsets=("manual", "automatic")),
    "folders": base.Request(),
    "code_folders": base.Request(),
    "yolo": base.Request(),
    "csv": CSV,
}
WITH_LANDMARKS = ("npy", "affectnetplus", "csv")
WITH_CODES_TO_10 = ("affectnetplus", "csv")

Faces = dict[str, tuple[annotations.Row, np.ndarray]]  # digest of the image's pixels → row, pixels


def read(folder: Path, layout: str, request: base.Request) -> Faces:
    """Draw the faces in a layout and read them back."""
    drawn = settings.Settings(folder / layout, NUM_IMAGES, seed=3, layout=layout)
    release.make(drawn, num_workers=1)
    found = registry.recognise(drawn.output_dir, request)
    rows = [row for part in found.parts() for row in registry.read(found.root, part)]
    assert not [row for row in rows if isinstance(row, annotations.Reject)]
    return dict(
        keyed_by_digest(drawn.output_dir, row) for row in rows if isinstance(row, annotations.Row)
    )


def keyed_by_digest(
    root: Path, row: annotations.Row
) -> tuple[str, tuple[annotations.Row, np.ndarray]]:
    content = image_files.read(root, row.path)
    assert isinstance(content, bytes)
    pixels = image_codec.decode(content)
    return hashlib.sha256(pixels.tobytes()).hexdigest(), (row, pixels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(scope="module")
def original(folder) -> Faces:
    return read(folder, "2017", base.Request(subsets=("manual", "automatic")))


def expected(original: Faces, layout: str, request: base.Request) -> Faces:
    """Return the faces that a layout can express."""
    most = 10 if layout in WITH_CODES_TO_10 else 7
    return {
        k: v for k, v in original.items() if v[0].subset in request.subsets and v[0].label <= most
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images_labels_and_landmarks(folder, original, layout):
    same = expected(original, layout, LAYOUTS[layout])
    found = read(folder, layout, LAYOUTS[layout])
    assert len(original) == NUM_IMAGES
    assert set(found) == set(same)
    assert len({row.filename for row, _ in found.values()}) == len(found)
    for image, (row, pixels) in found.items():
        wanted, _ = same[image]
        assert (row.split, row.subset, row.label) == (wanted.split, wanted.subset, wanted.label)
        check_landmarks(row, wanted, layout)
        check_box(row, wanted, (pixels.shape[1], pixels.shape[0]))


def check_landmarks(row: annotations.Row, wanted: annotations.Row, layout: str) -> None:
    if layout in WITH_LANDMARKS:
        # 2017 and CSV write two decimals.
        assert np.abs(annotations.points_of(row) - annotations.points_of(wanted)).max() < 0.01
        assert row.valence == pytest.approx(wanted.valence, abs=1e-4, nan_ok=True)
    else:
        assert row.landmarks == b""


def check_box(row: annotations.Row, wanted: annotations.Row, size: tuple[int, int]) -> None:
    if row.box_from == "fractions":  # YOLO cuts boxes off at the image's edge.
        pixels = crop_geometry.in_pixels(row.box, picture_size=size)
        inside = crop_geometry.bbox_fractions(wanted.box, picture_size=size)
        assert crop_geometry.bbox_fractions(pixels, picture_size=size) == pytest.approx(
            inside, abs=2e-6
        )
    elif row.box_from == "annotation":
        assert row.box == wanted.box
    else:
        assert row.box is None


def test_both_layouts_with_boxes_in_pixels_give_the_same_crops_byte_for_byte(folder, original):
    found = read(folder, "csv", CSV)
    for image, (row, pixels) in found.items():
        crops = [
            image_codec.encode(crop_geometry.crop(pixels, square(one, pixels), image_size=64))
            for one in (row, original[image][0])
        ]
        assert crops[0] == crops[1]


def square(row: annotations.Row, pixels: np.ndarray) -> crop_geometry.Square:
    return crop_geometry.square(
        row.box, picture_size=(pixels.shape[1], pixels.shape[0]), margin_frac=0.15
    )


def test_the_soft_label_of_affectnet_plus_comes_along(folder):
    found = read(folder, "affectnetplus", base.Request())
    for row, _ in found.values():
        assert len(row.soft_label) == 8
        if row.label < 8:
            assert row.soft_label.index(max(row.soft_label)) == row.label
