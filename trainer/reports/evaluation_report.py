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
    at: context.Site,
    history: Sequence[Mapping[str, float]],
    subject: Subject | None = None,
) -> metrics.Judgement:
    """Load the best weights of the run's folder, judge them on a split, write the report and say so.

    Args:
      network: for all classes of the training data.
      examples: the split, at the network's size.
      at: the data judged on, and the devices.
      history: of the training, an epoch a row.
      subject: None: a run that has just been trained, on these data.

    Raises:
      errors.UserError: if there are no weights, or they belong to another network.
    """
    subject = subject or _just_trained(at)
    facts = best_weights.load_best(network, model_dir=subject.model_dir, connection=at.connection)
    made = _predict(network, examples=examples, at=at)
    found = results.find(made)
    protocol = _protocol(at, subject=subject, split=examples.name, facts=facts, num_epochs=len(history))
    shown = _thumbnails(at, split=examples.name, numbers=thumbnails.wanted(made))
    page = model_page.render(found, made=made, shown=shown, history=history, protocol=protocol)
    print(tables.table(found.judgement))
    files = files_lib.write(found, made=made, page=page, folder=subject.report_dir, history=history, protocol=protocol)
    judgement = found.judgement
    print(
        f"judged        {examples.name} accuracy {judgement.accuracy:.3f}, macro-F1 {judgement.macro.f1:.3f}, "
        f"M {judgement.m_measure:.3f}  (weights of epoch {facts['epoch']}, chosen by {facts['chosen_by']})"
    )
    for name, each in found.affect.items():
        print(f"{name:<13} CCC {each.ccc:.3f}, RMSE {each.rmse:.3f}, of {each.num_examples:,} annotated examples")
    print(f"look at       {'  '.join(str(path) for path in files.values())}", flush=True)
    return judgement


def take_part(network: keras.Model, *, examples: examples.Split, at: context.Site) -> None:
    """Do another host's share of `run`, which the chief writes up."""
    best_weights.load_best(network, model_dir=pathlib.Path(at.settings.run.model_dir), connection=at.connection)
    _predict(network, examples=examples, at=at)


def _just_trained(at: context.Site) -> Subject:
    folder = pathlib.Path(at.settings.run.model_dir)
    return Subject(model_dir=folder, trained_on=data_provenance.of(at.version), report_dir=folder)


def _predict(network: keras.Model, *, examples: examples.Split, at: context.Site) -> predictions.Predictions:
    predictor = predictor_lib.Predictor(network, strategy=at.strategy, tta_flip=at.settings.selection.tta_flip)
    said = predictor.run(examples, batch_size=at.settings.training.batch_size)
    chances = said.probabilities
    names = at.version.class_names
    if chances.shape[1] > len(names):
        chances = class_subset.restricted(chances, num_classes=len(names))
    return predictions.Predictions(
        class_names=names,
        filenames=examples.filenames,
        copies=examples.copies,
        labels=examples.labels,
        probabilities=chances,
        affect={name: (getattr(examples, name), values) for name, values in said.affect.items()},
    )


def _thumbnails(at: context.Site, *, split: str, numbers: np.ndarray) -> thumbnails.Thumbnails:
    """Return small pictures of some examples, made from the stored ones and not from what the network sees."""
    stored = examples.read(at.version, split=split, size_px=thumbnails.SIDE, cache="none")
    pixels = stored.fetch(tf.constant(numbers)).numpy()
    jpegs = (simplejpeg.encode_jpeg(each, quality=_QUALITY, colorspace="RGB") for each in pixels)
    return dict(zip(numbers.tolist(), jpegs, strict=True))


def _protocol(
    at: context.Site, *, subject: Subject, split: str, facts: Mapping[str, Any], num_epochs: int
) -> dict[str, str]:
    drawn = " (drawn faces, not AffectNet)" if at.version.is_drawn else ""
    judged, known = at.version.class_names, subject.trained_on.class_names
    planned = at.settings.training.epochs
    trained = f"{num_epochs} trained, {planned} planned" if 0 < num_epochs < planned else f"{planned}"
    mirrored = ", each as it is and mirrored (--tta_flip)" if at.settings.selection.tta_flip else ""
    averaged = f"average over the steps, --ema_decay={at.settings.optimization.ema_decay:g}"
    left_out = f"; left out of the model's: {', '.join(known[len(judged) :])}" if len(known) > len(judged) else ""
    return {
        "model": subject.model_dir.resolve().name,
        "data": f"{at.version.name}{drawn}, fingerprint {at.version.fingerprint}",
        "split": split,
        "examples": f"{at.version.counts[split]:,}{mirrored}",
        "classes": f"{', '.join(judged)}{left_out}",
        "weights": averaged if at.settings.optimization.ema_decay else "of the last step of the epoch",
        "selection": f"epoch {facts['epoch']} of {trained}, by {facts['chosen_by']}",
        "trained on": _training_data(at, trained_on=subject.trained_on),
    }


def _training_data(at: context.Site, *, trained_on: data_provenance.Provenance) -> str:
    if trained_on.fingerprint == at.version.fingerprint:
        frac = at.settings.selection.holdout_frac
        return "the train split of the same data" + (
            f", without what --holdout_frac={frac:g} holds out" if frac else ""
        )
    return f"train of other data: {trained_on.name}, fingerprint {trained_on.fingerprint}"
