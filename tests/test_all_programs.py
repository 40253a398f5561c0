"""All programs are one family: a wrong value, word or flag is one sentence and exit code 2.

Every program is started in this process, as `python -m` starts it, once for each of its flags.
"""

import contextlib
import importlib
import logging
import math
import pathlib
import re
import runpy
import sys
import unittest.mock
import warnings

import pytest
from absl import flags as absl_flags
from absl import logging as absl_logging

from runtime import command, errors, fields, flags, json_log, program, signals

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODULES = sorted(about.module for about in command.PROGRAMS.values())
NEEDED = {
    "pipeline.main": ["--input_dir=release"],
    "pipeline.sample": ["--output_dir=sample"],
    "pipeline.inspect": ["--input_dir=x"],
    "trainer.compare": ["one", "two"],
    "trainer.predict": ["photo.jpg"],
}
"""What a program needs beside the flag that is tried."""


@pytest.fixture
def start(monkeypatch, tmp_path, capsys):
    """Start a program in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    # A program ends its process where TensorFlow is loaded: this one is not the program's.
    monkeypatch.setattr(program, "ending", contextlib.nullcontext)
    monkeypatch.setattr(signals, "end_at_once", lambda: None)
    for name in absl_flags.FLAGS:  # Benchmarks that tests import require flags of their own.
        monkeypatch.setattr(absl_flags.FLAGS[name], "validators", [])
    handlers, verbosity = list(logging.root.handlers), absl_logging.get_verbosity()

    def run(module: str, *given: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [module, *given])
        with pytest.raises(SystemExit) as end, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # That another test has imported the module.
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        return (end.value.code or 0, *capsys.readouterr())

    yield run
    logging.root.handlers[:] = handlers
    absl_logging.set_verbosity(verbosity)


def options(module: str) -> dict[str, tuple[type, fields.Option]]:
    """Return the flags of a program with their sections."""
    return {
        name: (section, option)
        for section in (*importlib.import_module(module).SECTIONS.values(), json_log.Log)
        for name, option in fields.options(section).items()
    }


def wrong_values(name: str, section: type, option: fields.Option) -> list[str]:
    """Return values that a flag does not take, by what it declares."""
    kind, _ = fields.value_type(section, name=name)
    wrong = []
    if option.path:
        wrong += ["", *{"folder": ["a_file"], "file": ["a_folder"]}.get(option.path, [])]
    if option.choices or kind is not str:
        wrong.append("nonsense")
    wrong += ["inf", "-inf", "nan", "1_0"] if kind is float else []
    wrong += ["4_0", "9" * 400] if kind is int else []
    wrong += [f"{option.at_least - 1:g}"] if not math.isinf(option.at_least) else []
    wrong += [f"{option.at_most + 1:.12g}"] if not math.isinf(option.at_most) else []
    return wrong


@pytest.mark.parametrize("module", MODULES)
def test_a_wrong_value_of_any_flag_is_one_sentence_that_names_it(module, start, tmp_path):
    (tmp_path / "a_file").write_text("")
    (tmp_path / "a_folder").mkdir()
    tried = 0
    for name, (section, option) in options(module).items():
        for value in wrong_values(name, section, option):
            code, out, err = start(module, *NEEDED.get(module, []), f"--{name}={value}")
            assert (code, out, err.count("\n")) == (2, "", 1), (name, value, err)
            assert re.match(rf"error: --{name}\b", err), (name, value, err)
            tried += 1
    assert tried


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_flag_is_one_sentence(module, start):
    code, out, err = start(module, *NEEDED.get(module, []), "--no_such_flag=1")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: unknown flag --no_such_flag.*; .*\n", err)


def test_a_switch_that_is_misspelt_off_is_not_taken_for_the_one_that_is_on(start):
    *_, err = start("trainer.main", "--no_overwrite")
    assert err == "error: unknown flag --no_overwrite; did you mean --nooverwrite?\n"
    *_, err = start("trainer.main", "--no_epochs")
    assert err == "error: unknown flag --no_epochs; did you mean --epochs?\n"


@pytest.mark.parametrize("module", sorted({*MODULES} - {"trainer.compare", "trainer.predict"}))
def test_a_word_that_no_flag_has_is_refused_with_the_flag_it_may_be_meant_for(module, start):
    code, out, err = start(module, *NEEDED.get(module, []), "/data/AffectNet")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: flags are written --name=value: got '/data/AffectNet' by itself")
    if module == "pipeline.main":
        assert err.endswith("; did you mean --input_dir=/data/AffectNet?\n")


@pytest.mark.parametrize("asked", ["--help", "-h", "--helpfull"])
@pytest.mark.parametrize("module", MODULES)
def test_help_has_one_style(module, asked, start):
    program = importlib.import_module(module)
    code, out, err = start(module, asked)
    assert (code, err) == (0, "")
    assert out == flags.help_text(program.SECTIONS, about=program.ABOUT) + "\n"


def test_every_program_says_its_version(start):
    said = {start(module, "--version") for module in MODULES}
    assert len(said) == 1
    assert re.fullmatch(r"affectnet-faces \d+\.\d+\.\d+\n", said.pop()[1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            ["pipeline.main", "--input_dir=x", "--image_size=big"],
            "--image_size must be a whole number: got 'big'",
        ),
        (
            ["pipeline.main", "--input_dir=x", "--subsets=manuel"],
            "--subsets must be one of manual, automatic, all: got manuel; did you mean manual?",
        ),
        (
            ["pipeline.main", "--input_dir=x", "--direct_num_workers=many"],
            "Beam does not take --direct_num_workers: invalid int value: 'many'",
        ),
        (
            ["pipeline.main", "--runner", "FlinkRunner", "--input_dir=x", "--balance=often"],
            "--balance must be none, median, min, max or a number of images per class: got often",
        ),
        (["pipeline.sample", "--output_dir=x", "--num_images=3"], "--num_images must be at least"),
        (["pipeline.verify", "--data_dir="], "--data_dir must name a folder: got nothing"),
        (["trainer.main", "--epochs"], "Missing value for flag --epochs"),
        (["trainer.main", "--flagfile=none"], "Unable to open flagfile"),
        (["trainer.hosts", "--hosts=0"], "--hosts must be between 1 and 64: got 0"),
    ],
)
def test_the_sentence_has_rule_and_value(given, sentence, start):
    code, _, err = start(*given)
    assert code == 2 and err.startswith(f"error: {sentence}") and err.count("\n") == 1


@pytest.mark.parametrize(
    "given",
    [
        ["pipeline.sample", "--output_dir=a_file/new"],
        ["trainer.predict", "photo.jpg", "--detector=none", "--draw=a_file/new"],
    ],
)
def test_a_file_in_the_place_of_a_folder_is_one_sentence(given, start, tmp_path, monkeypatch):
    from trainer.run import trained_run

    (tmp_path / "a_file").write_text("")
    (tmp_path / "photo.jpg").write_text("")
    monkeypatch.setattr(trained_run, "find", unittest.mock.Mock())  # A run is not what is tried.
    code, out, err = start(*given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(
        "a_file/new: a part of this path is a file, not a folder"
        "|a_file: a file of this name is in the way",
        err,
    )


def test_every_program_is_a_subcommand():
    """All modules that are programs of their own, but the one that engines start."""
    programs = {
        f"{room}.{path.stem}"
        for room in ("pipeline", "trainer")
        for path in (ROOT / room).glob("*.py")
        if "\nABOUT = " in path.read_text(encoding="utf-8")
    }
    assert programs == set(MODULES)


def test_exit_codes_are_those_of_the_table():
    from pipeline.files import object_store
    from trainer.distributed import host_failure

    used = {errors.UserError.exit_code, object_store.Unreachable.exit_code, host_failure.EXIT_CODE}
    assert used == {1, 2, 75} and used < set(errors.EXIT_CODES)
