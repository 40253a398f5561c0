import numpy as np
import pytest

from trainer import assembly, folder, logs, loop, refusal, session, standing


@pytest.fixture
def make_session(make_site, tmp_path):
    def make(name="run", **settings):
        site = make_site(model_dir=str(tmp_path / name), **settings)
        model_dir = folder.claim(site.settings)
        splits = {split: assembly.read(site, split=split) for split in ("train", "validation")}
        return session.Session(site, network=assembly.model(site), model_dir=model_dir, **splits)

    return make


def test_the_history_has_a_row_an_epoch_and_is_what_the_csv_holds(make_session, tmp_path):
    history = make_session(epochs=2).train()
    assert [row["epoch"] for row in history] == [1, 2]
    assert [row["step"] for row in history] == [4, 8]
    assert all(0 <= row["accuracy"] <= 1 for row in history)
    assert logs.read_csv(tmp_path / "run" / logs.HISTORY) == history


def test_a_finished_run_is_not_trained_further(make_session):
    history = make_session(epochs=2).train()
    assert make_session(epochs=2).train() == history


def test_a_loss_that_is_no_number_stops_the_run_names_the_step_and_keeps_the_checkpoint(
    make_session, tmp_path, monkeypatch
):
    running = make_session(batch_size=2, epochs=3)  # 31 steps an epoch, in calls of 8.
    train = loop.Loop.train

    def diverge(self, call, *, first_step):
        sums = train(self, call, first_step=first_step)
        if first_step == 31 + 8:
            sums = sums.copy()
            sums[3:, 0] = np.nan
        return sums

    monkeypatch.setattr(loop.Loop, "train", diverge)
    with pytest.raises(refusal.Refusal, match="no longer a finite number in epoch 2, step 12"):
        running.train()
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["step-000000031.npz"]


def test_data_with_another_fingerprint_are_refused(make_session, make_site):
    make_session(epochs=1).train()
    with pytest.raises(refusal.Refusal, match="was trained on data with fingerprint .*, and those here have 0000"):
        site = make_site()
        split = assembly.read(site, split="train")
        program = assembly.program(assembly.model(site), at=site, split=split)
        standing.restore(program=program, model_dir=make_session(epochs=1)._model_dir, data="0" * 64)


def test_a_checkpoint_of_another_network_is_refused(make_session, tmp_path):
    make_session(epochs=1).train()
    (tmp_path / "run/config.json").unlink()
    with pytest.raises(refusal.Refusal, match="belongs to another network: .* in the file and .* here"):
        make_session(epochs=1, dense_units=(17,))


def test_other_settings_in_the_same_folder_are_refused_and_overwrite_replaces(make_site, tmp_path):
    where = str(tmp_path / "run")
    folder.claim(make_site(model_dir=where, epochs=3).settings)
    with pytest.raises(refusal.Refusal, match=r"holds a run with --epochs=3, and this one has --epochs=4. Give this"):
        folder.check(make_site(model_dir=where, epochs=4).settings)
    anew = make_site(model_dir=where, epochs=4, overwrite=True).settings
    (tmp_path / "run/old").touch()
    folder.check(anew)
    folder.claim(anew)
    assert not (tmp_path / "run/old").exists()
    folder.check(make_site(model_dir=where, epochs=4, num_gpus=3).settings)


def test_the_first_of_equally_good_epochs_is_the_best():
    at = standing.Standing()
    for accuracy in (0.3, 0.5, 0.5, 0.4):
        at.end_epoch({"val_accuracy": accuracy})
    assert (at.best_epoch, at.best_score, at.epoch) == (2, 0.5, 4)


@pytest.mark.parametrize("sampling", ["balanced", "sqrt"])
def test_sampling_changes_what_is_drawn(make_session, sampling):
    drawn = make_session(epochs=1, sampling=sampling)._order()(epoch=0)
    natural = make_session(epochs=1, sampling="natural", overwrite=True)._order()(epoch=0)
    assert len(drawn) == len(natural) == 62
    assert sorted(natural.tolist()) == list(range(62))
    assert sorted(drawn.tolist()) != list(range(62))


def test_a_checkpoint_holds_the_moving_statistics_of_batch_normalisation(make_session, tmp_path):
    first = make_session(epochs=1, batch_norm=True)
    first.train()
    again = make_session(epochs=1, batch_norm=True)
    for one, other in zip(first._network.variables, again._network.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    assert np.abs(again._network.get_layer("conv0_norm").moving_mean).max() > 0
