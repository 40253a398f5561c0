"""What is said of a finished sample: one line, which ends with the command that reads it."""

import collections
import pathlib
from collections.abc import Iterable, Sequence

from synthetic_faces.examples import scenes
from synthetic_faces.layouts import registry


def describe(
    annotations: Sequence[scenes.Annotation], *, layout: str, folder: pathlib.Path, seconds: float
) -> str:
    """Return the line: rows per list, seconds, place (as it was given), and what to do next."""
    command = " ".join(
        ["python -m pipeline.main", f"--input_dir={folder}", *registry.LAYOUTS[layout].job_flags]
    )
    return (
        f"sample        {len(annotations):,} drawn faces ({_rows(annotations)}) in {seconds:.0f} s: {folder}   "
        f"next: {command}"
    )


def _rows(annotations: Iterable[scenes.Annotation]) -> str:
    lists = (a.row.split if a.row.subset == "manual" else a.row.subset for a in annotations)
    return ", ".join(f"{count:,} {name}" for name, count in collections.Counter(lists).items())
