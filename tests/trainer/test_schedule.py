import pytest
import tensorflow as tf

from trainer import schedule


@pytest.mark.parametrize(
    "step, rate",
    [(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (8, 0.5), (12, 0.0)],  # cos(0) = 1, cos(pi / 2) = 0, cos(pi) = -1.
)
def test_four_steps_of_rise_then_eight_of_cosine(step, rate):
    got = schedule.warmup_cosine(tf.constant(step), peak=1.0, warmup_steps=4, total_steps=12)
    assert float(got) == pytest.approx(rate, abs=1e-6)


def test_without_warmup_the_first_step_has_the_peak():
    assert float(schedule.warmup_cosine(tf.constant(0), peak=0.3, warmup_steps=0, total_steps=9)) == pytest.approx(0.3)
