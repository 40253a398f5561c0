"""Files that the job wrote and reads again: damaged, or with something else in their place."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from pipeline import build, config, report, verify
from runtime import errors, program
from tests.pipeline import conftest
from tests.pipeline.test_main import VERSION, Silent

DAMAGED = {
    "empty": b"",
    "cut off": b"{",
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "brackets": b"[" * 100_000,
    "no UTF-8": b'{"\xff',
}


@pytest.fixture(autouse=True)
def _ends_where_it_waits():
    """End a test that waits for the writer of a named pipe."""
    signal.alarm(60)
    yield
    signal.alarm(0)


def job(root: Path, **changes) -> config.JobConfig:
    fields = {"config_name": "tiny", "image_size": 32, "num_workers": 1, "num_shards": 1}
    places = {"input_dir": str(root / "small"), "data_dir": str(root / "data")}
    return config.JobConfig(**{**places, **fields, **changes})


def run(asked: config.JobConfig) -> build.Build:
    return build.build(asked, listener=Silent())


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with a small release and its build."""
    root = tmp_path_factory.mktemp("published")
    conftest.write_small_release(root / "small")
    run(job(root))
    return root


@pytest.fixture
def again(published, tmp_path):
    """A copy of the build, with the release that it was made from: (root, version)."""
    shutil.copytree(published / "data", tmp_path / "data")
    (tmp_path / "small").symlink_to(published / "small")
    return tmp_path, tmp_path / "data" / VERSION


def staged(root: Path, version: Path) -> Path:
    """Turn the published version into the staging folder of a build that was killed."""
    staging = version.with_name(".building-1.0.0")
    version.rename(staging)
    return staging


def refused(call, *given, **named) -> str:
    """Return the sentence with which a program that makes this call ends."""
    with pytest.raises((errors.UserError, OSError)) as caught:
        call(*given, **named)
    sentence = program.refusal_for(caught.value)
    assert sentence, caught.value
    return str(sentence)


@pytest.mark.parametrize("content", [*DAMAGED.values(), b'{"made_from": 5}'])
def test_a_damaged_report_is_a_sentence(again, content):
    root, version = again
    (version / "build_report.json").write_bytes(content)
    text = refused(run, job(root))
    assert text.startswith(f"{version}/build_report.json is damaged (")
    assert text.endswith("copy it again, or build again with --overwrite")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"5", b"[5]", b"null", DAMAGED["brackets"], b'[{"rejects": []}]']
)
def test_damaged_sidecars_are_a_sentence(again, content):
    root, version = again
    (version / "sidecars.json").write_bytes(content)
    damaged = f"{version}/sidecars.json is damaged ("
    assert damaged in refused(run, job(root, retry_rejects=True))
    assert damaged in refused(report.run, str(version))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("build_report.json", DAMAGED["brackets"]),
        ("build_report.json", b'{"shards": [], "ledger": {}}'),
        ("build_report.json", b'{"shards": 5, "ledger": {}}'),
        ("job_config.json", DAMAGED["brackets"]),
        ("job_config.json", DAMAGED["no UTF-8"]),
        ("rejects.csv", DAMAGED["no UTF-8"]),
        ("rejects.csv", b"reason\nx\n"),
    ],
)
def test_a_report_of_damaged_files_names_them(again, name, content):
    _, version = again
    (version / name).write_bytes(content)
    assert f"{version}/{name} is damaged (" in refused(report.run, str(version))


@pytest.mark.parametrize("content", [*DAMAGED.values(), b"{}", b'{"settings": 1}'])
def test_a_damaged_note_is_refused_with_two_ways_out(again, content):
    root, version = again
    note = staged(root, version) / "building.json"
    note.write_bytes(content)
    assert f"{note} is damaged (" in refused(run, job(root))
    assert note.read_bytes() == content, "nothing is lost"


@pytest.mark.parametrize("way_out", ["--overwrite", "the file is removed"])
def test_a_build_with_a_damaged_note_and_sidecar_can_be_made(again, way_out):
    root, version = again
    staging = staged(root, version)
    (staging / "building.json").write_bytes(b"{")
    (staging / "affectnet_faces-train.tfrecord-00000-of-00001.json").write_bytes(b"[]")
    if way_out == "the file is removed":
        (staging / "building.json").unlink()
    run(job(root, overwrite=way_out == "--overwrite"))
    assert verify.verify(version) == []


@pytest.mark.parametrize("name", ["SHA256SUMS", "build_report.json", "job_config.json"])
def test_a_named_pipe_in_a_version_is_not_waited_for(again, name):
    _, version = again
    (version / name).unlink()
    os.mkfifo(version / name)
    refused(verify.verify, version) if name == "SHA256SUMS" else verify.verify(version)
    if name != "SHA256SUMS":
        assert "it is a named pipe" in refused(report.run, str(version))


@pytest.mark.parametrize(
    "name",
    [
        "survey.json",
        "building.json",
        "attempt",
        "affectnet_faces-train.tfrecord-00000-of-00001.json",
        "affectnet_faces-train.tfrecord-00000-of-00001.progress",
        "left",
    ],
)
def test_a_named_pipe_in_a_staging_folder_is_refused_or_discarded(again, name):
    root, version = again
    pipe = staged(root, version) / name
    os.mkfifo(pipe)
    text = refused(run, job(root))
    assert text.startswith(
        f"{pipe} is in the folder of an unfinished build, and it is a named pipe"
    )
    if name == "survey.json":
        run(job(root, overwrite=True))
        assert verify.verify(version) == []


@pytest.mark.parametrize(
    ("name", "target"),
    [(".building-1.0.0", "elsewhere"), ("1.0.0", "1.0.0"), ("1.0.0", "nowhere")],
)
def test_a_link_in_the_place_of_a_folder_is_refused_at_once(again, name, target):
    root, version = again
    shutil.rmtree(version)
    (version.parent / "elsewhere").mkdir()
    version.with_name(name).symlink_to(target)
    assert f"{name} must be a folder of its own" in refused(run, job(root))
    assert not list((version.parent / "elsewhere").iterdir())


def test_a_stdout_that_is_full_is_not_taken_for_the_output_folder(published, tmp_path, monkeypatch):
    class Talking(Silent):
        def planned(self, plans, config):
            print("plan", flush=True)

    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr("sys.stdout", full)
        asked = job(published, data_dir=str(tmp_path))
        with pytest.raises(OSError, match="No space left") as caught:
            build.build(asked, listener=Talking())
        text = str(program.refusal_for(caught.value))
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space left"):
            full.close()
    assert text.startswith("cannot write to stdout: no space left on the device")
