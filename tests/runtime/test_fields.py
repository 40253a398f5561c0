"""Fields that name a path: ~ is expanded, what is saved is absolute, a file is no folder."""

import dataclasses
import importlib
import pathlib

import pytest

from runtime import command, errors, fields, flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places(fields.Checked):
    """A path of each kind, and a word."""

    folder: str = fields.field("runs/latest", "a folder", path="folder")
    file: str = fields.field("none", "a file", path="file", words=("none",))
    name: str = fields.field("", "a name")
    several: tuple[int, ...] = fields.field((1, 2), "numbers")


SECTIONS = {"Places": Places}


def parsed(*given: str) -> Places:
    values = flags.flags.FlagValues()
    flags.define(SECTIONS, values=values)
    flags.parse(["program", *given], sections=SECTIONS, values=values)
    return Places(**flags.given(SECTIONS, values=values))


def test_a_tilde_is_the_home_folder_in_paths_and_a_character_elsewhere(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parsed("--folder=~/a", "--file=~", "--name=~/a") == Places(
        folder="/home/me/a", file="/home/me", name="~/a"
    )
    assert fields.value_of("~/b", config_type=Places, name="folder") == "/home/me/b"
    assert parsed("--folder=~no_such_user/a").folder == "~no_such_user/a"


@pytest.mark.parametrize("given", ["8,,16", "8,", ","])
def test_a_comma_with_nothing_beside_it_is_refused(given):
    with pytest.raises(errors.UserError, match="^--several must have a value before and after"):
        parsed(f"--several={given}")
    assert parsed("--several=8,16").several == (8, 16)
    assert parsed("--several=").several == ()


def test_a_saved_path_is_absolute_and_a_word_or_a_url_stays(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert fields.absolute(Places(name="x")) == Places(
        folder=f"{tmp_path}/runs/latest", file="none", name="x"
    )
    assert fields.absolute(Places(folder="s3://bucket/a")).folder == "s3://bucket/a"
    assert fields.absolute(Places(folder="/a", file="b")) == Places(
        folder="/a", file=f"{tmp_path}/b"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("--folder=", "--folder must name a folder: got nothing"),
        ("--folder=a_file", "--folder must be a folder: a_file is a file"),
        ("--file=a_folder", "--file must be a file: a_folder is a folder"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused(given, sentence, monkeypatch, tmp_path):
    (tmp_path / "a_file").write_text("")
    (tmp_path / "a_folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.UserError) as no:
        parsed(given)
    assert str(no.value) == sentence


def test_a_folder_of_the_name_of_a_word_is_not_in_its_way(monkeypatch, tmp_path):
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parsed("--file=none").file == "none"


def test_every_flag_that_names_a_folder_or_a_file_is_a_path():
    """By its name or its help text: a new flag must not be forgotten."""
    forgotten = [
        f"{module} --{name}"
        for module in {about.module for about in command.PROGRAMS.values()}
        for section in importlib.import_module(module).SECTIONS.values()
        for name, option in fields.options(section).items()
        if (
            name.endswith(("_dir", "_file")) or "folder" in option.help or " file to" in option.help
        )
        and not option.path
    ]
    assert forgotten == []


def test_paths_are_kept_as_they_were_written_until_they_are_saved(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert pathlib.Path(parsed("--folder=a/../b").folder) == pathlib.Path("a/../b")
