"""A training program from its configuration to its judgement.

Owns the order of set-up, and the lines that say what is trained on what.
"""

import pathlib

import keras

from trainer.config import run_config
from trainer.data import class_balance, dataset_version, holdout
from trainer.distributed import host_channel
from trainer.models import factory
from trainer.reports import evaluation_report
from trainer.run import context, data_provenance, model_folder, run_log
from trainer.training import dry_run, lr_finder, pretrained, setup, trainer

TRAIN, VALIDATION = "train", "validation"


def run(
    settings: run_config.Config,
    *,
    data_path: pathlib.Path,
    connection: host_channel.HostChannel | None = None,
) -> None:
    """Train, or continue, and judge the best weights on validation; or only try, and keep no
    weights.

    The hosts that there is a connection to do the same, and the chief among them writes.

    Raises: errors.UserError: if data, devices or model folder do not fit the settings, or the loss
      stops being a number.
    """
    version = dataset_version.open_version(data_path)
    for split in (TRAIN, VALIDATION):
        dataset_version.check_split(version, split=split)
    at = context.create(settings, version=version, connection=connection)
    network = setup.model(at)
    pretrained.load(network, model=settings.model, image_size=at.image_size)
    _introduce(at, network=network)
    train, validation = (context.read_split(at, split=split) for split in (TRAIN, VALIDATION))
    selection = validation
    if settings.selection.holdout_frac:
        train, selection = holdout.divide(train, frac=settings.selection.holdout_frac)
        left = f"{train.num_examples:,} examples are left to train on"
        print(
            f"holdout       {selection.num_examples:,} pictures of train choose the epoch; {left}",
            flush=True,
        )
    if settings.run.is_trial:
        trial = dry_run.run if settings.run.dry_run else lr_finder.run
        trial(network, ctx=at, train=train)
        return
    model_dir = _claim(at)
    trained = trainer.Trainer(
        at, network=network, train=train, selection=selection, model_dir=model_dir
    )
    history = trained.train()
    if at.is_chief:
        evaluation_report.run(network, examples=validation, ctx=at, history=history)
    else:
        evaluation_report.take_part(network, examples=validation, ctx=at)


def _claim(ctx: context.RunContext) -> pathlib.Path:
    """Return the model folder, which is the chief's to prepare."""
    if not ctx.is_chief:
        return pathlib.Path(ctx.settings.run.model_dir)
    model_dir = model_folder.claim(ctx.settings)
    data_provenance.save(ctx.version, model_dir=model_dir)
    run_log.record(ctx, model_dir=model_dir)
    return model_dir


def _introduce(ctx: context.RunContext, *, network: keras.Model) -> None:
    batch, replicas = ctx.shape.batch_size, ctx.shape.num_replicas
    shared = f"{batch} = {replicas} x {batch // replicas}" if replicas > 1 else str(batch)
    print(f"devices       {ctx.device_line}")
    print(f"data          {ctx.version.describe()}")
    if ctx.version.is_drawn:
        print(
            "              *** DRAWN FACES, NOT AFFECTNET: these numbers say that the program works, no more ***"
        )
    print(
        f"model         {factory.describe(network, image_size=ctx.image_size)}; global batch {shared}",
        flush=True,
    )
    if doubt := class_balance.warning(ctx.settings.imbalance):
        print(f"warning       {doubt}", flush=True)
