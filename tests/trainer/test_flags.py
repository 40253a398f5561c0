"""Every option has an effect: observed once with it and once without, in one case an option."""

import dataclasses
import importlib
import pkgutil
import shutil

import pytest

import trainer
from affectnet_tfds import dataset_paths
from runtime import fields
from tests.trainer import conftest
from tests.trainer.options import case as case_lib
from tests.trainer.options import programs, training
from trainer.config import run_config

TRAINING = [name for section in run_config.SECTIONS.values() for name in fields.options(section)]


def sections_of_programs() -> dict[str, type]:
    """Return the sections of all programs but trainer.main, by the name of their class."""
    found = {}
    for module in pkgutil.iter_modules(trainer.__path__):
        if not module.ispkg:
            program = importlib.import_module(f"trainer.{module.name}")
            there = [*vars(program).values(), *getattr(program, "SECTIONS", {}).values()]
            found |= {c.__name__: c for c in there if isinstance(c, type) and _has_options(c)}
    return {n: c for n, c in found.items() if c not in run_config.SECTIONS.values()}


def _has_options(kind: type) -> bool:
    return hasattr(kind, "__dataclass_fields__") and bool(fields.options(kind))


PROGRAMS = sections_of_programs()
OPTIONS = [(section, name) for section, kind in PROGRAMS.items() for name in fields.options(kind)]


@pytest.fixture(scope="module")
def links(data_dir, photo_run, tmp_path_factory):
    """Folders that settings name: two of data sets, and two runs."""
    folder = tmp_path_factory.mktemp("options")
    versions = folder / "other_data" / dataset_paths.DATASET_NAME
    conftest.write_version(versions / "sample" / "1.0.0", num_classes=7)
    shutil.copytree(data_dir / dataset_paths.DATASET_NAME / "sample", versions / "sample_two")
    other_run = programs.other_run(photo_run.model_dir, folder=folder / "other_run")
    return {
        "data": data_dir,
        "other_data": folder / "other_data",
        "run": photo_run.model_dir,
        "other_run": other_run,
        "report_of_both": conftest.write_metrics(
            folder / "report", model="ensemble of 2 runs, their outputs averaged: run, other_run"
        ),
    }


@pytest.fixture(scope="module")
def cached():
    return {}


@pytest.fixture
def lab(links, tmp_path, make_ctx, monkeypatch, cached):
    return training.Lab(
        links=links,
        folder=tmp_path,
        make_ctx=make_ctx,
        monkeypatch=monkeypatch,
        cached=cached,
    )


@pytest.mark.parametrize("name", TRAINING)
def test_every_option_of_training_has_its_effect(lab, name):
    assert case_lib.has_effect(training.CASES[name], name, lab=lab)


@pytest.mark.parametrize(("section", "name"), OPTIONS)
def test_every_option_of_the_other_programs_has_its_effect(lab, section, name):
    assert case_lib.has_effect(programs.CASES[section][name], name, lab=lab)


@pytest.mark.parametrize("name", ["focal_gamma", "holdout_frac", "select_by", "model_dir"])
def test_an_option_that_is_ignored_is_noticed(lab, name):
    """What is observed twice of the same settings is the same."""
    case = training.CASES[name]
    assert not case_lib.has_effect(dataclasses.replace(case, value=case.base), name, lab=lab)


def test_no_case_is_of_an_option_that_is_gone():
    assert list(training.CASES) == TRAINING
    of_programs = [(section, name) for section, cases in programs.CASES.items() for name in cases]
    assert sorted(of_programs) == sorted(OPTIONS)


@pytest.mark.parametrize("name", TRAINING)
def test_a_run_may_be_continued_with_another_value_only_of_what_does_not_change_it(name):
    of_name = training.CASES[name]
    old, new = (
        run_config.make({**training.SMALL, **of_name.settings(name, value)})
        for value in (of_name.base, of_name.value)
    )
    changed = {} if name in training.RESUMABLE else {name}
    assert run_config.difference(old, new=new).keys() == set(changed)


def test_every_section_is_in_the_help_and_in_the_configuration():
    assert [title.lower() for title in run_config.SECTIONS] == list(
        run_config.Config.__dataclass_fields__
    )
