"""Releases of any size, made from a small one by hard links."""

import csv
import errno
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from affectnet_tfds import crop_geometry, image_codec
from pipeline.rows import annotations
from runtime import errors

FOLDERS = 997
"""Folders of a release's images."""


def repeated(roots: Sequence[Path], num_images: int, folder: Path) -> Path:
    """Make a release with so many training rows by repeating the good rows of others, shuffled.

    Raises:
      errors.UserError: if a root is no release in the 2017 layout, or is on another disk.
    """
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
            link(image, folder / "Manually_Annotated_Images" / name)
            writer.writerow([name, *row[1:]])
    return folder


def _good_rows(root: Path) -> tuple[list[str], list[tuple[Path, list[str]]]]:
    """Return the header of a release's training.csv, and its good rows with their image files.

    Raises:
      errors.UserError: if it has none.
    """
    table = _only(root, "training.csv", Path.is_file)
    images = _only(root, "Manually_Annotated_Images", Path.is_dir)
    with table.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    good = [row for row in rows if len(row) == len(header) and _is_good(images, row)]
    if not good:
        raise errors.UserError(
            f"{table} must have a row with a box, one of the 8 expressions and a JPEG in {images}: "
            f"none of its {len(rows):,} rows has; name another --input_dir"
        )
    return header, [(images / row[0], row) for row in good]


def _only(root: Path, name: str, is_kind: Callable[[Path], bool]) -> Path:
    found = [path for path in root.rglob(name) if is_kind(path)]
    if len(found) != 1:
        raise errors.UserError(
            f"--input_dir must be a release in the 2017 layout, with one {name} below it: {root} "
            f"has {len(found) or 'none'} (python -m pipeline.sample draws one)"
        )
    return found[0]


def link(source: Path, target: Path) -> None:
    """Make a hard link.

    Raises:
      errors.UserError: if its folder is on another disk than the source.
    """
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise errors.UserError(
            f"{target.parent} must be on the disk of {source}, for hard links: it is on another; "
            "name another --work_dir"
        ) from None


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
