import re

import numpy as np
import tensorflow as tf

from trainer.augment import prepared_batch
from trainer.monitoring import batch_preview
from trainer.run import context
from trainer.training import dry_run, setup

BIG = {
    "batch_size": 32,
    "accumulate_steps": 2,
    "conv_filters": (4,),
    "dense_units": (5,),
    "dropout": 0.0,
}


def estimated(ctx):
    split = context.read_split(ctx, split="train")
    return dry_run.estimate(setup.build_train_step(setup.model(ctx), ctx=ctx, split=split), ctx=ctx)


def test_memory_is_counted_by_what_takes_it(make_ctx):
    found = estimated(make_ctx(num_replicas=2, **BIG))
    # 3x3x3x4+4, 16x16x4x5+5, 5x8+8: 5,285 numbers of four bytes; Adam keeps two of each, two
    # microbatches add a gradient.
    assert (found["weights"], found["gradients"], found["optimizer"]) == (21_140, 42_280, 42_280)
    assert found["images"] == 16 * 32 * 32 * 3 * (3 * 8 + 8)


def test_microbatches_averages_and_sam_change_the_estimate(make_ctx):
    whole = estimated(make_ctx(**{**BIG, "accumulate_steps": 1}))
    plain = estimated(make_ctx(**BIG))
    assert whole["activations"] == 2 * plain["activations"]
    more = estimated(make_ctx(**BIG, ema_decay=0.9, sam_rho=0.1))
    assert more["weights"] == 3 * plain["weights"]


def test_a_dry_run_prints_what_a_run_would_be_draws_the_first_batch_and_keeps_nothing(
    make_ctx, tmp_path, capsys
):
    ctx = make_ctx(model_dir=str(tmp_path / "run"), num_replicas=2)
    dry_run.run(setup.model(ctx), ctx=ctx, train=context.read_split(ctx, split="train"))
    output = capsys.readouterr().out
    assert "steps         4 an epoch of 62 images, the last of 14; 12 in 3 epochs\n" in output
    assert re.search(r"^cost          \d+\.\d\d million multiply-adds an image", output, re.M)
    assert "batch         uint8 [8, 32, 32, 3] on each of 2 replicas\n" in output
    assert (
        "  conv0 " in output
        and "memory        about " in output
        and output.endswith("nothing trained (--dry_run)\n")
    )
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["first_batch.png"]


def part(**changes):
    of = {
        "images": 0,
        "label": 0,
        "partner_label": 0,
        "affect": None,
        "lam": None,
        "weight": 0,
        "count": 0,
        "rng": None,
    }
    of |= changes
    return prepared_batch.Microbatch(**of)


def test_tiles_name_both_of_a_mixed_pair_and_leave_filling_out():
    tensors = {
        "images": np.zeros((4, 2, 2, 3)), "label": [0, 1, 0, 1], "partner_label": [1, 0, 0, 0],
        "lam": [0.7, 0.999, 0.4, 0.001], "weight": [1, 1, 1, 0],
    }  # fmt: skip
    tiles = batch_preview._tiles(
        part(**{k: tf.constant(v) for k, v in tensors.items()}), class_names=("sad", "happy")
    )
    assert [name for _, name in tiles] == ["0.70 sad\n0.30 happy", "happy", "sad"]
