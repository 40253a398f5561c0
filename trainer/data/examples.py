"""The examples of one split: labels as arrays, pictures by number.

Owns giving back any picture by its number in the split's own order. Random access makes every
epoch's order an exact permutation and resuming a matter of arithmetic, and a host touches only the
pictures of its own share; a shuffle buffer over a stream was rejected, because its order depends on
its size and its place cannot be named.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.data import dataset_version, image_decoder, pixel_cache, tfrecord_index

_MEMORY_FRAC = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """A split: arrays over its N examples in file order, and `fetch`, uint8[..., S, S, 3] of
    numbers int64[...]."""

    name: str
    size_px: int
    labels: np.ndarray  # int64[N]
    valence: np.ndarray  # float32[N], NaN where there is none
    arousal: np.ndarray  # float32[N], NaN where there is none
    filenames: np.ndarray  # str[N], path inside the release; the copies of a picture share it
    copies: np.ndarray  # int64[N], 0 for the picture itself, k for its k-th repeat by balancing
    fetch: Callable[[tf.Tensor], tf.Tensor]

    @property
    def num_examples(self) -> int:
        return len(self.labels)


def read(
    version: dataset_version.Version,
    *,
    split: str,
    size_px: int,
    cache: str = "auto",
    cache_dir: str | None = None,
) -> Split:
    """Open a split; pictures are decoded when they are asked for.

    Args: version: the published data. split: its name. size_px: side of the pictures to give back.
      cache: where decoded pixels are kept: none, ram, disk, or auto (ram if they fit half of the
      free memory). cache_dir: folder of cache=disk.

    Raises:
      errors.UserError: if a shard is damaged, or the disk has no room for the cache.
    """
    found = tfrecord_index.read(
        [pathlib.Path(file) for file in version.builder.info.splits[split].filepaths]
    )
    stored = image_decoder.Stored(size_px=version.stored_size, is_raw=version.encoding == "raw")
    decode = image_decoder.to_size(stored, size_px=size_px)
    path = _cache_folder(cache_dir) / f"{version.fingerprint[:32]}-{split}-{size_px}px.uint8"
    shape = {"num_examples": version.counts[split], "size_px": size_px}
    store = _store(
        lambda number: decode(found.image_bytes(number)), cache=cache, path=path, **shape
    )
    columns = {
        name: getattr(found, name)
        for name in ("labels", "valence", "arousal", "filenames", "copies")
    }
    return Split(name=split, size_px=size_px, fetch=_fetching(store, size_px=size_px), **columns)


def _store(
    decode: pixel_cache.DecodeNumber,
    *,
    cache: str,
    path: pathlib.Path,
    num_examples: int,
    size_px: int,
) -> pixel_cache.Store:
    fits = num_examples * size_px**2 * 3 < _MEMORY_FRAC * _free_bytes()
    chosen = ("ram" if fits else "none") if cache == "auto" else cache
    if chosen == "none":
        return pixel_cache.NoCache(decode, size_px=size_px)
    if chosen == "ram":
        return pixel_cache.in_memory(decode, num_examples=num_examples, size_px=size_px)
    return pixel_cache.on_disk(decode, path=path, num_examples=num_examples, size_px=size_px)


def _fetching(store: pixel_cache.Store, *, size_px: int) -> Callable[[tf.Tensor], tf.Tensor]:
    def fetch(numbers: tf.Tensor) -> tf.Tensor:
        images = tf.numpy_function(
            lambda n: store.take(np.asarray(n)), [numbers], tf.uint8, stateful=False
        )
        return tf.ensure_shape(images, (*numbers.shape, size_px, size_px, 3))

    return fetch


def _cache_folder(chosen: str | None) -> pathlib.Path:
    """Return the folder of disk caches, by default where the XDG base directory specification wants
    it."""
    usual = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "affectnet_faces"
    return (pathlib.Path(chosen) if chosen else usual).expanduser()


def _free_bytes() -> int:
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
