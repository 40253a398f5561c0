"""Temporary files: gone when the program ends, and those of a killed one when the next begins."""

import signal
import subprocess
import sys

import pytest

from pipeline.beam import temporary_files

PROGRAM = """
import sys
from pipeline.beam import temporary_files
with temporary_files.used():
    (temporary_files.folder_until_exit() / "content").touch()
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start programs that use temporary files below `tmp_path` until they are told to end."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    started = []

    def begin() -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_program_removes_its_folder_and_that_of_a_killed_one(start, tmp_path):
    running = start()
    killed = start()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (tmp_path / "affectnet_faces_of_somebody").mkdir()  # Without a lock: who knows whose.
    assert len(list(tmp_path.glob("*/content"))) == 2
    temporary_files.remove_abandoned(tmp_path)
    assert len(list(tmp_path.glob("*/content"))) == 1
    running.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["affectnet_faces_of_somebody"]


def test_the_next_program_removes_what_a_killed_one_has_left(start, tmp_path):
    killed = start()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    start().communicate()
    assert not list(tmp_path.iterdir())
