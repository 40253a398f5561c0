"""Evaluation program: python -m trainer.evaluate --model_dir=DIR.

Owns the flags, and which data a model is evaluated on; the evaluation of a trained run is
reports.evaluation_report's, which the end of training shares, that of other models arena.judge's.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from affectnet_tfds import dataset_paths
from runtime import atomic_file, errors, fields, flags, folder_lock, installation
from trainer.arena import adapter, model_file, probabilities
from trainer.config import run_config
from trainer.data import dataset_version, id_list
from trainer.distributed import devices, tf_logging
from trainer.evaluation import class_subset
from trainer.evaluation.groups import attribute_list, attributes, grouping
from trainer.run import data_provenance, ensemble, trained_run

if TYPE_CHECKING:  # Importing TensorFlow takes seconds; a refusal has to come first.
    from trainer.data import examples
    from trainer.reports import evaluation_report, publication
    from trainer.run import context

ABOUT = """Evaluate a model on a build of the data set; write a report (report.html), metrics.json \
and predictions.csv. A model that is not ours comes as a file with an adapter, or as a CSV.

  python -m trainer.evaluate --model_dir=runs/first                           as after training
  python -m trainer.evaluate --model_dir=runs/first --config_name=affectnet7  8 classes on 7
  python -m trainer.evaluate --model_dir=runs/first --data_dir=/data/other    another build
  python -m trainer.evaluate --model_dir=runs/a,runs/b --report_dir=runs/ab   an ensemble
  python -m trainer.evaluate --model_file=other.onnx --adapter=other.yaml     a model of others
  python -m trainer.evaluate --predictions=other.csv --subset=list.txt        on a part of it"""

_MODEL_DIR = "runs/latest"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Model and data of an evaluation; image size and network are those of the training."""

    model_dir: str = fields.field(_MODEL_DIR, ensemble.HELP, path="folder")
    model_file: str | None = fields.field(
        None,
        "model to evaluate instead of a run: ONNX, TFLite or Keras (.keras, .h5), on the CPU; with "
        "--adapter",
        path="file",
    )
    adapter: str | None = fields.field(
        None, "YAML file that says what --model_file takes and gives", path="file"
    )
    predictions: str | None = fields.field(
        None,
        "CSV of probabilities to evaluate instead of a run: a column of ids, one of each class",
        path="file",
    )
    data_dir: str | None = fields.field(
        None,
        "folder that holds the data set",
        default_text=f"as in training; without a run, {dataset_paths.DATA_DIR_TEXT}",
        path="folder",
    )
    config_name: str | None = fields.field(
        None,
        "which build of the data set",
        default_text="as in training; without a run, the data set's own default, or the only one",
    )
    split: str = fields.field("validation", "split to evaluate on")
    subset: str | None = fields.field(
        None,
        "list of the images to evaluate on: an id a line, or a CSV whose first column is the id, "
        "which is the file name of predictions.csv with or without its ending",
        default_text="all of the split",
        path="file",
    )
    groups: str = fields.field(
        "",
        "attributes by which the numbers are divided, numbers with the edges of their ranges, as "
        "in age:20:40:60,gender",
        default_text="all that the data (pipeline.main --groups) and --groups_csv have",
    )
    groups_csv: str | None = fields.field(
        None,
        "CSV of attributes beside the data: a header, the id in the first column (as in --subset)",
        path="file",
    )
    least_group: int = fields.field(
        attributes.LEAST_IMAGES,
        "groups of fewer images are shown without numbers, and not compared",
        unit="images",
        at_least=10,
    )
    report_dir: str | None = fields.field(
        None,
        "folder for the report",
        default_text="model_dir; for other data, another split or a subset, a folder in it with "
        "their names; for --model_file and --predictions, such a folder beside the file; an "
        "ensemble needs one",
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


def evaluate(asked: Evaluation) -> "publication.Evaluated":
    """Evaluate a model, write and print its report.

    Raises:
      errors.UserError: if model, data or devices do not allow it.
    """
    _check_model(asked)
    listed = id_list.read(pathlib.Path(asked.subset)) if asked.subset else None
    grouped = _grouping(asked)
    if asked.model_file or asked.predictions:
        return _evaluate_file(asked, listed=listed, grouped=grouped)
    return _evaluate_run(asked, listed=listed, grouped=grouped)


def _grouping(asked: Evaluation) -> grouping.Grouping:
    """Return what the numbers are divided by, as far as it is known before the data are opened."""
    path = pathlib.Path(asked.groups_csv) if asked.groups_csv else None
    return grouping.Grouping(
        asked=attributes.parse(asked.groups),
        listed=attribute_list.read(path) if path else None,
        least_images=asked.least_group,
    )


def report_folder(
    asked: Evaluation,
    *,
    version: dataset_version.Version,
    trained_on: data_provenance.Provenance,
    listed: id_list.IdList | None = None,
) -> pathlib.Path:
    """Return the report's folder: only one on the run's own validation split goes to model_dir."""
    if asked.report_dir:
        return pathlib.Path(asked.report_dir)
    same_data = version.fingerprint == trained_on.fingerprint
    if same_data and asked.split == "validation" and not listed:
        return pathlib.Path(asked.model_dir)
    name = _name(asked, version=version, listed=listed, is_told=not same_data)
    return pathlib.Path(asked.model_dir) / name


def _evaluate_run(
    asked: Evaluation, *, listed: id_list.IdList | None, grouped: grouping.Grouping
) -> "publication.Evaluated":
    runs = ensemble.find(asked.model_dir).members
    if len(runs) > 1 and not asked.report_dir:
        raise errors.UserError(
            f"the report of an ensemble ({asked.model_dir}) needs a folder of its own: name one "
            "with --report_dir"
        )
    run = runs[0]
    settings = _settings(asked, run=run)
    devices.refuse_early(settings.devices)
    data_path = trained_run.locate_data(run, data=settings.data, is_named=bool(asked.data_dir))
    dataset_version.check_split_early(data_path, split=asked.split)
    atomic_file.check_writable(pathlib.Path(asked.report_dir or run.model_dir))
    with tf_logging.chatter_off():
        # Inside: the refusals above must not wait for TensorFlow.
        from trainer.reports import evaluation_report
        from trainer.run import context
    version = dataset_version.open_version(data_path)
    dataset_version.check_split(version, split=asked.split)
    class_subset.check(
        run.data.class_names,
        data_classes=version.class_names,
        model=asked.model_dir,
        data=version.name,
    )
    if doubt := data_provenance.crop_warning(run.data, version=version):
        print(f"warning       {doubt}", flush=True)
    ctx = context.create(settings, version=version)
    folder = report_folder(asked, version=version, trained_on=run.data, listed=listed)
    with _held(folder):
        members, subset = _members(asked, runs=runs, ctx=ctx, listed=listed)
        return evaluation_report.run_members(
            members, report_dir=folder, subset=subset, grouped=grouped
        )


def _members(
    asked: Evaluation,
    *,
    runs: Sequence[trained_run.Run],
    ctx: "context.RunContext",
    listed: id_list.IdList | None,
) -> "tuple[list[evaluation_report.Member], str]":
    """Return runs with networks and examples at their sizes, and which part of the split these are.

    Runs of one size share the images.
    """
    from trainer.run import context  # Inside, as above.

    splits: dict[int, tuple[examples.Split, str]] = {}
    members = []
    for run in runs:
        own = dataclasses.replace(ctx, settings=_settings(asked, run=run))
        devices.check_settings(own.settings, num_replicas=ctx.strategy.num_replicas_in_sync)
        if own.image_size not in splits:
            whole = context.read_split(own, split=asked.split)
            splits[own.image_size] = id_list.take(whole, listed=listed)
        split, subset = splits[own.image_size]
        members.append(_member(run, ctx=own, split=split))
    return members, subset


def _member(
    run: trained_run.Run, *, ctx: "context.RunContext", split: "examples.Split"
) -> "evaluation_report.Member":
    # Inside, as above.
    from trainer.distributed import out_of_memory
    from trainer.models import build
    from trainer.reports import evaluation_report
    from trainer.run import history

    advice = "it cannot hold the network's weights: evaluate on the CPU (--num_gpus=0)"
    with out_of_memory.as_sentence(advice), ctx.strategy.scope():
        network = build.trained_network(
            ctx.settings, image_size=ctx.views.crop_px, num_classes=len(run.data.class_names)
        )
    return evaluation_report.Member(
        network=network,
        examples=split,
        ctx=ctx,
        history=history.read_csv(run.model_dir / history.HISTORY),
        trained_on=run.data,
    )


def _evaluate_file(
    asked: Evaluation, *, listed: id_list.IdList | None, grouped: grouping.Grouping
) -> "publication.Evaluated":
    """Evaluate a model file or a table of probabilities."""
    given: adapter.Adapter | probabilities.Table
    if asked.predictions:
        path = pathlib.Path(asked.predictions)
        given = probabilities.read(path)
    else:
        path = pathlib.Path(str(asked.model_file))
        model_file.check(path)
        given = adapter.load(pathlib.Path(str(asked.adapter)))
    data_path = dataset_version.locate(
        run_config.Data(data_dir=asked.data_dir, config_name=asked.config_name)
    )
    dataset_version.check_split_early(data_path, split=asked.split)
    atomic_file.check_writable(pathlib.Path(asked.report_dir or path.parent))
    with tf_logging.chatter_off():
        from trainer.arena import judge  # Inside, as above.

        devices.prepare(run_config.Devices(num_gpus=0))
    version = dataset_version.open_version(data_path)
    dataset_version.check_split(version, split=asked.split)
    # With its ending: one model is often there in several formats, and as a table beside them.
    name = f"{path.name}_{_name(asked, version=version, listed=listed, is_told=True)}"
    folder = pathlib.Path(asked.report_dir or path.parent / name)
    with _held(folder):
        return judge.judge(
            judge.Entrant(path=path, given=given),
            field=judge.Field(version=version, split=asked.split, listed=listed, grouped=grouped),
            folder=folder,
        )


def _check_model(asked: Evaluation) -> None:
    """Refuse flags that name no model, or two.

    Raises:
      errors.UserError: naming them.
    """
    named = {
        "--model_dir": asked.model_dir != _MODEL_DIR,
        "--model_file": bool(asked.model_file),
        "--predictions": bool(asked.predictions),
    }
    several = [name for name, is_named in named.items() if is_named]
    if len(several) > 1:
        raise errors.UserError(f"{' and '.join(several)} name different models: give one of them")
    if bool(asked.adapter) != bool(asked.model_file):
        given, absent = ("--model_file", "--adapter")[:: 1 if asked.model_file else -1]
        raise errors.UserError(
            f"{given} needs {absent}, too: the file, and the YAML file that says what it takes and "
            f"gives ({installation.doc('reports.md')})"
        )
    if several[:1] in (["--model_file"], ["--predictions"]) and (
        asked.num_gpus or asked.virtual_devices > 1
    ):
        raise errors.UserError(
            f"{several[0]} is evaluated on the CPU: leave out --num_gpus and --virtual_devices"
        )


def _name(
    asked: Evaluation,
    *,
    version: dataset_version.Version,
    listed: id_list.IdList | None,
    is_told: bool,
) -> str:
    """Return a folder's name of what is evaluated on, with the fingerprint of the data if told.

    A list is named with the start of its digest: another one of its name has another report.
    """
    name = f"{version.path.parent.name}_{asked.split}"
    if listed:
        name += f"_{listed.path.stem}_{listed.sha256[:8]}"
    return f"{name}_{version.fingerprint[:8]}" if is_told else name


def _held(folder: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    return folder_lock.held_in(folder, way_out="name another folder for the report (--report_dir)")


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
        run=dataclasses.replace(trained.run, model_dir=str(run.model_dir)),
    )


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
