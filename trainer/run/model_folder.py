"""Model folder: checks that it belongs to this run, and creates it with config.json.

Owns which run may write into it: a folder that holds a run with other settings is refused rather
than mixed with or wiped.
"""

import pathlib
import shutil

from runtime import atomic_file, errors
from trainer.config import run_config


def check(settings: run_config.Config) -> None:
    """Check that the model folder is new or holds a run with the same settings.

    Raises:
      errors.UserError: if it holds a run whose settings would give another result, or config.json
        is damaged.
    """
    path = pathlib.Path(settings.run.model_dir)
    if (path / run_config.FILE).exists() and not settings.run.overwrite:
        _check_same(run_config.load(path / run_config.FILE), new=settings, path=path)


def claim(settings: run_config.Config) -> pathlib.Path:
    """Save the configuration in the model folder, which was checked before, and return its path."""
    path = pathlib.Path(settings.run.model_dir)
    if settings.run.overwrite and (path / run_config.FILE).exists():
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    # A process that was killed while it wrote leaves a part of a file.
    for abandoned in path.glob(f"{atomic_file.TEMPORARY_PREFIX}*"):
        abandoned.unlink()
    run_config.save(settings, path=path / run_config.FILE)
    return path


def _check_same(old: run_config.Config, *, new: run_config.Config, path: pathlib.Path) -> None:
    changed = run_config.difference(old, new=new)
    if not changed:
        return
    before = " ".join(f"--{name}={_text(value)}" for name, (value, _) in changed.items())
    after = " ".join(f"--{name}={_text(value)}" for name, (_, value) in changed.items())
    raise errors.UserError(
        f"{path} holds a run with {before}, and this one has {after}; give this run a folder of "
        "its own (--model_dir) or replace that one (--overwrite)"
    )


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
