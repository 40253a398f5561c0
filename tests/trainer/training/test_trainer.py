import collections
import dataclasses
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from runtime import errors, json_log, machine
from trainer.config import run_config
from trainer.data import holdout
from trainer.distributed import devices
from trainer.evaluation import predictor
from trainer.run import best_weights, checkpoint, context, model_folder, train_state
from trainer.run import history as history_lib
from trainer.training import checkpointing, setup, train_input, train_step, trainer
from trainer.training import train as train_lib


@pytest.fixture
def make_ctx(make_ctx):
    """One convolution and no augmentation: what is tested is the loop around them.

    Each run traces its training step, which takes longer than its steps.
    """
    return lambda **settings: make_ctx(**{"conv_filters": (4,), "augment": 0.0, **settings})


@pytest.fixture
def make_trainer(make_ctx, tmp_path):
    def make(name="run", **settings):
        ctx = make_ctx(model_dir=str(tmp_path / name), **settings)
        model_dir = model_folder.claim(ctx.settings)
        train, selection = (
            context.read_split(ctx, split=split) for split in ("train", "validation")
        )
        if frac := ctx.settings.selection.holdout_frac:
            train, selection = holdout.divide(train, frac=frac)
        network = setup.model(ctx)
        return trainer.Trainer(
            ctx, network=network, train=train, selection=selection, model_dir=model_dir
        )

    return make


def test_the_history_has_a_row_an_epoch_and_is_what_the_csv_holds(make_trainer, tmp_path):
    history = make_trainer(epochs=2).train()
    assert [row["epoch"] for row in history] == [1, 2]
    assert [row["step"] for row in history] == [4, 8]
    assert all(0 <= row["accuracy"] <= 1 for row in history)
    assert history_lib.read_csv(tmp_path / "run" / history_lib.HISTORY) == history


def test_a_finished_run_is_not_trained_further(make_trainer):
    history = make_trainer(epochs=2).train()
    assert make_trainer(epochs=2).train() == history


def test_a_loss_that_is_no_number_stops_the_run_names_the_step_and_keeps_the_checkpoint(
    make_trainer, tmp_path, monkeypatch
):
    running = make_trainer(batch_size=2, epochs=3)  # 31 steps an epoch, in groups of 8.
    train = train_step.TrainStep.train

    def diverge(self, group, *, first_step, **about):
        sums = train(self, group, first_step=first_step, **about)
        if first_step == 31 + 8:
            sums = sums.copy()
            sums[3:, 0] = np.nan
        return sums

    monkeypatch.setattr(train_step.TrainStep, "train", diverge)
    with pytest.raises(errors.UserError, match="no longer a finite number in epoch 2, step 12"):
        running.train()
    names = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert names == ["best-000000031.npz", "step-000000031.npz"]


def test_data_with_another_fingerprint_are_refused(make_trainer, make_ctx):
    make_trainer(epochs=1).train()
    with pytest.raises(
        errors.UserError, match="was trained on data with fingerprint .*, and those here have 0000"
    ):
        ctx = make_ctx()
        split = context.read_split(ctx, split="train")
        train_step = setup.build_train_step(setup.model(ctx), ctx=ctx, split=split)
        checkpointing.restore(
            train_step=train_step, model_dir=make_trainer(epochs=1)._model_dir, data="0" * 64
        )


def test_a_checkpoint_of_another_network_is_refused(make_trainer, tmp_path):
    make_trainer(epochs=1).train()
    (tmp_path / "run/config.json").unlink()
    with pytest.raises(
        errors.UserError, match="belongs to another network: .* in the file and .* here"
    ):
        make_trainer(epochs=1, dense_units=(17,))


def test_other_settings_in_the_same_folder_are_refused_and_overwrite_replaces(make_ctx, tmp_path):
    where = str(tmp_path / "run")
    model_folder.claim(make_ctx(model_dir=where, epochs=3).settings)
    with pytest.raises(
        errors.UserError,
        match=r"holds a run with --epochs=3, and this one has --epochs=4; give this",
    ):
        model_folder.check(make_ctx(model_dir=where, epochs=4).settings)
    anew = make_ctx(model_dir=where, epochs=4, overwrite=True).settings
    (tmp_path / "run/old").touch()
    model_folder.check(anew)
    model_folder.claim(anew)
    assert not (tmp_path / "run/old").exists()
    model_folder.check(make_ctx(model_dir=where, epochs=4, num_gpus=3).settings)


