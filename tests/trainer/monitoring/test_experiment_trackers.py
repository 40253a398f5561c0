"""MLflow on a local store; Weights & Biases by a module that records its calls."""

import json
import sys
import types

import pytest

from runtime import errors
from trainer.config import run_config
from trainer.monitoring import experiment_trackers as trackers_lib

SETTINGS = {"conv_filters": (8, 16), "learning_rate": 0.5, "clip_norm": None, "num_gpus": 0}


def start(name, tmp_path):
    settings = run_config.make({**SETTINGS, "log_to": (name,)})
    (tmp_path / "first").mkdir(exist_ok=True)
    return trackers_lib.start(settings, model_dir=tmp_path / "first")


class FakeWandb(types.ModuleType):
    """The three calls of wandb that are made; `calls` has what they were given."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.calls = []

    def init(self, **given):
        self.calls.append(("init", given))
        return types.SimpleNamespace(
            id=given["id"] or "a1",
            log=lambda metrics, step: self.calls.append(("log", metrics, step)),
            finish=lambda exit_code: self.calls.append(("finish", exit_code)),
        )


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_wandb_gets_settings_metrics_and_the_end_and_a_second_start_continues_the_run(
    wandb, tmp_path
):
    with start("wandb", tmp_path) as trackers:
        trackers.log({"loss": 0.5}, step=4)
    with pytest.raises(SystemExit), start("wandb", tmp_path):
        raise SystemExit(143)
    first, logged, finished, again, killed = wandb.calls
    assert (first[1]["name"], first[1]["id"], again[1]["id"]) == ("first", None, "a1")
    config = first[1]["config"]
    assert (config["conv_filters"], config["learning_rate"]) == ("8,16", 0.5)
    assert not {"clip_norm", "num_gpus", "model_dir"} & config.keys()  # Not set, or no effect.
    assert (logged, finished, killed) == (("log", {"loss": 0.5}, 4), ("finish", 0), ("finish", 143))


def test_a_tracker_that_fails_while_a_run_trains_is_one_warning(wandb, tmp_path, capsys):
    with start("wandb", tmp_path) as trackers:
        wandb.calls = None  # The next call fails.
        trackers.log({"loss": 0.5}, step=4)
        trackers.log({"loss": 0.4}, step=8)
    said = capsys.readouterr().err
    assert said.startswith("warning       --log_to=wandb ends here, the run goes on (")
    assert said.count("\n") == 1


def test_a_tracker_that_cannot_start_is_one_sentence(wandb, tmp_path, monkeypatch):
    def refuse(**given):
        raise RuntimeError("no API key\nsee https://…")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(errors.UserError, match=r"^--log_to=wandb cannot start \(no API key\): "):
        start("wandb", tmp_path)


def test_a_tracker_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.UserError, match="^--log_to=mlflow needs mlflow: "):
        trackers_lib.check_installed(("mlflow",))
    trackers_lib.check_installed(())


@pytest.mark.slow
def test_mlflow_has_settings_metrics_and_state_of_a_run_that_was_stopped_and_continued(
    tmp_path, monkeypatch
):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setattr(mlflow.tracking, "get_tracking_uri", mlflow.get_tracking_uri)
    mlflow.set_tracking_uri(f"file:{tmp_path / 'mlruns'}")
    with pytest.raises(SystemExit), start("mlflow", tmp_path) as trackers:
        trackers.log({"loss": 0.5, "val_accuracy": 0.25}, step=4)
        raise SystemExit(143)
    run_id = json.loads((tmp_path / "first" / trackers_lib.FILE).read_text())["mlflow"]
    assert mlflow.get_run(run_id).info.status == "KILLED"
    with start("mlflow", tmp_path) as trackers:
        trackers.log({"loss": 0.25}, step=8)
    run = mlflow.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
    assert (run.data.params["conv_filters"], run.data.params["learning_rate"]) == ("8,16", "0.5")
    history = mlflow.MlflowClient().get_metric_history(run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(4, 0.5), (8, 0.25)]
