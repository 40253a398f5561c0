"""Output of a build that is in use, full, gone or half done: a sentence, then the same bytes."""

import errno
import pathlib

import pytest

from pipeline import build, publish
from pipeline.beam import runner
from pipeline.files import atomic, lock
from pipeline.shards import shard_writer
from runtime import errors, program
from tests.faults import test_input_that_vanishes as vanishing
from tests.pipeline import test_main

whole = vanishing.whole


@pytest.fixture
def asked(job_config):
    """The build that is asked for."""
    return job_config(balance=vanishing.BALANCE, num_shards=6)


def version(asked) -> pathlib.Path:
    return pathlib.Path(asked.data_dir, "affectnet_faces/tiny/1.0.0")


def staging(asked) -> pathlib.Path:
    return version(asked).with_name(".building-1.0.0")


def default_config(asked) -> pathlib.Path:
    return pathlib.Path(asked.data_dir, "affectnet_faces/.config/metadata.json")


def once(monkeypatch, place, name: str, act) -> None:
    """Have a function of a module do something else, the first time that it is called."""
    real, calls = getattr(place, name), []

    def patched(*args, **kwargs):
        calls.append(args)
        return act(*args, **kwargs) if len(calls) == 1 else real(*args, **kwargs)

    monkeypatch.setattr(place, name, patched)


def kill(*_, **__) -> None:
    raise KeyboardInterrupt


def test_a_build_that_is_being_made_is_not_made_twice(asked, whole, monkeypatch):
    """Nor replaced, nor planned by two dry runs; another name is another build."""
    said = []

    def start_another(*args, **kwargs):
        for changes in ({}, {"overwrite": True}, {"overwrite": True, "seed": 1}):
            said.append(str(vanishing.refusal(type(asked)(**{**vars(asked), **changes}))))
        test_main.run(type(asked)(**{**vars(asked), "config_name": "tiny_too"}))
        return write(*args, **kwargs)

    write = build.write_shards.write
    once(monkeypatch, build.write_shards, "write", start_another)
    assert vanishing.everything(test_main.run(asked)) == whole
    assert len(said) == 3
    for sentence in said:
        assert sentence.startswith(f"{version(asked)} is in use by ")
        assert " on host " in sentence and ", process " in sentence and ", since 20" in sentence
        assert sentence.endswith("or give this build a name of its own (--config_name)")
    assert not list(pathlib.Path(asked.data_dir).rglob(".*.lock"))


def test_a_build_that_another_has_published_meanwhile_is_there(asked, monkeypatch):
    """Between the first look and the lock."""
    held = lock.held

    def publish_first(*args, **kwargs):
        monkeypatch.setattr(lock, "held", held)
        test_main.run(asked)
        return held(*args, **kwargs)

    monkeypatch.setattr(lock, "held", publish_first)
    assert test_main.run(asked).was_there


def test_killed_before_the_default_config_is_named_the_next_command_names_it(asked, monkeypatch):
    once(monkeypatch, publish, "set_default", kill)
    with pytest.raises(KeyboardInterrupt):
        test_main.run(asked)
    assert version(asked).exists() and not default_config(asked).exists()
    assert test_main.run(asked).was_there
    assert default_config(asked).read_text() == '{"default_config_name": "tiny"}'


@pytest.mark.parametrize("content", ["", "{}", '{"default_config_name": "tinx"}', "\udcff"])
def test_a_damaged_default_config_is_mended_by_the_next_command(asked, content):
    test_main.run(asked)
    default_config(asked).write_bytes(content.encode(errors="surrogateescape"))
    assert test_main.run(asked).was_there
    assert default_config(asked).read_text() == '{"default_config_name": "tiny"}'


def test_the_default_of_two_builds_that_end_at_once_knows_both(tmp_path, monkeypatch):
    """The first has looked which are published, and writes after the second has written."""
    folder = tmp_path / "affectnet_faces"

    def publish_version(name: str) -> None:
        (folder / name / "1.0.0").mkdir(parents=True)
        (folder / name / "1.0.0" / "features.json").touch()

    def second_ends_first(path, text):
        publish_version("affectnet8")
        publish.set_default(folder, "affectnet8")
        write(path, text)

    publish_version("affectnet7")
    write = atomic.write_text
    once(monkeypatch, atomic, "write_text", second_ends_first)
    publish.set_default(folder, "affectnet7")
    text = (folder / ".config/metadata.json").read_text()
    assert text == '{"default_config_name": "affectnet8"}'


