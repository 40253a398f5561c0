"""Evaluation of a trained network on a split: predictions, metrics, report and its protocol.

Owns what is evaluated on what, and how the protocol says so. Used at the end of training and by
trainer.evaluate, so that both give the same report, which `publication` writes.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from trainer.data import examples
from trainer.evaluation import class_subset, predictions
from trainer.evaluation import predictor as predictor_lib
from trainer.reports import figures, publication
from trainer.run import best_weights, context, data_provenance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """The evaluated model: its folder, its training data, and the folder of its report."""

    model_dir: pathlib.Path
    trained_on: data_provenance.Provenance
    report_dir: pathlib.Path
    subset: str = ""
    """Which part of the split it is evaluated on, in words; empty: on all of it."""


def run(
    network: keras.Model,
    *,
    examples: examples.Split,
    ctx: context.RunContext,
    history: figures.History,
    subject: Subject | None = None,
) -> publication.Evaluated:
    """Load the best weights of a run, evaluate them on a split, write and print the report.

    Args:
      network: for all classes of the training data.
      examples: the split, at the network's size.
      ctx: the evaluation data and the devices.
      history: of the training, an epoch a row.
      subject: None: a run that has just been trained, on these data.

    Raises:
      errors.UserError: if there are no weights, or they belong to another network.
    """
    subject = subject or _just_trained(ctx)
    facts = best_weights.load_best(network, model_dir=subject.model_dir, connection=ctx.connection)
    about = publication.About(
        model=subject.model_dir,
        protocol=_protocol(
            ctx, subject=subject, split=examples, facts=facts, num_epochs=len(history)
        ),
        remark=f"weights of epoch {facts['epoch']}, chosen by {facts['chosen_by']}",
        history=history,
    )
    preds = _predict(network, examples=examples, ctx=ctx)
    return publication.publish(
        preds, split=examples, version=ctx.version, folder=subject.report_dir, about=about
    )


def take_part(network: keras.Model, *, examples: examples.Split, ctx: context.RunContext) -> None:
    """Predict another host's share of `run`; only the chief evaluates and writes the report."""
    model_dir = pathlib.Path(ctx.settings.run.model_dir)
    best_weights.load_best(network, model_dir=model_dir, connection=ctx.connection)
    _predict(network, examples=examples, ctx=ctx)


def _just_trained(ctx: context.RunContext) -> Subject:
    folder = pathlib.Path(ctx.settings.run.model_dir)
    return Subject(model_dir=folder, trained_on=data_provenance.of(ctx.version), report_dir=folder)


def _predict(
    network: keras.Model, *, examples: examples.Split, ctx: context.RunContext
) -> predictions.Predictions:
    predictor = predictor_lib.Predictor(network, strategy=ctx.strategy, views=ctx.views)
    outputs = predictor.run(examples, batch_size=ctx.settings.training.batch_size)
    probs = outputs.probabilities
    names = ctx.version.class_names
    if probs.shape[1] > len(names):
        probs = class_subset.restricted(probs, num_classes=len(names))
    return predictions.Predictions(
        class_names=names,
        filenames=examples.filenames,
        copies=examples.copies,
        labels=examples.labels,
        probabilities=probs,
        affect={name: (getattr(examples, name), values) for name, values in outputs.affect.items()},
    )


def _protocol(
    ctx: context.RunContext,
    *,
    subject: Subject,
    split: examples.Split,
    facts: Mapping[str, Any],
    num_epochs: int,
) -> dict[str, str]:
    """Describe the evaluation: model, data, weights, and what was selected on what."""
    epochs = _epochs(num_epochs, planned=ctx.settings.training.epochs)
    return {
        "model": subject.model_dir.resolve().name,
        **publication.protocol_of_data(ctx.version, split=split, subset=subject.subset),
        "examples": f"{split.num_examples:,}{_VIEWS[ctx.views.tta]}",
        "classes": _classes(ctx.version.class_names, model_classes=subject.trained_on.class_names),
        "weights": _weights(ctx),
        "selection": f"epoch {facts['epoch']} of {epochs}, by {facts['chosen_by']}",
        "trained on": _training_data(ctx, trained_on=subject.trained_on),
    }


_VIEWS = {
    "none": "",
    "flip": ", each as it is and mirrored (--tta=flip)",
    "ten_crop": ", of each its middle and corners, and these mirrored (--tta=ten_crop)",
}


def _epochs(trained: int, *, planned: int) -> str:
    if 0 < trained < planned:
        return f"{trained} trained, {planned} planned"
    return f"{planned}"


def _classes(names: tuple[str, ...], *, model_classes: tuple[str, ...]) -> str:
    left_out = model_classes[len(names) :]
    if left_out:
        return f"{', '.join(names)}; left out of the model's: {', '.join(left_out)}"
    return ", ".join(names)


def _weights(ctx: context.RunContext) -> str:
    optimization = ctx.settings.optimization
    if optimization.ema_decay:
        return f"average over the steps, --ema_decay={optimization.ema_decay:g}"
    if optimization.swa_epochs:
        return f"average over the last steps, --swa_epochs={optimization.swa_epochs:g}"
    return "of the last step of the epoch"


def _training_data(ctx: context.RunContext, *, trained_on: data_provenance.Provenance) -> str:
    if trained_on.fingerprint != ctx.version.fingerprint:
        return f"train of other data: {trained_on.name}, fingerprint {trained_on.fingerprint}"
    frac = ctx.settings.selection.holdout_frac
    if frac:
        return f"the train split of the same data, without what --holdout_frac={frac:g} holds out"
    return "the train split of the same data"
