"""Full memory of a device ends training and evaluation in a sentence that names the flags."""

import pytest
import tensorflow as tf

from runtime import errors
from trainer.evaluation import predictor as predictor_lib
from trainer.run import context
from trainer.training import setup


def full(*_):
    message = "OOM when allocating tensor with shape[8,32] on /device:GPU:0 by allocator GPU_0_bfc"
    raise tf.errors.ResourceExhaustedError(None, None, message)


def test_a_step_that_does_not_fit_names_batch_size_and_accumulate_steps(make_ctx, monkeypatch):
    ctx = make_ctx(num_replicas=2, batch_size=32, accumulate_steps=2)
    split = context.read_split(ctx, split="train")
    step = setup.build_train_step(setup.model(ctx), ctx=ctx, split=split)
    monkeypatch.setattr(step, "_function", lambda **_: full)
    with pytest.raises(errors.UserError) as no:
        step.train({}, first_step=0)
    assert str(no.value) == (
        "the memory of GPU 0 is full: it cannot hold 8 images of a step at once (--batch_size=32, "
        "replicas: 2, --accumulate_steps=2); use a smaller --batch_size, or --accumulate_steps=4, "
        "which computes the same batch in smaller parts; nvidia-smi shows what else holds it"
    )


def test_an_evaluation_that_does_not_fit_names_what_helps(make_ctx):
    ctx = make_ctx(num_replicas=2)
    predictor = predictor_lib.Predictor(setup.model(ctx), strategy=ctx.strategy, views=ctx.views)
    predictor.__dict__["_compiled"] = full
    with pytest.raises(errors.UserError) as no:
        predictor.run(context.read_split(ctx, split="validation"), batch_size=16)
    assert str(no.value) == (
        "the memory of GPU 0 is full: it cannot hold 8 images of an evaluation at once: train with "
        "a smaller --batch_size, or evaluate on more GPUs or on the CPU (--num_gpus=0); "
        "nvidia-smi shows what else holds it"
    )


def test_a_network_that_the_machine_cannot_hold_is_refused_before_it_is_built(
    make_ctx, monkeypatch
):
    ctx = make_ctx(num_replicas=2, image_size=100_000, conv_filters=(16, 32), dense_units=(128,))
    monkeypatch.setattr(setup.build, "network", None)
    with pytest.raises(
        errors.UserError,
        match=r"the memory of this machine \(.* GB\) is too small for 40960.0 GB: it cannot hold "
        "the weights of a network for images of 100000 px; use a smaller --image_size",
    ):
        setup.model(ctx)


def test_a_network_that_a_device_cannot_hold_is_a_sentence(make_ctx, monkeypatch):
    ctx = make_ctx()
    monkeypatch.setattr(setup.build, "network", lambda *args, **named: full())
    with pytest.raises(errors.UserError, match="the memory of GPU 0 is full: it cannot hold the w"):
        setup.model(ctx)
