"""Face dataset: examples of a published split by index, as NumPy arrays, without TensorFlow.

    faces = FaceDataset("build/demo/data", split="train", as_supervised=True)
    image, label = faces[0]

Owns random access for PyTorch, JAX and whatever else takes an object with a length and an index. An
instance can be pickled and used from threads and processes: workers get the index, and open the
shards themselves. A subclass of torch.utils.data.Dataset was rejected: a DataLoader asks for no
class, and PyTorch would have to be installed.
"""

import contextlib
import functools
import operator
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from affectnet_tfds import dataset_paths, example_codec, tfrecord
from affectnet_tfds.reader import image_decoder, open_files, record_index, version_folder
from runtime import errors

_IMAGE = "image"
_SOFT_LABEL = "soft_label"
_GROUPS = "groups"
_SIZES_PX = range(8, 4096 + 1)
"""Sides that images are resized to, from the least that the trainer takes."""

Transform = Callable[[np.ndarray], Any]
"""From uint8[S, S, 3] RGB to what is returned in its place."""


class FaceDataset:
    """Examples of a split: `faces[i]`, `len(faces)`, `faces.class_names`, `faces.columns()`."""

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        split: str,
        config_name: str | None = None,
        image_size: int | None = None,
        as_supervised: bool = False,
        transform: Transform | None = None,
    ) -> None:
        """Find the newest version and index its shards.

        Args:
          data_dir: the folder that holds data sets, as for tfds.load, or a version's own folder;
            None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
          split: train, validation or another that the version has.
          config_name: the config; None: the default one, or the only one.
          image_size: side of the images returned, 8..4096 pixels; None: as stored. A JPEG is
            decoded no larger than that takes.
          as_supervised: whether an example is the pair (image, label), as in tfds.load, or a
            mapping of all features.
          transform: called with each image, uint8[S, S, 3] RGB, such as a transform of torchvision.

        Raises:
          errors.UserError: if there is no such version or split, if its files are damaged, missing
            or not readable, or if an argument has no such value.
        """
        size_px = _checked_size(image_size)
        _check_transform(transform)
        with version_folder.explained():
            path = version_folder.find(
                None if data_dir is None else os.fspath(data_dir), config_name=config_name
            )
            self.metadata = version_folder.read(path)
            self._index = record_index.read(self.metadata.shards(split))
        self.split = split
        self.image_size = self.metadata.image_size if size_px is None else size_px
        self._as_supervised = as_supervised
        self._transform = transform
        self._check_counts()
        self._files: tuple[int, open_files.OpenFiles] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.metadata.class_names

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        """The shards, in order."""
        return self._index.files

    def __len__(self) -> int:
        return len(self._index)

    def __repr__(self) -> str:
        return f"FaceDataset({self.metadata.name}, split={self.split!r}, {len(self):,} examples)"

    def __getitem__(self, index: Any) -> Any:
        """Return an example; its position is that in tfds.load's file order.

        Args:
          index: 0..N-1, or -N..-1 counted from the end.

        Returns: (image, label) with as_supervised, else a mapping of all features (see
          `affectnet_tfds.features`): image uint8[S, S, 3] RGB, label, landmarks float32[68, 2], …

        Raises:
          IndexError: if there are not so many examples.
          errors.UserError: naming the file and the record, if it is damaged or not readable.
        """
        example = self.stored(index)
        image: Any = self._pixels(example, self._position(index))
        if self._transform is not None:
            image = self._transform(image)
        if self._as_supervised:
            return image, example.label
        return {_IMAGE: image, **_features(example)}

    def stored(self, index: Any) -> example_codec.Example:
        """Return an example as it is stored, with the encoded bytes of its image.

        For copies into other formats, which then need not encode it once more.

        Raises:
          IndexError, errors.UserError: as for `faces[index]`.
        """
        position = self._position(index)
        content = self._content(position)
        try:
            return example_codec.parse(content)
        except ValueError as error:
            where = self._where(position)
            raise errors.UserError(f"{where}: {error}; build the data set again") from None

    def columns(self) -> dict[str, np.ndarray]:
        """Read all features but the images: arrays of N rows, such as label, filename, valence.

        An attribute (the job's --groups) is the column groups/NAME.

        For samplers and tables (pandas.DataFrame takes the columns with one number a row). Reads
        every record of the split, and checks its checksum.

        Raises:
          errors.UserError: naming the file and the record, if one is damaged.
        """
        rows = [_columns(self.stored(position)) for position in range(len(self))]
        return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs: open files stay here."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_decode"}
        return {**kept, "_files": None}

    def _position(self, index: Any) -> int:
        position = operator.index(index)
        count = len(self)
        if not -count <= position < count:
            raise IndexError(f"index must be {-count}..{count - 1}: got {position}")
        return position % count

    def _pixels(self, example: example_codec.Example, position: int) -> np.ndarray:
        try:
            pixels = self._decode(memoryview(example.image))
            return pixels if pixels.flags.writeable else pixels.copy()  # PyTorch warns of these.
        except ValueError as error:
            where = f"{self._where(position)} ({example.filename})"
            raise errors.UserError(f"{where}: {error}") from None

    def _content(self, position: int) -> bytes:
        """Return the content of a record whose checksum holds."""
        index = self._index
        file = index.files[int(index.shard[position])]
        start = int(index.start[position])
        length = int(index.length[position])
        with version_folder.explained():
            record = self._open_files().read(file, start=start, length=length)
        end = len(record) - tfrecord.FOOTER_BYTES
        content = record[tfrecord.HEADER_BYTES : end]
        if not tfrecord.is_intact(record, content, end=end):
            number = self._number_in_file(position)
            raise record_index.damaged(file, record=number, start=start)
        return content

    def _open_files(self) -> open_files.OpenFiles:
        """Return this process's files: a lock that was held while it forked would stay locked."""
        found = self._files
        if found is None or found[0] != os.getpid():
            found = self._files = (os.getpid(), open_files.OpenFiles(self._index.stamps))
        return found[1]

    @functools.cached_property
    def _decode(self) -> image_decoder.Decode:
        stored = image_decoder.Stored(
            size_px=self.metadata.image_size, is_raw=self.metadata.encoding == "raw"
        )
        return image_decoder.to_size(stored, size_px=self.image_size)

    def _number_in_file(self, position: int) -> int:
        return position - int(np.searchsorted(self._index.shard, self._index.shard[position]))

    def _where(self, position: int) -> str:
        file = self._index.files[int(self._index.shard[position])]
        return f"{file}, record {self._number_in_file(position)}"

    def _check_counts(self) -> None:
        """Refuse shards that do not hold what the metadata say: parts of two builds were mixed."""
        counted = np.bincount(self._index.shard, minlength=len(self._index.files))
        stated = self.metadata.splits[self.split]
        for file, found, wanted in zip(self._index.files, counted, stated, strict=True):
            if found != wanted:
                raise errors.UserError(
                    f"{file} must hold {wanted:,} records by its {dataset_paths.DATASET_INFO}: got "
                    f"{found:,}; copy the version again from an intact copy"
                )


