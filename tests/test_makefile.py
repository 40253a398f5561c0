"""Makefile: which variables it takes, and which data its targets work on. Nothing is built."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments, home: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run make without what the surrounding make hands down."""
    of_make = ("MAKELEVEL", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")
    left_out = (*of_make, "AFFECTNET_DIR", "TFDS_DATA_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(
        ["make", *map(str, arguments)],
        cwd=ROOT,
        env={**environment, **({"HOME": str(home)} if home else {})},
        capture_output=True,
        text=True,
    )


def variables() -> list[str]:
    return re.findall(r"^  ([A-Z_]+):", MAKEFILE, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("AFFECTNET=/x", "unknown variable AFFECTNET; did you mean AFFECTNET_DIR?"),
        ("data_dir=/x", "unknown variable data_dir; make help lists all"),
        ("MODEL_DIRS=runs/a b", "unknown variable MODEL_DIRS; did you mean MODEL_DIR?"),
    ],
)
@pytest.mark.parametrize("target", ["shards", "help"])
def test_a_variable_that_is_unknown_is_refused_and_the_nearest_named(target, given, sentence):
    done = make("-n", target, given)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr and done.stderr.count("\n") == 1


def test_every_variable_that_is_listed_is_taken_and_help_shows_it():
    assert {"AFFECTNET_DIR", "DATA_DIR", "FLAGS", "HOSTS"} <= set(variables())
    done = make("-n", "train", *(f"{name}=python3" for name in variables()))
    assert done.returncode == 0, done.stderr
    shown = make("help").stdout
    for name in variables():
        assert re.search(rf"^  {name}: ", shown, flags=re.MULTILINE), name


def test_no_variable_of_the_environment_is_refused():
    done = subprocess.run(
        ["make", "-n", "help"], cwd=ROOT, env={**os.environ, "AFFECTNET": "/x"}, capture_output=True
    )
    assert done.returncode == 0


def test_shards_of_drawn_faces_say_so_first_and_last():
    *_, first, draw, _, last = make("-n", "shards").stdout.splitlines()
    assert "pipeline.sample" in draw
    assert all("no AFFECTNET_DIR" in line and "not AffectNet" in line for line in (first, last))
    given = make("-n", "shards", "AFFECTNET_DIR=/data/AffectNet")
    assert "AFFECTNET_DIR" not in given.stdout and "pipeline.sample" not in given.stdout


@pytest.mark.parametrize("target", ["train", "train-hosts"])
@pytest.mark.parametrize(
    ("there", "given", "used"),
    [
        ([], [], "home/tensorflow_datasets"),
        (["demo/data"], [], "demo/data"),
        (["demo/data", "home/tensorflow_datasets"], [], "home/tensorflow_datasets"),
        (["demo/data"], ["mine"], "mine"),
    ],
)
def test_training_falls_to_the_demos_data_where_there_are_no_others(
    target, there, given, used, tmp_path
):
    for folder in there:
        (tmp_path / folder / "affectnet_faces").mkdir(parents=True)
    named = [f"DATA_DIR={tmp_path / folder}" for folder in given]
    done = make("-n", target, f"BUILD={tmp_path}", *named, home=tmp_path / "home")
    assert f"--data_dir='{tmp_path / used}'" in done.stdout, done.stderr
