"""Options of trainer.main: each with what it changes."""

import contextlib
import dataclasses
import io
import pathlib
import shutil
import sys
import types
from unittest import mock

import numpy as np
import tensorflow as tf

from runtime import flags
from tests.trainer.options.case import Case, eagerly
from trainer import main
from trainer.config import run_config
from trainer.data import dataset_version, examples, tfrecord_index
from trainer.distributed import example_rng, host_channel, tf_config, watchdog
from trainer.models import heads, sync_batch_norm
from trainer.monitoring import experiment_trackers, run_logger
from trainer.reports import evaluation_report
from trainer.run import checkpoint, context, model_folder, train_state
from trainer.training import (
    checkpointing,
    label_weights,
    lr_finder,
    pretrained,
    progressive_size,
    setup,
    soft_targets,
    train,
    train_input,
    train_step,
    trainer,
)

SMALL = {
    "image_size": 16,
    "batch_size": 16,
    "conv_filters": (4, 8),
    "dense_units": (16,),
    "epochs": 3,
}
"""Four steps an epoch of 62 examples."""

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)


HEAVY = shutil.ignore_patterns("checkpoints", "tensorboard")


class Lab:
    """Data sets and runs in the current folder, and what turns settings into a run."""

    def __init__(self, *, links, folder, make_ctx, monkeypatch, cached) -> None:
        self._links, self._folder = links, folder
        self.make_ctx, self.monkeypatch = make_ctx, monkeypatch
        self.cached = cached  # Of all cases of a module.

    def enter_new_folder(self) -> None:
        """Make a folder with the data sets and runs, and nothing else, the current one."""
        folder = self._folder / str(len(list(self._folder.iterdir())))
        folder.mkdir()
        for name, path in self._links.items():
            if (path / run_config.FILE).exists():  # A run, into which programs write.
                shutil.copytree(path, folder / name, ignore=HEAVY)
            else:
                (folder / name).symlink_to(path)
        self.monkeypatch.chdir(folder)
        self.monkeypatch.setenv("HOME", str(folder))

    def ctx(self, settings) -> context.RunContext:
        return self.make_ctx(**{"learning_rate": 1e-3, **SMALL, **settings})

    def step(self, ctx: context.RunContext):
        """Return the training step of a run, its network and its batches."""
        split = _with_targets(ctx, split=context.read_split(ctx, split="train"))
        network = setup.model(ctx)
        pretrained.load(network, model=ctx.settings.model, image_size=ctx.image_size)
        step = setup.build_train_step(network, ctx=ctx, split=split)
        return step, network, train_input.step_groups(ctx, split=split)


def _with_targets(ctx: context.RunContext, *, split: examples.Split) -> examples.Split:
    """Attach soft targets, of soft labels that are drawn or of a teacher's file of the same."""
    drawn = np.random.default_rng(0).dirichlet(np.ones(8), split.num_examples)
    split = dataclasses.replace(split, soft_labels=drawn.astype(np.float32))
    header = ",".join(["filename", "copy", *ctx.version.class_names])
    rows = zip(split.filenames, split.copies, drawn.tolist(), strict=True)
    lines = [header, *(",".join(map(str, (name, copy, *each))) for name, copy, each in rows)]
    pathlib.Path("teacher.csv").write_text("\n".join(lines))
    names = "\n".join(split.filenames[:31])
    pathlib.Path("suspects.csv").write_text(f"filename\n{names}\n")
    split = soft_targets.attached(split, settings=ctx.settings.targets, version=ctx.version)
    with contextlib.redirect_stdout(io.StringIO()):
        return label_weights.attached(split, settings=ctx.settings.targets, version=ctx.version)


def outputs(lab: Lab, settings):
    """Return what the network makes of four images in training mode."""
    ctx = lab.ctx(settings)
    network = setup.model(ctx)
    zero = tf.constant(0, tf.int64)
    rng = example_rng.ExampleRng(seed=0, epoch=zero, first_position=zero)

    def call():
        with example_rng.using(rng), sync_batch_norm.weighting(tf.ones(len(IMAGES))):
            return heads.by_name(network(IMAGES, training=True))

    return {name: each.numpy() for name, each in ctx.strategy.run(call).items()}


