"""Judge a trained model: python -m trainer.evaluate --model_dir=DIR.

Owns the way from a model folder and a prepared version of the data to a judgement; the numbers are
`findings`', the page `pages`'.
"""

import dataclasses
import pathlib

from runtime import fields, flags
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.evaluation import class_subset
from trainer.run import data_provenance, trained_run

ABOUT = """Judge a trained model on a prepared version of the data set: report.html, metrics.json, predictions.csv.

  python -m trainer.evaluate --model_dir=runs/first                              as at the end of its training
  python -m trainer.evaluate --model_dir=runs/first --config_name=affectnet7     an 8-class model on 7 classes
  python -m trainer.evaluate --model_dir=runs/first --data_dir=/data/other       another build, another release"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to judge; the network is the one that was trained, whatever it is judged on."""

    model_dir: str = fields.field("runs/latest", "folder of the trained model")
    data_dir: str | None = fields.field(
        None, "folder that holds the data set", default_text="as in training"
    )
    config_name: str | None = fields.field(
        None, "which build of the data set", default_text="as in training"
    )
    split: str = fields.field("validation", "split to judge on")
    report_dir: str | None = fields.field(
        None,
        "folder for the report",
        default_text="model_dir; for other data or another split than in training, a folder in it that is named so",
    )
    num_gpus: int | None = fields.field(
        None, "GPUs to use; 0 is the CPU", at_least=0, default_text="all there are"
    )
    virtual_devices: int = fields.field(
        1, "logical devices to split the CPU into", at_least=1, at_most=64
    )


def main() -> None:
    """Judge as the flags say."""
    asked = Evaluation(**flags.given({"Evaluation": Evaluation}))
    fields.check(asked)
    run = trained_run.find(asked.model_dir)
    settings = _settings(asked, run=run)
    devices.refuse_early(settings.devices)
    data_path = dataset_version.locate(settings.data)
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.models import build
        from trainer.reports import evaluation_report
        from trainer.run import context, history
    version = dataset_version.open_version(data_path)
    dataset_version.check_split(version, split=asked.split)
    class_subset.check(
        run.data.class_names, asked=version.class_names, model=asked.model_dir, data=version.name
    )
    at = context.create(settings, version=version)
    with at.strategy.scope():
        network = build.network(
            settings, image_size=run.image_size, num_classes=len(run.data.class_names)
        )
    evaluation_report.run(
        network,
        examples=context.read_split(at, split=asked.split),
        ctx=at,
        history=history.read_csv(run.model_dir / history.HISTORY),
        subject=evaluation_report.Subject(
            model_dir=run.model_dir,
            trained_on=run.data,
            report_dir=report_folder(asked, version=version, trained_on=run.data),
        ),
    )


def report_folder(
    asked: Evaluation, *, version: dataset_version.Version, trained_on: data_provenance.Provenance
) -> pathlib.Path:
    """Return where a report goes: one on other data, or another split, never replaces the run's
    own."""
    if asked.report_dir:
        return pathlib.Path(asked.report_dir)
    same_data = version.fingerprint == trained_on.fingerprint
    if same_data and asked.split == "validation":
        return pathlib.Path(asked.model_dir)
    other = "" if same_data else f"_{version.fingerprint[:8]}"
    return pathlib.Path(asked.model_dir) / f"{version.path.parent.name}_{asked.split}{other}"


def _settings(asked: Evaluation, *, run: trained_run.Run) -> run_config.Config:
    was = run.settings
    data = dataclasses.replace(
        was.data,
        data_dir=asked.data_dir or was.data.data_dir,
        config_name=asked.config_name or was.data.config_name,
        image_size=run.image_size,
    )
    return dataclasses.replace(
        was,
        data=data,
        devices=run_config.Devices(num_gpus=asked.num_gpus, virtual_devices=asked.virtual_devices),
        run=dataclasses.replace(was.run, model_dir=asked.model_dir),
    )


if __name__ == "__main__":
    flags.define({"Evaluation": Evaluation})
    flags.run(main, sections={"Evaluation": Evaluation}, about=ABOUT)