@pytest.mark.parametrize("schedule", [{"schedule": "constant"}, {"schedule": "exponential"}])
def test_more_epochs_lengthen_a_run_whose_learning_rate_does_not_depend_on_them(
    make_trainer, make_ctx, tmp_path, schedule
):
    make_trainer(epochs=1, **schedule).train()
    longer = make_ctx(model_dir=str(tmp_path / "run"), epochs=2, **schedule).settings
    model_folder.check(longer)
    history = make_trainer(epochs=2, **schedule).train()
    expected = make_trainer("unbroken", epochs=2, **schedule).train()
    assert [row["val_loss"] for row in history] == [row["val_loss"] for row in expected]
    for name, array in everything(tmp_path / "unbroken").items():
        np.testing.assert_array_equal(everything(tmp_path / "run")[name], array, err_msg=name)
    with pytest.raises(errors.UserError, match="holds a run with --epochs=2, and this one has "):
        model_folder.check(make_ctx(model_dir=str(tmp_path / "run"), epochs=1, **schedule).settings)


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_a_run_that_cannot_be_lengthened_says_how_to_start_from_its_weights(
    make_ctx, tmp_path, schedule
):
    def settings(epochs):
        return make_ctx(model_dir=str(tmp_path), epochs=epochs, schedule=schedule).settings

    model_folder.claim(settings(1))
    with pytest.raises(errors.UserError, match=rf"a new run with --weights={tmp_path}/best.npz"):
        model_folder.check(settings(2))
    model_folder.claim(settings(2))
    with pytest.raises(errors.UserError, match=r"or replace that one \(--overwrite\)$"):
        model_folder.check(settings(1))


def test_the_first_of_equally_good_epochs_is_the_best():
    state = train_state.TrainState()
    for accuracy in (0.3, 0.5, 0.5, 0.4):
        state.end_epoch({}, score=accuracy)
    assert (state.best_epoch, state.best_score, state.epoch) == (2, 0.5, 4)
    assert [state.has_stalled(patience=n) for n in (1, 2, 3, None)] == [True, True, False, False]


@pytest.mark.parametrize("sampling", ["balanced", "sqrt"])
def test_sampling_changes_what_is_drawn(make_ctx, sampling):
    drawn, natural = (
        train_input.epoch_order(ctx, split=context.read_split(ctx, split="train"))(epoch=0)
        for ctx in (make_ctx(sampling=sampling), make_ctx(sampling="natural"))
    )
    assert len(drawn) == len(natural) == 62
    assert sorted(natural.tolist()) == list(range(62))
    assert sorted(drawn.tolist()) != list(range(62))


