"""Search space of a sweep: hyperparameters of the CNN family, their ranges and their settings.

Owns the ranges, which are those of small networks for faces. A wider space was rejected because it
would spend its trials on networks that nobody would keep.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Chooser(Protocol):
    """The methods of an Optuna trial that suggest values."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...
    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


class Last:
    """Chooser of the last of everything, which for most hyperparameters is not the default."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return the highest."""
        return high

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return the highest."""
        return high

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the last."""
        return choices[-1]


Settings = dict[str, Any]
"""Flat settings, as in run_config.flat."""

Key = frozenset[tuple[str, Any]]
"""Settings as something that can be looked up."""

_MAX_FILTERS = 512


def choose(chooser: Chooser, *, names: Sequence[str]) -> Settings:
    """Return settings with suggested values of hyperparameters, named as in CHOICES."""
    settings: Settings = {}
    for name in names:
        settings |= CHOICES[name](chooser)
    return settings


def key(settings: Mapping[str, Any]) -> Key:
    """Return settings as something that can be looked up.

    Lists and tuples are the same, and so are floats that differ in their last digits: a suggestion
    of steps of 0.05 is 0.15000000000000002.
    """
    return frozenset((name, _rounded(value)) for name, value in settings.items())


def _rounded(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(map(_rounded, value))
    return float(f"{value:.9g}") if isinstance(value, float) else value


def text(value: Any) -> str:
    """Return a value as a flag takes it, floats with three digits."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _blocks(chooser: Chooser) -> Settings:
    """Double the filters from block to block, as the feature maps' sides halve.

    Simonyan and Zisserman 2015, "Very Deep Convolutional Networks", arXiv:1409.1556.
    """
    first = chooser.suggest_categorical("first_filters", [32, 64, 128])
    count = chooser.suggest_int("num_blocks", 2, 4)
    return {"conv_filters": tuple(min(first * 2**i, _MAX_FILTERS) for i in range(count))}


def _dense(chooser: Chooser) -> Settings:
    units = chooser.suggest_categorical("dense_width", [64, 128, 256, 512])
    return {"dense_units": (units,) * chooser.suggest_int("num_dense", 2, 4)}


CHOICES: Mapping[str, Callable[[Chooser], Settings]] = {
    "blocks": _blocks,
    "dense": _dense,
    "dropout": lambda c: {"dropout": c.suggest_float("dropout", 0.25, 0.5, step=0.05)},
    "activation": lambda c: {"activation": c.suggest_categorical("activation", ["relu", "tanh"])},
    "batch_norm": lambda c: {"batch_norm": c.suggest_categorical("batch_norm", [False, True])},
    "initializer": lambda c: {
        "initializer": c.suggest_categorical(
            "initializer", ["glorot_uniform", "he_normal", "lecun_normal"]
        )
    },
    "color": lambda c: {"color": c.suggest_categorical("color", ["rgb", "gray"])},
    "l2": lambda c: {"l2": c.suggest_float("l2", 1e-6, 1e-3, log=True)},
    "image_size": lambda c: {"image_size": c.suggest_categorical("image_size", [48, 64, 96])},
    "learning_rate": lambda c: {
        "learning_rate": c.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    },
    "augment": lambda c: {"augment": c.suggest_float("augment", 0.0, 2.0, step=0.5)},
    "label_smoothing": lambda c: {
        "label_smoothing": c.suggest_float("label_smoothing", 0.0, 0.2, step=0.05)
    },
}
"""The hyperparameters, by their name in --vary."""

USUAL = ("blocks", "dense", "dropout", "activation", "batch_norm", "l2", "learning_rate")
"""The default of --vary."""
