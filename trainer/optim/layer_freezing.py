"""Head first: the steps at the start in which only the heads learn.

Owns which layers are held and until when. Random heads would otherwise send their first,
meaningless gradients through weights that somebody trained. Everything follows from the step, so
that there is no state to keep.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import keras


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerFreezing:
    """Layers that are held for the first `num_steps` steps of a run: they work as in inference and
    do not change."""

    layers: Sequence[keras.layers.Layer]
    num_steps: int

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the layers in graphs that are traced in the block."""
        try:
            self._set(is_trainable=False)
            yield
        finally:
            self._set(is_trainable=True)

    def first_steps(self, variables: Sequence[keras.Variable]) -> list[int]:
        """Return the step in which each variable changes first."""
        held = {id(variable) for layer in self.layers for variable in layer.variables}
        return [self.num_steps if id(variable) in held else 0 for variable in variables]

    def _set(self, *, is_trainable: bool) -> None:
        for layer in self.layers:
            layer.trainable = is_trainable