def steps(lab: Lab, settings):
    """Return the sums of two training steps, and the weights to be evaluated after them."""
    ctx = lab.ctx({"augment": 0.0, **settings})
    with eagerly():
        step, network, groups = lab.step(ctx)
        step.compile(groups.element_spec)
        group = {n: value if n == "epoch" else value[:2] for n, value in next(groups).items()}
        sums = step.train(group, first_step=0)
        with step.evaluation_weights():
            return {"sums": sums, "weights": [v.numpy() for v in network.variables]}


def sides(lab: Lab, settings):
    """Return the sides of the images that the first step of each epoch trains on."""
    seen, resized = [], progressive_size.resized

    def spy(images, *, side):
        seen.append(resized(images, side=side).shape[1])
        return resized(images, side=side)

    with lab.monkeypatch.context() as patch, eagerly():
        patch.setattr(progressive_size, "resized", spy)
        step, _, groups = lab.step(lab.ctx(settings))
        step.compile(groups.element_spec)
        for group in groups:
            first = {n: value if n == "epoch" else value[:1] for n, value in group.items()}
            step.train(first, first_step=4 * int(group["epoch"]))
    return seen


def compilers(lab: Lab, settings):
    """Return which of a step's functions XLA compiles; Keras' own have names of theirs."""
    asked, function = [], tf.function

    def spy(*args, **kwargs):
        if kwargs.get("jit_compile") and args and args[0].__module__ == train_step.__name__:
            asked.append(args[0].__qualname__)
        return function(*args, **kwargs)

    with lab.monkeypatch.context() as patch:
        patch.setattr(tf, "function", spy)
        steps(lab, settings)
    return asked


def batch(lab: Lab, settings):
    """Return the images of the first step's microbatches as the network is given them."""
    step, _, groups = lab.step(lab.ctx(settings))
    parts = step.first_microbatches(next(groups))
    lam = [None if part.lam is None else part.lam.numpy() for part in parts]
    return {"images": [part.images.numpy() for part in parts], "lam": lam}


def dealt(lab: Lab, settings):
    """Return the epochs and example indices of all batches."""
    ctx = lab.ctx(settings)
    split = context.read_split(ctx, split="train")
    return [
        (int(group["epoch"]), group["example_index"].numpy())
        for group in train_input.step_groups(ctx, split=split)
    ]


def history(lab: Lab, settings):
    """Return the history of a run, but for its speed, and the score of its best epoch.

    Steps do nothing, so that every epoch's weights are evaluated alike.
    """
    ctx = lab.ctx({**settings, "model_dir": "new_run"})
    model_dir = model_folder.claim(ctx.settings)
    with lab.monkeypatch.context() as patch, eagerly(), contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(train_step.TrainStep, "train", _idle)
        for name in ("first_batch", "epoch"):  # Figures for TensorBoard, which take seconds.
            patch.setattr(run_logger.RunLogger, name, lambda *_, **__: None)
        parts = [context.read_split(ctx, split=split) for split in ("train", "validation")]
        running = trainer.Trainer(
            ctx,
            network=setup.model(ctx),
            train=parts[0],
            selection=parts[1],
            model_dir=model_dir,
        )
        rows = running.train()
    kept = [{k: v for k, v in row.items() if k not in SPEED} for row in rows]
    return {"rows": kept, "best": running.best_score}


SPEED = ("images_per_s", "input_wait_frac", "epoch_s")


def _idle(self, group, *, first_step, **_):
    return np.ones((len(group["count"]), 7), np.float32) * [1, 1, 2, 0, 1, 1, 1]


def saves(lab: Lab, settings):
    """Return the steps at which a run of 31 is saved."""
    saved = []
    with lab.monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_step", lambda *args, step, **_: saved.append(step))
        patch.setattr(checkpoint, "keep_best", lambda *args, **_: None)
        history(lab, {"batch_size": 2, "epochs": 1, **settings})
    return saved


def profiles(lab: Lab, settings):
    """Return how many profiles a run leaves."""
    history(lab, {"epochs": 1, **settings})
    return len(
        list(pathlib.Path("new_run").glob("tensorboard/train/plugins/profile/*/*.xplane.pb"))
    )


