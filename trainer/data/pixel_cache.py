"""Pixels that were decoded once, kept for the epochs to come: nowhere, in memory, or in a file.

Owns what is kept and where. A picture is decoded when it is first asked for, so that training
starts at once, and what is asked for does not depend on what is kept. tf.data's cache() was
rejected: it has to see a whole pass in its order.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import threading
import uuid
from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np

from runtime import errors

DecodeNumber = Callable[[int], np.ndarray]
"""The number of an example to uint8[S, S, 3]."""

_GB = 1e9


class Store(Protocol):
    """Pictures by number."""

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Return the pictures of int64[...] numbers: uint8[..., S, S, 3]."""


class NoCache:
    """Decode a picture every time it is asked for."""

    def __init__(self, decode: DecodeNumber, *, size_px: int) -> None:
        self._decode, self._size_px = decode, size_px

    def take(self, numbers: np.ndarray) -> np.ndarray:
        pixels = np.empty((numbers.size, self._size_px, self._size_px, 3), np.uint8)
        for place, number in enumerate(numbers.flat):
            pixels[place] = self._decode(int(number))
        return pixels.reshape(*numbers.shape, *pixels.shape[1:])


class FillingCache:
    """Decode a picture when it is first asked for, and keep its pixels in an array.

    Two threads may decode the same picture at the same time; they write the same bytes.
    """

    def __init__(
        self, decode: DecodeNumber, *, pixels: np.ndarray, when_whole: Callable[[], None]
    ) -> None:
        self._decode, self._pixels, self._when_whole = decode, pixels, when_whole
        self._is_there = np.zeros(len(pixels), bool)
        self._told, self._lock = False, threading.Lock()

    def take(self, numbers: np.ndarray) -> np.ndarray:
        missing = numbers[~self._is_there[numbers]]
        for number in missing.flat:
            self._pixels[number] = self._decode(int(number))
            self._is_there[number] = True
        if missing.size:
            self._tell()
        return np.take(self._pixels, numbers, axis=0)

    def _tell(self) -> None:
        with self._lock:
            if not self._told and self._is_there.all():
                self._told = True
                self._when_whole()


class FullCache:
    """Give back pixels that are all there."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def take(self, numbers: np.ndarray) -> np.ndarray:
        return np.take(self._pixels, numbers, axis=0)


def in_memory(decode: DecodeNumber, *, num_examples: int, size_px: int) -> Store:
    """Keep pixels in this process; memory is taken as pictures come."""
    pixels = np.empty((num_examples, size_px, size_px, 3), np.uint8)
    return FillingCache(decode, pixels=pixels, when_whole=lambda: None)


def on_disk(decode: DecodeNumber, *, path: pathlib.Path, num_examples: int, size_px: int) -> Store:
    """Keep pixels in a file that later runs find: it gets its name when the last picture is in it.

    Raises:
      errors.UserError: if the disk has no room for it.
    """
    shape = (num_examples, size_px, size_px, 3)
    if path.exists() and path.stat().st_size == np.prod(shape):
        return FullCache(np.memmap(path, np.uint8, mode="r", shape=shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    growing = path.with_name(f"incomplete.{uuid.uuid4().hex}.{path.name}")
    file = _reserved(growing, num_bytes=int(np.prod(shape)))
    pixels = np.memmap(file, np.uint8, mode="r+", shape=shape)

    def publish() -> None:
        pixels.flush()
        growing.replace(path)
        file.close()

    return FillingCache(decode, pixels=pixels, when_whole=publish)


def _reserved(path: pathlib.Path, *, num_bytes: int) -> BinaryIO:
    """Make a file with all its blocks, and lock it for as long as this process lives.

    Blocks are taken at once because writing into a hole of a mapped file on a full disk would end
    the process.
    """
    free = shutil.disk_usage(path.parent).free
    try:
        file = path.open("x+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        os.posix_fallocate(file.fileno(), 0, num_bytes)
        return file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise errors.UserError(
            f"--cache=disk needs {num_bytes / _GB:.1f} GB in {path.parent}, which has {free / _GB:.1f} GB free "
            f"({error.strerror}): make room, name another --cache_dir, or use --cache=none"
        ) from None


def _remove_abandoned(path: pathlib.Path) -> None:
    """Remove what killed processes left: files that nobody holds locked."""
    for left in path.parent.glob(f"incomplete.*.{path.name}"):
        with left.open("rb") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
