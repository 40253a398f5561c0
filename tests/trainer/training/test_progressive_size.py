import numpy as np
import pytest
import tensorflow as tf

from runtime import errors
from trainer.config import evaluation_views, run_config
from trainer.data import holdout
from trainer.run import context, model_folder
from trainer.training import progressive_size, setup, trainer

SMALLER = {"pooling": "mean", "progressive_px": (8, 12), "progressive_epochs": 2}


def test_sides_share_the_first_epochs_equally_and_change_between_epochs():
    sides = progressive_size.Sides(full=40, smaller=(24, 32), epochs=5, steps_per_epoch=10)
    by_epoch = [{sides.at(10 * epoch + step) for step in range(10)} for epoch in range(7)]
    assert by_epoch == [{24}, {24}, {24}, {32}, {32}, {40}, {40}]


def test_images_are_smoothed_where_they_become_smaller():
    stripes = np.tile(np.array([0, 255], np.float32), 8)
    image = tf.constant(np.broadcast_to(stripes[None, None, :, None], (1, 16, 16, 3)))
    small = progressive_size.resized(image, side=4)
    np.testing.assert_allclose(small[:, :, 1:3], 127.5, atol=1.0)
    assert progressive_size.resized(image, side=16) is image


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"progressive_px": (8,)}, "need each other, .* --progressive_epochs=0"),
        ({"progressive_epochs": 3}, "need each other, .* --progressive_epochs=3"),
        (
            {"pooling": "mean", "progressive_px": (8, 12), "progressive_epochs": 1},
            "must be from 2, one for each side of --progressive_px, to the 20 of --epochs: got 1",
        ),
        (
            {"pooling": "mean", "progressive_px": (8,), "progressive_epochs": 21},
            "to the 20 of --epochs: got 21",
        ),
        (
            {"progressive_px": (8,), "progressive_epochs": 1},
            "--model=cnn does not take with --pooling=flatten: use --pooling=mean",
        ),
        (
            {"model": "resnet50", "progressive_px": (8,), "progressive_epochs": 1},
            "--model=resnet50 does not take: use --model=resnet_small",
        ),
        (
            {**SMALLER, "crop_px": 12},
            "--progressive_px must be less than the 12 px .* got 12; leave it out",
        ),
    ],
)
def test_sides_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(errors.UserError, match=sentence):
        evaluation_views.of_run(run_config.make(settings), image_size=16)


def test_a_run_of_growing_images_that_was_interrupted_ends_in_the_same_weights(make_ctx, tmp_path):
    def train(name, *, num_epochs):
        settings = {**SMALLER, "augment": 0.0, "conv_filters": (4,), "epochs": 3}
        ctx = make_ctx(model_dir=str(tmp_path / name), **settings)
        network = setup.model(ctx)
        split = context.read_split(ctx, split="train")
        running = trainer.Trainer(
            ctx,
            network=network,
            train=split,
            selection=holdout.divide(split, frac=0.2)[1],
            model_dir=model_folder.claim(ctx.settings),
        )
        epochs = running.epochs()
        for _ in range(num_epochs):
            next(epochs)
        epochs.close()
        return [variable.numpy() for variable in network.variables]

    whole = train("whole", num_epochs=3)
    train("cut", num_epochs=1)
    for mine, wanted in zip(train("cut", num_epochs=2), whole, strict=True):
        np.testing.assert_array_equal(mine, wanted)
