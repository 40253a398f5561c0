import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from trainer.augment import augment, geometric, photometric
from trainer.config import training_config
from trainer.distributed import example_rng
from trainer.models import layers


def image(size=8):
    return tf.constant(np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)), tf.float32)


def augmented(images, first_position=0, **settings):
    return augment.augment(
        images, rng=rng(first_position), settings=training_config.Augmentation(**settings)
    )


def four():
    return tf.cast(tf.repeat(image(), 4, axis=0), tf.uint8)


def rng(first_position=0):
    return example_rng.ExampleRng(
        seed=1, epoch=tf.constant(0, tf.int64), first_position=tf.constant(first_position, tf.int64)
    )


def test_strength_zero_changes_nothing():
    np.testing.assert_array_equal(
        augmented(four(), augment=0.0, randaugment=3, color_jitter=1.0), tf.cast(four(), tf.float32)
    )


def test_each_image_is_cropped_where_it_is_drawn_for_it_and_changed_no_further():
    images = tf.cast(tf.repeat(image(), 40, axis=0), tf.uint8)
    settings = training_config.Augmentation(augment=0.0)
    parts = augment.augment(images, rng=rng(), settings=settings, crop_px=6)
    places = {
        (top, left): images.numpy()[0, top : top + 6, left : left + 6]
        for top in range(3)
        for left in range(3)
    }
    found = [
        next(at for at, part in places.items() if np.array_equal(part, cropped))
        for cropped in parts.numpy()
    ]
    assert set(found) == set(places)
    later = augment.augment(images[:2], rng=rng(7), settings=settings, crop_px=6)
    np.testing.assert_array_equal(later, parts[7:9])


def test_augmented_images_are_cropped_in_the_same_resampling():
    settings = training_config.Augmentation(**EVERYTHING)
    parts = augment.augment(four(), rng=rng(), settings=settings, crop_px=6)
    assert parts.shape == (4, 6, 6, 3)
    assert not np.allclose(parts[0], parts[1])


EVERYTHING = {"color_jitter": 1.0, "tone_jitter": 1.0, "erase_prob": 0.5}


@pytest.mark.parametrize("settings", [{}, EVERYTHING, {**EVERYTHING, "randaugment": 3}])
@pytest.mark.parametrize("first, count", [(0, 1), (1, 2), (3, 1)])
def test_a_part_of_the_batch_changes_as_it_does_in_the_whole(first, count, settings):
    whole, part = (
        augmented(four(), **settings),
        augmented(four()[first : first + count], first, **settings),
    )
    np.testing.assert_allclose(part, whole[first : first + count], atol=1e-3)
    assert not np.allclose(whole[0], whole[1])


def test_augment_is_the_same_inside_a_graph():
    compiled = tf.function(lambda x: augmented(x, **EVERYTHING))
    np.testing.assert_allclose(compiled(four()), augmented(four(), **EVERYTHING), atol=1e-3)


def test_a_graph_that_knows_the_shape_computes_the_same_bits_as_one_that_does_not():
    """Grappler adds small terms first where it knows which ones are: other bits, another run."""
    images = tf.random.stateless_uniform((4, 8, 8, 3), seed=(1, 2), maxval=255.0)
    amount = tf.random.stateless_uniform((4, 2), seed=(3, 4), minval=-1.0)
    for change in (photometric.light, photometric.colour):
        known, unknown = (
            tf.function(
                lambda x, a, change=change: change(x, amount=a),
                input_signature=[tf.TensorSpec(shape), tf.TensorSpec((shape[0], 2))],
            )
            for shape in ((4, 8, 8, 3), (None, None, None, 3))
        )
        np.testing.assert_array_equal(known(images, amount), unknown(images, amount))


@pytest.mark.parametrize(
    "change",
    [
        {"augment": 2.0},
        {"flip": False},
        {"color_jitter": 1.0},
        {"rotation_degrees": 30.0},
        {"scale_frac": 0.2},
        {"shift_frac": 0.2},
        {"tone_jitter": 1.0},
        {"randaugment": 2},
        {"erase_prob": 1.0},
    ],
)
def test_every_setting_changes_the_images(change):
    assert not np.allclose(augmented(four(), **change), augmented(four()), atol=1)


