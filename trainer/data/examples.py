"""Examples of a split: labels as arrays, images by example index.

Owns random access to any image by its index in file order. It makes every epoch's order an exact
permutation and resuming a matter of arithmetic, and a host touches only the images of its own
share; a shuffle buffer over a stream was rejected, because its order depends on its size and its
position cannot be restored.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from affectnet_tfds.reader import image_decoder
from runtime import errors, machine
from trainer.data import dataset_version, exact_resize, pixel_cache, tfrecord_index

_MEMORY_FRAC = 0.5
"""Share of the free memory that --cache=auto may fill."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Examples of a split: arrays over its N examples in file order, and a function for images.

    `fetch` returns images, uint8[..., S, S, 3], for example indices, int64[...]; `fetch_exact`
    those that an evaluation is given, where `fetch` returns those of training.
    """

    name: str
    size_px: int
    labels: np.ndarray  # int64[N]
    valence: np.ndarray  # float32[N], NaN where there is none
    arousal: np.ndarray  # float32[N], NaN where there is none
    copies: np.ndarray  # int64[N], 0 for the image itself, k for its k-th repeat by balancing
    positions: np.ndarray  # int64[N], in the files of the split, where this is a part of it
    fetch: Callable[[tf.Tensor], tf.Tensor]
    fetch_exact: Callable[[tf.Tensor], tf.Tensor]
    read_filenames: Callable[[], np.ndarray]  # of `filenames`
    soft_labels: np.ndarray | None = None  # float32[N, 8], NaN where there is none, as stored
    face_heights: np.ndarray | None = None
    """float32[N], of the face box as a share of the original's height, NaN where there is none."""
    subsets: np.ndarray | None = None
    """int8[N], index into labels.SUBSETS, -1 where there is none."""
    targets: np.ndarray | None = None
    """float32[N, C], the distribution over the classes that is learnt beside the label, if any."""
    label_weights: np.ndarray | None = None  # float32[N], of the loss of each label, if any
    image_bytes: Callable[[int], memoryview] | None = None  # stored bytes at one of `positions`
    read_groups: Callable[[], Mapping[str, np.ndarray]] = dict  # of `groups`

    @property
    def num_examples(self) -> int:
        """Number of examples, N."""
        return len(self.labels)

    @functools.cached_property
    def filenames(self) -> np.ndarray:
        """Paths inside the release, str[N]; the copies of an image share one.

        Read when they are asked for: of a million examples they take hundreds of megabytes, which
        training does without.
        """
        return self.read_filenames()

    @functools.cached_property
    def groups(self) -> Mapping[str, np.ndarray]:
        """Attribute of person or image (the job's --groups) → its text, str[N]; "" for none.

        Read as `filenames` are.
        """
        return self.read_groups()


def read(
    version: dataset_version.Version,
    *,
    split: str,
    size_px: int,
    for_training: bool = False,
    cache: str = "auto",
    cache_dir: str | None = None,
    verify: bool = False,
) -> Split:
    """Open a split; images are decoded when they are fetched.

    Args:
      version: the published data.
      split: its name.
      size_px: side of the images to return.
      for_training: whether a JPEG is decoded no larger than needed, which takes less time; else as
        for an exported model (`exact_resize`).
      cache: where decoded pixels are kept: none, ram, disk, or auto (ram if they fit half of the
        free memory).
      cache_dir: folder of cache=disk.
      verify: whether every record is read now, and compared with its checksum and the index.

    Raises:
      errors.UserError: if a shard is damaged, or the disk has no room for the cache.
    """
    records = tfrecord_index.read(
        [pathlib.Path(file) for file in version.builder.info.splits[split].filepaths],
        verify=verify,
    )
    _check_labels(records, num_classes=len(version.class_names))
    stored = image_decoder.Stored(size_px=version.stored_size, is_raw=version.encoding == "raw")
    decode = exact = _by_index(records, exact_resize.decoder(stored, size_px=size_px))
    if for_training:
        decode = _by_index(records, image_decoder.to_size(stored, size_px=size_px))
    num_examples = version.counts[split]
    kind = _cache_kind(cache, num_examples=num_examples, size_px=size_px)
    pixels = "training" if for_training else "exact"
    name = f"{version.fingerprint[:32]}-{split}-{size_px}px-{pixels}.uint8"
    store = functools.partial(
        _store, path=_cache_folder(cache_dir) / name, num_examples=num_examples, size_px=size_px
    )
    fetch = fetch_exact = _fetch(store(decode, cache=kind), size_px=size_px)
    if for_training:  # Few are fetched so: in memory only these take any, and none on a disk.
        few = store(exact, cache="ram" if kind == "ram" else "none")
        fetch_exact = _fetch(few, size_px=size_px)
    return Split(
        name=split,
        size_px=size_px,
        labels=records.labels,
        valence=records.valence,
        arousal=records.arousal,
        read_filenames=lambda: records.filenames,
        copies=records.copies,
        positions=np.arange(len(records.labels)),
        fetch=fetch,
        fetch_exact=fetch_exact,
        soft_labels=records.soft_labels,
        image_bytes=records.image_bytes,
        face_heights=records.face_heights,
        subsets=records.subsets,
        read_groups=lambda: records.groups,
    )


def _by_index(
    records: tfrecord_index.Records, decode: image_decoder.Decode
) -> pixel_cache.DecodeExample:
    def decoded(index: int) -> np.ndarray:
        content = records.image_bytes(index)
        try:
            return decode(content)
        except ValueError as error:
            file = records.files[int(records.shard[index])]
            raise errors.UserError(f"{file}, {records.filenames[index]}: {error}") from None

    return decoded


def _check_labels(records: tfrecord_index.Records, *, num_classes: int) -> None:
    strange = np.flatnonzero((records.labels < 0) | (records.labels >= num_classes))
    if strange.size:
        first = int(strange[0])
        raise errors.UserError(
            f"{records.files[int(records.shard[first])]}, {records.filenames[first]}: label must "
            f"be 0..{num_classes - 1}: got {records.labels[first]}; build the data set again"
        )


def _cache_kind(cache: str, *, num_examples: int, size_px: int) -> str:
    """Return none, ram or disk."""
    if cache != "auto":
        return cache
    fits = num_examples * size_px**2 * 3 < _MEMORY_FRAC * machine.free_bytes()
    return "ram" if fits else "none"


def _store(
    decode: pixel_cache.DecodeExample,
    *,
    cache: str,
    path: pathlib.Path,
    num_examples: int,
    size_px: int,
) -> pixel_cache.Store:
    if cache == "none":
        return pixel_cache.NoCache(decode, size_px=size_px)
    if cache == "ram":
        return pixel_cache.in_memory(decode, num_examples=num_examples, size_px=size_px)
    return pixel_cache.on_disk(decode, path=path, num_examples=num_examples, size_px=size_px)


def _fetch(store: pixel_cache.Store, *, size_px: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the function from example indices to images, for use in a tf.data graph."""

    def fetch(indices: tf.Tensor) -> tf.Tensor:
        images = tf.numpy_function(
            lambda values: store.take(np.asarray(values)), [indices], tf.uint8, stateful=False
        )
        return tf.ensure_shape(images, (*indices.shape, size_px, size_px, 3))

    return fetch


def _cache_folder(chosen: str | None) -> pathlib.Path:
    """Return the folder of disk caches, by default that of the XDG base directory specification."""
    if chosen:
        return pathlib.Path(chosen).expanduser()
    cache_home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return (cache_home / "affectnet_faces").expanduser()
