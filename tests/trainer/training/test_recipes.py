"""Each recipe that comes with the program trains, on images that are small enough for a test.

But for backbones of keras.applications, which take a minute: test_replicas_models trains these.
"""

import dataclasses
import pathlib
import re
from importlib import resources

import numpy as np
import pytest

from pipeline import config
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


BUILT = re.compile(r"python -m pipeline\.main ((?:--\S+|[\s#\\])+)")
"""A command that builds the data, in a comment of a recipe or a line of a page."""


def builds(text):
    """Yield the configurations that a text's commands build, without their names, and the names."""
    for found in BUILT.findall(text):
        given = dict(flag[2:].split("=") for flag in re.findall(r"--\S+", found))
        name = given.pop("config_name")
        for number in {"classes", "image_size"} & set(given):
            given[number] = int(given[number])
        yield config.JobConfig(**given), name


@pytest.mark.parametrize("name", ["fer2013_fast", "ferplus", "rafdb"])
def test_the_build_command_of_a_recipe_is_allowed_and_gives_the_build_that_it_trains_on(name):
    text = (resources.files("trainer.recipes") / f"{name}.yaml").read_text()
    ((asked, config_name),) = builds(text)
    assert config_name == recipes.load(name)["config_name"]
    made = config.named(
        dataclasses.replace(asked, config_name=config_name), drawn=False, data=asked.layout
    )
    assert made.config_name == config_name


def test_the_build_of_the_protocol_is_that_of_all_recipes_for_fer2013():
    page = (pathlib.Path(__file__).parents[3] / "docs/accuracy.md").read_text()
    (build,) = builds(page)
    text = (resources.files("trainer.recipes") / "fer2013_fast.yaml").read_text()
    assert [build] == list(builds(text))
    others = [name for name in recipes.names() if name.startswith(("fer2013", "cnn_seed"))]
    assert {recipes.load(name)["config_name"] for name in others} == {build[1]}


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
