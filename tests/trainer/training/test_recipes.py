"""Each recipe that comes with the program trains, on images that are small enough for a test.

But for backbones of keras.applications, which take a minute: test_replicas_models trains these.
"""

import numpy as np
import pytest

from tests.trainer.options.case import eagerly
from trainer.config import model_config, recipes
from trainer.run import context
from trainer.training import setup, train_input

OWN = [
    name
    for name in recipes.names()
    if recipes.load(name).get("model", "cnn") in model_config.ARCHITECTURES
]
SMALL = {"image_size": 32, "crop_px": 28, "progressive_px": (16,), "batch_size": 4}


@pytest.mark.parametrize("name", OWN)
def test_every_recipe_trains_a_few_steps(name, make_ctx):
    recipe = recipes.load(name)
    small = {key: value for key, value in SMALL.items() if key in recipe}
    if "conv_filters" in recipe:
        small["conv_filters"] = [filters // 8 for filters in recipe["conv_filters"]]
    dense_units = (128, 128)  # The default, which resnet_small wants.
    ctx = make_ctx(**{"dense_units": dense_units, **recipe, **small, "image_size": 32})
    split = context.read_split(ctx, split="train")
    network = setup.model(ctx)
    before = [variable.numpy() for variable in network.trainable_variables]
    with eagerly():
        step = setup.build_train_step(network, ctx=ctx, split=split)
        groups = train_input.step_groups(ctx, split=split)
        step.compile(groups.element_spec)
        group = {key: value if key == "epoch" else value[:2] for key, value in next(groups).items()}
        sums = step.train(group, first_step=0)
    assert np.isfinite(sums).all()
    assert sums[:, 2].tolist() == [4, 4]
    changed = [
        np.any(variable.numpy() != old)
        for variable, old in zip(network.trainable_variables, before, strict=True)
    ]
    assert np.mean(changed) > 0.9
