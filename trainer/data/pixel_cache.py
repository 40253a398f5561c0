"""Pixel cache: keeps decoded images for the next epochs, in memory, in a file, or not at all.

Owns what is kept and where. An image is decoded when it is first needed, so that training starts at
once and in any order. tf.data's cache() was rejected: it is filled by one whole pass in one order.
"""

import contextlib
import fcntl
import math
import os
import pathlib
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import numpy as np

from runtime import errors

DecodeExample = Callable[[int], np.ndarray]
"""Example index to uint8[S, S, 3]."""

_GB = 1e9
_MEMORY_FILLING_FRAC = 0.35
_ZEROS = bytes(1 << 20)


class Store(Protocol):
    """Images by example index."""

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the images of example indices, int64[...]: uint8[..., S, S, 3]."""


class NoCache:
    """Decode an image every time it is needed."""

    def __init__(self, decode: DecodeExample, *, size_px: int) -> None:
        self._decode = decode
        self._size_px = size_px

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Decode the images of example indices."""
        pixels = np.empty((indices.size, self._size_px, self._size_px, 3), np.uint8)
        for position, index in enumerate(indices.flat):
            pixels[position] = self._decode(int(index))
        return pixels.reshape(*indices.shape, *pixels.shape[1:])


class FillingCache:
    """Decode an image when it is first needed, and keep its pixels in an array.

    Two threads may decode the same image at the same time; they write the same bytes.

    Args:
      filling_frac: time that may be spent on filling, as a fraction of what decoding all images
        that were asked for would have taken. The first use of memory can take longer than a
        decoding, as in virtual machines whose host hands memory over page by page: then some
        images are kept in each epoch and not all in the first one. By default every image is kept
        at once.
    """

    def __init__(
        self,
        decode: DecodeExample,
        *,
        pixels: np.ndarray,
        when_full: Callable[[], None],
        filling_frac: float = math.inf,
    ) -> None:
        self._decode = decode
        self._pixels = pixels
        self._when_full = when_full
        self._allowed = _Allowance(filling_frac)
        self._is_filled = np.zeros(len(pixels), bool)
        self._lock = threading.Lock()
        self._is_reported = False

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the images of example indices, decoding those that are missing."""
        is_filled = self._is_filled[indices]
        if is_filled.all():
            self._allowed.add_kept(indices.size)
            return np.take(self._pixels, indices, axis=0)
        taken = np.empty((indices.size, *self._pixels.shape[1:]), np.uint8)
        for position, (index, is_kept) in enumerate(zip(indices.flat, is_filled.flat, strict=True)):
            if is_kept:
                self._allowed.add_kept(1)
                taken[position] = self._pixels[index]
            else:
                with self._allowed.decoding():
                    taken[position] = self._decode(int(index))
                self._keep(int(index), taken[position])
        self._report_full()
        return taken.reshape(*indices.shape, *taken.shape[1:])

    def _keep(self, index: int, image: np.ndarray) -> None:
        if self._is_filled[index] or not self._allowed.is_left():
            return
        with self._allowed.filling():
            self._pixels[index] = image
        # After the pixels: another thread may read them as soon as this is set.
        self._is_filled[index] = True

    def _report_full(self) -> None:
        with self._lock:
            if not self._is_reported and self._is_filled.all():
                self._is_reported = True
                self._when_full()


class _Allowance:
    """Account of the time that decoding and filling took.

    Threads add to it without a lock: an addition that is lost changes nothing but the moment at
    which an image is kept.
    """

    def __init__(self, filling_frac: float) -> None:
        self._filling_frac = filling_frac
        self._decoding_s = self._filling_s = 0.0
        self._decoded = self._asked = 0

    @contextlib.contextmanager
    def decoding(self) -> Iterator[None]:
        """Count an image that is decoded within the block."""
        start = time.perf_counter()
        yield
        self._decoding_s += time.perf_counter() - start
        self._decoded += 1
        self._asked += 1

    @contextlib.contextmanager
    def filling(self) -> Iterator[None]:
        """Count the time of the block as filling."""
        start = time.perf_counter()
        yield
        self._filling_s += time.perf_counter() - start

    def add_kept(self, count: int) -> None:
        """Count images that need no decoding."""
        self._asked += count

    def is_left(self) -> bool:
        """Tell whether an image may be kept now."""
        decoding_all_s = self._decoding_s / max(self._decoded, 1) * self._asked
        return self._filling_s <= self._filling_frac * decoding_all_s


class FullCache:
    """Return images from an array that holds all of them."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the images of example indices."""
        return np.take(self._pixels, indices, axis=0)


def in_memory(decode: DecodeExample, *, num_examples: int, size_px: int) -> Store:
    """Keep pixels in this process; memory is taken as images are decoded."""
    pixels = np.empty((num_examples, size_px, size_px, 3), np.uint8)
    return FillingCache(
        decode, pixels=pixels, when_full=lambda: None, filling_frac=_MEMORY_FILLING_FRAC
    )


def on_disk(decode: DecodeExample, *, path: pathlib.Path, num_examples: int, size_px: int) -> Store:
    """Keep pixels in a file for later runs, renamed into place when its last image is written.

    Raises:
      errors.UserError: if the disk has no room for it.
    """
    shape = (num_examples, size_px, size_px, 3)
    if path.exists() and path.stat().st_size == np.prod(shape):
        return FullCache(np.memmap(path, np.uint8, mode="r", shape=shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    incomplete = path.with_name(f"incomplete.{uuid.uuid4().hex}.{path.name}")
    file = _reserve(incomplete, num_bytes=int(np.prod(shape)))
    pixels = np.memmap(file, np.uint8, mode="r+", shape=shape)

    def publish() -> None:
        pixels.flush()
        incomplete.replace(path)
        # Last: closing gives up the lock, and another run may then remove an incomplete file.
        file.close()

    return FillingCache(decode, pixels=pixels, when_full=publish)


def _reserve(path: pathlib.Path, *, num_bytes: int) -> BinaryIO:
    """Create a file with all its blocks allocated, and lock it for the life of this process.

    Blocks are allocated at once because writing into a hole of a mapped file on a full disk would
    end the process.
    """
    free = shutil.disk_usage(path.parent).free
    try:
        file = path.open("x+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        _allocate(file, num_bytes=num_bytes)
        return file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise errors.UserError(
            f"--cache=disk needs {num_bytes / _GB:.1f} GB in {path.parent}, which has "
            f"{free / _GB:.1f} GB free ({error.strerror}): make room, name another --cache_dir, or "
            "use --cache=none"
        ) from None


def _allocate(file: BinaryIO, *, num_bytes: int) -> None:
    """Have the disk set aside all blocks of an empty file, which then reads as zeros."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, num_bytes)
        return
    for start in range(0, num_bytes, len(_ZEROS)):  # macOS has no call for it.
        file.write(_ZEROS[: num_bytes - start])
    file.flush()


def _remove_abandoned(path: pathlib.Path) -> None:
    """Remove the incomplete files of killed processes: those that no process has locked."""
    for incomplete in path.parent.glob(f"incomplete.*.{path.name}"):
        with incomplete.open("rb") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            incomplete.unlink()
