"""What a layout is."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

from synthetic_faces.examples import dataset_rows, scenes


@dataclasses.dataclass(frozen=True)
class Layout:
    """A way to lay a release out on disk.

    Attributes: summary: one phrase for help and README. picture_path: where a row's picture goes,
      relative to the release, or None where the layout has no such rows. write_lists: write the
      annotations of all its rows, in row order, once the pictures are there. job_flags: what the
      job must be told beside the folder, where it cannot recognise the layout by itself.
    """

    summary: str
    picture_path: Callable[[dataset_rows.Row], pathlib.PurePosixPath | None]
    write_lists: Callable[[pathlib.Path, Sequence[scenes.Annotation]], None]
    job_flags: tuple[str, ...] = ()
