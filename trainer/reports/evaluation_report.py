"""Evaluation of a run or an ensemble on a split: predictions, metrics, report and its protocol.

Owns what is evaluated on what, and how the protocol says so. Used at the end of training and by
trainer.evaluate, so that both give the same report, which `publication` writes.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.config import run_config
from trainer.data import exact_resize, examples
from trainer.evaluation import class_subset, predictions
from trainer.evaluation import predictor as predictor_lib
from trainer.evaluation.groups import grouping
from trainer.explain import class_activation
from trainer.models import build, factory
from trainer.reports import figures, publication
from trainer.reports.sections import explanation, model_facts
from trainer.run import best_weights, context, data_provenance, ensemble, training_facts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A run to evaluate: alone, or as one of an ensemble.

    Attributes:
      network: for all classes of its training data.
      examples: the split, at the network's size.
      ctx: its settings, whose model_dir holds its weights, with the evaluation's data and devices.
      history: of its training, an epoch a row.
      trained_on: its training data.
    """

    network: keras.Model
    examples: examples.Split
    ctx: context.RunContext
    history: figures.History
    trained_on: data_provenance.Provenance

    @property
    def model_dir(self) -> pathlib.Path:
        """Return the folder of the run."""
        return pathlib.Path(self.ctx.settings.run.model_dir)


def run(
    network: keras.Model,
    *,
    examples: examples.Split,
    ctx: context.RunContext,
    history: figures.History,
) -> publication.Evaluated:
    """Evaluate a run that has just been trained on these data; see `run_members`."""
    member = Member(
        network=network,
        examples=examples,
        ctx=ctx,
        history=history,
        trained_on=data_provenance.of(ctx.version),
    )
    return run_members([member], report_dir=member.model_dir)


def run_members(
    members: Sequence[Member],
    *,
    report_dir: pathlib.Path,
    subset: str = "",
    grouped: grouping.Grouping | None = None,
) -> publication.Evaluated:
    """Load the best weights of runs, evaluate their mean on a split, write and print the report.

    Args:
      members: one run, or those of an ensemble; all have the same data, examples and devices.
      report_dir: the report's folder.
      subset: which part of the split the examples are, in words; empty: all of it.
      grouped: by which attributes the numbers are divided; None: by all that the data have.

    Raises:
      errors.UserError: if there are no weights, or they belong to another network, or the groups
        that are asked for are not there.
    """
    ctx, examples = members[0].ctx, members[0].examples
    grouped = grouped or grouping.Grouping()
    grouped.check(examples)
    facts = [
        best_weights.load_best(each.network, model_dir=each.model_dir, connection=ctx.connection)
        for each in members
    ]
    weights = _each(members, [f"epoch {each['epoch']}" for each in facts])
    chosen_by = _each(members, list(map(_chosen_by, members, facts)))
    about = publication.About(
        model=ensemble.SEPARATOR.join(str(each.model_dir) for each in members),
        protocol=_protocol(members, facts=facts, subset=subset),
        remark=f"weights of {weights}, chosen by {chosen_by}",
        models=list(map(_model_facts, members)),
        history=members[0].history if len(members) == 1 else (),
        grouped=grouped,
        explain=_explain(members[0]) if len(members) == 1 else _OF_SEVERAL,
    )
    return publication.publish(
        _predict(members), split=examples, version=ctx.version, folder=report_dir, about=about
    )


def take_part(network: keras.Model, *, examples: examples.Split, ctx: context.RunContext) -> None:
    """Predict another host's share of `run`; only the chief evaluates and writes the report."""
    model_dir = pathlib.Path(ctx.settings.run.model_dir)
    best_weights.load_best(network, model_dir=model_dir, connection=ctx.connection)
    _outputs(network, examples=examples, ctx=ctx)


def _model_facts(member: Member) -> model_facts.ModelFacts:
    """Describe a model from its network and from the files of its run."""
    views = member.ctx.views
    passes = f", {views.count} passes an image (--tta={views.tta})" if views.count > 1 else ""
    settings = run_config.load(member.model_dir / run_config.FILE)
    return model_facts.ModelFacts(
        name=ensemble.names([member.model_dir])[0],
        facts={
            model_facts.NETWORK: factory.describe(member.network, image_size=views.crop_px),
            model_facts.COMPUTE: f"{factory.cost(member.network)}{passes}",
            **training_facts.facts(member.model_dir, settings=settings, history=member.history),
        },
        changed_settings=training_facts.changed_settings(settings),
        all_settings=training_facts.all_settings(settings),
    )


