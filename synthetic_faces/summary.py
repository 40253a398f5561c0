"""Summary line of a finished sample, with the command that reads it."""

import collections
import pathlib
from collections.abc import Iterable, Sequence

from synthetic_faces.examples import scenes
from synthetic_faces.layouts import registry


def describe(
    annotations: Sequence[scenes.Annotation], *, layout: str, folder: pathlib.Path, seconds: float
) -> str:
    """Return the line: rows of each list, seconds, folder (as given), and the next command."""
    command = " ".join(
        ["python -m pipeline.main", f"--input_dir={folder}", *registry.LAYOUTS[layout].job_flags]
    )
    return (
        f"sample        {len(annotations):,} drawn faces ({_rows(annotations)}) "
        f"in {seconds:.0f} s: {folder}   next: {command}"
    )


def _rows(annotations: Iterable[scenes.Annotation]) -> str:
    lists = (a.row.split if a.row.subset == "manual" else a.row.subset for a in annotations)
    return ", ".join(f"{count:,} {name}" for name, count in collections.Counter(lists).items())
