"""Sharpness-aware minimisation: take the gradient where the loss nearby is highest, and apply it
here.

Owns the way up and back; the loop takes both gradients, with the same pictures and the same dropout
masks. The way up follows the gradient of the whole batch, added up over the replicas. Taking each
replica's own, as the paper's m-sharpness does, was rejected: the result would then depend on the
number of replicas.
"""

from collections.abc import Sequence

import tensorflow as tf


def climb(variables: Sequence[tf.Variable], *, gradients: Sequence[tf.Tensor], rho: float) -> None:
    """Move weights by rho g / |g|, |g| over all of them (Foret et al. 2021, arXiv:2010.01412, Eq. 2
    for p = 2).

    To be called on each replica with the same gradients; every replica moves its own copy.
    """
    size = rho / tf.maximum(tf.linalg.global_norm(gradients), 1e-12)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_add(size * gradient)


def values(variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    """Return what a replica's copies hold, to `put_back` exactly: w + e - e need not be w."""
    return [tf.identity(variable) for variable in variables]


def put_back(variables: Sequence[tf.Variable], *, values: Sequence[tf.Tensor]) -> None:
    """Give a replica's copies the values they had."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
