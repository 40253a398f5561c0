"""Adapter: a YAML file that says what images a model of others takes and what its outputs are.

Owns the keys and their rules. What changes every number and cannot be seen in a model's file (order
of colours, scaling, order of classes, logits or probabilities) has no default: one would be wrong
for some model without anybody noticing. Size and layout are read from the model's input where it
fixes them. Python code as an adapter was rejected: a file that came with a model should be unable
to run code.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from affectnet_tfds import labels
from runtime import errors, fields, untrusted
from trainer.evaluation import class_subset


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adapter:
    """What a model takes and gives; the fields are the keys of the file."""

    path: pathlib.Path
    classes: tuple[str | None, ...]
    """Names of the outputs in their order; None: an output of no class."""
    color: str = fields.field("", "order of the colours", choices=("rgb", "bgr", "gray"))
    scaling: str = fields.field(
        "", "range of the pixels", choices=("0..255", "0..1", "-1..1", "imagenet")
    )
    output_kind: str = fields.field("", "what it gives", choices=("logits", "probabilities"))
    input_size: int | None = fields.field(None, "side of the images", unit="pixels", at_least=8)
    layout: str | None = fields.field(None, "order of the axes", choices=("nhwc", "nchw"))
    mean: tuple[float, ...] = fields.field((), "subtracted from the scaled pixels")
    std: tuple[float, ...] = fields.field((), "by which they are then divided")
    output_name: str | None = fields.field(None, "which output, where there are several")

    def describe(self) -> str:
        """Return how pixels are prepared and what the output is, in words."""
        shift = f", mean {_listed(self.mean)}" if self.mean else ""
        scale = f", std {_listed(self.std)}" if self.std else ""
        return f"{self.color}, {self.scaling}{shift}{scale}, {self.output_kind}"


_REQUIRED = ("classes", "color", "scaling", "output_kind")
_MAX_SIZE = 4096


def load(path: pathlib.Path) -> Adapter:
    """Read an adapter.

    Raises:
      errors.UserError: naming the key, the rule and the value.
      OSError: if the disk does not let it be read.
    """
    content = untrusted.parse_yaml(
        untrusted.read_text(path, at_most=untrusted.SETTINGS_BYTES), where=path
    )
    if not isinstance(content, dict):
        raise errors.UserError(
            f"{path} must hold lines 'key: value', such as 'color: rgb': got "
            f"{type(content).__name__}"
        )
    known = ["classes", *fields.options(Adapter)]
    for key in content:
        if key not in known:
            hint = errors.nearest(str(key)[:40], known=known)
            raise errors.UserError(f"{path} has an unknown key {str(key):.40}; {hint}")
    absent = [key for key in _REQUIRED if content.get(key) is None]
    if absent:
        raise errors.UserError(
            f"{path} must say {', '.join(_REQUIRED)}: it lacks {', '.join(absent)}"
        )
    given = {key: raw for key, raw in content.items() if raw is not None}
    values = {key: _value(raw, key=key, path=path) for key, raw in given.items()}
    adapter = Adapter(path=path, **values)
    _check(adapter)
    return adapter


def check_classes(adapter: Adapter, *, data_classes: Sequence[str], data: str) -> None:
    """Check the names of the outputs against the data's classes.

    Raises:
      errors.UserError: if a name is unknown, or a class of the data is missing.
    """
    named = [name for name in adapter.classes if name is not None]
    check_names(
        named,
        data_classes=data_classes,
        where=f"{adapter.path}: classes",
        way_out=" (null for an output of no class)",
    )
    order = class_subset.in_order(named, data_classes=data_classes)
    class_subset.check(
        [named[column] for column in order],
        data_classes=data_classes,
        model=str(adapter.path),
        data=data,
    )


def check_names(
    names: Sequence[str], *, data_classes: Sequence[str], where: str, way_out: str = ""
) -> None:
    """Check that names are the data's or AffectNet's, each once.

    Args:
      names: of the classes.
      data_classes: of the data.
      where: what has the names.
      way_out: what else may stand there.

    Raises:
      errors.UserError: naming the first that is not.
    """
    known = list(dict.fromkeys([*data_classes, *labels.EXPRESSIONS]))
    for name in names:
        if name not in known:
            raise errors.UserError(
                f"{where} must have names of {', '.join(known)}{way_out}: got {name!r:.60}"
            )
        if list(names).count(name) > 1:
            raise errors.UserError(f"{where} must name each class once: {name} is there twice")


def _value(raw: Any, *, key: str, path: pathlib.Path) -> Any:
    """Return the value of a key, by the rule of its field."""
    if key == "classes":
        return _classes(raw, path=path)
    try:
        value = fields.value_of(raw, config_type=Adapter, name=key)
    except ValueError as error:
        raise errors.UserError(f"{path}: {key} {error}") from None
    choices = fields.options(Adapter)[key].choices
    if value is not None and choices and value not in choices:
        raise errors.UserError(
            f"{path}: {key} must be one of {', '.join(choices)}: got {raw!r:.60}; write it in "
            "quotes where YAML takes it for a number"
        )
    return value


def _classes(raw: Any, *, path: pathlib.Path) -> tuple[str | None, ...]:
    is_list = isinstance(raw, list) and all(each is None or isinstance(each, str) for each in raw)
    if not is_list or len(raw) < 2:
        raise errors.UserError(
            f"{path}: classes must list the names of the outputs in their order, [anger, happy, "
            f"...]: got {raw!r:.60}"
        )
    return tuple(raw)


def _check(adapter: Adapter) -> None:
    """Check values that a rule of one field alone does not cover."""
    size = adapter.input_size
    if size is not None and not fields.options(Adapter)["input_size"].at_least <= size <= _MAX_SIZE:
        raise errors.UserError(f"{adapter.path}: input_size must be 8 to {_MAX_SIZE:,}: got {size}")
    if adapter.scaling == "imagenet" and (adapter.mean or adapter.std):
        raise errors.UserError(
            f"{adapter.path}: scaling imagenet has its own mean and std: leave them out, or scale "
            "to 0..1"
        )
    if not np.isfinite([*adapter.mean, *adapter.std]).all() or min(adapter.std, default=1) <= 0:
        raise errors.UserError(
            f"{adapter.path}: mean must be finite and std above 0: got {_listed(adapter.mean)} and "
            f"{_listed(adapter.std)}"
        )


def _listed(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