@pytest.mark.parametrize("moment", [0, 1])
def test_killed_while_a_version_is_replaced_a_whole_one_is_there_after_the_next(
    asked, whole, job_config, monkeypatch, moment
):
    """Killed before the new version has its name, or before the old one is removed."""
    first = test_main.run(job_config(balance=vanishing.BALANCE, num_shards=6, seed=5))
    names = {path.name for path in first.version.iterdir()}
    if moment == 0:
        rename = pathlib.Path.rename

        def renamed(path, target):
            return kill() if path.name.startswith(".building") else rename(path, target)

        monkeypatch.setattr(pathlib.Path, "rename", renamed)
    else:
        monkeypatch.setattr(atomic.shutil, "rmtree", kill)
    again = type(asked)(**{**vars(asked), "overwrite": True})
    with pytest.raises(KeyboardInterrupt):
        test_main.run(again)
    monkeypatch.undo()
    if moment == 0:
        with pytest.raises(errors.UserError, match="was built with"):
            test_main.run(asked)
        assert version(asked).is_dir(), "the old one has its name again"
    assert vanishing.everything(test_main.run(again)) == whole
    assert {path.name for path in version(asked).iterdir()} == names
    assert [path.name for path in version(asked).parent.iterdir()] == ["1.0.0"]


def test_an_output_folder_that_goes_is_named_as_gone_and_continued_when_it_is_back(
    asked, whole, monkeypatch
):
    away = pathlib.Path(f"{asked.data_dir}-away")

    def unmount(*args, **kwargs):
        pathlib.Path(asked.data_dir).rename(away)
        pathlib.Path(asked.data_dir).mkdir()  # As the empty folder is that a disk was mounted on.
        return write(*args, **kwargs)

    write = shard_writer.write
    once(monkeypatch, shard_writer, "write", unmount)
    assert str(vanishing.refusal(asked)) == (
        f"{staging(asked)} is gone, into which this build writes: if its disk was unmounted, mount "
        "it, and the same command continues"
    )
    assert not list(pathlib.Path(asked.data_dir).iterdir())
    pathlib.Path(asked.data_dir).rmdir()
    away.rename(asked.data_dir)
    assert vanishing.everything(test_main.run(asked)) == whole


def test_a_full_disk_is_told_with_what_the_build_needs(job_config, monkeypatch):
    asked = job_config(image_size=1024)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write_to_full_disk(*args, **kwargs):
        monkeypatch.setattr(shard_writer.atomic.atomic_file.os, "fsync", full)
        return write(*args, **kwargs)

    write = shard_writer.write
    once(monkeypatch, shard_writer, "write", write_to_full_disk)
    sentence = str(vanishing.refusal(asked))
    assert sentence.startswith(f"cannot use {staging(asked)}/affectnet_faces-train.tfrecord-")
    assert "no space left on the device (about " in sentence and " MB are needed, " in sentence
    assert not list(pathlib.Path(asked.data_dir).rglob("incomplete.*"))


def test_memory_that_runs_out_in_a_worker_is_a_sentence(asked, monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(shard_writer, "write", exhausted)
    with pytest.raises(Exception) as raised:  # Beam's own kind of it.
        test_main.run(asked)
    assert "memory ran out" in str(program.refusal_for(raised.value))


@pytest.mark.parametrize(
    "last",
    [
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB for an array",
        "cv2.error: OpenCV alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate",
    ],
)
def test_memory_that_runs_out_is_told_from_a_workers_traceback(last):
    text = f'Traceback (most recent call last):\n  File "x.py", line 1, in f\n{last}\n'
    assert str(runner.refusal_in(text)).startswith("in a worker process memory ran out; ")
    assert runner.refusal_in(text.replace(last, f"ValueError: {last}x")) is None or "cv2" in last
