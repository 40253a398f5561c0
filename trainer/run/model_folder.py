"""Model folder: checks that it belongs to this run, locks it, and creates it with config.json.

Owns which run may write into it: a folder that holds a run with other settings is refused rather
than mixed with or wiped, and so is one that another program is writing into.
"""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from runtime import atomic_file, errors, folder_lock
from trainer.config import run_config
from trainer.distributed import host_channel
from trainer.run import trained_run

AUDIT_NOTE = "folds.json"
"""The file by which a folder is known to hold an audit: its predictions.csv is not a run's."""


def check(settings: run_config.Config) -> None:
    """Check that the model folder is new or holds a run with the same settings.

    A run may be lengthened by a larger --epochs where its learning rate does not depend on it.

    Raises:
      errors.UserError: if it holds a run whose settings would give another result, or an audit, or
        config.json is damaged.
    """
    path = pathlib.Path(settings.run.model_dir)
    if (path / AUDIT_NOTE).exists():
        raise errors.UserError(
            f"{path} holds an audit, whose files this run would replace; give this run a folder of "
            "its own (--model_dir)"
        )
    if (path / run_config.FILE).exists() and not settings.run.overwrite:
        _check_same(run_config.load(path / run_config.FILE), new=settings, path=path)


@contextlib.contextmanager
def locked(settings: run_config.Config, *, connection: host_channel.HostChannel) -> Iterator[None]:
    """Hold the model folder for one run within the block.

    On several hosts the chief holds it for all of them, and they end with one sentence where it
    does not get it. A --dry_run or --find_lr needs no lock.

    Raises:
      errors.UserError: if another program holds it, or it holds another run by now.
      host_channel.LostHost: if a connection breaks.
    """
    with contextlib.ExitStack() as stack:
        refusal = ""
        if connection.is_chief and not settings.run.is_trial:
            try:
                stack.enter_context(_hold(settings))
                check(settings)
            except errors.UserError as error:
                refusal = str(error)
        if refusal := connection.from_chief(refusal.encode()).decode():
            raise errors.UserError(refusal)
        yield


def _hold(settings: run_config.Config) -> contextlib.AbstractContextManager[None]:
    folder = pathlib.Path(settings.run.model_dir)
    return folder_lock.held_in(folder, way_out="give this run a folder of its own (--model_dir)")


def claim(settings: run_config.Config) -> pathlib.Path:
    """Save the configuration in the model folder, which was checked before, and return its path."""
    path = pathlib.Path(settings.run.model_dir)
    if settings.run.overwrite and (path / run_config.FILE).exists():
        _empty(path)
    path.mkdir(parents=True, exist_ok=True)
    # A process that was killed while it wrote leaves a part of a file.
    for abandoned in path.glob(f"{atomic_file.TEMPORARY_PREFIX}*"):
        abandoned.unlink()
    run_config.save(settings, path=path / run_config.FILE)
    return path


def _empty(folder: pathlib.Path) -> None:
    """Remove all that is in a folder but our lock on it."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != folder_lock.NAME:
            path.unlink()


def check_there(path: pathlib.Path) -> None:
    """Check that the model folder still holds the run, before something is written into it.

    Where the disk was taken away that it is on, an empty folder can be in its place, and what is
    written there would be hidden when the disk is back.

    Raises:
      errors.UserError: if it does not.
      OSError: if the disk does not answer.
    """
    if not (path / run_config.FILE).exists():
        raise errors.UserError(
            f"{path} does not hold this run any more ({run_config.FILE} is gone): its disk or "
            "share was taken away, or the folder was moved or deleted; when it is back, the same "
            "command continues the run from its last checkpoint"
        )


def _check_same(old: run_config.Config, *, new: run_config.Config, path: pathlib.Path) -> None:
    changed = run_config.difference(old, new=new)
    is_longer = set(changed) == {"epochs"} and new.training.epochs > old.training.epochs
    if not changed or (is_longer and not new.optimization.depends_on_epochs):
        return
    before, after = _sides(changed)
    raise errors.UserError(
        f"{path} holds a run with {before}, and this one has {after}; give this run a folder of "
        f"its own (--model_dir) or replace that one (--overwrite){_longer(path) * is_longer}"
    )


def check_fold(path: pathlib.Path, *, settings: run_config.Config) -> None:
    """Check that the folder of an audit's fold is new or holds a run with the same settings.

    No fold is lengthened, as those that are finished would not be.

    Raises:
      errors.UserError: if it holds a run with others, or config.json is damaged.
    """
    if not (path / run_config.FILE).exists():
        return
    if changed := run_config.difference(run_config.load(path / run_config.FILE), new=settings):
        before, after = _sides(changed)
        raise errors.UserError(
            f"{path.parent} holds an audit with {before}, and this one has {after}; give this "
            "audit a folder of its own (--output_dir)"
        )


def _sides(changed: Mapping[str, tuple[Any, Any]]) -> tuple[str, str]:
    """Return the settings that differ as flags: those of before, and those of now."""
    before = " ".join(f"--{name}={_text(value)}" for name, (value, _) in changed.items())
    after = " ".join(f"--{name}={_text(value)}" for name, (_, value) in changed.items())
    return before, after


def _longer(path: pathlib.Path) -> str:
    """Return how to train a run further whose learning rate depends on --epochs."""
    return (
        "; its learning rate falls over all of --epochs, so that it cannot be lengthened, and a "
        f"new run with --weights={path / trained_run.BEST} starts from its weights (with "
        "--schedule=constant or exponential a larger --epochs continues a run)"
    )


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
