"""Many faults of builds at random moments: the end has the bytes of an unbroken build.

`make test-faults` runs them, as docs/reliability.md counts them: FAULTS of each kind.
"""

import contextlib
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

FAULTS = 40
"""Faults of each kind on one worker."""

KILLS = 10
"""Workers that are killed."""

whole, disk = vanishing.whole, vanishing.disk
DISK_ERRORS = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENODEV)


@pytest.fixture
def asked(job_config):
    """The build that is asked for, which loses no row unless it says so."""
    return job_config(balance=vanishing.BALANCE, num_shards=6, max_reject_frac=0)


@pytest.fixture
def count(capsys):
    """Print how many faults there were, for docs/reliability.md."""
    counted: list[str] = []
    yield counted
    with capsys.disabled():
        print(f"\nfaults        {len(counted)} {' and '.join(sorted(set(counted)))}")


def fail_at(disk, number: int, fault) -> None:
    """Have the image fail that is read as the n-th from now."""
    first = next(disk.reads) + 1

    def fails(path, now):
        return fault(path) if now - first == number else None

    disk.fails = fails


def test_errors_of_the_disk(asked, whole, disk, count):
    chance = random.Random(0)
    while len(count) < FAULTS:
        number = DISK_ERRORS[len(count) % len(DISK_ERRORS)]
        fail_at(disk, chance.randrange(30), lambda path, e=number: OSError(e, os.strerror(e)))
        try:
            built = test_main.run(asked)
        except OSError as error:
            assert errors.of_system(error), error
            count.append("errors of the disk")
            continue
        # Its moment was after the last image that was to be read. The next build begins anew.
        assert vanishing.everything(built) == whole
        asked = another(asked)
    disk.fails = lambda path, n: None
    assert vanishing.everything(test_main.run(asked)) == whole


def another(asked: config.JobConfig) -> config.JobConfig:
    """Return the same build in a folder of its own."""
    folder = pathlib.Path(f"{asked.data_dir}+")
    return config.JobConfig(**{**vars(asked), "data_dir": str(folder)})


def test_folders_that_go_as_a_whole(asked, whole, disk, count):
    chance = random.Random(1)
    root = pathlib.Path(asked.input_dir)
    while len(count) < FAULTS:
        place = (root, root / vanishing.IMAGES)[len(count) % 2]
        gone = []

        def go(path, place=place, gone=gone):
            gone.append(place.rename(root.with_name("away")))

        fail_at(disk, chance.randrange(30), go)
        try:
            built = test_main.run(asked)
        except errors.UserError as error:
            assert "is gone or empty" in str(error)
            count.append("folders gone")
        else:
            # The images that were left had been read ahead.
            assert vanishing.everything(built) == whole
            asked = another(asked)
        if gone:
            gone[0].rename(place)
    disk.fails = lambda path, n: None
    assert vanishing.everything(test_main.run(asked)) == whole


def test_images_that_are_not_there_once(asked, whole, disk, count):
    chance = random.Random(2)
    while len(count) < FAULTS:
        places = set(chance.sample(range(30), 2))
        first = next(disk.reads) + 1

        def fails(path, now, places=places, first=first):
            if now - first not in places:
                return None
            count.append("images gone")
            return FileNotFoundError(errno.ENOENT, "gone")

        disk.fails = fails
        asked = another(asked)
        assert vanishing.everything(test_main.run(asked)) == whole


def test_workers_that_are_killed(tmp_path, count):
    chance = random.Random(3)
    writer = conftest.ReleaseWriter(tmp_path / "in")
    for i in range(200):
        writer.add("training", i % 4)
    writer.add("validation", 0)
    asked = config.JobConfig(
        input_dir=str(writer.write()),
        data_dir=str(tmp_path / "data"),
        config_name="tiny",
        image_size=400,
        balance="150",
        num_shards=24,
        num_workers=2,
    )
    whole = vanishing.everything(test_main.run(asked))
    asked = another(asked)
    while len(count) < KILLS:
        killer = threading.Thread(target=kill_a_worker, args=(chance.random(), len(count) % 2))
        killer.start()
        try:
            built = test_main.run(asked)
        except errors.UserError as error:
            assert "was killed by SIGKILL" in str(error)
            assert not list(pathlib.Path(asked.data_dir).rglob("incomplete.*"))
            count.append("workers killed")
        else:
            assert vanishing.everything(built) == whole
            asked = another(asked)
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
        with contextlib.suppress(OSError):  # Threads and processes end meanwhile.
            for child in (task / "children").read_text().split():
                if b"worker.work" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return sorted(found)
