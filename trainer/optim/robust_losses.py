"""Losses that tolerate wrong labels: generalised and symmetric cross entropy, early learning.

Owns their formulas. Cross entropy of a label that the network finds improbable has a gradient
without bound, so that a wrong label is learnt in the end; these losses bound it, or hold on to what
the network said before it learnt the wrong labels.
"""

import tensorflow as tf

OF_CLASSES = ("generalized_cross_entropy", "symmetric_cross_entropy")
"""Losses that are a function of the logits and the label alone."""

EARLY_LEARNING = "early_learning"

_LOG_ZERO = -4.0
"""What log 0 is taken for in the reverse cross entropy: the A of Wang et al., in experiments."""

_FLOOR = 1e-7
"""Smallest probability: the derivative of p^q at 0 is infinite for q < 1."""

_CLIP = 1e-4
"""Distance of probabilities from 0 and 1 in early-learning regularisation, as in its authors' code
(github.com/shengliu66/ELR), which keeps the logarithm finite."""


def generalized_cross_entropy(logits: tf.Tensor, *, q: float) -> tf.Tensor:
    """Return (1 - p^q) / q of every class, float32[B, C].

    Zhang and Sabuncu 2018 (arXiv:1805.07836), section 3: cross entropy for q towards 0, the mean
    absolute error for q = 1.
    """
    probs = tf.maximum(tf.nn.softmax(logits), _FLOOR)
    return (1 - probs**q) / q


def symmetric_cross_entropy(logits: tf.Tensor, *, alpha: float, beta: float) -> tf.Tensor:
    """Return alpha times cross entropy plus beta times reverse cross entropy, float32[B, C].

    Wang et al. 2019 (arXiv:1908.06112), section 3: the reverse one, -sum_k p_k log y_k, is
    -A (1 - p[label]) with A for log 0.
    """
    probs = tf.nn.softmax(logits)
    return -alpha * tf.nn.log_softmax(logits) - beta * _LOG_ZERO * (1 - probs)


def clipped(logits: tf.Tensor) -> tf.Tensor:
    """Return the probabilities that early-learning regularisation works with, float32[B, C]."""
    return tf.clip_by_value(tf.nn.softmax(tf.cast(logits, tf.float32)), _CLIP, 1 - _CLIP)


def moved(targets: tf.Tensor, *, probs: tf.Tensor, beta: float) -> tf.Tensor:
    """Return beta targets + (1 - beta) probs, scaled to a sum of 1: float32[B, C].

    Liu et al. 2020 (arXiv:2007.00151), temporal ensembling of section 4; probs are `clipped`.
    """
    own = tf.stop_gradient(probs)
    return beta * targets + (1 - beta) * own / tf.reduce_sum(own, axis=1, keepdims=True)


def early_learning(targets: tf.Tensor, *, probs: tf.Tensor) -> tf.Tensor:
    """Return log(1 - <p, t>), to be added to cross entropy with a weight: float32[B].

    Liu et al. 2020 (arXiv:2007.00151), section 4: it falls as the network agrees with what it said.
    """
    return tf.math.log(1 - tf.reduce_sum(targets * probs, axis=1))
