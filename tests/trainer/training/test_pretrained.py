"""Weights from a local file, and the epochs in which only the heads learn."""

import os

import cv2
import keras
import numpy as np
import pytest
from sklearn import datasets

from runtime import errors
from tests.trainer import drift
from tests.trainer.training import test_replicas
from trainer.config import model_config
from trainer.models import factory, keras_backbones, torch_file
from trainer.run import best_weights, context, model_folder
from trainer.training import pretrained, setup, train_step, trainer

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
TINY = {
    "model": "resnet_small",
    "conv_filters": (4, 8),
    "blocks_per_stage": 1,
    "dense_units": (128, 128),
}


def features_of(network):
    return keras.Model(network.inputs[0], network.get_layer("head_dropout").input)(PICTURES).numpy()


def loaded(**settings):
    model = model_config.Model(**settings)
    network = factory.build(model, image_size=32, num_classes=8, seed=0)
    pretrained.load(network, model=model, image_size=32)
    return network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("include_top", "name"), [(False, "a.weights.h5"), (True, "a.weights.h5"), (True, "a.keras")]
)
def test_a_backbone_sees_with_the_weights_of_a_file_what_keras_own_sees(
    tmp_path, include_top, name
):
    """Also with the right normalisation of images, in MobileNetV3 a layer of Keras' own model."""
    keras.utils.set_random_seed(1)
    theirs = keras_backbones.original("mobilenet_v3_small", image_size=32, include_top=include_top)
    moved = [
        w + np.random.default_rng(0).uniform(0, 0.1, w.shape).astype(np.float32)
        for w in theirs.get_weights()
    ]
    theirs.set_weights(moved)
    (theirs.save_weights if name.endswith(".h5") else theirs.save)(tmp_path / name)
    found = features_of(loaded(model="mobilenet_v3_small", weights=str(tmp_path / name)))
    if include_top:
        small = keras_backbones.original("mobilenet_v3_small", image_size=32, include_top=False)
        small.set_weights(moved[: len(small.get_weights())])
        theirs = small
    np.testing.assert_allclose(found, theirs(PICTURES.astype(np.float32)), rtol=1e-4, atol=1e-4)


def test_imagenets_weights_come_from_a_package_and_know_a_temple_and_a_flower():
    """Whole images of scikit-learn's, with the classifier that the package carries, too."""
    model = model_config.Model(model="efficientnet_lite0", weights="imagenet")
    pretrained.check(model)
    theirs = keras_backbones.original("efficientnet_lite0", image_size=224, include_top=True)
    arrays = pretrained._of_torch(torch_file.read(pretrained._of_package()))
    pretrained._copy(arrays, layers=[layer for layer in theirs.layers if layer.weights])
    assert theirs.count_params() == sum(array.size for layer in arrays for array in layer)
    images = np.stack([sample(name) for name in ("china.jpg", "flower.jpg")])
    temple, flower = np.argsort(theirs(images).numpy())[:, -5:].tolist()
    castle, monastery, palace, stupa, daisy = 483, 663, 698, 832, 985
    assert len({castle, monastery, palace, stupa} & set(temple)) >= 3
    assert flower[-1] == daisy
    network = factory.build(model, image_size=224, num_classes=8, seed=0)
    pretrained.load(network, model=model, image_size=224)
    features = keras.Model(network.inputs[0], network.get_layer("head_dropout").input)
    below = keras.Model(theirs.inputs, theirs.get_layer("avg_pool").output)
    np.testing.assert_allclose(features(images), below(images), rtol=1e-4, atol=1e-4)


def sample(name):
    return cv2.resize(datasets.load_sample_image(name), (224, 224), interpolation=cv2.INTER_AREA)


def test_imagenets_weights_are_for_the_network_that_they_are_of(monkeypatch):
    with pytest.raises(errors.UserError, match="imagenet is for --model=efficientnet_lite0: got"):
        model_config.Model(model="resnet50", weights="imagenet")
    monkeypatch.setattr(pretrained, "_SHA256", "0" * 64)
    with pytest.raises(errors.UserError, match=r"57934424.pth is missing or damaged; install the"):
        pretrained.check(model_config.Model(model="efficientnet_lite0", weights="imagenet"))
    monkeypatch.setattr(pretrained, "_PACKAGE", "no_such_package")
    with pytest.raises(errors.UserError, match="--weights=imagenet needs no_such_package: "):
        pretrained.check(model_config.Model(model="efficientnet_lite0", weights="imagenet"))


@pytest.fixture
def earlier(tmp_path):
    """Best weights of an earlier run with five classes."""
    network = factory.build(model_config.Model(**TINY), image_size=32, num_classes=5, seed=7)
    best_weights.save_best(network, model_dir=tmp_path, facts={"epoch": 1})
    return network, str(tmp_path / best_weights.BEST)


