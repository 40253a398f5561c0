"""Releases of any size, made from a small one by hard links."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from affectnet_tfds import crop_geometry, image_codec
from pipeline.rows import annotations


def repeated(root: Path, num_images: int, folder: Path) -> Path:
    """Make a release with so many training rows by repeating the good rows of `root`."""
    (table,) = root.rglob("training.csv")
    (images,) = (path for path in root.rglob("Manually_Annotated_Images") if path.is_dir())
    with table.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    good = [row for row in rows if len(row) == len(header) and _is_good(images, row)]
    (folder / "Manually_Annotated_file_lists").mkdir(parents=True)
    with (folder / "Manually_Annotated_file_lists" / "training.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        for i in range(num_images):
            row = good[i % len(good)]
            name = f"{i % 997}/{i:056x}{Path(row[0]).suffix}"
            target = folder / "Manually_Annotated_Images" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(images / row[0], target)
            writer.writerow([name, *row[1:]])
    return folder


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
