"""TensorBoard summaries: scalars, images and hyperparameters of a run.

Written without the tensorboard package (extra `tensorboard`), which only the reader needs.
"""

import pathlib
from collections.abc import Mapping

import tensorflow as tf
from google.protobuf import struct_pb2

from trainer.optim import norms
from trainer.run import history

_TRAIN_COLUMNS = (
    *("loss", "accuracy", "learning_rate", "images_per_s", "input_wait_frac"),
    *norms.NAMES,
)

_HPARAMS_TAG = "_hparams_/session_start_info"
"""By which TensorBoard finds them (tensorboard/plugins/hparams/metadata.py)."""


class TensorBoard:
    """Write under `<model_dir>/tensorboard`.

    Training and evaluation are two runs, whose curves share charts; the hyperparameters belong to
    the folder above both.
    """

    def __init__(self, model_dir: pathlib.Path) -> None:
        folder = model_dir / "tensorboard"
        self._both = tf.summary.create_file_writer(str(folder))
        self._train = tf.summary.create_file_writer(str(folder / "train"))
        self._validation = tf.summary.create_file_writer(str(folder / "validation"))

    def write(self, row: history.Row, *, prefix: str) -> None:
        """Write a history row; the columns of the evaluated split begin with `prefix`."""
        with self._train.as_default(step=int(row["step"])):
            for name in _TRAIN_COLUMNS:
                _write_scalar(name, row[name])
        with self._validation.as_default(step=int(row["step"])):
            for name in (n for n in row if n.startswith(prefix)):
                _write_scalar(name.removeprefix(prefix), row[name])
        self._train.flush()
        self._validation.flush()

    def write_hparams(self, settings: Mapping[str, str | float | bool]) -> None:
        """Write the settings for the page HPARAMS, on which runs are compared."""
        metadata = _metadata("hparams", kind="DATA_CLASS_TENSOR", content=hparams_content(settings))
        with self._both.as_default(step=0):
            tf.summary.write(_HPARAMS_TAG, tf.zeros([0]), metadata=metadata)
        self._both.flush()

    def write_image(self, name: str, *, png: bytes, step: int) -> None:
        """Write an image."""
        # IHDR is the first chunk of a PNG, and begins with the two sides.
        width = int.from_bytes(png[16:20], "big")
        height = int.from_bytes(png[20:24], "big")
        image = tf.constant([str(width).encode(), str(height).encode(), png])
        with self._validation.as_default(step=step):
            tf.summary.write(
                name, image, metadata=_metadata("images", kind="DATA_CLASS_BLOB_SEQUENCE")
            )
        self._validation.flush()


def _write_scalar(name: str, value: float) -> None:
    metadata = _metadata("scalars", kind="DATA_CLASS_SCALAR")
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=metadata)


def hparams_content(settings: Mapping[str, str | float | bool]) -> bytes:
    """Return the message of the page HPARAMS: HParamsPluginData with a session_start_info, field 3.

    The first field of that one is a map from names to values, as Struct's is
    (tensorboard/plugins/hparams/plugin_data.proto), so that Struct encodes it.
    """
    session = struct_pb2.Struct()
    session.update(dict(settings))
    content: bytes = session.SerializeToString(deterministic=True)
    return bytes([3 << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Return a length as protocol buffers write it: seven bits a byte, the lowest first."""
    low, rest = number % 128, number // 128
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def _metadata(plugin: str, *, kind: str, content: bytes = b"") -> tf.compat.v1.SummaryMetadata:
    """Return the metadata that tf.summary.scalar and image, and hparams.api, write.

    Those need the tensorboard package for it; writing does not.
    """
    data = tf.compat.v1.SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    return tf.compat.v1.SummaryMetadata(plugin_data=data, data_class=kind)