def test_an_earlier_run_gives_its_weights_to_all_but_the_heads(earlier):
    network, path = earlier
    np.testing.assert_array_equal(features_of(loaded(**TINY, weights=path)), features_of(network))
    assert np.abs(features_of(loaded(**TINY)) - features_of(network)).max() > 1e-3


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"conv_filters": (4, 16)}, "block1_conv0 has shapes "),
        ({"blocks_per_stage": 2}, "it has no block2_in_norm/gamma"),
    ],
)
def test_a_file_of_another_network_is_refused(earlier, other, sentence):
    with pytest.raises(
        errors.UserError, match=rf"best\.npz does not fit --model=resnet_small: {sentence}"
    ):
        loaded(**{**TINY, **other}, weights=earlier[1])


@pytest.mark.slow
def test_a_file_of_another_backbone_is_refused(tmp_path):
    keras_backbones.original("mobilenet_v3_large", image_size=32, include_top=False).save_weights(
        tmp_path / "a.weights.h5"
    )
    with pytest.raises(
        errors.UserError, match=r"a\.weights\.h5 does not fit --model=mobilenet_v3_small: "
    ):
        loaded(model="mobilenet_v3_small", weights=str(tmp_path / "a.weights.h5"))


def test_what_cannot_be_weights_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(
        errors.UserError,
        match="cannot read --weights=.*nowhere.h5: no such file; name a local file",
    ):
        pretrained.check(model_config.Model(model="resnet50", weights="nowhere.h5"))
    (tmp_path / "a.pt").touch()
    with pytest.raises(
        errors.UserError,
        match=r"of --model=resnet50 must be a file in \.h5 or \.keras or \.npz: got",
    ):
        pretrained.check(model_config.Model(model="resnet50", weights=str(tmp_path / "a.pt")))
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "endless.h5").touch()
    os.truncate(tmp_path / "endless.h5", 8_000_000_000)
    for name, reason in (("pipe", "a named pipe"), ("endless", "8,000.0 MB")):
        with pytest.raises(OSError, match=reason):
            path = str(tmp_path / f"{name}.h5")
            pretrained.check(model_config.Model(model="resnet50", weights=path))
    with pytest.raises(
        errors.UserError, match="--freeze_epochs=2 needs pretrained weights: with --weights=none"
    ):
        model_config.Model(freeze_epochs=2)


def test_layer_wise_learning_rates_need_pretrained_weights():
    with pytest.raises(errors.UserError, match="--first_layer_lr_frac=0.1 needs pretrained"):
        model_config.Model(first_layer_lr_frac=0.1)


def trained(ctx, *, epochs):
    """Train from a file; return the weights by path."""
    network = setup.model(ctx)
    pretrained.load(network, model=ctx.settings.model, image_size=ctx.image_size)
    if epochs:
        test_replicas.train(network, ctx=ctx, epochs=epochs)
    return {variable.path: variable.numpy() for variable in network.variables}


def test_first_the_heads_learn_alone_and_then_everything(earlier, make_ctx):
    network, path = earlier
    ctx = make_ctx(**TINY, weights=path, freeze_epochs=1, dropout=0.5, sam_rho=0.05)
    start = {variable.path: variable.numpy() for variable in network.variables}
    for epochs, are_held in ((1, True), (2, False)):
        end = trained(ctx, epochs=epochs)
        for name in ("stem/kernel", "block0_in_norm/gamma", "last_norm/moving_mean"):
            assert np.array_equal(end[name], start[name]) == are_held, name
        assert not np.array_equal(end["logits/kernel"][:, 0], start["logits/kernel"][:, 0])


def test_two_replicas_freeze_as_one_does(earlier, make_ctx):
    how = {**TINY, "weights": earlier[1], "freeze_epochs": 1, "optimizer": "sgd", "augment": 0.0}
    one, two = (trained(make_ctx(num_replicas=n, **how), epochs=2) for n in (1, 2))
    start = trained(make_ctx(**how), epochs=0)
    assert drift.largest(one.values(), two.values(), start=start.values()) < drift.LIMIT


@pytest.mark.slow
def test_a_run_cut_off_where_the_backbone_is_set_free_ends_as_an_unbroken_one(
    earlier, make_ctx, tmp_path, monkeypatch
):
    how = {**TINY, "weights": earlier[1], "freeze_epochs": 1, "epochs": 2, "deterministic": True}
    unbroken = run_session(make_ctx(**how, model_dir=str(tmp_path / "unbroken")))
    train = train_step.TrainStep.train

    def cut(self, group, *, first_step, **about):
        if first_step >= 4:  # The first step of the second epoch.
            raise KeyboardInterrupt
        return train(self, group, first_step=first_step, **about)

    ctx = make_ctx(**how, model_dir=str(tmp_path / "cut"))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(train_step.TrainStep, "train", cut)
        run_session(ctx)
    for name, array in run_session(ctx).items():
        np.testing.assert_array_equal(array, unbroken[name], err_msg=name)


def run_session(ctx):
    network = setup.model(ctx)
    pretrained.load(network, model=ctx.settings.model, image_size=ctx.image_size)
    splits = {
        "train": context.read_split(ctx, split="train"),
        "selection": context.read_split(ctx, split="validation"),
    }
    running = trainer.Trainer(
        ctx, network=network, model_dir=model_folder.claim(ctx.settings), **splits
    )
    running.train()
    return {variable.path: variable.numpy() for variable in network.variables}
