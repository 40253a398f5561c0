"""Data report program: writes report.html of a published build again, as the job does."""

import dataclasses

from affectnet_tfds import dataset_paths
from pipeline import verify
from pipeline.data_report import build_files, page
from pipeline.files import checksums, storage
from runtime import errors, fields, flags

ABOUT = """Write report.html of published builds again.

  python -m pipeline.report --data_dir=DIR --config_name=affectnet8"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report(verify.Published):
    """Flags of the program."""

    input_dir: str | None = fields.field(
        None,
        "folder of the original images",
        default_text="where the build found them",
        path="folder",
    )


SECTIONS: dict[str, type] = {"Report": Report}


def run(data_dir: str | None, *, config_name: str = "", input_dir: str | None = None) -> int:
    """Write the reports, print their paths, and return the exit code.

    Args:
      data_dir: None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      config_name: which build; "": all.
      input_dir: folder of the original images; None: where the build found them.

    Raises:
      errors.UserError: if there is no build, or no such folder; no report is replaced.
    """
    if input_dir and not storage.path(input_dir).is_dir():
        raise errors.UserError(
            f"--input_dir={input_dir} does not exist, and without the original images the reports "
            "would lose their examples of crops; name the folder that has them"
        )
    root = storage.path(dataset_paths.data_dir(data_dir))
    for folder in verify.versions(root, config_name):
        print(f"report        {_write(folder, input_dir)}")
        checksums.update(folder, names=[page.FILE])
    return 0


def _write(folder: storage.AnyPath, input_dir: str | None) -> storage.AnyPath:
    """Write one report; of a damaged version, say which file is: its content can be anything."""
    try:
        return page.write(folder, root=input_dir)
    except (errors.UserError, OSError):
        raise
    except Exception as error:
        if problem := verify.first_changed(folder):
            raise build_files.damaged(folder / problem.file, problem.what) from error
        raise


def main() -> int:
    """Report as the flags say."""
    asked = Report(**flags.given(SECTIONS))
    return run(asked.data_dir, config_name=asked.config_name, input_dir=asked.input_dir)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
