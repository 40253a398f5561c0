"""Sharpness-aware minimisation: use the gradient where the loss nearby is highest.

Owns the step to that point and back; `train_step` computes both gradients, with the same images and
the same dropout masks. The step follows the gradient of the whole batch, summed over the replicas.
Each replica's own gradient, as the paper's m-sharpness has it, was rejected: the result would then
depend on the number of replicas.
"""

from collections.abc import Sequence

import tensorflow as tf


def climb(variables: Sequence[tf.Variable], *, gradients: Sequence[tf.Tensor], rho: float) -> None:
    """Move weights by rho g / |g|, where |g| is the norm over all of them.

    Foret et al. 2021 (arXiv:2010.01412), Eq. 2 for p = 2. To be called on each replica with the
    same gradients; every replica moves its own copy.
    """
    scale = rho / tf.maximum(tf.linalg.global_norm(gradients), 1e-12)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_add(scale * gradient)


def snapshot(variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    """Return the values of a replica's copies, to `restore` exactly: w + e - e need not be w."""
    return [tf.identity(variable) for variable in variables]


def restore(variables: Sequence[tf.Variable], *, values: Sequence[tf.Tensor]) -> None:
    """Assign a snapshot's values to a replica's copies."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
