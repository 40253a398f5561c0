"""Audit program: python -m trainer.audit --data_dir=DIR --folds=5 --output_dir=runs/audit.

Owns the flags and the order: train and predict fold by fold, find the label errors, write page and
lists; these are label_audit's.
"""

import os
import pathlib

from runtime import atomic_file, errors, flags, folder_lock, installation
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_config, tf_logging
from trainer.label_audit import options
from trainer.training import pretrained

ABOUT = """Find the images of the training split whose labels are probably wrong.

  python -m trainer.audit --recipe=fer2013_fast --folds=5 --output_dir=runs/audit
  python -m pipeline.main --exclude=runs/audit/suspects.csv ...     a build without them
  python -m trainer.main --suspects=runs/audit/suspects.csv ...     a run that learns less of them

Networks are trained on all folds but one and judge the images of that one. The same command
continues an interrupted audit, within a fold too. Settings of the networks are trainer.main's."""

SECTIONS = options.SECTIONS


def main() -> None:
    """Audit the training split according to the flags."""
    asked = options.Audit(**flags.given({"Audit": options.Audit}))
    settings = options.settings_of(flags.given(run_config.SECTIONS))
    if os.environ.get(tf_config.VARIABLE):
        raise errors.UserError(f"an audit runs on one host: start it without {tf_config.VARIABLE}")
    devices.refuse_early(settings.devices)
    devices.check_batch_early(settings)
    path = dataset_version.locate(settings.data)
    for split in ("train", "validation"):
        dataset_version.check_split_early(path, split=split)
    installation.require("cleanlab", what="trainer.audit")
    pretrained.check(settings.model)
    folder = pathlib.Path(asked.output_dir)
    atomic_file.check_writable(folder)
    way_out = "give this audit a folder of its own (--output_dir)"
    with folder_lock.held_in(folder, way_out=way_out):
        with tf_logging.chatter_off():
            # Inside: TensorFlow's import takes seconds; what is refused above needs none.
            from trainer.label_audit import audit
        audit.run(asked, settings=settings, data_path=path)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