def run_files(lab: Lab, settings):
    """Return what trainer.main prints of its steps, and the files that it leaves."""
    ctx = lab.ctx({"model_dir": "trial", "epochs": 1, **settings})
    printed = io.StringIO()
    with lab.monkeypatch.context() as patch, eagerly(), contextlib.redirect_stdout(printed):
        patch.setattr(context, "create", lambda *_, **__: ctx)
        patch.setattr(train_step.TrainStep, "train", _idle)
        for name in ("first_batch", "epoch"):
            patch.setattr(run_logger.RunLogger, name, lambda *_, **__: None)
        patch.setattr(evaluation_report, "run", mock.Mock())
        patch.setattr(train, "_final_metrics", lambda _: {})
        patch.setattr(lr_finder, "_STEPS", 8)
        train.run(ctx.settings, data_path=ctx.version.path)
    lines = [line for line in printed.getvalue().splitlines() if line.startswith("steps ")]
    files = sorted(str(p) for p in pathlib.Path().glob("trial*/*"))
    return {"lines": lines, "files": files}


def cache_files(lab: Lab, settings):
    """Return the files that reading a split leaves."""
    ctx = lab.ctx(settings)
    split = context.read_split(ctx, split="train")
    split.fetch(tf.range(split.num_examples, dtype=tf.int64))
    return sorted(str(p.parent) for p in pathlib.Path().rglob("*.uint8"))


def shards_scanned(lab: Lab, settings):
    """Return how many shards are read from end to end to open a split."""
    with mock.patch.object(tfrecord_index, "_scan", wraps=tfrecord_index._scan) as scan:
        context.read_split(lab.ctx(settings), split="train")
    return scan.call_count


def claimed(lab: Lab, settings):
    """Return what is left of an earlier run when its folder is claimed again."""
    ctx = lab.ctx({"model_dir": "earlier", **settings})
    folder = pathlib.Path("earlier")
    folder.mkdir()
    run_config.save(ctx.settings, path=folder / run_config.FILE)
    (folder / "old").touch()
    model_folder.claim(ctx.settings)
    return (folder / "old").exists()


def tracked(lab: Lab, settings):
    """Return what is logged to Weights & Biases."""
    logged = []
    run = types.SimpleNamespace(
        id="a", log=lambda metrics, step: logged.append(metrics), finish=lambda **_: None
    )
    pathlib.Path("new_run").mkdir()
    with lab.monkeypatch.context() as patch:
        patch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **_: run))
        settings = lab.ctx(settings).settings
        with experiment_trackers.start(settings, model_dir=pathlib.Path("new_run")) as trackers:
            trackers.log({"loss": 1.0}, step=1)
    return logged


class Reached(Exception):
    """The program came to the call that is observed."""


def started(lab: Lab, settings):
    """Return the data and the settings that trainer.main starts to train with."""
    with lab.monkeypatch.context() as patch:
        patch.setattr(flags, "given", lambda sections: dict(settings))
        patch.setattr(train, "run", _stop)
        try:
            main.main()
        except Reached as reached:
            asked, data_path = reached.args
    flat = {**run_config.flat(asked), "recipe": None, "data_dir": None, "config_name": None}
    return {"settings": flat, "data": dataset_version.fingerprint(data_path)}


def _stop(settings, *, data_path, connection):
    raise Reached(settings, data_path)


def wait(lab: Lab, settings):
    """Return how long trainer.main waits for other hosts."""

    def meet(hosts, *, wait_s):
        raise Reached(wait_s)

    cluster = '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}'
    with lab.monkeypatch.context() as patch:
        patch.setenv(tf_config.VARIABLE, cluster)
        patch.setattr(flags, "given", lambda sections: {"data_dir": "data", **settings})
        patch.setattr(host_channel, "meet", meet)
        try:
            main.main()
        except Reached as reached:
            return reached.args[0]


def stall_limit(lab: Lab, settings):
    """Return the watchdog's limit in a run of two hosts."""

    def watch(*, limit_s, model_dir):
        raise Reached(limit_s)

    ctx = lab.ctx(settings)
    two = types.SimpleNamespace(num_hosts=2, is_chief=True)
    split = context.read_split(ctx, split="validation")
    with lab.monkeypatch.context() as patch:
        patch.setattr(watchdog, "Watchdog", watch)
        patch.setattr(checkpointing, "restore", lambda **_: train_state.TrainState())
        try:
            trainer.Trainer(
                dataclasses.replace(ctx, connection=two),
                network=setup.model(ctx),
                train=split,
                selection=split,
                model_dir=pathlib.Path("new_run"),
            )
        except Reached as reached:
            return reached.args[0]


