"""Training does not depend on how many replicas share the batch."""

import dataclasses

import numpy as np
import pytest

from tests.trainer import drift
from trainer.data import examples, input_pipeline, sampler
from trainer.evaluation import predictor as predictor_lib
from trainer.run import context
from trainer.training import setup, train_step


def trained_weights(ctx, *, epochs=2):
    """Train the small network; return its weights, those to evaluate, and each step's sums."""
    network = setup.model(ctx)
    train_step, sums = train(network, ctx=ctx, epochs=epochs)
    weights = [variable.numpy() for variable in network.variables]
    with train_step.evaluation_weights():
        weights += [variable.numpy() for variable in network.variables]
    return weights, sums


def start_of(ctx):
    """Return what `trained_weights` would give without a step."""
    return 2 * [variable.numpy() for variable in setup.model(ctx).variables]


def assert_alike(found, expected, *, start):
    """Compare weights and sums of two trainings; a guess may be decided by last digits."""
    assert drift.largest(expected[0], found[0], start=start) < drift.LIMIT
    losses, right, *others = expected[1].T[:4]
    found_losses, found_right, *found_others = found[1].T[:4]
    np.testing.assert_allclose(found_losses, losses, rtol=1e-3)
    np.testing.assert_allclose(found_right, right, rtol=0, atol=1.001)
    np.testing.assert_array_equal(found_others, others)
    np.testing.assert_allclose(found[1][:, 4:], expected[1][:, 4:], rtol=1e-3)  # Norms.


def train(network, *, ctx, epochs, split=None):
    """Train a network for some epochs; return the train_step and the sums of every step."""
    split = split or with_affect(context.read_split(ctx, split="train"))
    train_step = setup.build_train_step(network, ctx=ctx, split=split)
    plan_rows = input_pipeline.plan(split.num_examples, layout=ctx.layout, epochs=range(epochs))
    groups = distributed(
        ctx,
        split=split,
        plan_rows=plan_rows,
        order_of=lambda e: sampler.natural(62, seed=0, epoch=e),
    )
    train_step.compile(groups.element_spec)
    sums = []
    for group in groups:
        sums.append(train_step.train(group, first_step=sum(map(len, sums))))
    return train_step, np.concatenate(sums)


def with_affect(split):
    """Give a split valence and arousal made from its labels, some missing."""
    labels = split.labels.astype(np.float32)
    valence, arousal = labels / 7, np.where(labels == 3, np.nan, 1 - labels / 4)
    valence[5::2] = np.nan
    return dataclasses.replace(
        split, valence=valence.astype(np.float32), arousal=arousal.astype(np.float32)
    )


def distributed(ctx, *, split, plan_rows, order_of):
    groups = input_pipeline.step_groups(
        split, plan_rows=plan_rows, layout=ctx.layout, order_of=order_of
    )
    return input_pipeline.distribute(groups, strategy=ctx.strategy)


FULL = {
    "conv_filters": (4,),
    "color": "gray",
    "heads": "expression+va",
    "va_weight": 2.0,
    "activation": "tanh",
    "dropout": 0.5,
    "clip_norm": 2.0,
    "augment": 1.0,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "class_weights": "inverse",
    "label_smoothing": 0.4,
    "l2": 0.05,
    "nesterov": True,
    "weight_decay": 0.5,
    "sam_rho": 0.1,
    "ema_decay": 0.7,
    "accumulate_steps": 2,
    "batch_norm": True,
    "color_jitter": 0.5,
    "erase_prob": 0.5,
    "mixup": 0.4,
    "cutmix": 1.0,
}
"""Everything that works on the batch as a whole, in the smallest network: what takes time is to
trace it, in proportion to its layers, its replicas and its microbatches."""


