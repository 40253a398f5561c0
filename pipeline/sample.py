"""`python -m pipeline.sample`: flags to settings to a sample on disk."""

import pathlib
import sys
import time
from collections.abc import Sequence

from absl import app, flags

from runtime import cpu_count
from synthetic_faces import release, summary
from synthetic_faces import settings as settings_lib
from synthetic_faces.layouts import registry

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder to make: new, empty, or a drawn sample.", required=True
)
_NUM_IMAGES = flags.DEFINE_integer("num_images", 3000, "Pictures in all, over every split.")
_SEED = flags.DEFINE_integer("seed", 1, "Seed; the same arguments give the same bytes.")
_LAYOUT = flags.DEFINE_string(
    "layout", "2017", f"Which release to imitate: {', '.join(registry.LAYOUTS)}."
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", 0, "Processes; 0 is one a core. Changes nothing but the time."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the drawn sample that is there.")


def main(argv: Sequence[str]) -> None:
    """Draw the sample that the flags ask for."""
    if len(argv) > 1:
        _refuse(f"pipeline.sample takes flags only: got {argv[1]!r}.")
    try:
        print(_run())
    except settings_lib.SettingsError as error:
        _refuse(str(error))


def _run() -> str:
    folder = pathlib.Path(_OUTPUT_DIR.value).expanduser()
    settings = settings_lib.Settings(
        folder.absolute(), _NUM_IMAGES.value, _SEED.value, _LAYOUT.value
    )
    if _NUM_WORKERS.value < 0:
        raise settings_lib.SettingsError(
            f"--num_workers must not be negative: got {_NUM_WORKERS.value}."
        )
    if not release.check_target(settings, overwrite=_OVERWRITE.value):
        return f"sample        already in {folder}: nothing to draw (--overwrite draws it again)"
    start = time.monotonic()
    annotations = release.make(settings, num_workers=_NUM_WORKERS.value or cpu_count.count())
    return summary.describe(
        annotations, layout=settings.layout, folder=folder, seconds=time.monotonic() - start
    )


def _refuse(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    app.run(main)
