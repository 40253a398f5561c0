"""Sweep: trials, interruption, pruning, the report and the flags."""

import contextlib
import csv
import os
import pathlib
import re
import sqlite3

import matplotlib
import pytest

optuna = pytest.importorskip("optuna")

import sqlalchemy.exc

from runtime import errors, flags
from tests import terminal
from trainer import sweep
from trainer.training import trainer
from trainer.tuning import options, report, search_space
from trainer.tuning import study as study_lib
from trainer.tuning import trials as trials_lib

NO_DATA = pathlib.Path(__file__).parent
"""In the place of a version, whose fingerprint is that of no shard."""

QUICK = {"conv_filters": (4,), "dense_units": (8,), "epochs": 2, "batch_size": 32}


@pytest.fixture
def search(make_ctx, tmp_path):
    """Return a function that runs the sweep of a folder and returns its study."""

    def start(*, trials, settings=QUICK, data_path=None, **asked):
        about = options.Sweep(
            sweep_dir=str(tmp_path / "sweep"),
            trials=trials,
            **{"vary": ("dropout", "learning_rate"), **asked},
        )
        ctx = make_ctx(**settings)
        study = study_lib.open_study(
            about, settings=ctx.settings, data_path=data_path or ctx.version.path
        )
        trials_lib.run(study, asked=about, ctx=ctx)
        return study

    return start


def test_a_sweep_runs_its_trials_and_writes_a_table_and_a_plot(search, make_ctx, tmp_path, capsys):
    study = search(trials=2)
    printed = capsys.readouterr().out
    assert "2 of 2 trials left, over dropout, learning_rate" in printed
    assert "chooses on validation itself" in printed and "*** DRAWN FACES" in printed
    assert printed.count("best of 2 epochs") == 2
    assert f"trial   0     started: {tmp_path / 'sweep/trial-0000/log.txt'}\n" in printed
    report.write(study, sweep_dir=tmp_path / "sweep", settings=make_ctx(**QUICK).settings)
    rows = list(csv.DictReader((tmp_path / "sweep/trials.csv").open()))
    assert [(row["trial"], row["state"], row["epochs"]) for row in rows] == [
        ("0", "complete", "2"),
        ("1", "complete", "2"),
    ]
    assert (tmp_path / "sweep/optimization_history.png").stat().st_size > 5_000
    best = max(rows, key=lambda row: float(row["score"]))
    printed = capsys.readouterr().out
    assert f"best          trial {best['trial']}: " in printed
    assert "train it      python -m trainer.main " in printed
    assert f"--learning_rate={best['learning_rate']} " in printed
    sweep_dir = tmp_path / "sweep"
    assert printed.endswith(
        f"report        {sweep_dir}/trials.csv  {sweep_dir}/optimization_history.png  "
        f"{sweep_dir}/report.html\n"
    )
    assert "epoch  2/2" in (tmp_path / "sweep/trial-0000/log.txt").read_text()


def test_on_a_terminal_a_sweep_shows_where_its_trial_is_and_the_result_takes_its_place(
    search, monkeypatch
):
    screen = terminal.Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", screen)
        search(trials=1)
    assert re.search(r"\rtrial   0     epoch  2/2  .*loss ", screen.getvalue())
    rows = screen.rows(columns=80)
    assert not [row for row in rows if "epoch  " in row]
    assert [row for row in rows if row.startswith("trial   0     0.")]