def _outputs(
    network: keras.Model, *, examples: examples.Split, ctx: context.RunContext
) -> predictor_lib.ModelOutputs:
    predictor = predictor_lib.Predictor(network, strategy=ctx.strategy, views=ctx.views)
    return predictor.run(examples, batch_size=ctx.settings.training.batch_size)


def _predict(members: Sequence[Member]) -> predictions.Predictions:
    outputs = predictor_lib.mean(
        [_outputs(each.network, examples=each.examples, ctx=each.ctx) for each in members]
    )
    examples = members[0].examples
    probs = outputs.probabilities
    names = members[0].ctx.version.class_names
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


def _explain(member: Member) -> explanation.Explain:
    """Return the function that pictures what spoke for classes in examples of a run."""

    def explained(indices: np.ndarray, classes: np.ndarray) -> np.ndarray:
        images = member.examples.fetch_exact(tf.constant(indices)).numpy()
        activation = class_activation.ClassActivation(member.network, views=member.ctx.views)
        evidence = activation.maps(images, classes=classes)
        return explanation.pictures(images, evidence)

    return explained


def _protocol(
    members: Sequence[Member], *, facts: Sequence[Mapping[str, Any]], subset: str
) -> dict[str, str]:
    """Describe the evaluation: model, data, weights, and what was selected on what."""
    version, split = members[0].ctx.version, members[0].examples
    count = f"{split.num_examples:,}"
    model_classes = members[0].trained_on.class_names
    return {
        "model": ensemble.title([each.model_dir for each in members]),
        **publication.protocol_of_data(version, split=split, subset=subset),
        "examples": _each(members, [f"{count}{_VIEWS[each.ctx.views.tta]}" for each in members]),
        **exact_resize.PROTOCOL,
        **_precision(members),
        "classes": _classes(version.class_names, model_classes=model_classes),
        "weights": _each(members, [_weights(each.ctx) for each in members]),
        "selection": _each(members, list(map(_selection, members, facts))),
        "trained on": _each(
            members, [_training_data(each.ctx, trained_on=each.trained_on) for each in members]
        ),
    }


_OF_SEVERAL = (
    "Not available for an ensemble: each of its networks has maps of its own. Evaluate its runs "
    "one by one."
)


def _each(members: Sequence[Member], texts: Sequence[str]) -> str:
    """Return a text that is the same for all runs, or that of each with its name."""
    if len(set(texts)) == 1:
        return texts[0]
    names = ensemble.names([each.model_dir for each in members])
    return "; ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True))


def _selection(member: Member, facts: Mapping[str, Any]) -> str:
    epochs = _epochs(len(member.history), planned=member.ctx.settings.training.epochs)
    return f"epoch {facts['epoch']} of {epochs}, by {_chosen_by(member, facts)}"


def _chosen_by(member: Member, facts: Mapping[str, Any]) -> str:
    """Return what chose the epoch: the evaluated images themselves only where they did."""
    said = str(facts["chosen_by"])
    before, itself, _ = said.partition(" itself")
    if not itself:
        return said
    if member.trained_on.fingerprint != member.ctx.version.fingerprint:
        return f"{before} of {member.trained_on.name}"
    return said if before.endswith(f" {member.examples.name}") else before


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


def _precision(members: Sequence[Member]) -> dict[str, str]:
    """Return the precision of the evaluation, where it is not that of the training."""
    trained_in = [each.ctx.settings.training.precision for each in members]
    if set(trained_in) == {"float32"}:
        return {}
    return {build.PRECISION: f"float32, as in exports; trained in {_each(members, trained_in)}"}


def _training_data(ctx: context.RunContext, *, trained_on: data_provenance.Provenance) -> str:
    if trained_on.fingerprint != ctx.version.fingerprint:
        return f"train of other data: {trained_on.name}, fingerprint {trained_on.fingerprint}"
    frac = ctx.settings.selection.holdout_frac
    if frac:
        return f"the train split of the same data, without what --holdout_frac={frac:g} holds out"
    return "the train split of the same data"
