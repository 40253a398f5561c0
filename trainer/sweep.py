"""Search for a better CNN: python -m trainer.sweep --sweep_dir=runs/sweep --trials=40.

Owns the search: Optuna proposes, `session` trains in this process on one strategy, and a trial that
falls behind is given up. A process a trial was rejected: it would read the data and start
TensorFlow anew each time. A sweep that was cut off continues, in the very step of the trial that
was under way.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from runtime import errors
from runtime import flags as flags_lib
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.distributed import devices, tf_logging
from trainer.tuning import options, study

ABOUT = """Search over the CNN family: every trial trains a network, and one that falls behind is given up early.

  python -m trainer.sweep --sweep_dir=runs/sweep --trials=40 --epochs=8 --holdout_frac=0.1
  python -m trainer.sweep --sweep_dir=runs/sweep --trials=60 --epochs=8 --holdout_frac=0.1     twenty more

What is not varied is set as for trainer.main."""


SECTIONS: dict[str, type] = {"Sweep": options.Sweep, **run_config.SECTIONS}


def main() -> None:
    """Search as the flags say."""
    asked = options.Sweep(**flags_lib.given({"Sweep": options.Sweep}))
    given = flags_lib.given(run_config.SECTIONS)
    settings = settings_of(given)
    devices.refuse_early(settings.devices)
    path = dataset_version.locate(settings.data)
    search = study.open_study(asked, settings=settings)
    with tf_logging.chatter_off():
        from trainer.run import context  # Inside: the refusals above must not wait for TensorFlow.
        from trainer.tuning import report
    at = context.create(settings, version=dataset_version.open_version(path))
    study.run(search, asked=asked, ctx=at)
    report.write(search, sweep_dir=pathlib.Path(asked.sweep_dir), settings=settings)


def settings_of(given: Mapping[str, Any]) -> run_config.Config:
    """Return what all trials share.

    Raises:
      errors.UserError: for a flag that makes sense for a single run only, or a bad value.
    """
    for name in study.OF_ONE_RUN:
        if name in given:
            raise errors.UserError(
                f"--{name} is for one run of trainer.main; a sweep has its --sweep_dir"
            )
    return run_config.resolve(given)


if __name__ == "__main__":
    flags_lib.define(SECTIONS)
    flags_lib.run(main, sections=SECTIONS, about=ABOUT)
