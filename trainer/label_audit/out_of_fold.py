"""Out-of-fold predictions: trains a network without each fold, and predicts that fold with it.

Owns the files of a fold. A fold is a run of trainer.main's own loop in a folder of its own, so it
is continued from its last checkpoint; what it predicts is kept beside it, and a fold that is
finished is not trained again.
"""

import dataclasses
import gc
import io
import pathlib
import zipfile
import zlib

import keras
import numpy as np

from runtime import atomic_file, errors
from trainer.config import run_config
from trainer.data import examples, holdout
from trainer.evaluation import predictor
from trainer.models import heads
from trainer.run import best_weights, context, data_provenance, model_folder
from trainer.training import pretrained, setup, trainer

FILE = "out_of_fold.npz"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a network makes of the M examples of its fold.

    Attributes:
      probabilities: float64[M, C].
      features: float16[M, F], of length 1: what the last layer is given. Those of two networks
        cannot be compared.
    """

    probabilities: np.ndarray
    features: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Examples of an audit: all of train with their folds, and what chooses the epochs."""

    train: examples.Split
    folds: np.ndarray  # int64[N]
    validation: examples.Split


def folder_of(output_dir: pathlib.Path, *, fold: int) -> pathlib.Path:
    """Return the model folder of a fold, which is counted from 1 in it."""
    return output_dir / f"fold-{fold + 1}"


def predict(ctx: context.RunContext, *, data: Data, fold: int, output_dir: pathlib.Path) -> Outputs:
    """Return the outputs for a fold's examples, in their order; train first what is not trained.

    Raises:
      errors.UserError: if the fold's folder holds another run, or training fails.
    """
    model_dir = folder_of(output_dir, fold=fold)
    inside = np.flatnonzero(data.folds == fold)
    if (model_dir / FILE).exists() and (found := _load(model_dir / FILE, count=len(inside))):
        return found
    flat = {**run_config.flat(ctx.settings), "model_dir": str(model_dir)}
    own = dataclasses.replace(ctx, settings=run_config.make(flat))
    model_folder.check(own.settings)
    try:
        network = _trained(own, data=data, fold=fold)
        exact = dataclasses.replace(data.train, fetch=data.train.fetch_exact)
        judged = holdout.take(exact, indices=inside, name=data.train.name)
        outputs = _outputs(network, ctx=own, split=judged)
    finally:
        # Otherwise the networks of all folds would stay in memory.
        keras.backend.clear_session()
        gc.collect()
    content = io.BytesIO()
    np.savez(content, probabilities=outputs.probabilities, features=outputs.features)
    atomic_file.replace(model_dir / FILE, content=content.getvalue())
    return outputs


def _trained(ctx: context.RunContext, *, data: Data, fold: int) -> keras.Model:
    """Return the network with its best weights, trained on all folds but one."""
    train = holdout.take(
        data.train, indices=np.flatnonzero(data.folds != fold), name=data.train.name
    )
    selection = data.validation
    if ctx.settings.selection.holdout_frac:
        train, selection = holdout.divide(train, frac=ctx.settings.selection.holdout_frac)
    network = setup.model(ctx)
    pretrained.load(network, model=ctx.settings.model, image_size=ctx.views.crop_px)
    with model_folder.locked(ctx.settings, connection=ctx.connection):
        model_dir = model_folder.claim(ctx.settings)
        data_provenance.save(ctx.version, model_dir=model_dir)
        trainer.Trainer(
            ctx, network=network, train=train, selection=selection, model_dir=model_dir
        ).train()
    network = setup.trained_model(ctx, trained=network)
    best_weights.load_best(network, model_dir=model_dir)
    return network


def _outputs(network: keras.Model, *, ctx: context.RunContext, split: examples.Split) -> Outputs:
    batch_size = ctx.settings.training.batch_size
    own = predictor.Predictor(network, strategy=ctx.strategy, views=ctx.views)
    with ctx.strategy.scope():
        body = keras.Model(network.inputs, network.get_layer(heads.LOGITS).input)
    embedder = predictor.Predictor(body, strategy=ctx.strategy, views=ctx.views.of_epochs)
    by_view = embedder.outputs(split, batch_size=batch_size)[heads.LOGITS]
    features = by_view.mean(axis=1)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return Outputs(
        probabilities=own.probabilities(split, batch_size=batch_size),
        features=(features / np.maximum(length, 1e-12)).astype(np.float16),
    )


def _load(path: pathlib.Path, *, count: int) -> Outputs | None:
    """Return the outputs in a file, or None where it is damaged: it is then made again."""
    try:
        with errors.naming(path), np.load(path) as content:
            found = Outputs(**{name: content[name] for name in ("probabilities", "features")})
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error):
        return None
    return found if len(found.probabilities) == len(found.features) == count else None
