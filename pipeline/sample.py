"""Sample program: draws faces in the layout of an AffectNet release, to try everything out without
the data."""

import dataclasses
import pathlib
import time

from pipeline.files import storage
from runtime import errors, fields, flags, folder_lock, machine
from synthetic_faces import release, summary
from synthetic_faces import settings as settings_lib
from synthetic_faces.layouts import registry

ABOUT = """Draw faces in the layout of an AffectNet release.

  python -m pipeline.sample --output_dir=build/sample --num_images=3000 --seed=0"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample(fields.Checked):
    """Flags of the program."""

    output_dir: str = fields.field(
        "",
        "folder to make: new, empty, or a drawn sample",
        path="folder",
        default_text="none, it must be given",
    )
    num_images: int = fields.field(3000, "number of images, over all splits")
    seed: int = fields.field(1, "random seed; the same flags give the same bytes", at_least=0)
    layout: str = fields.field("2017", "release to imitate", choices=tuple(registry.LAYOUTS))
    ambiguous_frac: float = fields.field(
        0.0,
        "share of the faces that are between two expressions: each face's label is one vote then, "
        "and the layouts with soft labels (affectnetplus, ferplus) have those of ten votes",
        at_least=0,
        at_most=1,
    )
    num_workers: int = fields.field(
        0,
        "worker processes; the bytes do not depend on it",
        at_least=0,
        default_text="0, one per CPU core",
    )
    overwrite: bool = fields.field(False, "replace the drawn sample that is in output_dir")

    def __post_init__(self) -> None:
        if not self.output_dir:
            raise errors.UserError("--output_dir must name a folder: got nothing")
        super().__post_init__()


SECTIONS: dict[str, type] = {"Sample": Sample}


def main() -> None:
    """Draw the sample that the flags ask for."""
    try:
        print(draw(Sample(**flags.given(SECTIONS))))
    except settings_lib.SettingsError as error:
        raise errors.UserError(str(error)) from error


def draw(asked: Sample) -> str:
    """Draw a sample, unless the same one is there; return the lines to print.

    Raises:
      settings_lib.SettingsError: if the folder or the settings do not allow it.
    """
    folder = pathlib.Path(asked.output_dir)
    settings = settings_lib.Settings(
        folder.absolute(), asked.num_images, asked.seed, asked.layout, asked.ambiguous_frac
    )
    if not release.check_target(settings, overwrite=asked.overwrite):
        return f"sample        already in {folder}: nothing to draw (--overwrite draws it again)"
    start = time.monotonic()
    lock = folder_lock.File(
        settings.output_dir.with_name(f".{settings.output_dir.name}{folder_lock.NAME}")
    )
    with folder_lock.held(folder, lock, way_out="name another folder (--output_dir)"):
        if not release.check_target(settings, overwrite=asked.overwrite):
            return f"sample        was drawn in {folder} by another program meanwhile"
        with storage.naming(settings.output_dir):
            annotations = release.make(
                settings, num_workers=asked.num_workers or machine.cpu_count()
            )
    return summary.describe(
        annotations, layout=settings.layout, folder=folder, seconds=time.monotonic() - start
    )


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
