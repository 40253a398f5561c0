"""Evaluation program: python -m trainer.evaluate --model_dir=DIR.

Owns the flags, and which data a trained model is evaluated on; the evaluation itself is
reports.evaluation_report's, which the end of training shares.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from runtime import atomic_file, fields, flags, folder_lock
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.evaluation import class_subset
from trainer.run import data_provenance, trained_run

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.reports import evaluation_report

ABOUT = """Evaluate a trained model on a build of the data set; write a report (report.html), \
metrics.json and predictions.csv.

  python -m trainer.evaluate --model_dir=runs/first                           as after training
  python -m trainer.evaluate --model_dir=runs/first --config_name=affectnet7  8 classes on 7
  python -m trainer.evaluate --model_dir=runs/first --data_dir=/data/other    another build"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Model and data of an evaluation; image size and network are those of the training."""

    model_dir: str = fields.field("runs/latest", "folder of the trained model", path="folder")
    data_dir: str | None = fields.field(
        None, "folder that holds the data set", default_text="as in training", path="folder"
    )
    config_name: str | None = fields.field(
        None, "which build of the data set", default_text="as in training"
    )
    split: str = fields.field("validation", "split to evaluate on")
    report_dir: str | None = fields.field(
        None,
        "folder for the report",
        default_text="model_dir; for other data or another split than in training, a folder in it "
        "with their names",
        path="folder",
    )
    num_gpus: int | None = fields.field(
        None, "GPUs to use; 0 is the CPU", at_least=0, default_text="all there are"
    )
    virtual_devices: int = fields.field(
        1, "logical devices to split the CPU, or one GPU, into", at_least=1, at_most=64
    )


SECTIONS: dict[str, type] = {"Evaluation": Evaluation}


def main() -> None:
    """Evaluate the model that the flags name."""
    asked = Evaluation(**flags.given(SECTIONS))
    fields.check(asked)
    evaluate(asked)


def evaluate(asked: Evaluation) -> "evaluation_report.Evaluated":
    """Evaluate a model, write and print its report.

    Raises:
      errors.UserError: if model, data or devices do not allow it.
    """
    run = trained_run.find(asked.model_dir)
    settings = _settings(asked, run=run)
    devices.refuse_early(settings.devices)
    data_path = trained_run.locate_data(run, data=settings.data, is_named=bool(asked.data_dir))
    dataset_version.check_split_early(data_path, split=asked.split)
    atomic_file.check_writable(pathlib.Path(asked.report_dir or asked.model_dir))
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.models import build
        from trainer.reports import evaluation_report
        from trainer.run import context, history
    version = dataset_version.open_version(data_path)
    dataset_version.check_split(version, split=asked.split)
    class_subset.check(
        run.data.class_names,
        data_classes=version.class_names,
        model=asked.model_dir,
        data=version.name,
    )
    ctx = context.create(settings, version=version)
    with ctx.strategy.scope():
        network = build.network(
            settings, image_size=ctx.views.crop_px, num_classes=len(run.data.class_names)
        )
    folder = report_folder(asked, version=version, trained_on=run.data)
    with folder_lock.held_in(folder, way_out="name another folder for the report (--report_dir)"):
        return evaluation_report.run(
            network,
            examples=context.read_split(ctx, split=asked.split),
            ctx=ctx,
            history=history.read_csv(run.model_dir / history.HISTORY),
            subject=evaluation_report.Subject(
                model_dir=run.model_dir, trained_on=run.data, report_dir=folder
            ),
        )


def report_folder(
    asked: Evaluation, *, version: dataset_version.Version, trained_on: data_provenance.Provenance
) -> pathlib.Path:
    """Return the report's folder: only one on the run's own validation split goes to model_dir."""
    if asked.report_dir:
        return pathlib.Path(asked.report_dir)
    same_data = version.fingerprint == trained_on.fingerprint
    if same_data and asked.split == "validation":
        return pathlib.Path(asked.model_dir)
    name = f"{version.path.parent.name}_{asked.split}"
    if not same_data:
        name += f"_{version.fingerprint[:8]}"
    return pathlib.Path(asked.model_dir) / name


def _settings(asked: Evaluation, *, run: trained_run.Run) -> run_config.Config:
    """Return the run's settings with the data and devices of the evaluation."""
    trained = run.settings
    data = dataclasses.replace(
        trained.data,
        data_dir=asked.data_dir or trained.data.data_dir,
        config_name=asked.config_name or trained.data.config_name,
        image_size=run.image_size,
    )
    return dataclasses.replace(
        trained,
        data=data,
        devices=run_config.Devices(num_gpus=asked.num_gpus, virtual_devices=asked.virtual_devices),
        run=dataclasses.replace(trained.run, model_dir=asked.model_dir),
    )


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
