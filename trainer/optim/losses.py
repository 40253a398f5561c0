"""Classification losses: cross entropy and its variants, one value an example.

Owns losses over logits. Reduction is the training step's: only it knows how many examples the whole
batch holds.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from trainer.config import training_config
from trainer.data import class_balance
from trainer.optim import robust_losses

_FLOOR = 1e-6
"""Smallest 1 - p of the focal loss: the derivative of x^gamma at 0 is infinite for gamma < 1, and
nothing is to be learned from examples that close to certain."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
    """Loss function with the constants that it takes from the class counts."""

    settings: training_config.Imbalance
    class_weights: np.ndarray  # float32[C]
    log_priors: np.ndarray  # float32[C]

    def expected(
        self, logits: tf.Tensor, *, targets: tf.Tensor, temperature: float = 1.0
    ) -> tf.Tensor:
        """Return the mean loss of labels drawn from soft targets, without label smoothing.

        With cross entropy it is that of the targets. At a temperature T logits are divided by T
        and the loss is multiplied by T^2, which keeps the size of its gradient (Hinton et al. 2015,
        arXiv:1503.02531, section 2); the targets are those at T already.

        Args:
          logits: float[B, C].
          targets: float32[B, C], distributions.
          temperature: T.

        Returns:
          float32[B].
        """
        logits = tf.cast(logits, tf.float32)
        if self.settings.loss == "logit_adjusted":
            logits = logit_adjusted(logits, log_priors=self.log_priors, tau=self.settings.tau)
        if self.settings.loss in robust_losses.OF_CLASSES:
            each = self._of_classes(logits / temperature)
        else:
            each = -tf.nn.log_softmax(logits / temperature)
        if self.settings.loss == "focal":
            each *= tf.maximum(1 - tf.exp(-each), _FLOOR) ** self.settings.focal_gamma
        if self.settings.class_weights != "none":
            each *= tf.constant(self.class_weights)
        return temperature**2 * tf.reduce_sum(targets * each, axis=1)

    def __call__(self, logits: tf.Tensor, *, labels: tf.Tensor) -> tf.Tensor:
        """Return the weighted loss of each example.

        Args:
          logits: float[B, C].
          labels: int64[B].

        Returns:
          float32[B].
        """
        logits = tf.cast(logits, tf.float32)
        if self.settings.loss == "logit_adjusted":
            logits = logit_adjusted(logits, log_priors=self.log_priors, tau=self.settings.tau)
        if self.settings.loss in robust_losses.OF_CLASSES:
            each = of_label(
                self._of_classes(logits), labels=labels, smoothing=self.settings.label_smoothing
            )
        else:
            each = cross_entropy(logits, labels=labels, smoothing=self.settings.label_smoothing)
        if self.settings.loss == "focal":
            each *= focal_factor(logits, labels=labels, gamma=self.settings.focal_gamma)
        if self.settings.class_weights == "none":
            return each
        return each * tf.gather(tf.constant(self.class_weights), labels)

    def _of_classes(self, logits: tf.Tensor) -> tf.Tensor:
        """Return the robust loss of every class as the label, float32[B, C]."""
        if self.settings.loss == "generalized_cross_entropy":
            return robust_losses.generalized_cross_entropy(logits, q=self.settings.gce_q)
        return robust_losses.symmetric_cross_entropy(
            logits, alpha=self.settings.sce_alpha, beta=self.settings.sce_beta
        )


def make(settings: training_config.Imbalance, *, counts: np.ndarray) -> Loss:
    """Return the loss that a configuration names.

    Args:
      counts: int[C], how often each class is drawn in an epoch.
    """
    return Loss(
        settings=settings,
        class_weights=class_balance.weights(counts, settings=settings),
        log_priors=class_balance.log_priors(counts),
    )


def cross_entropy(logits: tf.Tensor, *, labels: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Return the cross entropy to smoothed labels, float32[B].

    -(1 - e) log p[label] - e mean(log p), e = smoothing (Szegedy et al. 2016, arXiv:1512.00567,
    section 7).
    """
    sharp = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    if smoothing == 0:
        return sharp
    even = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
    return (1 - smoothing) * sharp + smoothing * even


def of_label(each: tf.Tensor, *, labels: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Return the loss of smoothed labels out of that of each class, float32[B, C]: float32[B]."""
    sharp = tf.gather(each, labels, batch_dims=1)
    if smoothing == 0:
        return sharp
    return (1 - smoothing) * sharp + smoothing * tf.reduce_mean(each, axis=1)


def focal_factor(logits: tf.Tensor, *, labels: tf.Tensor, gamma: float) -> tf.Tensor:
    """Return the modulating factor of the focal loss, (1 - p[label])^gamma, float32[B].

    Lin et al. 2017 (arXiv:1708.02002), Eq. 4.
    """
    prob = tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)
    return tf.maximum(1 - prob, _FLOOR) ** gamma


def logit_adjusted(logits: tf.Tensor, *, log_priors: np.ndarray, tau: float) -> tf.Tensor:
    """Return logits + tau log(prior), for the softmax of training only.

    Menon et al. 2021 (arXiv:2007.07314), Eq. 10: the network then learns what the classes look
    like, and not how frequent they are.
    """
    return logits + tau * tf.constant(log_priors)
