"""Many faults of what a build writes: kills, full disks, flipped bits, locks of the dead.

`make test-faults` runs them, as docs/reliability.md counts them.
"""

import errno
import multiprocessing
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from affectnet_tfds import dataset_paths
from pipeline import config, verify
from runtime import errors, folder_lock, program
from tests.faults import test_input_that_vanishes as vanishing
from tests.faults import test_many_builds as many
from tests.pipeline import test_main

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(3600)]

FLIPS = 600
KILLS = 30
KILLS_OF_REPLACEMENTS = 8
DEAD_HOLDERS = 100
ERRORS = 20
LIMITS = 8
FULL_DISKS = 8

whole, count = vanishing.whole, many.count
OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)

DRY = {"dry_run": True, "overwrite": False}

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.pipeline.test_main", "pipeline.publish"])


@pytest.fixture
def asked(job_config):
    """The build that is asked for."""
    return job_config(balance=vanishing.BALANCE, num_shards=6)


def version(asked: config.JobConfig) -> pathlib.Path:
    return pathlib.Path(asked.data_dir, "affectnet_faces/tiny/1.0.0")


class Inline:
    """An executor that works in this process: starting others is not what is tested."""

    def __init__(self, *_: object, **__: object) -> None:
        self.map = map

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None:
        return


def test_flipped_bits_are_named(asked, monkeypatch, capsys, count):
    monkeypatch.setattr(verify.concurrent.futures, "ProcessPoolExecutor", Inline)
    built = test_main.run(asked)
    files = [*sorted(built.version.iterdir())]
    files += [pathlib.Path(asked.data_dir, "affectnet_faces", dataset_paths.DEFAULT_CONFIG)]
    files = [path for path in files if path.stat().st_size]
    chance = random.Random(4)
    assert verify.run(asked.data_dir) == 0
    capsys.readouterr()
    while len(count) < FLIPS:
        path = files[len(count) % len(files)]
        content = bytearray(path.read_bytes())
        bit = chance.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        good = path.read_bytes()
        path.write_bytes(content)
        assert verify.run(asked.data_dir) == 1, (path, bit)
        assert any(
            line.startswith((path.name, str(path))) for line in capsys.readouterr().out.splitlines()
        ), (path, bit)
        path.write_bytes(good)
        count.append("flipped bits")
    assert verify.run(asked.data_dir) == 0


def start(asked: config.JobConfig) -> multiprocessing.Process:
    process = _CONTEXT.Process(target=test_main.run, args=(asked,))
    process.start()
    return process


def seconds_of(asked: config.JobConfig) -> float:
    """Return how long a process takes that builds it, when the fork server has imported all."""
    for place in range(2):
        began = time.monotonic()
        process = start(many.another(asked) if place else type(asked)(**vars(asked) | DRY))
        process.join()
        assert process.exitcode == 0
    return time.monotonic() - began


def kill_at(asked: config.JobConfig, *, after_s: float) -> bool:
    """Build in a process that is killed after so many seconds; return whether it was."""
    process = start(asked)
    process.join(after_s)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def leftovers(asked: config.JobConfig) -> list[str]:
    """Return what is left beside the published version."""
    return [path.name for path in version(asked).parent.iterdir() if path != version(asked)]


def test_builds_that_are_killed(asked, whole, count):
    chance = random.Random(5)
    longest_s = seconds_of(asked)
    while len(count) < KILLS:
        if kill_at(asked, after_s=chance.uniform(0, longest_s)):
            count.append("kills of a build")
            # It took over the lock; a version that is there is whole.
            if version(asked).exists():
                assert verify.verify(version(asked)) == []
        if version(asked).exists():
            assert test_main.run(asked).was_there
            assert not leftovers(asked)
            assert test_main.sums(version(asked)) == _shards(whole)
            asked = many.another(asked)
    assert vanishing.everything(test_main.run(asked)) == whole


def _shards(whole: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in whole.items() if name != "rejects"}


