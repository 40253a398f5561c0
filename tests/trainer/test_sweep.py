import csv

import pytest

optuna = pytest.importorskip("optuna")

from runtime import errors, flags
from trainer import sweep
from trainer.training import trainer
from trainer.tuning import options, report
from trainer.tuning import study as study_lib

QUICK = {"conv_filters": (4,), "dense_units": (8,), "epochs": 2, "batch_size": 32}


@pytest.fixture
def search(make_ctx, tmp_path):
    """Return a function that starts the sweep of a folder, and gives its study."""

    def start(*, trials, settings=QUICK, **asked):
        about = options.Sweep(
            sweep_dir=str(tmp_path / "sweep"),
            trials=trials,
            vary=("dropout", "learning_rate"),
            **asked,
        )
        at = make_ctx(**settings)
        study = study_lib.open_study(about, settings=at.settings)
        study_lib.run(study, asked=about, ctx=at)
        return study

    return start


def test_a_sweep_tries_tells_and_leaves_a_table_and_a_plot(search, make_ctx, tmp_path, capsys):
    study = search(trials=2)
    said = capsys.readouterr().out
    assert (
        "2 of 2 trials left, over dropout, learning_rate" in said
        and "chooses on validation itself" in said
    )
    assert said.count("best of 2 epochs") == 2
    report.write(study, sweep_dir=tmp_path / "sweep", settings=make_ctx(**QUICK).settings)
    rows = list(csv.DictReader((tmp_path / "sweep/trials.csv").open()))
    assert [(row["trial"], row["state"], row["epochs"]) for row in rows] == [
        ("0", "complete", "2"),
        ("1", "complete", "2"),
    ]
    assert (tmp_path / "sweep/what_mattered.png").stat().st_size > 5_000
    best = max(rows, key=lambda row: float(row["score"]))
    said = capsys.readouterr().out
    assert f"best          trial {best['trial']}: " in said
    assert (
        "train it      python -m trainer.main " in said
        and f"--learning_rate={best['learning_rate']} " in said
    )
    assert "epoch  2/2" in (tmp_path / "sweep/trial-0000/log.txt").read_text()


def test_a_sweep_that_was_cut_off_continues_the_trial_that_was_under_way(
    search, monkeypatch, tmp_path, capsys
):
    scores = trainer.Trainer.scores

    def cut_off(self):
        yield next(scores(self))
        raise SystemExit(130)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(trainer.Trainer, "scores", cut_off)
        search(trials=1)
    study = search(trials=1)
    assert "1 of 1 trials left" in capsys.readouterr().out
    cut, done = study.trials
    assert (cut.state.name, done.state.name) == ("FAIL", "COMPLETE")
    assert cut.params == done.params and list(done.intermediate_values) == [1, 2]
    assert cut.user_attrs["folder"] == done.user_attrs["folder"] == "trial-0000"
    assert "continuing" in (tmp_path / "sweep/trial-0000/log.txt").read_text()
    assert search(trials=1).trials[1:] == [done]
    with pytest.raises(
        errors.UserError,
        match="holds a sweep with --epochs=2, and this one has --epochs=3: scores would",
    ):
        search(trials=1, settings={**QUICK, "epochs": 3})


def study_of_five(*, prune):
    """Return a study of five finished trials with scores of 0.50 to 0.54 in either epoch."""
    study = optuna.create_study(
        direction="maximize", pruner=study_lib.pruner(options.Sweep(prune=prune))
    )
    for i in range(5):
        done = study.ask()
        for epoch in (1, 2):
            done.report(0.5 + 0.01 * i, step=epoch)
        study.tell(done, 0.5)
    return study


def fake_trial(monkeypatch, make_ctx, tmp_path, *, prune, fails=False):
    """Run a trial whose epochs score 0.1, 0.2 and 0.9 where the median is 0.52."""

    class Fake:
        best_score = 0.9

        def __init__(self, *args, **kwargs):
            pass

        def scores(self):
            yield from (0.1, 0.2, 0.9)
            if fails:
                raise errors.UserError("the loss is no longer a finite number")

        def close(self):
            pass

    monkeypatch.setattr(trainer, "Trainer", Fake)
    study = study_of_five(prune=prune)
    trial = study.ask()
    trial.set_user_attr("folder", "t")
    return study_lib._train(
        trial, chosen={}, reader=study_lib.Reader(make_ctx(**QUICK)), folder=tmp_path
    )


def test_a_trial_below_the_median_is_given_up_only_where_that_is_asked_for(
    monkeypatch, make_ctx, tmp_path
):
    given_up = fake_trial(monkeypatch, make_ctx, tmp_path, prune=True)
    assert (given_up.state.name, given_up.remark) == ("PRUNED", "given up after epoch 2")
    kept = fake_trial(monkeypatch, make_ctx, tmp_path, prune=False)
    assert (kept.state.name, kept.score) == ("COMPLETE", 0.9)


def test_a_trial_that_cannot_go_on_is_not_counted_and_says_why(monkeypatch, make_ctx, tmp_path):
    failed = fake_trial(monkeypatch, make_ctx, tmp_path, prune=False, fails=True)
    assert (failed.state.name, failed.score, failed.remark) == (
        "FAIL",
        None,
        "the loss is no longer a finite number",
    )


def test_what_mattered_is_what_the_scores_follow():
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(
        lambda t: t.suggest_float("dropout", 0, 1) + 0 * t.suggest_float("l2", 0, 1), n_trials=20
    )
    weights = report.importances(study)
    assert list(weights) == ["dropout", "l2"] and weights["dropout"] > 0.9


@pytest.mark.parametrize("name", ["model_dir", "overwrite", "dry_run", "find_lr", "profile_steps"])
def test_flags_of_a_single_run_are_refused(name):
    with pytest.raises(
        errors.UserError,
        match=f"--{name} is for one run of trainer.main; a sweep has its --sweep_dir",
    ):
        sweep.settings_of({name: "x"})


def test_the_rest_is_set_as_for_a_single_run_and_help_has_both():
    assert sweep.settings_of({"epochs": 3}).training.epochs == 3
    page = flags.help_text(sweep.SECTIONS, about=sweep.ABOUT)
    assert page.index("\nSweep\n") < page.index("  --trials\n") < page.index("  --epochs\n")
