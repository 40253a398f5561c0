"""Early-learning regularisation: holds a network to what it said before it learnt wrong labels.

Owns the running prediction of every training example, which is a part of the training state. Each
replica has all of them and applies the changes of all replicas, since an example is on another
replica in the next epoch.
"""

import tensorflow as tf

from trainer.config import training_config
from trainer.optim import robust_losses


class EarlyLearning:
    """Running predictions of N examples; to be made in the strategy's scope."""

    def __init__(
        self, *, num_examples: int, num_classes: int, settings: training_config.Imbalance
    ) -> None:
        self.targets = tf.Variable(tf.zeros((num_examples, num_classes)), trainable=False)
        self._beta = settings.elr_beta
        self._weight = settings.elr_weight

    def loss(self, logits: tf.Tensor, *, index: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Move the examples' running predictions and return what to add to their loss.

        To be called once a step on each replica.

        Args:
          logits: float[B, C].
          index: int64[B], of the examples.
          weight: float32[B], 1, or 0 for examples that only fill a batch up.

        Returns:
          float32[B].
        """
        probs = robust_losses.clipped(logits)
        before = tf.gather(self.targets, index)
        after = robust_losses.moved(before, probs=probs, beta=self._beta)
        self._add(weight[:, None] * (after - before), index=index)
        return self._weight * robust_losses.early_learning(after, probs=probs)

    def _add(self, change: tf.Tensor, *, index: tf.Tensor) -> None:
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync > 1:
            index = context.all_gather(index, axis=0)
            change = context.all_gather(change, axis=0)
        self.targets.assign(tf.tensor_scatter_nd_add(self.targets, index[:, None], change))
