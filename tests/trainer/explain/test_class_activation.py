"""Class activation maps: of networks whose answer is known by construction, and their pictures."""

import keras
import numpy as np
import pytest

from trainer.config import evaluation_views, model_config
from trainer.explain import class_activation, overlay
from trainer.models import factory

SIDE = 16
PLAIN = evaluation_views.Views(image_px=SIDE, crop_px=SIDE, tta="none")
QUADRANTS = [(slice(0, 2), slice(0, 2)), (slice(0, 2), slice(2, 4))]
"""Places of a map of 4 x 4 that the two classes look at."""


def looking_at_quadrants():
    """A network whose logit of a class is the brightness of its quadrant, and of no other place."""
    images = keras.Input((SIDE, SIDE, 3))
    pooled = keras.layers.AveragePooling2D(4)(images)
    flat = keras.layers.Flatten()(pooled)
    logits = keras.layers.Dense(2, use_bias=False, name="logits")
    network = keras.Model(images, logits(flat))
    weights = np.zeros((4, 4, 3, 2), np.float32)
    for label, (rows, columns) in enumerate(QUADRANTS):
        weights[rows, columns, :, label] = 0.01
    weights[2:, 2:, 0, 1] = -0.01  # Red below on the right speaks against class 1.
    logits.set_weights([weights.reshape(-1, 2)])
    return network


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


def test_the_contributions_are_those_of_the_places_that_the_network_looks_at(images):
    network = looking_at_quadrants()
    found = class_activation.ClassActivation(network, views=PLAIN)
    for label, place in enumerate(QUADRANTS):
        contributions = found.contributions(images, classes=[label] * 3)
        pooled = images.reshape(3, 4, 4, 4, 4, 3).mean(axis=(2, 4))
        expected = np.zeros((3, 4, 4))
        expected[:, place[0], place[1]] = 0.01 * pooled.sum(axis=3)[:, place[0], place[1]]
        if label:
            expected[:, 2:, 2:] = -0.01 * pooled[:, 2:, 2:, 0]
        assert contributions == pytest.approx(expected, rel=1e-4)
        logits = network(images.astype("float32")).numpy()[:, label]
        assert contributions.sum(axis=(1, 2)) == pytest.approx(logits, rel=1e-4)


def test_a_map_has_the_quadrant_of_the_class_and_nothing_of_what_speaks_against_it(images):
    found = class_activation.ClassActivation(looking_at_quadrants(), views=PLAIN)
    maps = found.maps(images, classes=[1, 1, 0])
    assert maps.shape == (3, SIDE, SIDE) and maps.max() == 1
    assert (maps[:2, :6, 10:] > 0.2).all() and (maps[2, :6, :6] > 0.2).all()
    assert maps[0, 10:].max() == 0 and maps[0, :, :6].max() == 0
    assert maps[2, :, 10:].max() == 0


def test_an_image_in_which_nothing_speaks_for_the_class_has_an_empty_map():
    found = class_activation.ClassActivation(looking_at_quadrants(), views=PLAIN)
    black = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    assert not found.maps(black, classes=[0]).any()


def test_of_several_views_the_middle_one_is_explained_in_its_place():
    views = evaluation_views.Views(image_px=SIDE + 8, crop_px=SIDE, tta="ten_crop")
    found = class_activation.ClassActivation(looking_at_quadrants(), views=views)
    image = np.zeros((1, SIDE + 8, SIDE + 8, 3), np.uint8)
    image[0, 4:12, 4:12] = 200  # The quadrant of class 0 in the middle view.
    (evidence,) = found.maps(image, classes=[0])
    assert evidence.shape == (SIDE + 8, SIDE + 8)
    assert (evidence[6:10, 6:10] > 0.9).all()
    assert not evidence[:4].any() and not evidence[14:].any()


@pytest.mark.parametrize(
    ("name", "size"), [("cnn", 32), ("resnet_small", 48), ("efficientnet_v2_b0", 64)]
)
def test_contributions_of_our_architectures_add_up_to_the_logit(name, size):
    model = model_config.Model(model=name)
    network = factory.build(model, image_size=size, num_classes=8, seed=0)
    views = evaluation_views.Views(image_px=size, crop_px=size, tta="none")
    pixels = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    found = class_activation.ClassActivation(network, views=views)
    contributions = found.contributions(pixels, classes=[3, 5])
    assert contributions.shape[1] > 1
    logits = network(pixels.astype("float32"), training=False).numpy()
    biases = network.get_layer("logits").get_weights()[1]
    wanted = [logits[0, 3] - biases[3], logits[1, 5] - biases[5]]
    assert contributions.sum(axis=(1, 2)) == pytest.approx(wanted, abs=1e-4)


def test_a_network_without_a_map_is_refused():
    images = keras.Input((8, 8, 3))
    network = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(images)))
    assert class_activation.ClassActivation(network, views=PLAIN)  # The image itself is a map.
    flat = keras.Input((12,))
    with pytest.raises(ValueError, match="must have a layer with an output"):
        class_activation.ClassActivation(keras.Model(flat, flat * 2), views=PLAIN)


def test_the_picture_is_gray_but_for_what_spoke_for_the_class():
    face = np.full((8, 8, 3), (100, 150, 200), np.uint8)
    evidence = np.zeros((8, 8))
    evidence[:, 4:] = 1
    drawn = overlay.over(face, evidence)
    gray = round(0.299 * 100 + 0.587 * 150 + 0.114 * 200)
    assert drawn[0, 0].tolist() == [gray] * 3
    assert drawn[0, 7].tolist() == [round(0.25 * gray + 0.75 * value) for value in (213, 94, 0)]
