"""The folder of a run: new, cut off, or finished.

Owns who may write into it: a folder that holds a run with other settings is refused rather than mixed with or wiped.
"""

import pathlib
import shutil

from runtime import errors
from trainer import config


def check(settings: config.Config) -> None:
    """Check that the model folder is new or holds this very run.

    Raises:
      errors.UserError: if it holds a run whose settings would give another result.
    """
    path = pathlib.Path(settings.run.model_dir)
    if (path / config.FILE).exists() and not settings.run.overwrite:
        _check_same(config.load(path / config.FILE), new=settings, path=path)


def claim(settings: config.Config) -> pathlib.Path:
    """Return the model folder, checked before, with the configuration saved in it."""
    path = pathlib.Path(settings.run.model_dir)
    if settings.run.overwrite and (path / config.FILE).exists():
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    config.save(settings, path=path / config.FILE)
    return path


def _check_same(old: config.Config, *, new: config.Config, path: pathlib.Path) -> None:
    changed = config.difference(old, new=new)
    if changed:
        was = " ".join(f"--{name}={_text(before)}" for name, (before, _) in changed.items())
        now = " ".join(f"--{name}={_text(after)}" for name, (_, after) in changed.items())
        raise errors.UserError(
            f"{path} holds a run with {was}, and this one has {now}. Give this run a folder of its own (--model_dir) "
            f"or replace that one (--overwrite)."
        )


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
