"""Reference runner: the Keras network itself behind the interface that exported models are run
through."""

import keras
import numpy as np
import tensorflow as tf

from trainer.inference import exact_resize
from trainer.inference import outputs as outputs_lib
from trainer.run import trained_run


def original(network: keras.Model, *, run: trained_run.Run) -> outputs_lib.Runner:
    """Return the function that runs the network itself on crops of any size."""

    def outputs(crops: np.ndarray) -> outputs_lib.Outputs:
        seen = exact_resize.resize(
            tf.constant(crops), size_px=run.image_size, by_eighths=run.data.encoding == "jpeg"
        )
        made = network(seen, training=False)
        heads = outputs_lib.heads_of(made)
        logits = heads.pop(outputs_lib.LOGITS)
        named = {outputs_lib.PROBABILITIES: tf.nn.softmax(tf.cast(logits, tf.float32)), **heads}
        return {name: value.numpy() for name, value in named.items()}

    return outputs
