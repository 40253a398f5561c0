import keras
import numpy as np
import tensorflow as tf

from trainer.config import training_config
from trainer.optim import layer_lr, optimizers


def network():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.ReLU()])
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2), inner, keras.layers.Dense(3, name="logits")]
    )


def test_shares_rise_geometrically_over_the_layers_to_that_of_the_heads():
    """Of two layers before the head: 0.01, 0.01^(1/2) and 1; kernel and bias alike."""
    built = network()
    found = layer_lr.shares(built.trainable_variables, layers=built.layers[:-1], first=0.01)
    np.testing.assert_allclose(found, [0.01, 0.01, 0.1, 0.1, 1, 1])


def test_a_step_is_as_large_as_the_variables_share():
    variables = [tf.Variable([[1.0]]) for _ in range(2)]
    optimizer = optimizers.make(
        training_config.Optimization(optimizer="sgd", momentum=0.0, weight_decay=0.5),
        variables=variables,
        lr_shares=[0.25, 1.0],
    )
    context = optimizers.UpdateContext(
        learning_rate=tf.constant(0.1), step=tf.constant(0, tf.int64)
    )
    optimizer.apply([tf.constant([[2.0]])] * 2, context=context)
    # 1 - lr 0.5 - lr 2, of 0.025 and of 0.1.
    np.testing.assert_allclose([v.numpy()[0, 0] for v in variables], [0.9375, 0.75])
