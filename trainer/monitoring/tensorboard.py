"""TensorBoard summaries: scalars and images of a run, written without the tensorboard package."""

import pathlib

import tensorflow as tf

from trainer.run import history

_TRAIN_COLUMNS = ("loss", "accuracy", "learning_rate", "images_per_s", "input_wait_frac")


class TensorBoard:
    """Write under `<model_dir>/tensorboard`.

    Training and evaluation are two runs, whose curves share charts.
    """

    def __init__(self, model_dir: pathlib.Path) -> None:
        folder = model_dir / "tensorboard"
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


def _metadata(plugin: str, *, kind: str) -> tf.compat.v1.SummaryMetadata:
    """Return the metadata that tf.summary.scalar and image write.

    Those two need the tensorboard package for it; writing does not.
    """
    data = tf.compat.v1.SummaryMetadata.PluginData(plugin_name=plugin)
    return tf.compat.v1.SummaryMetadata(plugin_data=data, data_class=kind)
