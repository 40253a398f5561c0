"""A training program from its configuration to its judgement.

Owns the order of set-up, and the lines that say what is trained on what.
"""

import pathlib

import keras

from trainer import (
    assembly,
    config,
    dataset,
    folder,
    holdout,
    imbalance,
    journal,
    judging,
    link,
    models,
    provenance,
    rates,
    rehearsal,
    session,
    weights,
)

TRAIN, VALIDATION = "train", "validation"


def run(settings: config.Config, *, data_path: pathlib.Path, connection: link.Link | None = None) -> None:
    """Train, or continue, and judge the best weights on validation; or only try, and keep no weights.

    The hosts that there is a connection to do the same, and the chief among them writes.

    Raises:
      errors.UserError: if data, devices or model folder do not fit the settings, or the loss stops being a number.
    """
    version = dataset.open_version(data_path)
    for split in (TRAIN, VALIDATION):
        dataset.check_split(version, split=split)
    at = assembly.site(settings, version=version, connection=connection)
    network = assembly.model(at)
    weights.load(network, model=settings.model, image_size=at.image_size)
    _introduce(at, network=network)
    train, validation = (assembly.read(at, split=split) for split in (TRAIN, VALIDATION))
    selection = validation
    if settings.selection.holdout_frac:
        train, selection = holdout.divide(train, frac=settings.selection.holdout_frac)
        left = f"{train.num_examples:,} examples are left to train on"
        print(f"holdout       {selection.num_examples:,} pictures of train choose the epoch; {left}", flush=True)
    if settings.run.is_trial:
        trial = rehearsal.run if settings.run.dry_run else rates.run
        trial(network, at=at, train=train)
        return
    model_dir = _claim(at)
    trained = session.Session(at, network=network, train=train, selection=selection, model_dir=model_dir)
    history = trained.train()
    if at.is_chief:
        judging.run(network, examples=validation, at=at, history=history)
    else:
        judging.take_part(network, examples=validation, at=at)


def _claim(at: assembly.Site) -> pathlib.Path:
    """Return the model folder, which is the chief's to prepare."""
    if not at.is_chief:
        return pathlib.Path(at.settings.run.model_dir)
    model_dir = folder.claim(at.settings)
    provenance.save(at.version, model_dir=model_dir)
    journal.record(at, model_dir=model_dir)
    return model_dir


def _introduce(at: assembly.Site, *, network: keras.Model) -> None:
    batch, replicas = at.shape.batch_size, at.shape.num_replicas
    shared = f"{batch} = {replicas} x {batch // replicas}" if replicas > 1 else str(batch)
    print(f"devices       {at.device_line}")
    print(f"data          {at.version.describe()}")
    if at.version.is_drawn:
        print("              *** DRAWN FACES, NOT AFFECTNET: these numbers say that the program works, no more ***")
    print(f"model         {models.describe(network, image_size=at.image_size)}; global batch {shared}", flush=True)
    if doubt := imbalance.warning(at.settings.imbalance):
        print(f"warning       {doubt}", flush=True)
