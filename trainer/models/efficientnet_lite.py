"""EfficientNet-Lite0: a network of depthwise convolutions that is quick on CPUs.

Owns the architecture, which keras.applications has not, built as Keras builds its own:
EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946, Table 1) without squeeze-and-excitation and with
ReLU6 in place of swish, as published with TensorFlow's TPU models
(tensorflow/tpu, efficientnet/lite). `keras_backbones` changes it like those of Keras.
"""

from typing import NamedTuple

import keras

LITE0 = "efficientnet_lite0"

_STEM_FILTERS, _HEAD_FILTERS, _NUM_CLASSES = 32, 1280, 1000
_MEAN, _DEVIATION = 127.0, 128.0
"""Of pixels, as its weights were trained."""
_DROP_CONNECT, _DROPOUT = 0.2, 0.2


class _Stage(NamedTuple):
    """Inverted residual blocks of one width (Sandler et al. 2018, arXiv:1801.04381)."""

    num_blocks: int
    kernel: int
    stride: int  # of the first block
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build(
    *,
    include_top: bool,
    weights: None = None,
    pooling: str = "avg",
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int, int, int] = (224, 224, 3),
) -> keras.Model:
    """Return the network with random weights, with the arguments of keras.applications.

    Args:
      include_top: whether it ends in the probabilities of ImageNet's classes, float[B, 1000], or in
        the features before, float[B, 1280].
      weights: none are known here.
      pooling: mean over the places of the last feature maps.
      input_tensor: images [B, S, S, 3] in 0..255, computed from a `keras.Input`.
      input_shape: of a new input, where there is no input_tensor.
    """
    del weights, pooling
    images = keras.Input(input_shape) if input_tensor is None else input_tensor
    x = keras.layers.Rescaling(1 / _DEVIATION, offset=-_MEAN / _DEVIATION, name="rescaling")(images)
    x = _convolved(x, filters=_STEM_FILTERS, kernel=3, stride=2, name="stem")
    num_blocks, number = sum(stage.num_blocks for stage in _STAGES), 0
    for stage in _STAGES:
        for i in range(stage.num_blocks):
            rate = _DROP_CONNECT * number / num_blocks
            one = stage if i == 0 else stage._replace(stride=1)
            x = _block(x, one, drop_rate=rate, name=f"block{number}")
            number += 1
    x = _convolved(x, filters=_HEAD_FILTERS, kernel=1, name="top")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if include_top:
        x = keras.layers.Dropout(_DROPOUT, name="top_dropout")(x)
        x = keras.layers.Dense(_NUM_CLASSES, "softmax", name="predictions")(x)
    inputs = images if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    return keras.Model(inputs, x, name=LITE0)


def _block(
    x: keras.KerasTensor, stage: _Stage, *, drop_rate: float, name: str
) -> keras.KerasTensor:
    width = x.shape[-1]
    branch = x
    if stage.expansion > 1:
        filters = width * stage.expansion
        branch = _convolved(branch, filters=filters, kernel=1, name=f"{name}_expand")
    depthwise = keras.layers.DepthwiseConv2D(
        stage.kernel,
        strides=stage.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_depthwise",
    )
    branch = _normal(depthwise(branch), name=f"{name}_depthwise")
    branch = _convolved(branch, filters=stage.filters, kernel=1, name=f"{name}_project", relu=False)
    if stage.stride > 1 or width != stage.filters:
        return branch
    dropped = keras.layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(
        branch
    )
    return keras.layers.Add(name=f"{name}_add")([x, dropped])


def _convolved(
    x: keras.KerasTensor,
    *,
    filters: int,
    kernel: int,
    name: str,
    stride: int = 1,
    relu: bool = True,
) -> keras.KerasTensor:
    convolution = keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=f"{name}_conv",
    )
    return _normal(convolution(x), name=name, relu=relu)


def _normal(x: keras.KerasTensor, *, name: str, relu: bool = True) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x


def _initializer() -> keras.Initializer:
    """Return the initializer of its convolutions: normal, by the fan-out (He et al. 2015)."""
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )
