"""Everything an exact continuation needs, in one file that is there whole or not at all.

Owns the file: a NumPy archive of arrays with one JSON entry, written under a temporary name,
flushed to the disk and renamed; the archive's own checksums tell a damaged one. tf.train.Checkpoint
was rejected: it writes several files that can be there in part, and needs TensorFlow to look
inside.
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
    for old in _newest_first(folder)[_KEPT:]:
        old.unlink()


def keep_best(folder: pathlib.Path, *, step: int) -> None:
    """Keep a copy of a step's checkpoint, in place of the one kept before, out of reach of the
    newest two."""
    source = folder / f"step-{step:09d}.npz"
    best = folder / f"best-{step:09d}.npz"
    with source.open("rb") as content, atomic_file.writing(best) as file:
        shutil.copyfileobj(content, file)
    for old in folder.glob("best-*.npz"):
        if old != best:
            old.unlink()


def load_newest(folder: pathlib.Path) -> Content | None:
    """Return arrays and facts of the newest readable checkpoint, or None; say so when one had to be
    passed over.

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
    """Write arrays and facts to one file, atomically."""
    for left in path.parent.glob(f"{atomic_file.TEMPORARY_PREFIX}*{path.suffix}"):
        left.unlink()  # Of a process that was killed while it wrote: as large as a checkpoint.
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
    """Return what `write` would write, to be sent to another host."""
    file = io.BytesIO()
    _write(file, arrays=arrays, facts=facts)
    return file.getvalue()


def unpack(content: bytes) -> Content:
    """Return arrays and facts that were packed."""
    return _read(io.BytesIO(content))


def _write(file: BinaryIO, *, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    as_text = np.frombuffer(json.dumps(facts).encode("utf-8"), np.uint8)
    np.savez(file, allow_pickle=False, **{_FACTS: as_text}, **arrays)


def _read(file: BinaryIO) -> Content:
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(arrays.pop(_FACTS).tobytes())
    return arrays, facts


def _newest_first(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("step-*.npz"), reverse=True)
