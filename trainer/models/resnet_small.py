"""Compact pre-activation residual network for small images, 32 to 112 px.

Owns resnet_small: blocks with full pre-activation (He et al. 2016, arXiv:1603.05027, Fig. 4e) in
the shape of the wide residual networks (Zagoruyko and Komodakis 2016, arXiv:1605.07146, Table 1),
which keep the resolution of small images where ImageNet's networks have divided it by four after
two layers. Three stages of two blocks with 32, 64 and 128 filters are their WRN-16-2 but for the
stem, 32 filters wide instead of 16.
"""

import keras

from trainer.config import model_config
from trainer.models import channel_attention, layers, sync_batch_norm

INITIALIZER = "he_normal"
"""He et al. 2015 (arXiv:1502.01852), Eq. 10, as both papers use it."""

_LARGEST_MAP = 64
"""The stem halves images until their sides are at most this, in pixels."""


def features(x: keras.KerasTensor, *, model: model_config.Model) -> keras.KerasTensor:
    """Return float[B, last of conv_filters] of images [B, S, S, 1 or 3]."""
    x = _stem(x, model=model)
    num_blocks = len(model.conv_filters) * model.blocks_per_stage
    for i in range(num_blocks):
        stage, in_stage = divmod(i, model.blocks_per_stage)
        path = layers.DropPath(
            model.drop_path * (i + 1) / num_blocks, stream=i, name=f"drop_path{i}"
        )
        stride = 2 if stage > 0 and in_stage == 0 else 1
        x = _block(
            x,
            filters=model.conv_filters[stage],
            stride=stride,
            path=path,
            model=model,
            name=f"block{i}",
        )
    x = _activated(x, model=model, name="last")
    return keras.layers.GlobalAveragePooling2D(name="mean")(x)


def _stem(x: keras.KerasTensor, *, model: model_config.Model) -> keras.KerasTensor:
    stride = model.stem_stride or (2 if x.shape[1] > _LARGEST_MAP else 1)
    x = _convolved(x, filters=model.conv_filters[0], stride=stride, model=model, name="stem")
    while x.shape[1] > _LARGEST_MAP:
        x = keras.layers.MaxPooling2D(2, name=f"stem_pool{x.shape[1]}")(x)
    return x


def _block(
    x: keras.KerasTensor,
    *,
    filters: int,
    stride: int,
    path: keras.layers.Layer,
    model: model_config.Model,
    name: str,
) -> keras.KerasTensor:
    active = _activated(x, model=model, name=f"{name}_in")
    branch = _convolved(active, filters=filters, stride=stride, model=model, name=f"{name}_conv0")
    branch = _activated(branch, model=model, name=f"{name}_between")
    branch = _convolved(branch, filters=filters, stride=1, model=model, name=f"{name}_conv1")
    branch = channel_attention.scaled(branch, model=model, name=name)
    if stride > 1 or x.shape[-1] != filters:
        x = _convolved(
            active, filters=filters, stride=stride, model=model, name=f"{name}_shortcut", size=1
        )
    return keras.layers.Add(name=f"{name}_add")([x, path(branch)])


def _activated(x: keras.KerasTensor, *, model: model_config.Model, name: str) -> keras.KerasTensor:
    normal = sync_batch_norm.BatchNormalization(name=f"{name}_norm")(x)
    return keras.layers.Activation(model.activation, name=f"{name}_{model.activation}")(normal)


def _convolved(
    x: keras.KerasTensor,
    *,
    filters: int,
    stride: int,
    model: model_config.Model,
    name: str,
    size: int = 3,
) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=model.initializer or INITIALIZER,
        name=name,
    )(x)
