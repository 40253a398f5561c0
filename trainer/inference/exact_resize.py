"""Crops of any size to the size that the network takes, inside the graph, to the same bytes in
every runtime.

Owns the resize of exported models: that of training (`decoding`), which takes JPEGs by an inverse
DCT to the next larger eighth of their size and from there averages over areas, or between
neighbours where it enlarges. The DCT's part is averaging here: on drawn faces, from 224 to 48
pixels, levels differ by 0.9 on average from training's; they differed by 2.6 when averaged in one
go, and accuracy by 2.5 points.

Weights are rounded to 12 bits, and 4 bits are kept between rows and columns; all sums then fit into
the 24 bits of a float32 exactly, so that TensorFlow, ONNX Runtime and TFLite cannot differ, in
whatever order they add. tf.image.resize was rejected: no other runtime has its antialiasing, and
with rounding left to float noise, single pixels differed by one level and probabilities by 7e-4.
"""

import tensorflow as tf

_WEIGHT_STEPS, _BETWEEN_STEPS = 2.0**12, 2.0**4


def resize(images: tf.Tensor, *, size_px: int, by_eighths: bool) -> tf.Tensor:
    """Resize uint8[B, H, W, C] to whole numbers in 0..255, float32[B, S, S, C].

    Args: images: any B, H and W. size_px: S. by_eighths: whether as JPEGs are taken to the training
      size, rather than pictures stored as they are.
    """
    pixels, shape = tf.cast(images, tf.float32), tf.shape(images)
    of_rows, of_columns = (
        weights(shape[axis], size_px=size_px, by_eighths=by_eighths) for axis in (1, 2)
    )
    rows = tf.einsum("bhwc,ih->biwc", pixels, of_rows)
    between = tf.floor(rows * _BETWEEN_STEPS + 0.5) / _BETWEEN_STEPS
    both = tf.einsum("biwc,jw->bijc", between, of_columns)
    return tf.ensure_shape(
        tf.floor(both + 0.5), (images.shape[0], size_px, size_px, images.shape[3])
    )


def weights(length: tf.Tensor, *, size_px: int, by_eighths: bool) -> tf.Tensor:
    """Return what each of `length` old pixels adds to each of S new ones: float32[S, length], rows
    of sum 1."""
    if not by_eighths:
        return _difference(_until(length, size=tf.constant(size_px)))
    eighths = tf.clip_by_value(
        8 * (size_px - 1) // length + 1, 1, 8
    )  # the fewest that still have S pixels
    part = (length * eighths + 7) // 8
    last = _difference(_until(part, size=tf.constant(size_px)))
    return _difference(tf.matmul(last, _until(length, size=part)))


def _until(length: tf.Tensor, *, size: tf.Tensor) -> tf.Tensor:
    """Return how much of each new pixel lies in the old ones up to and with each: float32[size,
    length], 0..1.

    A new pixel covers length / size old ones (shrinking), or one, about its own centre, with the
    edge repeated.
    """
    old, new = tf.cast(length, tf.float32), tf.cast(size, tf.float32)
    ratio, place = old / new, tf.range(new)
    beside = tf.clip_by_value((place + 0.5) * ratio - 0.5, 0.0, old - 1)
    begins = tf.where(ratio > 1, place * ratio, beside)[:, None]
    return _rounded(
        tf.clip_by_value((tf.range(old)[None, :] + 1 - begins) / tf.maximum(ratio, 1.0), 0.0, 1.0)
    )


def _difference(until: tf.Tensor) -> tf.Tensor:
    """Return the weights whose sums were given; sums are rounded rather than weights, so that rows
    add up to 1."""
    rounded = _rounded(until)
    return rounded - tf.pad(rounded[:, :-1], [[0, 0], [1, 0]])


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.floor(values * _WEIGHT_STEPS + 0.5) / _WEIGHT_STEPS
