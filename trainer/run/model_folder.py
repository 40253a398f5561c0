"""The folder of a run: new, cut off, or finished.

Owns who may write into it: a folder that holds a run with other settings is refused rather than
mixed with or wiped.
"""

import pathlib
import shutil

from runtime import errors
from trainer.config import run_config


def check(settings: run_config.Config) -> None:
    """Check that the model folder is new or holds this very run.

    Raises:
      errors.UserError: if it holds a run whose settings would give another result.
    """
    path = pathlib.Path(settings.run.model_dir)
    if (path / run_config.FILE).exists() and not settings.run.overwrite:
        _check_same(run_config.load(path / run_config.FILE), new=settings, path=path)


def claim(settings: run_config.Config) -> pathlib.Path:
    """Return the model folder, checked before, with the configuration saved in it."""
    path = pathlib.Path(settings.run.model_dir)
    if settings.run.overwrite and (path / run_config.FILE).exists():
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    run_config.save(settings, path=path / run_config.FILE)
    return path


def _check_same(old: run_config.Config, *, new: run_config.Config, path: pathlib.Path) -> None:
    changed = run_config.difference(old, new=new)
    if changed:
        was = " ".join(f"--{name}={_text(before)}" for name, (before, _) in changed.items())
        now = " ".join(f"--{name}={_text(after)}" for name, (_, after) in changed.items())
        raise errors.UserError(
            f"{path} holds a run with {was}, and this one has {now}. Give this run a folder of its own (--model_dir) "
            f"or replace that one (--overwrite)."
        )


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
