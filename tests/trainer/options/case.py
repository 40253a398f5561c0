"""Case of an option: a value, and the observation that it has to change."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

OMITTED = object()

Settings = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """Option's non-default value, and how its effect is observed.

    The observation is made twice, with the value and with `base` (the default, unless one is
    named), and has to differ. It is made of numbers, images or files, never of the settings.
    """

    observe: Callable[[Any, Settings], Any]  # From a lab and settings to what can be compared.
    value: Any
    base: Any = OMITTED
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Settings of both observations."""

    def settings(self, name: str, value: Any) -> dict[str, Any]:
        return {**self.given, **({} if value is OMITTED else {name: value})}


def has_effect(case: Case, name: str, *, lab: Any) -> bool:
    """Return whether an option's value is observed at all."""
    base = case.settings(name, case.base)
    key = (case.observe, repr(base))  # Many cases differ from the same base.
    if key not in lab.cached:
        lab.cached[key] = observed(case, base, lab=lab)
    return not is_same(lab.cached[key], observed(case, case.settings(name, case.value), lab=lab))


def observed(case: Case, settings: Settings, *, lab: Any) -> Any:
    lab.enter_new_folder()
    return case.observe(lab, settings)


def is_same(one: Any, other: Any) -> bool:
    try:
        np.testing.assert_equal(one, other)
    except AssertionError:
        return False
    return True


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Run tf.functions without tracing them: two steps of a small network take no second."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
