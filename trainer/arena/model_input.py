"""Model input: crops of faces as a model of others takes them, in its size, colours and scaling.

Owns how the shape of a model's input and its adapter are read together, and the preparation of
pixels. The pixels themselves are decoded and resized as for a network of ours: data.examples'.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from affectnet_tfds import luma
from runtime import errors
from trainer.arena import adapter as adapter_lib

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of red, green and blue in 0..1, of torchvision's models."""

_CHANNEL_AXIS = {"nhwc": 3, "nchw": 1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input:
    """The images that a model takes, as its file and its adapter say together."""

    size_px: int
    channels: int
    layout: str
    batch: int | None
    """Images that it takes at once; None: any number."""

    def describe(self) -> str:
        """Return size, layout and number of channels in words."""
        return (
            f"{self.size_px} px, {self.channels} channel{'s' * (self.channels > 1)}, {self.layout}"
        )


def resolve(
    adapter: adapter_lib.Adapter,
    *,
    shape: Sequence[int | None],
    takes_integers: bool,
    where: object,
) -> Input:
    """Return the images that a model takes.

    Args:
      adapter: its adapter.
      shape: of its input, None where any number will do.
      takes_integers: whether it takes whole numbers, and no fractions.
      where: the model's file.

    Raises:
      errors.UserError: if the two contradict, or do not say enough.
    """
    if len(shape) != 4:
        raise errors.UserError(
            f"{where} must take images of four axes, (N, H, W, C) or (N, C, H, W): its input is "
            f"{_shape_text(shape)}"
        )
    layout = _layout(adapter, shape=shape, where=where)
    axis = _CHANNEL_AXIS[layout]
    channels = shape[axis] or (1 if adapter.color == "gray" else 3)
    _check_channels(adapter, channels=channels, where=where)
    if takes_integers and (adapter.scaling != "0..255" or adapter.mean or adapter.std):
        raise errors.UserError(
            f"{where} takes whole numbers: {adapter.path} must say scaling 0..255, without mean "
            "and std"
        )
    sides = [shape[k] for k in (1, 2, 3) if k != axis]
    size_px = _size(adapter, sides=sides, where=where)
    return Input(size_px=size_px, channels=channels, layout=layout, batch=shape[0])


def prepare(images: np.ndarray, *, adapter: adapter_lib.Adapter, taken: Input) -> np.ndarray:
    """Return images as the model takes them, float32[B, S, S, C] or [B, C, S, S].

    Args:
      images: uint8[B, S, S, 3], RGB.
      adapter: the model's adapter.
      taken: what it takes; gray images for a model of three channels have three equal ones.
    """
    pixels = images.astype(np.float32)
    if adapter.color == "gray":
        gray = np.rint(pixels @ np.array(luma.LUMA, np.float32))
        pixels = np.repeat(gray[..., None], taken.channels, axis=-1)
    elif adapter.color == "bgr":
        pixels = pixels[..., ::-1]
    pixels = _scaled(pixels, adapter=adapter)
    if taken.layout == "nchw":
        pixels = pixels.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels, np.float32)


def _scaled(pixels: np.ndarray, *, adapter: adapter_lib.Adapter) -> np.ndarray:
    mean, std = adapter.mean, adapter.std
    if adapter.scaling in ("0..1", "imagenet"):
        pixels = pixels / 255
    elif adapter.scaling == "-1..1":
        pixels = pixels / 127.5 - 1
    if adapter.scaling == "imagenet":
        step = -1 if adapter.color == "bgr" else 1
        mean, std = (each[::step] for each in _IMAGENET)
    if mean:
        pixels = pixels - np.array(mean, np.float32)
    return pixels / np.array(std, np.float32) if std else pixels


def _check_channels(adapter: adapter_lib.Adapter, *, channels: int, where: object) -> None:
    if channels == 1 and adapter.color != "gray":
        raise errors.UserError(
            f"{where} takes images of one channel: color must be gray in "
            f"{adapter.path}, and is {adapter.color}"
        )
    for name, values in (("mean", adapter.mean), ("std", adapter.std)):
        if len(values) not in (0, 1, channels):
            raise errors.UserError(
                f"{adapter.path}: {name} must have 1 or {channels} values, the channels of "
                f"{where}: got {len(values)}"
            )
    if channels == 1 and adapter.scaling == "imagenet":
        raise errors.UserError(
            f"{adapter.path}: scaling imagenet is of three channels, and {where} takes one: give "
            "scaling 0..1 with mean and std"
        )


def _layout(adapter: adapter_lib.Adapter, *, shape: Sequence[int | None], where: object) -> str:
    possible = [name for name, axis in _CHANNEL_AXIS.items() if shape[axis] in (1, 3)]
    if adapter.layout is None and len(possible) == 1:
        return possible[0]
    if adapter.layout is None:
        raise errors.UserError(
            f"{adapter.path} must say layout nhwc or nchw: the input of {where}, "
            f"{_shape_text(shape)}, does not show which axis has the colours"
        )
    is_open = not possible and shape[_CHANNEL_AXIS[adapter.layout]] is None
    if adapter.layout not in possible and not is_open:
        raise errors.UserError(
            f"{adapter.path} says layout {adapter.layout}, and the input of {where} is "
            f"{_shape_text(shape)}, which has not 1 or 3 channels there"
        )
    return adapter.layout


def _size(adapter: adapter_lib.Adapter, *, sides: Sequence[int | None], where: object) -> int:
    fixed = {side for side in sides if side is not None}
    if len(fixed) > 1:
        raise errors.UserError(
            f"{where} takes images of {sides[0]} x {sides[1]}, and crops of faces are square: it "
            "cannot be evaluated on them"
        )
    wanted = adapter.input_size
    if wanted is None and not fixed:
        raise errors.UserError(
            f"{where} takes images of any size: {adapter.path} must say input_size, such as "
            "'input_size: 224'"
        )
    if wanted is not None and fixed and wanted not in fixed:
        raise errors.UserError(
            f"{where} takes images of {max(fixed)} px, and {adapter.path} says input_size {wanted}"
        )
    return wanted or fixed.pop()


def _shape_text(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
