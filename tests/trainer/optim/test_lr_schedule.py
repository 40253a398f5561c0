import dataclasses
import math

import pytest
import tensorflow as tf

from runtime import errors
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


def test_a_cosine_ends_at_the_floor_and_begins_at_the_peak():
    # Half-way: 0.2 + (1 - 0.2) / 2.
    got = rates([0, 3, 4, 8, 12], warmup_epochs=1.0, min_learning_rate=0.2)
    assert got == pytest.approx([0.25, 1.0, 1.0, 0.6, 0.2])


@pytest.mark.parametrize("name", ["step", "exponential"])
def test_another_decay_is_cut_off_at_the_floor_but_not_the_rise(name):
    got = rates(
        [0, 3, 4, 11],
        schedule=name,
        min_learning_rate=0.3,
        decay_factor=0.01,
        **({"decay_epochs": (2.0,)} if name == "step" else {}),
    )
    assert got == pytest.approx([0.25, 1.0, 1.0, 0.3])


def test_cosines_begin_anew_and_each_is_longer_by_its_factor():
    # Cycles of 1, 2 and (cut off) 4 epochs of 4 steps, after a rise of one epoch.
    got = rates(
        [4, 6, 8, 12, 16, 24, 31], epochs=8, cycle_epochs=1.0, cycle_factor=2.0, warmup_epochs=1.0
    )
    eleventh = 0.5 * (1 + math.cos(math.pi * 15 / 16))
    assert got == pytest.approx([1, 0.5, 1, 0.5, 1, 0.5, eleventh], abs=1e-6)


def test_cycles_do_not_depend_on_the_length_of_the_run():
    settings = {"cycle_epochs": 0.75, "cycle_factor": 1.5}
    assert rates(range(12), **settings) == rates(range(12), epochs=5, **settings)
    assert not training_config.Optimization(cycle_epochs=2.0).depends_on_epochs
    assert training_config.Optimization().depends_on_epochs


@pytest.mark.parametrize(
    ("scores", "drops"),
    [
        ([], 0),
        ([0.5, 0.4], 0),  # Not yet two epochs without a better one.
        ([0.5, 0.4, 0.5], 1),  # An equal one is no better.
        ([0.5, 0.4, 0.6, 0.5, 0.6], 1),
        ([0.5, 0.4, 0.4, 0.3, 0.3], 2),  # The wait begins anew after each fall.
        ([0.5, 0.4, 0.4, 0.3, 0.6, 0.1], 1),
    ],
)
def test_a_plateau_lowers_the_rate_after_each_wait(scores, drops):
    settings = training_config.Optimization(
        schedule="plateau", plateau_epochs=2, decay_factor=0.5, learning_rate=1.0
    )
    assert lr_schedule.plateau_factor(scores, settings=settings) == 0.5**drops
    settings = dataclasses.replace(settings, min_learning_rate=0.4)
    assert lr_schedule.plateau_factor(scores, settings=settings) == max(0.5**drops, 0.4)


def test_other_schedules_know_no_plateau():
    assert lr_schedule.plateau_factor([0.5] * 9, settings=training_config.Optimization()) == 1


def test_a_warm_up_of_the_whole_run_is_a_warning():
    settings = training_config.Optimization(warmup_epochs=3.0)
    assert "--warmup_epochs=3 of --epochs=3 " in lr_schedule.warning(settings, epochs=3)
    assert lr_schedule.warning(settings, epochs=4) == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_learning_rate": 1.0}, "--min_learning_rate must be at most --learning_rate=0.001"),
        ({"cycle_factor": 2.0}, "--cycle_factor=2 lengthens cycles"),
        ({"ema_decay": 0.9, "swa_epochs": 2.0}, "--ema_decay and --swa_epochs are two averages"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, words):
    with pytest.raises(errors.UserError, match=words):
        training_config.Optimization(**settings)
