import numpy as np
import pytest
import tensorflow as tf

from trainer.distributed import example_rng
from trainer.models import layers


def numbers(*, first_position=0, count=6, epoch=0, stream=0, seed=5, size=(3, 5)):
    rng = example_rng.ExampleRng(
        seed=seed,
        epoch=tf.constant(epoch, tf.int64),
        first_position=tf.constant(first_position, tf.int64),
    )
    return example_rng.uniform(rng, stream=stream, shape=(count, *size)).numpy()


@pytest.mark.parametrize("first_position, count", [(0, 2), (2, 3), (5, 1)])
def test_a_part_of_the_batch_draws_its_stretch_of_what_the_whole_would_draw(first_position, count):
    part = numbers(first_position=first_position, count=count)
    np.testing.assert_array_equal(part, numbers()[first_position : first_position + count])


def test_a_large_draw_is_made_of_the_same_stretches():
    whole, part = (
        numbers(count=5000, size=(999,)),
        numbers(first_position=1777, count=500, size=(999,)),
    )
    np.testing.assert_array_equal(part, whole[1777:2277])


@pytest.mark.parametrize(
    "change", [{"epoch": 1}, {"stream": 1}, {"seed": 6}, {"first_position": 1}]
)
def test_seed_epoch_stream_and_position_each_change_the_numbers(change):
    assert (numbers(**change) != numbers()).mean() > 0.99


@pytest.mark.parametrize("jit", [False, True])
def test_plain_arithmetic_and_xla_draw_the_same_numbers(jit):
    def drawn(first_position):
        rng = example_rng.ExampleRng(
            seed=5, epoch=tf.constant(3, tf.int64), first_position=first_position, in_graph=True
        )
        return example_rng.uniform(rng, stream=1, shape=(6, 3, 5))

    # 2^31 + 1 positions of four groups each: the counter's upper half is in use.
    for first_position in (0, 2**31 + 1):
        position = tf.constant(first_position, tf.int64)
        in_graph = tf.function(drawn, jit_compile=jit)(position)
        np.testing.assert_array_equal(
            in_graph, numbers(first_position=first_position, epoch=3, stream=1)
        )


def test_numbers_are_uniform():
    drawn = numbers(count=100, size=(1000,))
    assert drawn.min() >= 0 and drawn.max() < 1
    assert np.histogram(drawn, bins=10, range=(0, 1))[0] == pytest.approx(10_000, rel=0.05)


def test_a_layer_outside_a_drawing_block_says_so():
    with pytest.raises(RuntimeError, match="outside example_rng.using"):
        layers.Dropout(0.5, stream=0)(tf.ones((2, 3)), training=True)


def test_dropout_zeroes_its_share_and_scales_the_rest():
    rng = example_rng.ExampleRng(
        seed=0, epoch=tf.constant(0, tf.int64), first_position=tf.constant(0, tf.int64)
    )
    with example_rng.using(rng):
        dropped = layers.Dropout(0.25, stream=0)(tf.ones((100, 100)), training=True).numpy()
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert not np.array_equal(dropped[0], dropped[1])


def test_dropout_does_nothing_in_inference():
    np.testing.assert_array_equal(layers.Dropout(0.5, stream=0)(tf.ones((2, 3))), np.ones((2, 3)))