@pytest.mark.parametrize(
    ("num_replicas", "settings"),
    [(2, FULL), (4, {**FULL, "accumulate_steps": 1})],
    ids=["2", "4"],
)
def test_two_and_four_replicas_train_as_one_does(make_ctx, num_replicas, settings):
    """With everything on and a last batch of 14, of which one replica of four has only 2.

    Microbatches on two only: four replicas would have twice as much to trace.
    """
    found = trained_weights(make_ctx(num_replicas=num_replicas, **settings))
    expected = trained_weights(make_ctx(**settings))
    assert_alike(found, expected, start=start_of(make_ctx(**settings)))


LEAN = {**FULL, "accumulate_steps": 1, "sam_rho": 0.0, "batch_norm": False}
"""What is compiled in a second, for comparing one setting with another."""


@pytest.fixture(scope="module")
def lean(make_ctx):
    """Weights and sums with these settings, on one replica."""
    return trained_weights(make_ctx(**LEAN))


@pytest.mark.parametrize(
    "change",
    [
        {"va_weight": 0.5},
        {"dropout": 0.0},
        {"clip_norm": None},
        {"augment": 0.0},
        {"class_weights": "none"},
        {"class_weights": "sqrt"},
        {"class_weights": "effective", "effective_beta": 0.5},
        {"loss": "logit_adjusted"},
        {"l2": 0.0},
        {"nesterov": False},
        {"weight_decay": 0.0},
        {"sam_rho": 0.1},
        {"ema_decay": 0.0},
        {"schedule": "constant"},
        {"mixup": 0.0},
        {"cutmix": 0.0},
    ],
)
def test_what_the_replicas_agree_on_is_really_on(make_ctx, lean, change):
    weights, _ = trained_weights(make_ctx(**{**LEAN, **change}))
    assert drift.largest(lean[0], weights, start=start_of(make_ctx(**LEAN))) > 10 * drift.LIMIT


def test_working_through_a_batch_in_parts_trains_as_all_at_once_does(make_ctx, monkeypatch):
    """But for valence and arousal, whose loss is that of each part."""
    settings = {name: value for name, value in LEAN.items() if name not in ("heads", "va_weight")}
    at_once = trained_weights(make_ctx(**settings))
    parts, prepare = [], train_step.TrainStep._prepare

    def counting(self, part, **about):
        parts.append(part)
        return prepare(self, part, **about)

    monkeypatch.setattr(train_step.TrainStep, "_prepare", counting)
    in_two = trained_weights(make_ctx(**{**settings, "accumulate_steps": 2}))
    assert len(parts) == 2
    assert_alike(in_two, at_once, start=start_of(make_ctx(**settings)))


def test_the_last_smaller_batch_is_the_mean_over_its_own_examples(make_ctx):
    """One step of SGD on 14 of 16 positions equals one on exactly those 14 examples."""
    plain = {
        "dropout": 0.0,
        "augment": 0.0,
        "optimizer": "sgd",
        "momentum": 0.0,
        "warmup_epochs": 0.0,
    }
    weights = []
    for batch_size, num_replicas in ((14, 1), (16, 4)):
        ctx = make_ctx(num_replicas=num_replicas, batch_size=batch_size, **plain)
        network, split = setup.model(ctx), context.read_split(ctx, split="train")
        train_step = setup.build_train_step(network, ctx=ctx, split=split)
        plan_rows = input_pipeline.plan(14, layout=ctx.layout, epochs=range(1))
        groups = distributed(
            ctx, split=split, plan_rows=plan_rows, order_of=lambda epoch: np.arange(14)
        )
        train_step.compile(groups.element_spec)
        for group in groups:
            train_step.train(group, first_step=0)
        weights.append([variable.numpy() for variable in network.variables])
    for expected, got in zip(*weights, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_predictions_come_in_order_and_whole(make_ctx):
    found = []
    for num_replicas in (1, 4):
        ctx = make_ctx(num_replicas=num_replicas)
        split = examples.read(ctx.version, split="validation", size_px=32)  # 37 = 2 x 16 + 5
        predictor = predictor_lib.Predictor(
            setup.model(ctx), strategy=ctx.strategy, views=ctx.views
        )
        found.append(predictor.probabilities(split, batch_size=16))
    assert found[0].shape == (37, 8)
    np.testing.assert_allclose(found[0].sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
