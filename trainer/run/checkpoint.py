"""Checkpoint file: arrays and facts of a run in one file, written atomically.

Owns the file format: a NumPy archive of arrays with one JSON entry; the archive's own checksums
reveal damage. tf.train.Checkpoint was rejected: it writes several files, of which some can be
missing, and needs TensorFlow to read them.
"""

import io
import json
import pathlib
import shutil
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from runtime import atomic_file

Content = tuple[dict[str, np.ndarray], dict[str, Any]]
"""Arrays by name, and facts."""

_FACTS = "facts.json"
_KEPT = 2

DAMAGED = (zipfile.BadZipFile, OSError, EOFError, KeyError, ValueError)
"""What reading a damaged file raises."""


def save_step(
    folder: pathlib.Path, *, step: int, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Write the checkpoint of a step and remove all but the newest two."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"step-{step:09d}.npz", arrays=arrays, facts=facts)
    # After the write, which flushes the folder too: a removal must not reach the disk before the
    # new file does.
    for old in _newest_first(folder)[_KEPT:]:
        old.unlink()


def keep_best(folder: pathlib.Path, *, step: int) -> None:
    """Copy a step's checkpoint to best-<step>.npz, and remove the previous best.

    `save_step` does not remove the copy.
    """
    source = folder / f"step-{step:09d}.npz"
    best = folder / f"best-{step:09d}.npz"
    with source.open("rb") as content, atomic_file.writing(best) as file:
        shutil.copyfileobj(content, file)
    for old in folder.glob("best-*.npz"):
        if old != best:
            old.unlink()


def load_newest(folder: pathlib.Path) -> Content | None:
    """Return arrays and facts of the newest readable checkpoint, or None; print which are damaged.

    The best one is the last resort: a run that continues from it ends as any other.
    """
    for path in (*_newest_first(folder), *folder.glob("best-*.npz")):
        try:
            return read(path)
        except DAMAGED as error:
            print(
                f"passed over   {path} is damaged ({error}); trying the one before it",
                file=sys.stderr,
            )
    return None


def write(
    path: pathlib.Path, *, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Write arrays and facts to one file, atomically; it is on the disk when this returns."""
    # A process that was killed while it wrote leaves a file as large as a checkpoint.
    for abandoned in path.parent.glob(f"{atomic_file.TEMPORARY_PREFIX}*{path.suffix}"):
        abandoned.unlink()
    with atomic_file.writing(path) as file:
        _write(file, arrays=arrays, facts=facts)


def read(path: pathlib.Path) -> Content:
    """Read what `write` wrote.

    Raises:
      one of DAMAGED: if the file is damaged.
    """
    with path.open("rb") as file:
        return _read(file)


def pack(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> bytes:
    """Return the bytes that `write` would write, to be sent to another host."""
    file = io.BytesIO()
    _write(file, arrays=arrays, facts=facts)
    return file.getvalue()


def unpack(content: bytes) -> Content:
    """Return arrays and facts from the bytes of `pack`."""
    return _read(io.BytesIO(content))


def _write(file: BinaryIO, *, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    encoded = np.frombuffer(json.dumps(facts).encode("utf-8"), np.uint8)
    np.savez(file, allow_pickle=False, **{_FACTS: encoded}, **arrays)


def _read(file: BinaryIO) -> Content:
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(arrays.pop(_FACTS).tobytes())
    return arrays, facts


def _newest_first(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("step-*.npz"), reverse=True)
