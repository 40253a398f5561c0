"""Checkpoint file: arrays and facts of a run in one file, written atomically.

Owns the file format: a NumPy archive of arrays with one JSON entry; the archive's own checksums
reveal damage. tf.train.Checkpoint was rejected: it writes several files, of which some can be
missing, and needs TensorFlow to read them. np.load was rejected for reading: it unpacks what a
compressed entry holds, and hides an error of the disk in one about the format.
"""

import io
import json
import math
import pathlib
import shutil
import stat
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from runtime import atomic_file, errors

Content = tuple[dict[str, np.ndarray], dict[str, Any]]
"""Arrays by name, and facts."""

_FACTS = "facts.json"
_SUFFIX = ".npy"
_KEPT = 2
_END = struct.Struct("<10xH10x")
"""End of a zip archive without a comment: the number of its entries."""
_CHUNK = 2**20


class Damaged(Exception):
    """The content of a file is not what `write` wrote; the message says how."""


def save_step(
    folder: pathlib.Path, *, step: int, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Write the checkpoint of a step and remove all but the newest two.

    The folder above must exist: where its disk was taken away, a new one would hide what is on it.
    """
    folder.mkdir(exist_ok=True)
    written = folder / f"step-{step:09d}.npz"
    write(written, arrays=arrays, facts=facts)
    # After the write, which flushes the folder too: a removal must not reach the disk before the
    # new file does.
    others = [path for path in _newest_first(folder) if path != written]
    for old in others[_KEPT - 1 :]:
        old.unlink()


def keep_best(folder: pathlib.Path, *, step: int) -> None:
    """Copy a step's checkpoint to best-<step>.npz, and remove the previous best.

    `save_step` does not remove the copy.
    """
    source = folder / f"step-{step:09d}.npz"
    best = folder / f"best-{step:09d}.npz"
    size = source.stat().st_size
    with source.open("rb") as content, atomic_file.writing(best, size_bytes=size) as file:
        shutil.copyfileobj(content, file)
    for old in folder.glob("best-*.npz"):
        if old != best:
            old.unlink()


def load_newest(folder: pathlib.Path, *, most_bytes: int | None = None) -> Content | None:
    """Return arrays and facts of the newest readable checkpoint, or None.

    Damaged ones are set aside, and a line says so: left there, they would count as newer than what
    the run writes next. The best one is the last resort: a run that continues from it ends as any
    other.

    Raises:
      errors.UserError: if one holds more than `most_bytes`.
      OSError: if the disk does not let a file be read, which is no damage.
    """
    return next(_readable((*_newest_first(folder), *_best(folder)), most_bytes=most_bytes), None)


def find(folder: pathlib.Path, *, matches: Callable[[Mapping[str, Any]], bool]) -> Content | None:
    """Return the first readable checkpoint whose facts match, the best ones first, or None."""
    for content in _readable((*_best(folder), *_newest_first(folder))):
        if matches(content[1]):
            return content
    return None


def write(
    path: pathlib.Path, *, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Write arrays and facts to one file, atomically; it is on the disk when this returns."""
    # A process that was killed while it wrote leaves a file as large as a checkpoint.
    for abandoned in path.parent.glob(f"{atomic_file.TEMPORARY_PREFIX}*{path.suffix}"):
        abandoned.unlink()
    size = sum(array.nbytes for array in arrays.values())
    with atomic_file.writing(path, size_bytes=size) as file:
        _write(file, arrays=arrays, facts=facts)


def read(path: pathlib.Path, *, most_bytes: int | None = None) -> Content:
    """Read what `write` wrote.

    Raises:
      Damaged: if the file is damaged.
      errors.UserError: if it holds more than `most_bytes`; nothing is read then.
      OSError: if the disk does not let it be read.
    """
    _check_regular(path)
    size = path.stat().st_size
    if most_bytes is not None and size > most_bytes:
        raise errors.UserError(
            f"{path} belongs to another network: it has {size / 1e6:,.0f} MB, and the arrays here "
            f"take no more than {most_bytes / 1e6:,.0f} MB: give this run a folder of its own "
            "(--model_dir), or train anew with --overwrite"
        )
    with errors.naming(path):
        return unpack(path.read_bytes())


def verify(path: pathlib.Path) -> None:
    """Check a file's checksums without keeping its arrays.

    Raises:
      Damaged: if the file is damaged.
      OSError: if the disk does not let it be read.
    """
    _check_regular(path)
    with errors.naming(path), path.open("rb") as file:
        while file.read(_CHUNK):  # First: zipfile takes an error of the disk for damage.
            pass
        _parsed(lambda: _verify(file))


def pack(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> bytes:
    """Return the bytes that `write` would write, to be sent to another host."""
    file = io.BytesIO()
    _write(file, arrays=arrays, facts=facts)
    return file.getvalue()


def unpack(content: bytes) -> Content:
    """Return arrays and facts from the bytes of `pack`.

    Raises:
      Damaged: if they are others.
    """
    found: Content = _parsed(lambda: _read(io.BytesIO(content)))
    return found


def _readable(
    paths: tuple[pathlib.Path, ...], *, most_bytes: int | None = None
) -> Iterator[Content]:
    """Yield what can be read, and set aside what is damaged."""
    for path in paths:
        try:
            content = read(path, most_bytes=most_bytes)
        except Damaged as error:
            kept = atomic_file.set_aside(path)
            print(
                f"passed over   {path} is damaged ({error}); it is kept as {kept.name}",
                file=sys.stderr,
            )
        else:
            yield content


def _parsed(parse: Callable[[], Any]) -> Any:
    """Return what a parser of a file's content returns; whatever it raises is damage."""
    try:
        return parse()
    except MemoryError:
        raise  # Of the machine.
    except Exception as error:  # zipfile and NumPy document nothing for damaged files.
        raise Damaged(" ".join(str(error).split())[:200] or type(error).__name__) from error


def _write(file: BinaryIO, *, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    encoded = np.frombuffer(json.dumps(facts).encode("utf-8"), np.uint8)
    np.savez(file, allow_pickle=False, **{_FACTS: encoded}, **arrays)


def _read(file: io.BytesIO) -> Content:
    with zipfile.ZipFile(file) as archive:
        arrays = {
            entry.filename.removesuffix(_SUFFIX): _array(archive.read(entry))
            for entry in _entries(archive, file=file)
        }
    facts = json.loads(arrays.pop(_FACTS).tobytes())
    if not isinstance(facts, dict):
        raise ValueError(f"its facts are no JSON object: {type(facts).__name__}")
    return arrays, facts


def _array(content: bytes) -> np.ndarray:
    """Return the array of an .npy file, whose header must not promise more than there is."""
    file = io.BytesIO(content)
    is_first = np.lib.format.read_magic(file) == (1, 0)
    header = (
        np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = header(file)
    if math.prod(shape) * dtype.itemsize > len(content):
        raise ValueError(f"an array of shape {shape} does not fit into the file")
    file.seek(0)
    array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _verify(file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        _entries(archive, file=file)
        if damaged := archive.testzip():
            raise ValueError(f"the checksum of {damaged} does not match")


def _entries(archive: zipfile.ZipFile, *, file: BinaryIO) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive, which take no more than the file has.

    `write` compresses nothing: an entry that does could unpack to any size. The number of entries
    is at the end of the file; zipfile does not compare it with those that it found.
    """
    entries = archive.infolist()
    size = file.seek(0, io.SEEK_END)
    file.seek(-_END.size, io.SEEK_END)
    if _END.unpack(file.read(_END.size))[0] != len(entries):
        raise ValueError("entries are missing from its directory")
    packed = [entry for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if packed or sum(entry.file_size for entry in entries) > size:
        raise ValueError("its entries are larger unpacked than the file is")
    return entries


def _check_regular(path: pathlib.Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise Damaged("it is no regular file")


def _newest_first(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("step-*.npz"), reverse=True)


def _best(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("best-*.npz"), reverse=True)
