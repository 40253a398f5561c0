"""Exact resize: gives the same pixels in evaluation, in prediction and in every exported model.

Owns the arithmetic, and the decoding of an evaluation: all of an image is decoded, by the accurate
inverse DCT, as OpenCV, Pillow and browsers decode it for the user of an export, and resized here.
Evaluating on what training decodes was rejected: it is not what is shipped.

It follows the resize of training (`affectnet_tfds.reader.image_decoder`), which decodes a JPEG to
the next larger eighth of its size by an inverse DCT that averages (1, 2 and 4 eighths) or nearly
does, and from there averages over areas, or interpolates between neighbours where it enlarges. On
drawn faces of 224 pixels, levels differ from training's by 0.3 on average at 48 pixels and by at
most 0.8 at other sizes (a test holds 1.1); averaged in one go they differed by 2.1 at 48, and
accuracy by 6 points. At the stored size they are the same.

Weights are rounded to 12 bits, and 4 bits are kept between rows and columns; all sums then fit into
the 24 bits of a float32 exactly, so that TensorFlow, ONNX Runtime and TFLite cannot differ, in
whatever order they add. tf.image.resize (and keras.layers.Resizing, which calls it) was rejected:
no other runtime has its antialiasing, and with rounding left to float noise, single pixels differed
by one level and probabilities by 7e-4. cv2 and Pillow cannot be part of an exported graph.
"""

import functools

import numpy as np
import tensorflow as tf
from scipy import sparse

from affectnet_tfds import image_codec
from affectnet_tfds.reader import image_decoder

PROTOCOL = {"images": "decoded in full and resized as in exports"}
"""What the protocol of an evaluation says of it; those of earlier releases do not."""

_WEIGHT_STEPS = 2.0**12
_BETWEEN_STEPS = 2.0**4


def decoder(stored: image_decoder.Stored, *, size_px: int) -> image_decoder.Decode:
    """Return the function that decodes stored images to a size as an export's user does."""
    decode = image_decoder.to_size(stored, size_px=stored.size_px)
    for by_eighths in (False, True):  # Computed here, not in the threads that decode.
        _sparse_weights(stored.size_px, size_px=size_px, by_eighths=by_eighths)

    def decode_exactly(content: memoryview) -> np.ndarray:
        by_eighths = not stored.is_raw and image_codec.is_jpeg(content)
        return resize_one(decode(content), size_px=size_px, by_eighths=by_eighths)

    return decode_exactly


def resize_one(pixels: np.ndarray, *, size_px: int, by_eighths: bool) -> np.ndarray:
    """Resize uint8[H, W, C] to uint8[S, S, C] on the CPU: the same pixels as those of `resize`."""
    height, width, channels = pixels.shape
    if height == width == size_px:
        return pixels
    row_weights, column_weights = (
        _sparse_weights(length, size_px=size_px, by_eighths=by_eighths)
        for length in (height, width)
    )
    rows = row_weights @ pixels.reshape(height, -1).astype(np.float32)
    between = np.floor(rows * np.float32(_BETWEEN_STEPS) + np.float32(0.5))
    between /= np.float32(_BETWEEN_STEPS)
    columns = between.reshape(size_px, width, channels).swapaxes(0, 1).reshape(width, -1)
    resized = np.floor(column_weights @ columns + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(resized.reshape(size_px, size_px, channels).swapaxes(0, 1))


@functools.lru_cache(maxsize=64)
def _sparse_weights(length: int, *, size_px: int, by_eighths: bool) -> sparse.csr_matrix:
    """Return `weights`, of which but a few in a row are not zero: float32[S, length]."""
    with tf.init_scope(), tf.device("CPU"):
        found = weights(tf.constant(length), size_px=size_px, by_eighths=by_eighths)
    return sparse.csr_matrix(found.numpy())


def resize(images: tf.Tensor, *, size_px: int, by_eighths: bool) -> tf.Tensor:
    """Resize uint8[B, H, W, C] to whole numbers in 0..255, float32[B, S, S, C].

    Args:
      images: of any B, H and W.
      size_px: S.
      by_eighths: whether as training resizes JPEGs, rather than images stored pixel by pixel.
    """
    pixels = tf.cast(images, tf.float32)
    shape = tf.shape(images)
    row_weights = weights(shape[1], size_px=size_px, by_eighths=by_eighths)
    column_weights = weights(shape[2], size_px=size_px, by_eighths=by_eighths)
    rows = tf.einsum("bhwc,ih->biwc", pixels, row_weights)
    between = tf.floor(rows * _BETWEEN_STEPS + 0.5) / _BETWEEN_STEPS
    resized = tf.einsum("biwc,jw->bijc", between, column_weights)
    return tf.ensure_shape(
        tf.floor(resized + 0.5), (images.shape[0], size_px, size_px, images.shape[3])
    )


def weights(length: tf.Tensor, *, size_px: int, by_eighths: bool) -> tf.Tensor:
    """Return the weights of `length` old pixels in each of S new ones: float32[S, length].

    Each row sums to 1.
    """
    if not by_eighths:
        return _difference(_cumulative(length, size=tf.constant(size_px)))
    # The fewest eighths that still have S pixels.
    eighths = tf.clip_by_value(8 * (size_px - 1) // length + 1, 1, 8)
    decoded = (length * eighths + 7) // 8
    to_size = _difference(_cumulative(decoded, size=tf.constant(size_px)))
    return _difference(tf.matmul(to_size, _cumulative(length, size=decoded)))


def _cumulative(length: tf.Tensor, *, size: tf.Tensor) -> tf.Tensor:
    """Return weights summed over the old pixels up to and with each: float32[size, length], 0..1.

    A new pixel covers length / size old ones (shrinking), or one, about its own centre, with the
    edge repeated.
    """
    old = tf.cast(length, tf.float32)
    new = tf.cast(size, tf.float32)
    ratio = old / new
    index = tf.range(new)
    left_of_centre = tf.clip_by_value((index + 0.5) * ratio - 0.5, 0.0, old - 1)
    start = tf.where(ratio > 1, index * ratio, left_of_centre)[:, None]
    covered = (tf.range(old)[None, :] + 1 - start) / tf.maximum(ratio, 1.0)
    return _rounded(tf.clip_by_value(covered, 0.0, 1.0))


def _difference(cumulative: tf.Tensor) -> tf.Tensor:
    """Return the weights of cumulative sums.

    The sums are rounded rather than the weights, so that rows sum to 1 exactly.
    """
    rounded = _rounded(cumulative)
    return rounded - tf.pad(rounded[:, :-1], [[0, 0], [1, 0]])


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.floor(values * _WEIGHT_STEPS + 0.5) / _WEIGHT_STEPS
