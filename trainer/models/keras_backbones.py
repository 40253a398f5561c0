"""Backbones as Keras builds them: MobileNetV3, EfficientNetV2 and Lite, ResNet50 and ConvNeXt.

Owns their construction and three corrections: batch normalisation becomes `sync_batch_norm`'s,
dropout becomes `layers`' (Keras' own layers give every replica the same mask and lose its state on
resuming), and ConvNeXt gets the stochastic depth of its paper. Our own versions of the
architectures were rejected: pretrained weights exist for these. Nothing is ever downloaded.
"""

import keras

from runtime import errors
from trainer.config import model_config
from trainer.models import efficientnet_lite, layers, sync_batch_norm

_BUILDERS = {
    "mobilenet_v3_small": keras.applications.MobileNetV3Small,
    "mobilenet_v3_large": keras.applications.MobileNetV3Large,
    efficientnet_lite.LITE0: efficientnet_lite.build,
    "efficientnet_v2_b0": keras.applications.EfficientNetV2B0,
    "efficientnet_v2_b1": keras.applications.EfficientNetV2B1,
    "efficientnet_v2_b2": keras.applications.EfficientNetV2B2,
    "efficientnet_v2_b3": keras.applications.EfficientNetV2B3,
    "efficientnet_v2_s": keras.applications.EfficientNetV2S,
    "resnet50": keras.applications.ResNet50,
    "convnext_tiny": keras.applications.ConvNeXtTiny,
}

SMALLEST_PX = 32
"""Smallest image that keras.applications accepts."""


def features(
    images: keras.KerasTensor, *, model: model_config.Model
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the network's input and its features float[B, F] after global average pooling.

    Args:
      images: [B, S, S, 3] in 0..255, computed from one `keras.Input`; each architecture normalises
        them as its weights expect.

    Raises:
      errors.UserError: if images are smaller than the architectures accept.
    """
    check(model, image_size=images.shape[1])
    x = images
    if model.model == "resnet50":  # The others normalise within keras.applications.
        x = layers.CaffeMean(name="normalise")(x)
    original = _BUILDERS[model.model](
        include_top=False, weights=None, pooling="avg", input_tensor=x
    )
    cloning = _Cloning(original, drop_path=model.drop_path)
    clone = keras.models.clone_model(original, clone_function=cloning, call_function=_call)
    return clone.inputs[0], clone.outputs[0]


def original(name: str, *, image_size: int, include_top: bool) -> keras.Model:
    """Return the architecture as Keras builds it, for which pretrained weights are saved."""
    if include_top:
        return _BUILDERS[name](include_top=True, weights=None)
    return _BUILDERS[name](
        include_top=False, weights=None, pooling="avg", input_shape=(image_size, image_size, 3)
    )


def check(model: model_config.Model, *, image_size: int) -> None:
    """Refuse images that are too small.

    Raises:
      errors.UserError: naming the smallest size.
    """
    if image_size < SMALLEST_PX:
        raise errors.UserError(
            f"--model={model.model} needs images of at least {SMALLEST_PX} px: got {image_size}; "
            f"use a larger --image_size, or --model=resnet_small"
        )


class _Cloning:
    """Clone a layer from its configuration, or replace it by ours."""

    def __init__(self, original: keras.Model, *, drop_path: float) -> None:
        branches = [layer.name for layer in original.layers if _ends_branch(layer)]
        self._rates = {name: drop_path * (i + 1) / len(branches) for i, name in enumerate(branches)}

    def __call__(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in self._rates:
            stream = list(self._rates).index(layer.name)
            return layers.DropPath(self._rates[layer.name], stream=stream, name=layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            about = {key: getattr(layer, key) for key in ("epsilon", "center", "scale", "name")}
            return sync_batch_norm.BatchNormalization(**about)
        return layer.__class__.from_config(layer.get_config() | _own_name(layer))


def _own_name(layer: keras.layers.Layer) -> dict[str, str]:
    """Return a fixed name for ConvNeXt's last normalisation, which checkpoints refer to.

    Keras numbers this one layer by what the process built before.
    """
    is_numbered = isinstance(layer, keras.layers.LayerNormalization) and layer.name.startswith(
        "layer_normalization"
    )
    return {"name": "last_norm"} if is_numbered else {}


def _call(
    layer: keras.layers.Layer, *args: object, mask: object = None, **kwargs: object
) -> object:
    """Call a layer without a mask: images have none, and our layers take none."""
    return layer(*args, **kwargs)


def _ends_branch(layer: keras.layers.Layer) -> bool:
    """Return whether a layer ends a residual branch, where stochastic depth belongs.

    EfficientNetV2 has a Dropout there, ConvNeXt an identity.
    """
    return isinstance(layer, keras.layers.Dropout) or layer.name.endswith("_identity")
