"""Losses of one example with probs 1/4 and 3/4, worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import training_config
from trainer.optim import losses


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, [1.386294, 0.287682]),  # ln 4, ln 4/3.
        (
            {"label_smoothing": 0.2},
            [1.276433, 0.397543],
        ),  # 0.8 of it, and 0.2 of their mean, 0.836988.
        ({"loss": "focal", "focal_gamma": 2.0}, [0.779791, 0.017980]),  # Times (3/4)^2 and (1/4)^2.
        ({"loss": "focal", "focal_gamma": 1.0}, [1.039721, 0.071920]),
        (
            {"loss": "logit_adjusted", "tau": 1.0},
            [0.693147, 0.693147],
        ),  # 0 + ln 3/4 and ln 3 + ln 1/4 are equal.
        ({"loss": "logit_adjusted", "tau": 0.0}, [1.386294, 0.287682]),
        ({"class_weights": "inverse"}, [0.924196, 0.575364]),  # Weights 4/6 and 4/2.
    ],
)
def test_the_loss_of_each_label(settings, wanted):
    loss = losses.make(training_config.Imbalance(**settings), counts=np.array([3, 1]))
    logits = tf.math.log([[1.0, 3.0], [1.0, 3.0]])
    assert loss(logits, labels=tf.constant([0, 1], tf.int64)).numpy() == pytest.approx(
        wanted, abs=2e-6
    )
