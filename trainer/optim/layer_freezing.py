"""Layer freezing: only the heads are trained during the first steps of a run.

Owns which layers are frozen and until when. Random heads would otherwise send their first,
meaningless gradients through pretrained weights. Everything follows from the step, so that there is
no state to save.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import keras


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerFreezing:
    """Layers frozen for the first `num_steps` steps of a run: they run in inference mode."""

    layers: Sequence[keras.layers.Layer]
    num_steps: int

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the layers in graphs that are traced in the block."""
        try:
            self._set(is_trainable=False)
            yield
        finally:
            self._set(is_trainable=True)

    def first_steps(self, variables: Sequence[keras.Variable]) -> list[int]:
        """Return the first step in which each variable is trained."""
        frozen = {id(variable) for layer in self.layers for variable in layer.variables}
        return [self.num_steps if id(variable) in frozen else 0 for variable in variables]

    def _set(self, *, is_trainable: bool) -> None:
        for layer in self.layers:
            layer.trainable = is_trainable
