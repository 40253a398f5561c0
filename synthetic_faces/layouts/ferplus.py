"""Layout of FER+ with images: FER2013Train/fer0000000.png, and ten votes for each in label.csv.

All codes but None, of the manual set. A sample without votes gets made-up ones: seven for the code,
two for another and a single one. It expresses nothing but the code.
"""

import pathlib
from collections.abc import Sequence

from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base

CODES = (0, 1, 3, 2, 6, 5, 4, 7, 9, 10)
"""The code of each column of votes."""

_FOLDERS = {"train": "FER2013Train", "validation": "FER2013Valid"}


def image_path(row: dataset_rows.Row) -> pathlib.PurePosixPath | None:
    """Return the path of a row's image."""
    if row.subset != "manual" or row.code not in CODES:
        return None
    return pathlib.PurePosixPath(_FOLDERS[row.split], f"fer{row.index:07d}.png")


def write_lists(root: pathlib.Path, annotations: Sequence[scenes.Annotation]) -> None:
    """Write the label.csv of each folder."""
    for split, folder in _FOLDERS.items():
        lines = [_line(a.row, a.width, a.height) for a in annotations if a.row.split == split]
        (root / folder / "label.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def votes(row: dataset_rows.Row) -> list[int]:
    """Return the votes for a row in the order of the columns."""
    if row.votes:
        return [row.votes[code] if code < len(row.votes) else 0 for code in CODES]
    own = CODES.index(row.code)
    counts = [0] * len(CODES)
    counts[own] = 7
    counts[(own + 1) % 8] += 2
    counts[(own + 2) % 8] += 1
    return counts


def _line(row: dataset_rows.Row, width: int, height: int) -> str:
    return f'fer{row.index:07d}.png,"(0, 0, {width}, {height})",{",".join(map(str, votes(row)))}'


LAYOUT = base.Layout("FER+, with votes in label.csv", image_path, write_lists)