@pytest.mark.parametrize("change", [{"color_jitter": 1.0}, {"tone_jitter": 1.0}])
def test_jitters_change_the_images_beside_randaugment_too(change):
    plain = augmented(four(), randaugment=2)
    assert not np.allclose(augmented(four(), randaugment=2, **change), plain, atol=1)


def test_half_of_the_images_are_mirrored():
    left = np.zeros((400, 8, 8, 3), np.uint8)
    left[:, :, :4] = 200
    mirrored = augmented(left, augment=0.01).numpy()[:, :, 0].mean(axis=(1, 2)) < 100
    assert 160 < mirrored.sum() < 240
    assert not (
        augmented(left, augment=0.01, flip=False).numpy()[:, :, 0].mean(axis=(1, 2)) < 100
    ).any()


def test_randaugment_gives_each_image_its_number_of_kinds_at_full_strength():
    settings = training_config.Augmentation(augment=0.5, randaugment=3)
    amounts = augment._random_kinds(rng(), count=500, settings=settings, is_gray=False).numpy()
    assert set(np.unique(amounts)) == {-0.5, 0.0, 0.5}
    assert (np.count_nonzero(amounts, axis=1) == 3).all()
    assert np.count_nonzero(amounts, axis=0) == pytest.approx([150] * 10, abs=45)


def test_randaugment_gives_gray_images_the_kinds_that_do_something():
    settings = training_config.Augmentation(augment=0.5, randaugment=3)
    amounts = augment._random_kinds(rng(), count=500, settings=settings, is_gray=True).numpy()
    assert (np.count_nonzero(amounts, axis=1) == 3).all()
    assert np.count_nonzero(amounts, axis=0) == pytest.approx([187] * 7 + [0, 0, 187], abs=45)
    every = training_config.Augmentation(randaugment=10)
    amounts = augment._random_kinds(rng(), count=9, settings=every, is_gray=True).numpy()
    assert (np.count_nonzero(amounts, axis=1) == 8).all()


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 6, 9])
def test_every_kind_of_randaugment_changes_what_a_network_is_given_of_a_gray_image(kind):
    gray = tf.repeat(image(16)[..., :1], 3, axis=-1)
    amount = tf.one_hot([kind], 10)
    settings = training_config.Augmentation(randaugment=1)
    changed = geometric.warp(gray, flip=tf.constant([False]), amount=amount[:, :5])
    changed = augment._photometric(changed, rng=rng(), amount=amount, settings=settings)
    standardise = layers.Standardise()
    assert np.abs(standardise(changed) - standardise(gray)).mean() > 0.02


def test_ranges_that_are_named_replace_those_of_the_strength():
    amount = tf.constant([[2.0, -1.0, 0.5, 1.0, 1.0]])
    settings = training_config.Augmentation(augment=2.0, rotation_degrees=5.0, shift_frac=0.24)
    # 5 of 20 degrees, 0.24 of 0.12.
    np.testing.assert_allclose(
        augment._in_ranges(amount, settings=settings), [[0.5, -1.0, 1.0, 2.0, 1.0]]
    )
    usual = training_config.Augmentation(augment=2.0)
    assert augment._in_ranges(amount, settings=usual) is amount


def test_a_range_without_a_strength_is_refused():
    with pytest.raises(errors.UserError, match="--scale_frac=0.2 has no effect with --augment=0"):
        training_config.Augmentation(augment=0.0, scale_frac=0.2)


def test_mixing_depends_on_pairs_and_positions_only():
    settings = training_config.Augmentation(mixup=0.4, cutmix=1.0)
    images = tf.constant(np.random.default_rng(1).uniform(0, 255, (4, 8, 8, 3)), tf.float32)
    whole = augment.mix(images, rng=rng(), settings=settings)
    part = augment.mix(images[2:], rng=rng(2), settings=settings)
    np.testing.assert_allclose(part.images, whole.images[2:], atol=1e-3)
    np.testing.assert_allclose(part.lam, whole.lam[2:])
