import pytest
import tensorflow as tf

from trainer.config import training_config
from trainer.optim import lr_schedule


def rates(steps, *, epochs=3, steps_per_epoch=4, **settings):
    made = lr_schedule.make(
        training_config.Optimization(learning_rate=1.0, **settings),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
    )
    return [float(made(tf.constant(step, tf.int64))) for step in steps]


def test_four_steps_of_rise_then_eight_of_cosine():
    # cos(0) = 1, cos(pi / 2) = 0, cos(pi) = -1.
    wanted = [0.25, 0.5, 1.0, 1.0, 0.5, 0.0]
    assert rates([0, 1, 3, 4, 8, 12], warmup_epochs=1.0) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("name", ["cosine", "step", "exponential", "constant"])
def test_without_warmup_the_first_step_has_the_peak(name):
    assert rates([0], schedule=name, warmup_epochs=0.0) == pytest.approx([1.0])


def test_steps_fall_to_a_tenth_after_half_and_three_quarters():
    got = rates([7, 8, 11, 12, 15], epochs=4, schedule="step", warmup_epochs=0.0)
    assert got == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])


def test_steps_fall_where_and_by_what_is_asked():
    got = rates(
        [3, 4, 9, 10], schedule="step", warmup_epochs=0.0, decay_epochs=(1.0, 2.5), decay_factor=0.5
    )
    assert got == pytest.approx([1, 0.5, 0.5, 0.25])


def test_exponential_decay_multiplies_by_its_factor_every_epoch_after_the_rise():
    assert rates([3, 4, 6, 8], schedule="exponential", decay_factor=0.25) == pytest.approx(
        [1, 1, 0.5, 0.25]
    )
    assert rates([8], schedule="exponential") == pytest.approx([0.9])


def test_a_constant_rate_is_the_peak_after_the_rise():
    assert rates([1, 4, 11], schedule="constant") == pytest.approx([0.5, 1, 1])
