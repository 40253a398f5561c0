"""python -m pipeline.report: write report.html again for a published build, as the job did at its
end."""

import os

from absl import app, flags

from pipeline import console, verify
from pipeline.data_report import page
from pipeline.files import object_store, storage
from runtime import errors


def run(data_dir: str | None, *, config_name: str = "", input_dir: str | None = None) -> int:
    """Write the reports, say where they are, and return the exit code.

    Args:
      data_dir: None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      config_name: which build; "": all.
      input_dir: where the originals are now; None: where they were when the build was made.
    """
    given = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    try:
        for folder in verify.versions(storage.path(given), config_name):
            print(f"look at       {page.write(folder, root=input_dir)}")
    except (errors.UserError, object_store.Unreachable) as error:
        return console.refuse(error)
    return 0


if __name__ == "__main__":
    DATA_DIR = flags.DEFINE_string(
        "data_dir",
        None,
        "a data_dir, or a version's own folder (default: TFDS_DATA_DIR, else ~/tensorflow_datasets)",
    )
    CONFIG_NAME = flags.DEFINE_string("config_name", "", "which build (default: all in data_dir)")
    INPUT_DIR = flags.DEFINE_string(
        "input_dir", None, "where the originals are (default: where the build found them)"
    )
    app.run(
        lambda argv: run(DATA_DIR.value, config_name=CONFIG_NAME.value, input_dir=INPUT_DIR.value)
    )
