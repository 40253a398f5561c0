"""What is said of a finished sample: one line, which ends with the command that reads it."""

import collections
from collections.abc import Iterable, Sequence

from pipeline.sample import scenes
from pipeline.sample import settings as settings_lib
from pipeline.sample.layouts import registry


def describe(annotations: Sequence[scenes.Annotation], *, settings: settings_lib.Settings, seconds: float) -> str:
    """Return the line: rows per list, seconds, place, and what to do next."""
    folder, flags = settings.output_dir, registry.LAYOUTS[settings.layout].job_flags
    command = " ".join(["python -m pipeline.main", f"--input_dir={folder}", *flags])
    return (
        f"sample        {len(annotations):,} drawn faces ({_rows(annotations)}) in {seconds:.0f} s: {folder}   "
        f"next: {command}"
    )


def _rows(annotations: Iterable[scenes.Annotation]) -> str:
    lists = (a.row.split if a.row.subset == "manual" else a.row.subset for a in annotations)
    return ", ".join(f"{count:,} {name}" for name, count in collections.Counter(lists).items())
