"""Layout type: image paths and annotation files of a release."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

from synthetic_faces.examples import dataset_rows, scenes

ATTRIBUTES = "attributes.csv"
"""List of who is drawn, beside a release that has no place for it."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Folders and annotation files of a release.

    Attributes:
      summary: one phrase for the sample's README.
      image_path: path of a row's image, relative to the release, or None where the layout has no
        such rows.
      write_lists: writes the annotations of all its rows, in row order, after the images.
      job_flags: flags that the job needs besides the folder, where it cannot detect the layout.
    """

    summary: str
    image_path: Callable[[dataset_rows.Row], pathlib.PurePosixPath | None]
    write_lists: Callable[[pathlib.Path, Sequence[scenes.Annotation]], None]
    job_flags: tuple[str, ...] = ()
