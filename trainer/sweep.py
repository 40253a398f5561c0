"""Sweep program: python -m trainer.sweep --sweep_dir=runs/sweep --trials=40.

Owns the flags, and which flags of trainer.main have no meaning in a sweep; the search is
tuning.trials'. A sweep that was interrupted continues, from the very step of its interrupted trial.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from runtime import atomic_file, errors, folder_lock, installation
from runtime import flags as flags_lib
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.monitoring import experiment_trackers
from trainer.tuning import options, search_space

ABOUT = """Search the CNN family: each trial trains a network, and one below the median is stopped.

  python -m trainer.sweep --sweep_dir=runs/sweep --trials=40 --epochs=8 --holdout_frac=0.1
  python -m trainer.sweep --sweep_dir=runs/sweep --trials=60 --epochs=8 --holdout_frac=0.1

The second command adds twenty trials. Settings that are not varied are those of trainer.main."""

SECTIONS: dict[str, type] = {"Sweep": options.Sweep, **run_config.SECTIONS}

SINGLE_RUN_FLAGS = ("model_dir", "overwrite", "dry_run", "find_lr", "profile_steps")


def main() -> None:
    """Run the sweep that the flags describe."""
    asked = options.Sweep(**flags_lib.given({"Sweep": options.Sweep}))
    settings = settings_of(flags_lib.given(run_config.SECTIONS), vary=asked.vary)
    devices.refuse_early(settings.devices)
    path = dataset_version.locate(settings.data)
    installation.require("optuna", what="trainer.sweep")
    experiment_trackers.check_installed(settings.run.log_to)
    folder = pathlib.Path(asked.sweep_dir)
    atomic_file.check_writable(folder)
    with folder_lock.held_in(folder, way_out="give this sweep a folder of its own (--sweep_dir)"):
        _run(asked, settings=settings, data_path=path)


def _run(asked: options.Sweep, *, settings: run_config.Config, data_path: pathlib.Path) -> None:
    """Run the trials that are left, and write the report of all."""
    from trainer.tuning import study as study_lib  # Inside: Optuna is an extra.

    study = study_lib.open_study(asked, settings=settings, data_path=data_path)
    with tf_logging.chatter_off():
        from trainer.run import context  # Inside: the refusals above must not wait for TensorFlow.
        from trainer.tuning import report, trials
    ctx = context.create(settings, version=dataset_version.open_version(data_path))
    folder = pathlib.Path(asked.sweep_dir)
    with study_lib.database_errors(folder):
        trials.run(study, asked=asked, ctx=ctx)
        report.write(study, sweep_dir=folder, settings=settings)


def settings_of(given: Mapping[str, Any], *, vary: Sequence[str]) -> run_config.Config:
    """Return the settings that all trials share.

    Raises:
      errors.UserError: for a flag that has a meaning for a single run only, a bad value, or
        settings that have no use for a hyperparameter that varies.
    """
    for name in SINGLE_RUN_FLAGS:
        if name in given:
            raise errors.UserError(
                f"--{name} is for one run of trainer.main; a sweep has its --sweep_dir"
            )
    settings = run_config.resolve(given)
    refusals: dict[str, errors.UserError] = {}
    for name in vary:
        chosen = search_space.choose(search_space.Last(), names=[name])
        try:
            run_config.make(run_config.flat(settings) | chosen)
        except errors.UserError as error:
            refusals[name] = error
    if refusals:
        left = ",".join(name for name in vary if name not in refusals)
        raise errors.UserError(
            f"{', '.join(refusals)} cannot be varied here: {next(iter(refusals.values()))}; give "
            f"{f'--vary={left}' if left else 'other hyperparameters in --vary'}"
        )
    return settings


if __name__ == "__main__":
    flags_lib.define(SECTIONS)
    flags_lib.run(main, sections=SECTIONS, about=ABOUT)
