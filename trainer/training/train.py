"""Training program: sets up a run from its configuration, trains, evaluates on validation.

Owns the order of set-up, and the printed lines that say which model is trained on which data.
"""

import pathlib

import keras
import numpy as np

from runtime import errors
from trainer.config import model_config, run_config
from trainer.data import class_balance, dataset_version, examples, holdout
from trainer.distributed import host_channel
from trainer.evaluation import metrics
from trainer.models import factory
from trainer.monitoring import experiment_trackers, run_logger
from trainer.optim import lr_schedule
from trainer.reports import evaluation_report
from trainer.run import context, data_provenance, model_folder, run_log
from trainer.training import (
    dry_run,
    label_weights,
    lr_finder,
    pretrained,
    setup,
    soft_targets,
    trainer,
)

TRAIN = "train"
VALIDATION = "validation"


def run(
    settings: run_config.Config,
    *,
    data_path: pathlib.Path,
    connection: host_channel.HostChannel | None = None,
) -> None:
    """Train, or continue a run, and evaluate the best weights on validation.

    With --dry_run or --find_lr no weights are kept. On several hosts all of them call this, and the
    chief writes.

    Raises:
      errors.UserError: if data, devices or model folder do not fit the settings, or the loss is no
        longer a finite number.
    """
    version = dataset_version.open_version(data_path)
    for split in (TRAIN, VALIDATION):
        dataset_version.check_split(version, split=split)
    ctx = context.create(settings, version=version, connection=connection)
    network = setup.model(ctx)
    pretrained.load(network, model=settings.model, image_size=ctx.views.crop_px)
    _print_introduction(ctx, network=network)
    train = context.read_split(ctx, split=TRAIN, for_training=True)
    validation = context.read_split(ctx, split=VALIDATION)
    train = soft_targets.attached(train, settings=settings.targets, version=version)
    train = label_weights.attached(train, settings=settings.targets, version=version)
    _check_affect(settings.model, train=train)
    train, selection = _selection(settings, train=train, validation=validation)
    if settings.run.is_trial:
        trial = dry_run.run if settings.run.dry_run else lr_finder.run
        trial(network, ctx=ctx, train=train)
        return
    # Only now: a run that was refused above leaves no folder behind.
    model_dir = _claim_folder(ctx)
    with _trackers(ctx, model_dir=model_dir) as trackers:
        history = trainer.Trainer(
            ctx,
            network=network,
            train=train,
            selection=selection,
            model_dir=model_dir,
            logger=run_logger.RunLogger(
                ctx, model_dir=model_dir, num_examples=train.num_examples, trackers=trackers
            ),
        ).train()
        network = setup.trained_model(ctx, trained=network)
        if ctx.is_chief:
            found = evaluation_report.run(network, examples=validation, ctx=ctx, history=history)
            trackers.log(
                _final_metrics(found.results.classification), step=int(history[-1]["step"])
            )
        else:
            evaluation_report.take_part(network, examples=validation, ctx=ctx)


def _trackers(ctx: context.RunContext, *, model_dir: pathlib.Path) -> experiment_trackers.Trackers:
    """Return the trackers of --log_to, which the chief alone logs to."""
    if not ctx.is_chief:
        return experiment_trackers.Trackers()
    return experiment_trackers.start(ctx.settings, model_dir=model_dir)


def _final_metrics(found: metrics.ClassificationMetrics) -> dict[str, float]:
    """Return the metrics of the best weights, named apart from those of the epochs."""
    return {
        "best_accuracy": found.accuracy,
        "best_balanced_accuracy": found.balanced_accuracy,
        "best_macro_f1": found.macro.f1,
        "best_m_measure": found.m_measure,
    }


def _check_affect(model: model_config.Model, *, train: examples.Split) -> None:
    """Refuse heads that nothing would train."""
    if not model.has_affect:
        return
    for quantity in model_config.AFFECT:
        if np.isnan(getattr(train, quantity)).all():
            raise errors.UserError(
                f"--heads={model.heads} needs examples of {train.name} with {quantity}: none of "
                f"{train.num_examples:,} has any; train on data that have it, or leave out --heads"
            )


def _selection(
    settings: run_config.Config, *, train: examples.Split, validation: examples.Split
) -> tuple[examples.Split, examples.Split]:
    """Return the split to train on and the one that chooses the epoch."""
    if not settings.selection.holdout_frac:
        return train, validation
    train, selection = holdout.divide(train, frac=settings.selection.holdout_frac)
    print(
        f"holdout       {selection.num_examples:,} images of train choose the epoch; "
        f"{train.num_examples:,} examples are left to train on",
        flush=True,
    )
    return train, selection


def _claim_folder(ctx: context.RunContext) -> pathlib.Path:
    """Return the model folder, which the chief alone prepares."""
    if not ctx.is_chief:
        return pathlib.Path(ctx.settings.run.model_dir)
    model_dir = model_folder.claim(ctx.settings)
    data_provenance.save(ctx.version, model_dir=model_dir)
    run_log.record(ctx, model_dir=model_dir)
    return model_dir


def _print_introduction(ctx: context.RunContext, *, network: keras.Model) -> None:
    batch = str(ctx.layout.batch_size)
    replicas = ctx.layout.num_replicas
    if replicas > 1:
        batch = f"{batch} = {replicas} x {ctx.layout.batch_size // replicas}"
    model = factory.describe(network, image_size=ctx.views.crop_px)
    print(f"devices       {ctx.device_line}")
    print(f"data          {ctx.version.describe()}")
    if ctx.version.is_drawn:
        print(f"              {dataset_version.DRAWN_WARNING}")
    print(f"model         {model}; global batch {batch}", flush=True)
    doubts = (
        class_balance.warning(ctx.settings.imbalance),
        lr_schedule.warning(ctx.settings.optimization, epochs=ctx.settings.training.epochs),
    )
    for doubt in filter(None, doubts):
        print(f"warning       {doubt}", flush=True)
