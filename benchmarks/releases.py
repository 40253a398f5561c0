"""Releases of any size, made from a small one by hard links."""

import csv
import os
import random
from collections.abc import Sequence
from pathlib import Path

from affectnet_tfds import crop_geometry, image_codec
from pipeline.rows import annotations

FOLDERS = 997
"""Folders of a release's images."""


def repeated(roots: Sequence[Path], num_images: int, folder: Path) -> Path:
    """Make a release with so many training rows by repeating the good rows of others, shuffled."""
    sources = [_good_rows(root) for root in roots]
    header = sources[0][0]
    good = [row for _, rows in sources for row in rows]
    order = list(range(num_images))
    random.Random(0).shuffle(order)
    (folder / "Manually_Annotated_file_lists").mkdir(parents=True)
    for number in range(min(FOLDERS, num_images)):
        (folder / "Manually_Annotated_Images" / str(number)).mkdir(parents=True)
    with (folder / "Manually_Annotated_file_lists" / "training.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        for i, place in enumerate(order):
            image, row = good[place % len(good)]
            name = f"{i % FOLDERS}/{i:056x}{image.suffix}"
            os.link(image, folder / "Manually_Annotated_Images" / name)
            writer.writerow([name, *row[1:]])
    return folder


def _good_rows(root: Path) -> tuple[list[str], list[tuple[Path, list[str]]]]:
    """Return the header of a release's training.csv, and its good rows with their image files."""
    (table,) = root.rglob("training.csv")
    (images,) = (path for path in root.rglob("Manually_Annotated_Images") if path.is_dir())
    with table.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    good = [row for row in rows if len(row) == len(header) and _is_good(images, row)]
    return header, [(images / row[0], row) for row in good]


def _is_good(images: Path, row: Sequence[str]) -> bool:
    """Tell whether every contender can crop a row: defects would cost peers more than the job."""
    place = annotations.Place("train", "manual", "", "", "")
    fields = dict(
        zip(("path", "x", "y", "width", "height", "landmarks", "label"), row, strict=False)
    )
    parsed = annotations.parse(fields, place)
    if not isinstance(parsed, annotations.Row) or parsed.label > 7 or parsed.box is None:
        return False
    try:
        content = (images / parsed.path).read_bytes()
        header = image_codec.read_header(content)
        crop_geometry.square(parsed.box, picture_size=header.size, margin_frac=0)
        return header.is_plain_jpeg and image_codec.decode(content, header).size > 0
    except (OSError, annotations.InvalidExample):
        return False
