"""Linear baseline program: python -m trainer.baseline --data_dir=DIR.

Owns the flags and the output; the classifier is evaluation.linear_baseline's.
"""

import dataclasses
import pathlib

from affectnet_tfds import dataset_paths
from runtime import atomic_file, fields, flags
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.evaluation import linear_baseline
from trainer.reports import files, tables

ABOUT = """Train a linear classifier on gray pixels of a data set, and evaluate it on validation.

  python -m trainer.baseline --data_dir=DIR"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Baseline:
    """Data, image size and output of the linear baseline."""

    data_dir: str | None = fields.field(
        None,
        f"folder that holds {dataset_paths.DATASET_NAME}/",
        default_text=dataset_paths.DATA_DIR_TEXT,
        path="folder",
    )
    config_name: str | None = fields.field(
        None,
        "which build of the data set",
        default_text="the data set's own default, or the only one there",
    )
    image_size: int = fields.field(
        48, "side that the crops are resized to", unit="pixels", at_least=1
    )
    output: str | None = fields.field(None, "JSON file to write the metrics to", path="file")

    def __post_init__(self) -> None:
        fields.check(self)


SECTIONS = {"Baseline": Baseline}


def main() -> None:
    """Train and evaluate the baseline on the data that the flags name."""
    asked = Baseline(**flags.given(SECTIONS))
    version = find(asked)
    with tf_logging.chatter_off():
        devices.prepare(run_config.Devices(num_gpus=0))
    found = linear_baseline.measure(version, image_size=asked.image_size)
    protocol = linear_baseline.protocol(version, image_size=asked.image_size)
    print(tables.table(found))
    print(
        f"\nlinear classifier on {protocol['input']}: validation accuracy {found.accuracy:.3f}",
        flush=True,
    )
    if asked.output:  # Last: what was computed is not lost where it cannot be written.
        content = files.to_json(found, protocol=protocol).encode()
        atomic_file.replace(pathlib.Path(asked.output), content=content)


def find(asked: Baseline) -> dataset_version.Version:
    """Open the data set.

    Raises:
      errors.UserError: if it or one of its splits is missing.
    """
    path = dataset_version.locate(
        run_config.Data(data_dir=asked.data_dir, config_name=asked.config_name)
    )
    with tf_logging.chatter_off():
        version = dataset_version.open_version(path)
    for split in ("train", "validation"):
        dataset_version.check_split(version, split=split)
    return version


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
