"""Many faults of builds at random moments: the end has the bytes of an unbroken build.

`make test-faults` runs them, as docs/reliability.md counts them: FAULTS of each kind.
"""

import errno
import os
import pathlib
import random
import signal
import threading
import time

import pytest

from pipeline import config
from runtime import errors
from tests.faults import test_input_that_vanishes as vanishing
from tests.pipeline import conftest, test_main

pytestmark = [pytest.mark.slow, pytest.mark.faults]

FAULTS = 60
"""Faults of each kind on one worker."""

KILLS = 12
"""Workers that are killed."""

whole, disk = vanishing.whole, vanishing.disk
DISK_ERRORS = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENODEV)


@pytest.fixture
def asked(job_config):
    """The build that is asked for, which loses no row unless it says so."""
    return job_config(balance=vanishing.BALANCE, num_shards=6, max_reject_frac=0)


def fail_at(disk, number: int, fault) -> None:
    """Have the image fail that is read as the n-th from now."""
    first = next(disk.reads) + 1

    def fails(path, now):
        return fault(path) if now - first == number else None

    disk.fails = fails


def test_errors_of_the_disk(asked, whole, disk):
    chance = random.Random(0)
    for n in range(FAULTS):
        number = DISK_ERRORS[n % len(DISK_ERRORS)]
        fail_at(disk, chance.randrange(40), lambda path, e=number: OSError(e, os.strerror(e)))
        try:
            built = test_main.run(asked)
        except OSError as error:
            assert errors.of_system(error), error
            continue
        # Its moment was after the last image: the build was finished before. The next begins anew.
        assert vanishing.everything(built) == whole
        asked = another(asked, n)
    disk.fails = lambda path, n: None
    assert vanishing.everything(test_main.run(asked)) == whole


def another(asked: config.JobConfig, number: int) -> config.JobConfig:
    folder = pathlib.Path(asked.data_dir).with_name(f"data{number}")
    return config.JobConfig(**{**vars(asked), "data_dir": str(folder)})


def test_folders_that_go_as_a_whole(asked, whole, disk):
    chance = random.Random(1)
    root = pathlib.Path(asked.input_dir)
    for n in range(FAULTS):
        place = (root, root / vanishing.IMAGES)[n % 2]
        gone = []

        def go(path, place=place, gone=gone):
            gone.append(place.rename(root.with_name("away")))

        fail_at(disk, chance.randrange(40), go)
        try:
            built = test_main.run(asked)
        except errors.UserError as error:
            assert "is gone or empty" in str(error)
        else:
            # The images that were left had been read ahead.
            assert vanishing.everything(built) == whole
            asked = another(asked, n)
        if gone:
            gone[0].rename(place)
    disk.fails = lambda path, n: None
    assert vanishing.everything(test_main.run(asked)) == whole


def test_images_that_are_not_there_once(asked, whole, disk):
    chance = random.Random(2)
    for n in range(FAULTS // 2):
        places = set(chance.sample(range(44), 2))
        first = next(disk.reads) + 1
        disk.fails = lambda path, now, f=first, p=places: (
            FileNotFoundError(errno.ENOENT, "gone") if now - f in p else None
        )
        assert vanishing.everything(test_main.run(another(asked, n))) == whole


def test_workers_that_are_killed(tmp_path):
    chance = random.Random(3)
    writer = conftest.ReleaseWriter(tmp_path / "in")
    for i in range(200):
        writer.add("training", i % 4)
    writer.add("validation", 0)
    asked = config.JobConfig(
        input_dir=str(writer.write()),
        data_dir=str(tmp_path / "broken"),
        config_name="tiny",
        image_size=400,
        balance="150",
        num_shards=24,
        num_workers=2,
    )
    whole = vanishing.everything(test_main.run(another(asked, 0)))
    for n in range(KILLS):
        killer = threading.Thread(target=kill_a_worker, args=(chance.random() * 1.5, n % 2))
        killer.start()
        try:
            built = test_main.run(asked)
        except errors.UserError as error:
            assert "was killed by SIGKILL" in str(error)
            assert not list(pathlib.Path(asked.data_dir).rglob("incomplete.*"))
        else:
            assert vanishing.everything(built) == whole
            asked = another(asked, n + 1)
        killer.join()
    assert vanishing.everything(test_main.run(asked)) == whole


def kill_a_worker(after_s: float, which: int) -> None:
    """Kill one of the two workers of this process, some time after both have started."""
    end = time.monotonic() + 60
    while len(working := workers()) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(after_s)
    if len(working) == 2:
        try:
            os.kill(working[which], signal.SIGKILL)
        except ProcessLookupError:
            return


def workers() -> list[int]:
    """Return this process's worker processes, by their command."""
    found = []
    for task in pathlib.Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            command = pathlib.Path(f"/proc/{child}/cmdline")
            if command.exists() and b"worker.work" in command.read_bytes():
                found.append(int(child))
    return sorted(found)
