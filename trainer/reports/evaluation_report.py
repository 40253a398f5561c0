"""From a trained network to a judgement, its report and the protocol it was judged by.

Owns what is judged on what and says so; used at the end of training and by `evaluate`.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import simplejpeg
import tensorflow as tf

from trainer.data import examples
from trainer.evaluation import class_subset, metrics, predictions, results
from trainer.evaluation import predictor as predictor_lib
from trainer.reports import files as files_lib
from trainer.reports import model_page, tables, thumbnails
from trainer.run import best_weights, context, data_provenance

_QUALITY = 80


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that is judged: its folder, what it was trained on, and where its report goes."""

    model_dir: pathlib.Path
    trained_on: data_provenance.Provenance
    report_dir: pathlib.Path


def run(
    network: keras.Model,
    *,
    examples: examples.Split,
    ctx: context.RunContext,
    history: Sequence[Mapping[str, float]],
    subject: Subject | None = None,
) -> metrics.ClassificationMetrics:
    """Load the best weights of the run's folder, judge them on a split, write the report and say
    so.

    Args:
      network: for all classes of the training data.
      examples: the split, at the network's size.
      at: the data judged on, and the devices.
      history: of the training, an epoch a row.
      subject: None: a run that has just been trained, on these data.

    Raises:
      errors.UserError: if there are no weights, or they belong to another network.
    """
    subject = subject or _just_trained(ctx)
    facts = best_weights.load_best(network, model_dir=subject.model_dir, connection=ctx.connection)
    made = _predict(network, examples=examples, ctx=ctx)
    found = results.evaluate(made)
    protocol = _protocol(
        ctx, subject=subject, split=examples.name, facts=facts, num_epochs=len(history)
    )
    shown = _thumbnails(ctx, split=examples.name, numbers=thumbnails.wanted(made))
    page = model_page.render(found, made=made, shown=shown, history=history, protocol=protocol)
    print(tables.table(found.judgement))
    files = files_lib.write(
        found, made=made, page=page, folder=subject.report_dir, history=history, protocol=protocol
    )
    judgement = found.judgement
    print(
        f"judged        {examples.name} accuracy {judgement.accuracy:.3f}, macro-F1 {judgement.macro.f1:.3f}, "
        f"M {judgement.m_measure:.3f}  (weights of epoch {facts['epoch']}, chosen by {facts['chosen_by']})"
    )
    for name, each in found.affect.items():
        print(
            f"{name:<13} CCC {each.ccc:.3f}, RMSE {each.rmse:.3f}, of {each.num_examples:,} annotated examples"
        )
    print(f"look at       {'  '.join(str(path) for path in files.values())}", flush=True)
    return judgement


def take_part(network: keras.Model, *, examples: examples.Split, ctx: context.RunContext) -> None:
    """Do another host's share of `run`, which the chief writes up."""
    best_weights.load_best(
        network, model_dir=pathlib.Path(ctx.settings.run.model_dir), connection=ctx.connection
    )
    _predict(network, examples=examples, ctx=ctx)


def _just_trained(ctx: context.RunContext) -> Subject:
    folder = pathlib.Path(ctx.settings.run.model_dir)
    return Subject(model_dir=folder, trained_on=data_provenance.of(ctx.version), report_dir=folder)


def _predict(
    network: keras.Model, *, examples: examples.Split, ctx: context.RunContext
) -> predictions.Predictions:
    predictor = predictor_lib.Predictor(
        network, strategy=ctx.strategy, tta_flip=ctx.settings.selection.tta_flip
    )
    said = predictor.run(examples, batch_size=ctx.settings.training.batch_size)
    probs = said.probabilities
    names = ctx.version.class_names
    if probs.shape[1] > len(names):
        probs = class_subset.restricted(probs, num_classes=len(names))
    return predictions.Predictions(
        class_names=names,
        filenames=examples.filenames,
        copies=examples.copies,
        labels=examples.labels,
        probabilities=probs,
        affect={name: (getattr(examples, name), values) for name, values in said.affect.items()},
    )


def _thumbnails(
    ctx: context.RunContext, *, split: str, numbers: np.ndarray
) -> thumbnails.Thumbnails:
    """Return small pictures of some examples, made from the stored ones and not from what the
    network sees."""
    stored = examples.read(ctx.version, split=split, size_px=thumbnails.SIDE, cache="none")
    pixels = stored.fetch(tf.constant(numbers)).numpy()
    jpegs = (simplejpeg.encode_jpeg(each, quality=_QUALITY, colorspace="RGB") for each in pixels)
    return dict(zip(numbers.tolist(), jpegs, strict=True))


def _protocol(
    ctx: context.RunContext,
    *,
    subject: Subject,
    split: str,
    facts: Mapping[str, Any],
    num_epochs: int,
) -> dict[str, str]:
    drawn = " (drawn faces, not AffectNet)" if ctx.version.is_drawn else ""
    judged, known = ctx.version.class_names, subject.trained_on.class_names
    planned = ctx.settings.training.epochs
    trained = (
        f"{num_epochs} trained, {planned} planned" if 0 < num_epochs < planned else f"{planned}"
    )
    mirrored = (
        ", each as it is and mirrored (--tta_flip)" if ctx.settings.selection.tta_flip else ""
    )
    averaged = f"average over the steps, --ema_decay={ctx.settings.optimization.ema_decay:g}"
    left_out = (
        f"; left out of the model's: {', '.join(known[len(judged) :])}"
        if len(known) > len(judged)
        else ""
    )
    return {
        "model": subject.model_dir.resolve().name,
        "data": f"{ctx.version.name}{drawn}, fingerprint {ctx.version.fingerprint}",
        "split": split,
        "examples": f"{ctx.version.counts[split]:,}{mirrored}",
        "classes": f"{', '.join(judged)}{left_out}",
        "weights": averaged
        if ctx.settings.optimization.ema_decay
        else "of the last step of the epoch",
        "selection": f"epoch {facts['epoch']} of {trained}, by {facts['chosen_by']}",
        "trained on": _training_data(ctx, trained_on=subject.trained_on),
    }


def _training_data(ctx: context.RunContext, *, trained_on: data_provenance.Provenance) -> str:
    if trained_on.fingerprint == ctx.version.fingerprint:
        frac = ctx.settings.selection.holdout_frac
        return "the train split of the same data" + (
            f", without what --holdout_frac={frac:g} holds out" if frac else ""
        )
    return f"train of other data: {trained_on.name}, fingerprint {trained_on.fingerprint}"