def device_names(lab: Lab, settings):
    """Return the devices that share a batch on a machine with four GPUs, and what is asked of
    TensorFlow on them."""
    asked = []
    version = lab.ctx({}).version
    with lab.monkeypatch.context() as patch:
        config = tf.config
        patch.setattr(
            config, "list_physical_devices", lambda kind: [f"{kind}:{i}" for i in range(4)]
        )
        patch.setattr(config, "set_visible_devices", lambda *_: None)
        patch.setattr(config, "set_logical_device_configuration", lambda *_: None)
        patch.setattr(config.experimental, "set_memory_growth", lambda *_, **__: None)
        patch.setattr(config.experimental, "get_device_details", lambda _: {})
        patch.setattr(
            config.experimental, "enable_op_determinism", lambda: asked.append("determinism")
        )
        patch.setattr(context.devices, "strategy", lambda names, num_hosts: names)
        ctx = context.create(run_config.make(settings), version=version)
    return {"names": ctx.strategy, "asked": asked}


RESNET = {"model": "resnet_small", "dense_units": (128, 128)}
MEAN = {"pooling": "mean"}
WARM = {"warmup_epochs": 0.0}
SGD = {"optimizer": "sgd"}
CPU = {"num_gpus": 0}

CASES = {
    # Data
    "data_dir": Case(started, "other_data", base="data", given={"config_name": "sample"}),
    "config_name": Case(started, "sample_two", base="sample", given={"data_dir": "other_data"}),
    "image_size": Case(batch, 24),
    "crop_px": Case(batch, 12),
    "cache": Case(cache_files, "disk", base="none", given={"cache_dir": "cache_a"}),
    "cache_dir": Case(cache_files, "cache_b", base="cache_c", given={"cache": "disk"}),
    "verify_data": Case(shards_scanned, True),
    # Devices
    "num_gpus": Case(device_names, 2),
    "virtual_devices": Case(device_names, 2, given=CPU),
    "host_wait_minutes": Case(wait, 0.5),
    "host_stall_minutes": Case(stall_limit, 0.5),
    # Model
    "model": Case(outputs, "resnet_small", given={"dense_units": (128, 128)}),
    "color": Case(outputs, "gray"),
    "conv_filters": Case(outputs, (4, 9)),
    "convs_per_block": Case(outputs, 2),
    "pooling": Case(outputs, "mean"),
    "blocks_per_stage": Case(outputs, 1, given=RESNET),
    "stem_stride": Case(outputs, 2, given=RESNET),
    "dense_units": Case(outputs, (17,)),
    "dropout": Case(outputs, 0.5),
    "drop_path": Case(outputs, 0.5, given=RESNET),
    "activation": Case(outputs, "tanh"),
    "batch_norm": Case(outputs, True),
    "channel_attention": Case(outputs, "eca"),
    "initializer": Case(outputs, "he_normal"),
    "heads": Case(outputs, "expression+va"),
    "va_weight": Case(steps, 0.5, given={"heads": "expression+va"}),
    "weights": Case(steps, "other_run/best.npz"),
    "freeze_epochs": Case(steps, 1, given={"weights": "other_run/best.npz"}),
    "first_layer_lr_frac": Case(steps, 0.1, given={"weights": "other_run/best.npz"}),
    # Training
    "epochs": Case(dealt, 2),
    "batch_size": Case(batch, 8),
    "progressive_px": Case(sides, (8, 12), base=(8,), given={**MEAN, "progressive_epochs": 2}),
    "progressive_epochs": Case(sides, 2, base=1, given={**MEAN, "progressive_px": (8,)}),
    "accumulate_steps": Case(batch, 2),
    "precision": Case(steps, "bfloat16"),
    "jit": Case(compilers, True),
    "l2": Case(steps, 0.1),
    "seed": Case(steps, 1),
    # Optimization
    "optimizer": Case(steps, "sgd"),
    "learning_rate": Case(steps, 0.01),
    "momentum": Case(steps, 0.5, given=SGD),
    "nesterov": Case(steps, True, given=SGD),
    "weight_decay": Case(steps, 0.5, given=SGD),
    "schedule": Case(steps, "constant", given=WARM),
    "warmup_epochs": Case(steps, 2.0),
    "decay_factor": Case(steps, 0.5, given={**WARM, "schedule": "exponential"}),
    "decay_epochs": Case(steps, (0.25,), given={**WARM, "schedule": "step"}),
    "plateau_epochs": Case(history, 2, base=1, given={"schedule": "plateau"}),
    "cycle_epochs": Case(steps, 0.25, given=WARM),
    "cycle_factor": Case(history, 3.0, given={"cycle_epochs": 0.5}),
    "min_learning_rate": Case(steps, 5e-4, given=WARM),
    "clip_norm": Case(steps, 1e-3, given=SGD),
    "sam_rho": Case(steps, 0.5),
    "ema_decay": Case(steps, 0.9),
    "swa_epochs": Case(steps, 3.0),
    # Augmentation
    "augment": Case(batch, 0.5),
    "flip": Case(batch, False),
    "rotation_degrees": Case(batch, 45.0),
    "scale_frac": Case(batch, 0.3),
    "shift_frac": Case(batch, 0.3),
    "color_jitter": Case(batch, 1.0),
    "tone_jitter": Case(batch, 1.0),
    "randaugment": Case(batch, 2),
    "erase_prob": Case(batch, 1.0),
    "mixup": Case(batch, 0.4),
    "cutmix": Case(batch, 1.0),
    # Imbalance
    "sampling": Case(dealt, "balanced", given={"epochs": 1}),
    "class_weights": Case(steps, "inverse"),
    "effective_beta": Case(steps, 0.5, given={"class_weights": "effective"}),
    "loss": Case(steps, "focal"),
    "gce_q": Case(steps, 0.3, given={"loss": "generalized_cross_entropy"}),
    "sce_alpha": Case(steps, 0.5, given={"loss": "symmetric_cross_entropy"}),
    "sce_beta": Case(steps, 0.5, given={"loss": "symmetric_cross_entropy"}),
    "elr_weight": Case(steps, 1.0, given={"loss": "early_learning"}),
    "elr_beta": Case(steps, 0.5, given={"loss": "early_learning"}),
    "focal_gamma": Case(steps, 1.0, given={"loss": "focal"}),
    "tau": Case(steps, 0.5, given={"loss": "logit_adjusted"}),
    "label_smoothing": Case(steps, 0.1),
    # Targets
    "targets": Case(steps, "soft"),
    "teacher": Case(steps, "teacher.csv"),
    "soft_weight": Case(steps, 0.9, given={"targets": "soft"}),
    "temperature": Case(steps, 2.0, given={"targets": "soft"}),
    "suspects": Case(steps, "suspects.csv"),
    "suspect_weight": Case(steps, 0.5, given={"suspects": "suspects.csv"}),
    # Selection
    "holdout_frac": Case(run_files, 0.3, given={"dry_run": True}),
    "select_by": Case(history, "macro_f1", given={"epochs": 1}),
    "patience": Case(history, 1),
    "tta": Case(history, "flip", given={"epochs": 1}),
    # Run
    "recipe": Case(started, "demo", given={"data_dir": "data"}),
    "model_dir": Case(run_files, "trial_b", given={"dry_run": True}),
    "checkpoint_minutes": Case(saves, 0.0),
    "checkpoint_steps": Case(saves, 9),
    "deterministic": Case(device_names, True),
    "overwrite": Case(claimed, True),
    "dry_run": Case(run_files, True),
    "find_lr": Case(run_files, True),
    "profile_steps": Case(profiles, (2, 3)),
    "log_to": Case(tracked, ("wandb",)),
}

RESUMABLE = {
    "data_dir", "cache", "cache_dir", "verify_data", "num_gpus", "virtual_devices",
    "host_wait_minutes", "host_stall_minutes", "recipe", "model_dir", "checkpoint_minutes",
    "checkpoint_steps", "deterministic", "overwrite", "dry_run", "find_lr", "profile_steps",
    "log_to",
}  # fmt: skip
"""Options with which a run may be continued that was started without."""
