"""A run under faults: disks that fail, damaged files, numbers that are none, input that breaks.

Each is a sentence, and the same settings again end in the weights of a run without faults.
"""

import errno
import os
import pathlib
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from affectnet_tfds.reader import open_files
from runtime import atomic_file, errors, program
from trainer.run import best_weights, checkpoint, context, model_folder
from trainer.training import setup, signals, train_step, trainer

TINY = {"conv_filters": (4,), "dense_units": (8,), "epochs": 2, "image_size": 16, "cache": "none"}


@pytest.fixture(scope="module")
def start(make_ctx):
    """Return a function that opens a folder as a new start of the program does."""

    def open_run(model_dir: pathlib.Path, **settings) -> trainer.Trainer:
        ctx = make_ctx(**{**TINY, **settings}, model_dir=str(model_dir))
        model_folder.check(ctx.settings)
        model_folder.claim(ctx.settings)
        splits = [context.read_split(ctx, split=split) for split in ("train", "validation")]
        return trainer.Trainer(
            ctx,
            network=setup.model(ctx),
            train=splits[0],
            selection=splits[1],
            model_dir=model_dir,
        )

    return open_run


@pytest.fixture(scope="module")
def unbroken(start, tmp_path_factory) -> pathlib.Path:
    """The folder of a run without a fault."""
    model_dir = tmp_path_factory.mktemp("unbroken") / "run"
    start(model_dir).train()
    return model_dir


def assert_same(model_dir: pathlib.Path, expected: pathlib.Path) -> None:
    """Compare the best weights, and all of the newest checkpoint, bit for bit."""
    names = sorted(path.name for path in (expected / "checkpoints").iterdir())
    assert sorted(path.name for path in (model_dir / "checkpoints").glob("*.npz")) == names
    for name in (best_weights.BEST, f"checkpoints/{names[-1]}"):
        found, wanted = (checkpoint.read(folder / name)[0] for folder in (model_dir, expected))
        assert found.keys() == wanted.keys()
        for each, array in wanted.items():
            assert found[each].tobytes() == array.tobytes(), each


def sentence_of(run: trainer.Trainer) -> str:
    """Train, and return the sentence that ends the run."""
    with pytest.raises((OSError, errors.UserError, tf.errors.OpError)) as raised:
        run.train()
    refusal = program.refusal_for(raised.value)
    assert refusal is not None and refusal.exit_code == errors.EXIT_CODE, raised.value
    return str(refusal)


def test_a_run_that_meets_one_fault_after_another_says_each_and_ends_as_one_without(
    start, unbroken, tmp_path, monkeypatch
):
    model_dir = tmp_path / "run"
    full = (
        f"cannot use {model_dir}/checkpoints/step-000000008.npz: no space left on the device (about"
    )
    faults = {
        weights_overflow: "the weights are no longer finite numbers in epoch 2, step 3; the last",
        disk_is_full: full,
        disk_of_the_data_fails: "cannot use /",
        stored_image_is_broken: "/",
    }
    for break_it, beginning in faults.items():
        with monkeypatch.context() as patched:
            break_it(patched)
            said = sentence_of(start(model_dir))
        assert said.startswith(beginning) and "\n" not in said, said
        assert [path.name for path in (model_dir / "checkpoints").glob("*")] != []
        assert checkpoint.load_newest(model_dir / "checkpoints")[1]["epoch"] == 1
        assert not list(model_dir.rglob("incomplete.*"))
    start(model_dir).train()
    assert_same(model_dir, expected=unbroken)


def weights_overflow(patched) -> None:
    train = train_step.TrainStep.train

    def overflow(self, group, *, first_step, **about):
        sums = train(self, group, first_step=first_step, **about).copy()
        sums[2, -1] = np.inf if first_step else sums[2, -1]
        return sums

    patched.setattr(train_step.TrainStep, "train", overflow)


def disk_is_full(patched) -> None:
    write = os.fsync

    def refuse(descriptor):
        if "step-000000008" in str(pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(descriptor)

    patched.setattr(atomic_file.os, "fsync", refuse)


def disk_of_the_data_fails(patched) -> None:
    def fail(self, path, *, start, length):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    patched.setattr(open_files.OpenFiles, "read", fail)


def stored_image_is_broken(patched) -> None:
    patched.setattr(
        open_files.OpenFiles,
        "read",
        lambda self, path, *, start, length: b"\xff\xd8\xff" + bytes(length - 3),
    )


def test_a_disk_that_goes_away_is_not_written_around_and_the_run_continues_exactly(
    start, unbroken, tmp_path
):
    """As after a umount: an empty folder is in the place of what is on the disk."""
    model_dir, away = tmp_path / "run", tmp_path / "away"
    running = start(model_dir)
    epochs = running.epochs()
    next(epochs)
    model_dir.rename(away)
    model_dir.mkdir()
    with pytest.raises(errors.UserError, match="does not hold this run any more .*continues the"):
        next(epochs)
    assert list(model_dir.iterdir()) == []
    model_dir.rmdir()
    away.rename(model_dir)
    start(model_dir).train()
    assert_same(model_dir, expected=unbroken)


def test_damaged_best_weights_are_written_anew_from_the_checkpoint_of_their_epoch(
    start, unbroken, tmp_path, capsys
):
    model_dir = tmp_path / "run"
    shutil.copytree(unbroken, model_dir)
    (model_dir / "config.json").unlink()  # It names the folder of the other.
    best = model_dir / "best.npz"
    written = best.read_bytes()
    best.write_bytes(written[:-99])
    start(model_dir)
    assert f"mended        {best} was damaged (" in capsys.readouterr().err
    assert best.read_bytes() == written
    assert (model_dir / "best.npz.damaged").read_bytes() == written[:-99]

    # Nothing can be read: the run begins anew, and what was damaged stays beside it.
    for path in (best, *(model_dir / "checkpoints").iterdir()):
        path.write_bytes(path.read_bytes()[:99])
    start(model_dir).train()
    said = capsys.readouterr().err
    assert "can be read: the run begins anew, and its best weights are kept as best.npz" in said
    assert_same(model_dir, expected=unbroken)
    assert len(list(model_dir.rglob("*.damaged*"))) == 2 + 3


def test_best_weights_are_the_averages_where_a_checkpoint_has_them():
    arrays = {"weight/000/a": np.zeros(2), "average/000": np.ones(2), "slot/000/mean": np.ones(3)}
    assert best_weights._evaluated(arrays)["weight/000/a"].tolist() == [1, 1]
    assert list(best_weights._evaluated(arrays)) == ["weight/000/a"]
    assert best_weights._evaluated({"weight/000/a": np.zeros(2)})["weight/000/a"].sum() == 0


def test_the_first_signal_is_answered_at_once_and_the_second_is_a_notebooks_own(tmp_path, capsys):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with signals.InterruptHandler(model_dir=tmp_path) as interrupt:
            signal.raise_signal(signal.SIGINT)
            began = time.monotonic()
            while interrupt.name is None and time.monotonic() - began < 20:
                time.sleep(0.01)  # Heard in a thread.
            assert (interrupt.name, interrupt.exit_code) == ("Ctrl-C", 130)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "\nCtrl-C: stopping after this call, which can take min" in capsys.readouterr().err