def test_an_interrupted_sweep_continues_its_interrupted_trial(
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
    assert [trial.number for trial in study_lib.trials(study)] == [1]  # One, in two parts.
    with pytest.raises(
        errors.UserError, match="holds a sweep on affectnet_faces/sample/1.0.0 with"
    ):
        search(trials=2, data_path=NO_DATA)
    with pytest.raises(
        errors.UserError,
        match="holds a sweep with --epochs=2, and this one has --epochs=3: scores would",
    ):
        search(trials=1, settings={**QUICK, "epochs": 3})


def test_an_interrupted_trial_is_given_up_where_something_else_is_varied(
    search, monkeypatch, tmp_path
):
    def cut_off(self):
        raise SystemExit(130)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(trainer.Trainer, "scores", cut_off)
        search(trials=1)
    cut, done = search(trials=1, vary=("augment",)).trials
    assert (cut.state.name, done.state.name) == ("FAIL", "COMPLETE")
    assert list(done.params) == ["augment"]
    assert done.user_attrs["folder"] == "trial-0001"


def test_an_interrupted_trial_that_was_not_begun_again_is_given_up_by_another_vary(search, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials_lib, "_train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(trials=1)
        patch.setattr(trials_lib, "run", lambda *_, **__: None)
        search(trials=1)  # It puts the trial in the queue, and begins none.
    waiting, last = search(trials=1, vary=("augment",)).trials[-2:]
    given_up = "given up      trial 1, which was interrupted and varied dropout, learning_rate\n"
    assert given_up in capsys.readouterr().out
    assert waiting.state.name == "FAIL" and list(last.params) == ["augment"]
    assert last.state.name == "COMPLETE" and last.user_attrs["folder"] != "trial-0000"


@pytest.mark.parametrize("vary", [("dropout", "learning_rate"), ("learning_rate", "dropout")])
def test_an_interrupted_trial_continues_in_whatever_order_its_names_are_given(search, vary):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials_lib, "_train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(trials=1, vary=("dropout", "learning_rate"))
    cut, done = search(trials=1, vary=vary).trials
    assert done.params == cut.params and done.user_attrs["folder"] == "trial-0000"


def test_settings_that_failed_are_tried_again_by_the_next_start_only(search, capsys):
    tried = []

    def train(trial, *, chosen, reader, folder):
        tried.append(chosen["activation"])
        is_tanh = chosen["activation"] == "tanh"
        return trials_lib.Outcome(
            state=trials_lib._State.FAIL if is_tanh else trials_lib._State.COMPLETE,
            score=None if is_tanh else 0.5,
            remark="",
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials_lib, "_train", train)
        search(trials=6, vary=("activation",))
        assert sorted(tried) == ["relu", "tanh"]
        assert "ends: 1 trials, and no other settings" in capsys.readouterr().out
        search(trials=6, vary=("activation",))
    assert sorted(tried) == ["relu", "tanh", "tanh"]


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_no_settings_are_trained_twice_and_a_sweep_ends_where_there_are_no_others(
    search, make_ctx, tmp_path, capsys
):
    settings = make_ctx(**QUICK).settings
    study = search(trials=3, vary=("activation",))
    trained = study_lib.trials(study)
    assert sorted(trial.params["activation"] for trial in trained) == ["relu", "tanh"]
    assert {trial.state.name for trial in trained} == {"COMPLETE"}
    assert "ends: 2 trials, and no other settings of activation found" in capsys.readouterr().out
    report.write(study, sweep_dir=tmp_path / "sweep", settings=settings)
    rows = list(csv.DictReader((tmp_path / "sweep/trials.csv").open()))
    assert [row["trial"] for row in rows] == [str(trial.number) for trial in trained]
    assert "2 trials" in (tmp_path / "sweep/report.html").read_text()
    # Of others that vary, what is the default was trained already: relu without normalisation.
    done = study_lib.trials(search(trials=4, vary=("batch_norm",)))
    assert [trial.params.get("batch_norm") for trial in done] == [None, None, True]
    assert "ends: 3 trials, and no other settings of batch_norm" in capsys.readouterr().out


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
    return trials_lib._train(
        trial, chosen={}, reader=trials_lib.SplitReader(make_ctx(**QUICK)), folder=tmp_path
    )


def test_a_trial_below_the_median_is_pruned_only_with_prune(monkeypatch, make_ctx, tmp_path):
    pruned = fake_trial(monkeypatch, make_ctx, tmp_path, prune=True)
    assert (pruned.state.name, pruned.remark) == ("PRUNED", "pruned after epoch 2")
    kept = fake_trial(monkeypatch, make_ctx, tmp_path, prune=False)
    assert (kept.state.name, kept.score) == ("COMPLETE", 0.9)


def test_a_trial_that_cannot_go_on_is_not_counted_and_says_why(monkeypatch, make_ctx, tmp_path):
    failed = fake_trial(monkeypatch, make_ctx, tmp_path, prune=False, fails=True)
    assert (failed.state.name, failed.score, failed.remark) == (
        "FAIL",
        None,
        "the loss is no longer a finite number",
    )
    (log,) = tmp_path.rglob("log.txt")
    assert log.read_text() == "error: the loss is no longer a finite number\n"


def test_importances_are_those_of_the_hyperparameter_that_the_scores_follow():
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(
        lambda t: t.suggest_float("dropout", 0, 1) + 0 * t.suggest_float("l2", 0, 1), n_trials=20
    )
    weights = report.importances(study)
    assert list(weights) == ["dropout", "l2"] and weights["dropout"] > 0.9
    style = dict(matplotlib.rcParams)
    drawn = report.plots(study)
    assert list(drawn) == ["optimization_history.png", "slices.png", "what_mattered.png"]
    assert all(png.startswith(b"\x89PNG") and len(png) > 5_000 for png in drawn.values())
    # The backend's name may be spelt in another way after its first use.
    assert {**matplotlib.rcParams, "backend": ""} == {**style, "backend": ""}


def test_the_csv_has_every_trial_with_its_hyperparameters_and_epochs():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    first = study.ask({"num_blocks": optuna.distributions.IntDistribution(2, 2)})
    first.report(0.5, step=1)
    study.tell(first, 0.625)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    assert report.as_csv(study) == (
        "trial,state,score,epochs,num_blocks\r\n0,complete,0.625,1,2\r\n1,fail,,0,\r\n"
    )
    assert report.importances(study) == {}


@pytest.mark.parametrize("name", ["model_dir", "overwrite", "dry_run", "find_lr", "profile_steps"])
def test_flags_of_a_single_run_are_refused(name):
    with pytest.raises(
        errors.UserError,
        match=f"--{name} is for one run of trainer.main; a sweep has its --sweep_dir",
    ):
        sweep.settings_of({name: "x"}, vary=())


def test_the_rest_is_set_as_for_a_single_run_and_help_has_both():
    assert sweep.settings_of({"epochs": 3}, vary=search_space.USUAL).training.epochs == 3
    page = flags.help_text(sweep.SECTIONS, about=sweep.ABOUT)
    assert page.index("\nSweep\n") < page.index("  --trials\n") < page.index("  --epochs\n")


@pytest.mark.parametrize(
    ("model", "varied", "refused", "left"),
    [
        ("resnet50", ("dropout", "blocks"), "blocks", "dropout"),
        ("resnet_small", ("blocks", "batch_norm"), "batch_norm", "blocks"),
        (
            "efficientnet_lite0",
            search_space.USUAL,
            "blocks, dense, activation, batch_norm",
            "dropout,l2,learning_rate",
        ),
    ],
)
def test_what_the_network_does_not_have_cannot_be_varied(model, varied, refused, left):
    with pytest.raises(
        errors.UserError,
        match=f"{refused} cannot be varied here: --.* with --model={model}.*give --vary={left}$",
    ):
        sweep.settings_of({"model": model}, vary=varied)


@pytest.mark.parametrize("varied", [(), ("dropout", "dropout")])
def test_a_sweep_varies_something_and_each_thing_once(varied):
    with pytest.raises(errors.UserError, match="--vary must name one hyperparameter or more, each"):
        options.Sweep(vary=varied)


def test_a_sweep_without_a_finished_trial_has_no_report_and_is_an_error(tmp_path):
    asked, settings = options.Sweep(sweep_dir=str(tmp_path)), sweep.settings_of({}, vary=())
    study = study_lib.open_study(asked, settings=settings, data_path=NO_DATA)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    with pytest.raises(errors.UserError, match=r"no trial has finished: .*/\*/log.txt say why"):
        report.write(study, sweep_dir=tmp_path, settings=settings)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.db"]


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    asked = options.Sweep(sweep_dir=str(tmp_path))
    sentence = "is not the folder of a sweep, which would hold sweep.db: it holds thesis.txt; give"
    with pytest.raises(errors.UserError, match=sentence):
        study_lib.open_study(asked, settings=sweep.settings_of({}, vary=()), data_path=NO_DATA)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def damaged(path, how):
    """Damage the database of a new sweep."""
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "no database":
        path.write_bytes(b"no database" * 1000)
    elif how == "overwritten pages":
        content = bytearray(path.read_bytes())
        content[4096:] = b"\x55" * (len(content) - 4096)
        path.write_bytes(content)
    elif how == "newer schema":
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE version_info SET schema_version = 9999")
            database.execute("UPDATE alembic_version SET version_num = 'v99.0.0'")
            database.commit()
    elif how == "values":
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE study_user_attributes SET value_json = '{'")
            database.commit()
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    "how", ["truncated", "no database", "overwritten pages", "newer schema", "values", "folder"]
)
def test_a_damaged_database_of_a_sweep_is_one_sentence(tmp_path, how):
    asked, settings = options.Sweep(sweep_dir=str(tmp_path)), sweep.settings_of({}, vary=())
    study_lib.open_study(asked, settings=settings, data_path=NO_DATA)
    damaged(tmp_path / "sweep.db", how)
    with pytest.raises(errors.UserError, match=r"cannot use .*sweep.db as a sweep \(.+\): restore"):
        study_lib.open_study(asked, settings=settings, data_path=NO_DATA)


def test_a_pipe_in_the_place_of_a_sweep_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "sweep.db")
    with pytest.raises(OSError, match="it is a named pipe"):
        study_lib.open_study(
            options.Sweep(sweep_dir=str(tmp_path)),
            settings=sweep.settings_of({}, vary=()),
            data_path=NO_DATA,
        )


def test_a_database_that_another_program_has_locked_is_one_sentence(tmp_path):
    locked = sqlite3.OperationalError("database is locked")
    with (
        pytest.raises(errors.UserError, match="is locked.*: end the program that has it open"),
        study_lib.database_errors(tmp_path),
    ):
        raise sqlalchemy.exc.OperationalError("INSERT", None, locked)