def test_a_checkpoint_holds_the_moving_statistics_of_batch_normalisation(make_trainer, tmp_path):
    first = make_trainer(epochs=1, batch_norm=True)
    first.train()
    again = make_trainer(epochs=1, batch_norm=True)
    for one, other in zip(first._network.variables, again._network.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    assert np.abs(again._network.get_layer("conv0_norm").moving_mean).max() > 0


CUT = {
    "augment": 1.0,
    "epochs": 3,
    "batch_size": 2,
    "ema_decay": 0.9,
    "weight_decay": 0.1,
    "optimizer": "adamw",
    "holdout_frac": 0.3,
}


def everything(model_dir):
    return checkpoint.load_newest(model_dir / "checkpoints")[0]


def test_a_run_that_loses_its_newest_checkpoints_continues_from_the_best_and_ends_the_same(
    make_trainer, tmp_path
):
    running = make_trainer(**CUT).epochs()
    next(running)
    folder_of = tmp_path / "run/checkpoints"
    for path in folder_of.glob("step-*"):
        path.unlink()
    assert len(list(folder_of.glob("best-*"))) == 1
    history = make_trainer(**CUT).train()
    unbroken = make_trainer("unbroken", **CUT)
    expected = unbroken.train()
    assert [row["holdout_loss"] for row in history] == [row["holdout_loss"] for row in expected]
    for name, array in everything(tmp_path / "unbroken").items():
        np.testing.assert_array_equal(everything(tmp_path / "run")[name], array, err_msg=name)


def test_training_stops_when_its_patience_ends_and_a_second_start_leaves_it_so(
    make_trainer, capsys
):
    history = make_trainer(epochs=20, learning_rate=0.0, patience=2).train()
    assert len(history) == 3  # A rate of 0 never betters the first epoch.
    assert (
        "stopped       2 epochs without a better one than epoch 1 (--patience)"
        in capsys.readouterr().out
    )
    assert make_trainer(epochs=20, learning_rate=0.0, patience=2).train() == history


def test_the_weights_that_are_kept_are_the_averages_and_training_goes_on_with_its_own(
    make_trainer, tmp_path
):
    running = make_trainer(epochs=1, ema_decay=0.9)
    running.train()
    arrays = everything(tmp_path / "run")
    best, facts = checkpoint.read(tmp_path / "run" / best_weights.BEST)
    kernel = next(name for name in best if "kernel" in name)
    np.testing.assert_array_equal(best[kernel], arrays["average/000"])
    assert np.abs(arrays[kernel] - best[kernel]).max() > 1e-4
    assert facts["chosen_by"] == "accuracy on validation itself"


@pytest.mark.parametrize("select_by", ["accuracy", "balanced_accuracy", "macro_f1", "m_measure"])
def test_the_best_epoch_is_that_of_the_number_asked_for(make_trainer, select_by):
    running = make_trainer(epochs=2, select_by=select_by)
    history = running.train()
    assert running._state.best_score == max(row[f"val_{select_by}"] for row in history)


def test_by_loss_the_best_epoch_is_the_lowest(make_trainer):
    running = make_trainer(epochs=2, select_by="loss", learning_rate=30.0, clip_norm=1.0)
    losses = [row["val_loss"] for row in running.train()]
    assert min(losses) > 1  # Where a score of -1 would not be beaten.
    assert running._state.best_epoch == 1 + losses.index(min(losses))
    assert running._state.best_score == -min(losses)


def test_evaluating_an_image_and_its_mirror_image_gives_the_mean_of_the_two(make_ctx):
    ctx = make_ctx()
    network, split = setup.model(ctx), context.read_split(ctx, split="validation")
    mirrored = dataclasses.replace(split, fetch=lambda numbers: split.fetch(numbers)[..., ::-1, :])

    def probs(of, tta="none"):
        seen = dataclasses.replace(ctx.views, tta=tta)
        return predictor.Predictor(network, strategy=ctx.strategy, views=seen).probabilities(
            of, batch_size=16
        )

    both = probs(split, tta="flip")
    np.testing.assert_allclose(both, (probs(split) + probs(mirrored)) / 2, atol=1e-6)
    assert np.abs(both - probs(split)).max() > 1e-4


def test_a_profile_of_some_steps_is_left_for_tensorboard(make_trainer, tmp_path):
    make_trainer(epochs=1, batch_size=2, profile_steps=(9, 10)).train()
    assert list((tmp_path / "run/tensorboard/train/plugins/profile").glob("*/*.xplane.pb"))


def test_tensorboard_has_the_scalars_a_batch_and_the_first_and_last_confusion_matrix(
    make_trainer, tmp_path
):
    make_trainer(epochs=3).train()
    found = {"train": collections.Counter(), "validation": collections.Counter()}
    for name, tags in found.items():
        for path in (tmp_path / "run/tensorboard" / name).glob("events*"):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                tags.update(value.tag for value in event.summary.value)
    for name in ("learning_rate", "loss", "gradient_norm", "update_norm", "parameter_norm"):
        assert found["train"][name] == 3, name
    assert found["validation"] == {
        "accuracy": 3, "balanced_accuracy": 3, "macro_f1": 3, "m_measure": 3, "loss": 3,
        "confusion_matrix": 2, "batch": 1,
    }  # fmt: skip


def test_tensorboards_own_reader_finds_the_settings_that_change_a_result(make_trainer, tmp_path):
    plugin = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    make_trainer(epochs=1, conv_filters=(4, 8)).train()
    (path,) = (tmp_path / "run/tensorboard").glob("events*")
    values = [
        value
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    (found,) = values
    assert (found.tag, found.metadata.plugin_data.plugin_name) == (
        plugin.SESSION_START_INFO_TAG,
        plugin.PLUGIN_NAME,
    )
    session = plugin.parse_session_start_info_plugin_data(found.metadata.plugin_data.content)
    assert session.hparams["learning_rate"].number_value == 0.01
    assert session.hparams["conv_filters"].string_value == "4,8"
    assert session.hparams["batch_norm"].bool_value is False
    assert not {"model_dir", "clip_norm", "num_gpus"} & set(session.hparams)


def test_a_run_writes_its_events_for_log_collectors(make_trainer, tmp_path):
    json_log.open_file(str(tmp_path / "log"))
    make_trainer(epochs=2).train()
    json_log.close()
    found = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [each["event"] for each in found] == ["training_start", "epoch", "epoch", "training_end"]
    start, first, _, end = found
    assert (start["epochs"], start["steps_per_epoch"], start["continues_at"]) == (2, 4, None)
    assert {"val_accuracy", "learning_rate", "gradient_norm", "model_dir"} <= first.keys()
    assert (end["epochs"], end["stopped_early"]) == (2, False) and end["best_epoch"] in (1, 2)


def test_at_its_end_a_run_says_what_limited_its_speed(make_trainer, capsys):
    make_trainer(epochs=2).train()
    assert re.search(
        r"speed         limited by .* \(steps \d+ %, waiting for input \d+ %",
        capsys.readouterr().out,
    )


@pytest.mark.parametrize(
    ("settings", "saved"), [({}, 1), ({"checkpoint_minutes": 0.0}, 4), ({"checkpoint_steps": 9}, 2)]
)
def test_checkpoints_come_by_time_and_by_step_besides_the_one_after_each_epoch(
    make_trainer, monkeypatch, settings, saved
):
    """31 steps in groups of 8: after steps 8, 16, 24 and 31, or after the first with 9 steps."""
    steps, save = [], checkpoint.save_step

    def counting(*args, **kwargs):
        steps.append(kwargs["step"])
        save(*args, **kwargs)

    monkeypatch.setattr(checkpoint, "save_step", counting)
    make_trainer(epochs=1, batch_size=2, **settings).train()
    assert len(steps) == saved and steps[-1] == 31


def test_a_run_whose_small_files_were_truncated_continues_and_writes_them_again(
    make_ctx, tmp_path, monkeypatch, capsys
):
    ctx = make_ctx(model_dir=str(tmp_path / "run"), epochs=1)
    monkeypatch.setattr(context, "create", lambda settings, **where: ctx)

    def train():
        train_lib.run(ctx.settings, data_path=ctx.version.path)

    train()
    names = ("data.json", "history.csv", "journal.json")
    contents = {name: (tmp_path / "run" / name).read_bytes() for name in names}
    for name, content in contents.items():
        (tmp_path / "run" / name).write_bytes(content[: len(content) // 2])
    train()
    for name in ("data.json", "history.csv"):
        assert (tmp_path / "run" / name).read_bytes() == contents[name]
    assert len(json.loads((tmp_path / "run/journal.json").read_text())) == 1
    warning = f"warning       cannot read {tmp_path / 'run/journal.json'} ("
    assert capsys.readouterr().err.startswith(warning)


def test_damaged_best_weights_are_one_sentence(make_trainer, tmp_path):
    running = make_trainer(epochs=1)
    running.train()
    path = tmp_path / "run" / best_weights.BEST
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(errors.UserError, match="^cannot read .*best.npz .*--overwrite$"):
        best_weights.load_best(running._network, model_dir=tmp_path / "run")


def test_freed_memory_is_kept_once_the_first_step_group_is_trained(make_trainer, monkeypatch):
    """TensorFlow changes malloc while it builds the iterator, so that the order matters."""
    calls = []
    train = train_step.TrainStep.train

    def recorded(self, group, **steps):
        calls.append("step group")
        return train(self, group, **steps)

    monkeypatch.setattr(train_step.TrainStep, "train", recorded)
    monkeypatch.setattr(machine, "keep_freed", lambda: calls.append("keep freed"))
    make_trainer(epochs=1, batch_size=2).train()  # 31 steps in groups of 8.
    assert calls == ["step group", "keep freed", "step group", "step group", "step group"]


@pytest.mark.parametrize(
    ("flag", "left"), [("dry_run", "first_batch.png"), ("find_lr", "learning_rate.png")]
)
def test_a_trial_leaves_an_image_and_no_run(make_ctx, tmp_path, monkeypatch, capsys, flag, left):
    ctx = make_ctx(model_dir=str(tmp_path / "run"), holdout_frac=0.3, **{flag: True})
    monkeypatch.setattr(context, "create", lambda settings, **where: ctx)
    train_lib.run(ctx.settings, data_path=ctx.version.path)
    assert re.search(
        r"holdout       \d+ images of train choose the epoch; \d+ examples are",
        capsys.readouterr().out,
    )
    assert [path.name for path in (tmp_path / "run").iterdir()] == [left]


def test_heads_that_no_example_would_train_are_refused(make_ctx, tmp_path, monkeypatch):
    ctx = make_ctx(model_dir=str(tmp_path / "run"), heads="expression+va")
    monkeypatch.setattr(context, "create", lambda settings, **where: ctx)
    sentence = r"--heads=expression\+va needs examples of train with valence: none of \d+ has any"
    with pytest.raises(errors.UserError, match=sentence):
        train_lib.run(ctx.settings, data_path=ctx.version.path)
    assert not (tmp_path / "run").exists()


def test_determinism_is_asked_of_tensorflow_where_it_is_asked_for(version, monkeypatch):
    asked = []
    monkeypatch.setattr(devices, "prepare", lambda settings: ["/cpu:0"])
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    for deterministic in (False, True):
        context.create(run_config.make({"deterministic": deterministic}), version=version)
        assert len(asked) == deterministic
