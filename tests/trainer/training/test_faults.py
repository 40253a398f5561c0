"""A run under faults: disks that fail, damaged files, numbers that are none, input that breaks.

Each is a sentence, and the same settings again end in the weights of a run without faults.
"""

import errno
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from runtime import atomic_file, errors, program
from trainer.data import tfrecord_index
from trainer.run import best_weights, checkpoint, context, model_folder
from trainer.training import setup, train_step, trainer

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


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left on the device ("),
        (errno.EROFS, "the file system is read-only; name another place"),
        (errno.EIO, "input/output error; when the disk or share is back, the same command"),
    ],
)
def test_a_disk_that_refuses_a_checkpoint_is_a_sentence_and_the_run_continues_exactly(
    number, reason, start, unbroken, tmp_path, monkeypatch
):
    write = os.fsync

    def refuse(descriptor):
        if "step-000000008" in str(pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(number, os.strerror(number))
        write(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(atomic_file.os, "fsync", refuse)
        said = sentence_of(start(tmp_path / "run"))
    path = tmp_path / "run/checkpoints/step-000000008.npz"
    assert said.startswith(f"cannot use {path}: {reason}")
    assert not list(tmp_path.rglob("incomplete.*"))
    start(tmp_path / "run").train()
    assert_same(tmp_path / "run", expected=unbroken)


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


@pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.9}])
def test_damaged_best_weights_are_written_anew_from_the_checkpoint_of_their_epoch(
    settings, start, unbroken, tmp_path, capsys
):
    model_dir = tmp_path / "run"
    if settings:
        start(model_dir, **settings).train()
    else:
        shutil.copytree(unbroken, model_dir)
        for path in (model_dir / "config.json", model_dir / "journal.json"):
            path.unlink(missing_ok=True)
    best = model_dir / "best.npz"
    arrays, facts = checkpoint.read(best)
    best.write_bytes(best.read_bytes()[:-99])
    start(model_dir, **settings)
    assert f"mended        {best} was damaged (" in capsys.readouterr().err
    found = checkpoint.read(best)
    assert found[1] == facts and found[0].keys() == arrays.keys()
    assert all(found[0][name].tobytes() == array.tobytes() for name, array in arrays.items())
    assert (model_dir / "best.npz.damaged").exists()
    for path in (best, *(model_dir / "checkpoints").iterdir()):
        path.write_bytes(path.read_bytes()[:99])
    if not settings:
        # Nothing can be read: the run begins anew, and what was damaged stays beside it.
        start(model_dir).train()
        said = capsys.readouterr().err
        assert "can be read: the run begins anew, and its best weights are kept as best.npz" in said
        assert_same(model_dir, expected=unbroken)
        assert len(list(model_dir.rglob("*.damaged*"))) == 2 + 3


def test_weights_that_are_no_numbers_stop_the_run_before_they_are_saved(
    start, tmp_path, monkeypatch
):
    train = train_step.TrainStep.train

    def overflow(self, group, *, first_step, stop):
        sums = train(self, group, first_step=first_step, stop=stop).copy()
        sums[2, -1] = np.inf if first_step else sums[2, -1]
        return sums

    monkeypatch.setattr(train_step.TrainStep, "train", overflow)
    said = sentence_of(start(tmp_path / "run"))
    assert said.startswith("the weights are no longer finite numbers in epoch 2, step 3; the last")
    assert [path.name for path in (tmp_path / "run/checkpoints").glob("step-*")] == [
        "step-000000004.npz"
    ]


@pytest.mark.parametrize("kind", ["the disk of the data", "a stored image"])
def test_an_error_in_an_input_thread_ends_the_run_in_a_sentence(
    kind, start, unbroken, tmp_path, monkeypatch
):
    read = tfrecord_index._OpenFiles.read
    reads = []

    def break_off(self, path, *, start, length):
        reads.append(path)
        if len(reads) < 100:
            return read(self, path, start=start, length=length)
        if kind == "a stored image":
            return b"\xff\xd8\xff" + bytes(length - 3)
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(tfrecord_index._OpenFiles, "read", break_off)
        said = sentence_of(start(tmp_path / "run"))
    expected = "cannot use /" if kind == "the disk of the data" else "a stored image cannot be"
    assert expected in said and "affectnet_faces-" in said and "\n" not in said
    start(tmp_path / "run").train()
    assert_same(tmp_path / "run", expected=unbroken)