def _checked_size(image_size: Any) -> int | None:
    """Return the side asked for as an int, such as one of NumPy's."""
    if image_size is None:
        return None
    with contextlib.suppress(TypeError):  # Of what is no whole number.
        size_px = operator.index(image_size)
        if size_px in _SIZES_PX and not isinstance(image_size, bool):
            return size_px
    raise errors.UserError(
        f"image_size must be a whole number of pixels, {_SIZES_PX[0]}..{_SIZES_PX[-1]}, or "
        f"None for the size as stored: got {image_size!r:.60}"
    )


def _check_transform(transform: Any) -> None:
    if transform is not None and not callable(transform):
        raise errors.UserError(
            "transform must be a function of an image's pixels, or None for the pixels "
            f"themselves: got {transform!r:.60}"
        )


def _features(example: example_codec.Example) -> Mapping[str, Any]:
    """Return the features of an example but its image."""
    features = example._asdict()
    del features[_IMAGE]
    features["bbox"] = np.array(example.bbox, np.float32)
    for name in ("valence", "arousal"):
        features[name] = np.float32(features[name])
    if soft := features.pop(_SOFT_LABEL):
        features[_SOFT_LABEL] = np.array(soft, np.float32)
    if groups := features.pop(_GROUPS):
        features[_GROUPS] = dict(groups)
    return features


def _columns(example: example_codec.Example) -> Mapping[str, Any]:
    """Return the features of an example but its image, each attribute a feature of its own."""
    features = dict(_features(example))
    groups = features.pop(_GROUPS, {})
    return {**features, **{f"{_GROUPS}/{name}": text for name, text in groups.items()}}
