"""What a sweep may choose: the CNN family's variations and the settings that decide most about its
training.

Owns the ranges, and the way from a choice to settings. Ranges are those within which small networks
for faces are usually built; a wider space would spend its trials on networks nobody would keep.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Chooser(Protocol):
    """The part of an Optuna trial that choosing takes."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...
    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


Settings = dict[str, Any]
_MOST_FILTERS = 512


def choose(chooser: Chooser, *, names: Sequence[str]) -> Settings:
    """Return settings with a value chosen for everything named; names are those of CHOICES."""
    return {name: value for each in names for name, value in CHOICES[each](chooser).items()}


def _blocks(chooser: Chooser) -> Settings:
    """Filters double from block to block, as the maps' sides halve (Simonyan and Zisserman 2015)."""
    first = chooser.suggest_categorical("first_filters", [32, 64, 128])
    count = chooser.suggest_int("num_blocks", 2, 4)
    return {"conv_filters": tuple(min(first * 2**i, _MOST_FILTERS) for i in range(count))}


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
"""What can be varied, by the name that --vary has for it."""

USUAL = ("blocks", "dense", "dropout", "activation", "batch_norm", "l2", "learning_rate")