def test_replacements_that_are_killed(asked, whole, count):
    """There is the old version or the new one, whole, after the next command."""
    chance = random.Random(6)
    other = type(asked)(**{**vars(asked), "seed": 1})
    test_main.run(other)
    kept = pathlib.Path(f"{asked.data_dir}-kept")
    shutil.copytree(asked.data_dir, kept)
    expected = (test_main.sums(version(other)), _shards(whole))
    again = type(asked)(**{**vars(asked), "overwrite": True})
    longest_s = seconds_of(again)
    while len(count) < KILLS_OF_REPLACEMENTS:
        # Most kills near the end, where the one is replaced by the other.
        if kill_at(again, after_s=longest_s * (1 - chance.random() ** 2)):
            count.append("kills of a replacement")
        if version(again).exists():
            assert test_main.sums(version(again)) in expected
            assert verify.verify(version(again)) == []
        test_main.run(again)
        assert not leftovers(again)
        assert test_main.sums(version(again)) == expected[1]
        shutil.rmtree(asked.data_dir)
        shutil.copytree(kept, asked.data_dir)


def test_errors_of_the_disk_that_is_written_to(asked, whole, count, monkeypatch):
    chance = random.Random(7)
    fsync = os.fsync
    while len(count) < ERRORS:
        number = OF_WRITING[len(count) % len(OF_WRITING)]
        calls, fatal = [], chance.randrange(40)

        def fails(descriptor, number=number, calls=calls, fatal=fatal):
            calls.append(descriptor)
            if len(calls) > fatal:  # From then on, as a disk does.
                raise OSError(number, os.strerror(number))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", fails)
        try:
            built = test_main.run(asked)
        except Exception as error:
            sentence = str(program.refusal_for(error))
            assert asked.data_dir in sentence, (error, sentence)
            assert not list(pathlib.Path(asked.data_dir).rglob("incomplete.*"))
            count.append("errors of writing")
        else:
            assert vanishing.everything(built) == whole
            asked = many.another(asked)
        monkeypatch.setattr(os, "fsync", fsync)
    assert vanishing.everything(test_main.run(asked)) == whole


def limited(asked: config.JobConfig, largest_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))
    try:
        test_main.run(asked)
    except Exception as error:
        sentence = str(program.refusal_for(error))
        sys.exit(errors.EXIT_CODE if "ulimit -f, allows" in sentence else sentence)


def test_limits_of_the_size_of_files(asked, whole, count):
    chance = random.Random(8)
    while len(count) < LIMITS:
        process = _CONTEXT.Process(target=limited, args=(asked, chance.randrange(20_000)))
        process.start()
        process.join()
        assert process.exitcode == errors.EXIT_CODE
        assert not version(asked).exists()
        assert not list(pathlib.Path(asked.data_dir).rglob("incomplete.*"))
        count.append("limits of file size")
    assert vanishing.everything(test_main.run(asked)) == whole


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_disks_that_are_full(count):
    command = ["unshare", "--mount", sys.executable, "-m", "tests.faults.full_disk"]
    done = subprocess.run(
        [*command, str(FULL_DISKS)], capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    count += ["full disks"] * done.stdout.count("no space left on the device")
    assert len(count) == FULL_DISKS


def hold(folder: pathlib.Path) -> None:
    with folder_lock.held_in(folder, way_out=""):
        time.sleep(60)


def test_locks_of_holders_that_are_killed(tmp_path, count):
    chance = random.Random(9)
    while len(count) < DEAD_HOLDERS:
        process = _CONTEXT.Process(target=hold, args=(tmp_path,))
        process.start()
        while not (tmp_path / folder_lock.NAME).exists():
            time.sleep(0.001)
        time.sleep(chance.random() / 20)
        process.kill()
        process.join()
        began = time.monotonic()
        with folder_lock.held_in(tmp_path, way_out=""):
            assert time.monotonic() - began < 5
        assert not list(tmp_path.iterdir())
        count.append("holders killed")
