import dataclasses
import os

import pytest

from runtime import errors, fields
from trainer.config import recipes, run_config


def test_what_is_saved_is_what_is_loaded(tmp_path):
    settings = run_config.make(
        {
            "epochs": 3,
            "conv_filters": (8, 16),
            "data_dir": "/data",
            "clip_norm": 1.0,
            "model_dir": "/runs/a",
        }
    )
    run_config.save(settings, path=tmp_path / "config.json")
    assert run_config.load(tmp_path / "config.json") == settings


def test_paths_are_saved_absolute_and_are_no_other_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    settings = run_config.make(
        {"data_dir": "data", "cache_dir": "~/cache", "weights": "w.npz", "recipe": "demo"}
    )
    run_config.save(settings, path=tmp_path / "config.json")
    loaded = run_config.load(tmp_path / "config.json")
    assert loaded.data.data_dir == f"{tmp_path}/data" and loaded.data.cache_dir == "/home/me/cache"
    assert loaded.model.weights == f"{tmp_path}/w.npz" and loaded.run.recipe == "demo"
    assert loaded.run.model_dir == f"{tmp_path}/runs/latest"
    assert run_config.difference(loaded, new=settings) == {}
    other = dataclasses.replace(settings, model=dataclasses.replace(settings.model, weights="v"))
    assert run_config.difference(loaded, new=other) == {"weights": (f"{tmp_path}/w.npz", "v")}


def test_where_the_data_were_by_default_is_saved_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("TFDS_DATA_DIR", "~/faces")
    run_config.save(run_config.make({}), path=tmp_path / "config.json")
    assert run_config.load(tmp_path / "config.json").data.data_dir == "/home/me/faces"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"model": "cnn", "epochs": 0}', "--epochs must be at least 1: got 0"),
        ('{"model": "cnn", "epochs": "many"}', "epochs must be a whole number: got 'many'"),
        ('{"model": "cnn", "epohcs": 3}', "no setting is called epohcs; did you mean epochs?"),
    ],
)
def test_a_wrong_value_in_a_saved_configuration_names_the_file(tmp_path, content, sentence):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(errors.UserError) as no:
        run_config.load(tmp_path / "config.json")
    assert str(no.value) == (
        f"{tmp_path}/config.json is damaged ({sentence}): restore it from a backup; or remove it "
        "and give the trainer.main command that began the run (journal.json has it), which writes "
        "it anew and continues; or train anew with --overwrite"
    )


def test_a_wrong_value_in_a_recipe_names_the_recipe_and_one_beside_it_does_not(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("epochs: 0\n")
    with pytest.raises(errors.UserError) as no:
        run_config.resolve({"recipe": str(path), "seed": 1})
    assert str(no.value) == f"--recipe={path}: --epochs must be at least 1: got 0"
    with pytest.raises(errors.UserError, match="^--epochs must be at least 1: got 0$"):
        run_config.resolve({"recipe": "demo", "epochs": 0})


@pytest.mark.parametrize(
    "content", [b"", b'{"epochs": 3,', b"\xff", b"[1, 2]", b'"x"', b"{}", b"[" * 10**5]
)
def test_a_damaged_configuration_is_one_sentence(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(errors.UserError, match="^cannot read .*config.json as JSON .*--overwrite$"):
        run_config.load(tmp_path / "config.json")


def test_a_start_killed_while_writing_leaves_the_configuration_as_it_was(tmp_path, monkeypatch):
    run_config.save(run_config.make({"epochs": 3}), path=tmp_path / "config.json")

    def killed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        run_config.save(run_config.make({"epochs": 4}), path=tmp_path / "config.json")
    assert run_config.load(tmp_path / "config.json").training.epochs == 3


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        run_config.make({}).training.epochs = 5


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"epochs": 0}, "--epochs must be at least 1: got 0"),
        ({"dropout": 1.5}, "--dropout must be between 0 and 0.95: got 1.5"),
        ({"conv_filters": [8, 0]}, "--conv_filters must be at least 1: got 0"),
        (
            {"cache": "rum"},
            "--cache must be one of auto, none, ram, disk: got rum; did you mean ram?",
        ),
        (
            {"nesterov": True},
            "--nesterov has no effect with --optimizer=adam: it needs --optimizer=sgd",
        ),
        (
            {"weight_decay": 0.1},
            "--weight_decay has no effect with --optimizer=adam: it needs --optimizer=adamw, "
            "muon or sgd",
        ),
        (
            {"decay_factor": 0.5},
            "--decay_factor has no effect with --schedule=cosine: it needs --schedule=step, "
            "exponential or plateau",
        ),
        (
            {"decay_epochs": [3]},
            "--decay_epochs has no effect with --schedule=cosine: it needs --schedule=step",
        ),
        (
            {"focal_gamma": 1.0},
            "--focal_gamma has no effect with --loss=cross_entropy: it needs --loss=focal",
        ),
        ({"epohcs": 3}, "no setting is called epohcs; did you mean epochs?"),
        ({"epochs": "many"}, "epochs must be a whole number: got 'many'"),
        ({"epochs": 2.5}, "epochs must be a whole number: got 2.5"),
        ({"deterministic": 1}, "deterministic must be true or false: got 1"),
        ({"learning_rate": [1]}, "learning_rate must be a number: got [1]"),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence(settings, sentence):
    with pytest.raises(errors.UserError) as no:
        run_config.make(settings)
    assert sentence in str(no.value)


