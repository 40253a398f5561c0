"""The examples of one split in memory: labels as arrays, pictures by number.

Owns reading a split once, from start to end, and giving back any picture by its number in the split's own order:
decoded pixels where they fit in memory, else the JPEG bytes, decoded on every use. Random access makes every epoch's
order an exact permutation and resuming a matter of arithmetic; a shuffle buffer over a stream was rejected, because
its order depends on its size and its place cannot be named.
"""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from trainer import dataset

_MEMORY_FRAC = 0.5
_CHUNK = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """A split: arrays over its N examples in file order, and `fetch`, uint8[..., S, S, 3] of numbers int64[...]."""

    name: str
    size_px: int
    labels: np.ndarray  # int64[N]
    valence: np.ndarray  # float32[N], NaN where there is none
    arousal: np.ndarray  # float32[N], NaN where there is none
    fetch: Callable[[tf.Tensor], tf.Tensor]

    @property
    def num_examples(self) -> int:
        return len(self.labels)


def read(version: dataset.Version, *, split: str, size_px: int, cache: str = "auto") -> Split:
    """Read a split.

    Args:
      version: the published data.
      split: its name.
      size_px: side of the pictures to give back.
      cache: pixels, jpeg or auto (pixels if they fit half of the free memory).
    """
    num_examples = version.counts[split]
    fits = num_examples * size_px**2 * 3 < _MEMORY_FRAC * _free_bytes()
    keep = _Pixels if cache == "pixels" or (cache == "auto" and fits) else _Jpeg
    store = keep(num_examples, size_px)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    for chunk in _chunks(version, split=split, decode=store.decode):
        store.add(chunk["image"])
        for name, values in columns.items():
            values.append(chunk[name].numpy())
    arrays = {_COLUMNS[name]: np.concatenate(values) for name, values in columns.items()}
    return Split(name=split, size_px=size_px, fetch=store.fetch(), **arrays)


def decode(jpeg: tf.Tensor, *, size_px: int) -> tf.Tensor:
    """Decode one JPEG to uint8[S, S, 3], resized (antialiased) where it has another size."""
    image = tf.io.decode_jpeg(jpeg, channels=3)
    is_same = tf.reduce_all(tf.equal(tf.shape(image)[:2], size_px))
    image = tf.cond(is_same, lambda: image, lambda: _resize(image, size_px=size_px))
    return tf.ensure_shape(image, (size_px, size_px, 3))


_COLUMNS = {"label": "labels", "valence": "valence", "arousal": "arousal"}


class _Pixels:
    """Hold decoded pictures."""

    def __init__(self, num_examples: int, size_px: int) -> None:
        self._pixels, self._count = np.empty((num_examples, size_px, size_px, 3), np.uint8), 0

    def decode(self, jpeg: tf.Tensor) -> tf.Tensor:
        return decode(jpeg, size_px=self._pixels.shape[1])

    def add(self, images: tf.Tensor) -> None:
        self._pixels[self._count : self._count + len(images)] = images.numpy()
        self._count += len(images)

    def fetch(self) -> Callable[[tf.Tensor], tf.Tensor]:
        def fetch(numbers: tf.Tensor) -> tf.Tensor:
            images = tf.numpy_function(self._pixels.__getitem__, [numbers], tf.uint8, stateful=False)
            return tf.ensure_shape(images, (*numbers.shape, *self._pixels.shape[1:]))

        return fetch


class _Jpeg:
    """Hold JPEG bytes."""

    def __init__(self, num_examples: int, size_px: int) -> None:
        self._size_px, self._chunks = size_px, list[tf.Tensor]()

    def decode(self, jpeg: tf.Tensor) -> tf.Tensor:
        return jpeg

    def add(self, images: tf.Tensor) -> None:
        self._chunks.append(images)

    def fetch(self) -> Callable[[tf.Tensor], tf.Tensor]:
        jpegs, size_px = tf.concat(self._chunks, axis=0), self._size_px
        pixels = tf.TensorSpec((size_px, size_px, 3), tf.uint8)

        def fetch(numbers: tf.Tensor) -> tf.Tensor:
            chosen = tf.reshape(tf.gather(jpegs, numbers), [-1])
            images = tf.map_fn(
                lambda jpeg: decode(jpeg, size_px=size_px), chosen, fn_output_signature=pixels, parallel_iterations=16
            )
            return tf.reshape(images, tf.concat([tf.shape(numbers), pixels.shape], axis=0))

        return fetch


def _resize(image: tf.Tensor, *, size_px: int) -> tf.Tensor:
    resized = tf.image.resize(image, (size_px, size_px), antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)


def _chunks(version: dataset.Version, *, split: str, decode: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    skip = {"image": tfds.decode.SkipDecoding()}
    examples = version.builder.as_dataset(split=split, decoders=skip, read_config=in_order, shuffle_files=False)
    return (
        examples.map(
            lambda example: {
                "image": decode(example["image"]),
                **{name: example[name] for name in _COLUMNS},
            },
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .batch(_CHUNK)
        .prefetch(2)
    )


def _free_bytes() -> int:
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