def test_setting_names_are_unique_over_all_sections():
    names = [name for section in run_config.SECTIONS.values() for name in fields.options(section)]
    assert len(names) == len(set(names))


def test_only_settings_that_change_the_result_count_as_a_difference():
    old = run_config.make(
        {"epochs": 3, "num_gpus": 0, "cache": "none", "virtual_devices": 2, "model_dir": "a"}
    )
    new = run_config.make(
        {"epochs": 4, "num_gpus": 1, "cache": "auto", "virtual_devices": 1, "model_dir": "b"}
    )
    assert run_config.difference(old, new=new) == {"epochs": (3, 4)}


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_a_valid_configuration(name):
    run_config.resolve({"recipe": name})


def test_flags_override_a_recipe_and_the_recipe_the_defaults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("epochs: 7\nlearning_rate: 1e-2\nconv_filters: [8, 16]\nbatch_size: 32\n")
    settings = run_config.resolve({"recipe": str(path), "batch_size": 64})
    assert settings.training.epochs == 7
    assert settings.optimization.learning_rate == 0.01  # YAML reads 1e-2 as text.
    assert settings.model.conv_filters == (8, 16)
    assert settings.training.batch_size == 64
    assert settings.training.seed == 0


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("epoch: 7", "no setting is called epoch; did you mean epochs?"),
        ("- epochs", "must hold lines 'setting: value': got list"),
        ("a: [", "must be YAML: while parsing"),
        ("learning_rate: .inf", "must be a finite number: got inf"),
        ("learning_rate: .nan", "must be a finite number: got nan"),
        ("learning_rate: 2001-01-01", "must be a number: got datetime.date(2001, 1, 1)"),
        ("learning_rate: 2001-99-99", "must be YAML: month must be in 1..12"),
        ("epochs: 0x" + "f" * 30, "must be a number of at most 63 bits: got one of 120 bits"),
        ("epochs: 0x" + "f" * 5000, "must be YAML: a number has 5,002 characters"),
        ("[" * 5000, "must be YAML: its values are nested too deep"),
    ],
)
def test_a_bad_recipe_is_refused(tmp_path, text, sentence):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(errors.UserError) as no:
        run_config.resolve({"recipe": str(path)})
    assert sentence in str(no.value)


def test_a_recipe_is_a_regular_file_of_text_in_utf_8(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes("epochs: 7\n".encode("utf-16"))
    with pytest.raises(errors.UserError, match=r"mine\.yaml is in UTF-16"):
        run_config.resolve({"recipe": str(path)})
    path.write_bytes(b"epochs: 7 # \xf6\n")
    with pytest.raises(errors.UserError, match=r"mine\.yaml must be text in UTF-8: byte 12"):
        run_config.resolve({"recipe": str(path)})
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="only regular files are read"):
        run_config.resolve({"recipe": str(path)})
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="a named pipe"):
        run_config.resolve({"recipe": str(path)})


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(errors.UserError, match=r"is called dmo; did you mean demo\?"):
        run_config.resolve({"recipe": "dmo"})
