"""One program at a time in a folder: the second is told who has it, and a dead one's is taken."""

import dataclasses
import json
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from runtime import errors, folder_lock

WAY_OUT = "name another folder"
BEAT_S = 0.05


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Renew often, so that 0.6 s without a sign are too long."""
    monkeypatch.setattr(folder_lock.File, "beat_s", BEAT_S)


def lock_file(folder: pathlib.Path) -> pathlib.Path:
    return folder / ".lock"


def hold(folder: pathlib.Path):
    return folder_lock.held_in(folder, way_out=WAY_OUT)


def written_by(folder: pathlib.Path, **changes: object) -> None:
    """Leave the lock of another holder, which differs from ours in these fields."""
    folder.mkdir(exist_ok=True)
    holder = dataclasses.replace(folder_lock._ourselves(), token="theirs", **changes)
    folder_lock._held.add("theirs")  # Where it is a lock of this process.
    lock_file(folder).write_text(json.dumps({**vars(holder), "alive": "then"}))


def refusal(folder: pathlib.Path) -> str:
    with pytest.raises(errors.UserError) as refused, hold(folder):
        pass
    return str(refused.value)


HOLDER = """
import pathlib, sys, time
from runtime import folder_lock
folder_lock.File.beat_s = 0.1
with folder_lock.held_in(pathlib.Path(sys.argv[1]), way_out=""):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(folder: pathlib.Path) -> subprocess.Popen:
    """Start a process that holds the folder, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_with_host_process_and_start_of_the_first(tmp_path):
    process = start_holder(tmp_path)
    try:
        said = refusal(tmp_path)
    finally:
        process.kill()
        process.wait()
    host = folder_lock.socket.gethostname()
    assert said.startswith(
        f"{tmp_path} is in use by -c on host {host}, process {process.pid}, since 2"
    )
    assert said.endswith(" UTC; wait for its end, or name another folder")


def test_the_lock_of_a_killed_process_is_taken_at_once_though_nobody_waited_for_it(tmp_path):
    process = start_holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    while folder_lock._process_start(process.pid):  # Until it is a zombie.
        time.sleep(0.01)
    began = time.monotonic()
    with hold(tmp_path):
        assert time.monotonic() - began < 1
    process.wait()
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_found_a_dead_holder_the_slower_one_takes_nothing(tmp_path):
    path = lock_file(tmp_path)
    path.write_bytes(b"dead")
    first, second = folder_lock.File(path), folder_lock.File(path)
    assert first.replace(b"first", dead=b"dead")
    assert not second.replace(b"second", dead=b"dead")
    assert path.read_bytes() == b"first"
    path.unlink()
    assert not second.replace(b"second", dead=b"dead") and list(tmp_path.iterdir()) == []


def test_who_takes_over_removes_what_a_program_left_that_was_killed_while_it_did(tmp_path):
    path = lock_file(tmp_path)
    path.write_bytes(b"dead")
    process = os.fork()
    if not process:
        pathlib.Path.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
        folder_lock.File(path).replace(b"killed", dead=b"dead")
        os._exit(0)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert folder_lock.File(path).replace(b"ours", dead=b"dead")
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(path, b"ours")]


def test_of_two_without_flock_the_one_whose_file_was_removed_takes_nothing(tmp_path, monkeypatch):
    path = lock_file(tmp_path)
    path.write_bytes(b"dead")
    opened = folder_lock.File._open

    def open_and_lose(self, own, content):
        opened(self, own, content)
        own.unlink()

    monkeypatch.setattr(folder_lock.File, "_open", open_and_lose)
    assert not folder_lock.File(path).replace(b"ours", dead=b"dead")
    assert path.read_bytes() == b"dead"


def test_one_at_a_time_takes_a_lock_over(tmp_path):
    path = lock_file(tmp_path)
    path.write_bytes(b"dead")
    slower = folder_lock.File(path)
    taken = []
    with folder_lock._flocked(path):
        thread = threading.Thread(target=lambda: taken.append(slower.replace(b"b", dead=b"dead")))
        thread.start()
        time.sleep(0.2)
        assert taken == []
        folder_lock.File(path)._put(b"a")
    thread.join()
    assert taken == [False] and path.read_bytes() == b"a"


def test_a_process_that_is_stopped_keeps_its_lock(tmp_path):
    process = start_holder(tmp_path)
    process.send_signal(signal.SIGSTOP)
    try:
        assert "is in use by" in refusal(tmp_path)
    finally:
        process.kill()
        process.wait()


def test_a_process_number_that_is_used_again_is_not_the_holder(tmp_path):
    written_by(tmp_path, process_start="1")
    with hold(tmp_path):
        pass


def test_a_lock_that_this_process_could_not_remove_is_nobodys(tmp_path):
    """Its disk was unmounted, and is back."""
    away = tmp_path.with_name("away")
    with hold(tmp_path / "data"):
        (tmp_path / "data").rename(away)
    away.rename(tmp_path / "data")
    assert lock_file(tmp_path / "data").exists()
    with hold(tmp_path / "data"):
        pass


def test_a_living_process_of_another_user_holds_its_lock(tmp_path, monkeypatch):
    def refuse(process: int, number: int) -> None:
        raise PermissionError

    written_by(tmp_path)
    monkeypatch.setattr(os, "kill", refuse)
    assert "is in use by" in refusal(tmp_path)


@pytest.mark.parametrize("machine", ["another boot", ""])
def test_a_holder_elsewhere_is_given_up_when_it_shows_no_sign(tmp_path, machine, capsys):
    written_by(tmp_path, machine=machine, host="node\x1b[7", process=1)
    began = time.monotonic()
    with hold(tmp_path):
        assert time.monotonic() - began > folder_lock.BEATS * BEAT_S
    assert "on host node?[7, process 1, since" in capsys.readouterr().err


NESTED = b"[" * 9000
INFINITE = json.dumps({**vars(folder_lock._ourselves()), "process": float("inf")}).encode()
DAMAGED = [b"", b'{"process": "x"}', b"\xff" * 20000, NESTED, INFINITE, b"null"]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("is_new", [False, True])
def test_the_holder_repairs_its_lock_whatever_damaged_it(tmp_path, content, is_new):
    path = lock_file(tmp_path)
    with hold(tmp_path):
        if is_new:
            path.unlink()
        path.write_bytes(content)
        end = time.monotonic() + 30
        while folder_lock._parse(path.read_bytes()) is None and time.monotonic() < end:
            time.sleep(BEAT_S / 5)
        assert "is in use by" in refusal(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", DAMAGED)
def test_leaving_removes_a_damaged_lock(tmp_path, content, monkeypatch):
    monkeypatch.setattr(folder_lock.File, "beat_s", 60.0)  # It is not repaired before.
    with hold(tmp_path):
        lock_file(tmp_path).write_bytes(content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("process", [10**30, -1, 0, 2**31])
def test_a_process_number_that_none_can_have_is_nobodys(tmp_path, process, monkeypatch):
    monkeypatch.setattr(os, "kill", None)
    written_by(tmp_path, process=process)
    with hold(tmp_path):
        pass


@pytest.mark.parametrize("content", DAMAGED[:3] + [NESTED])
def test_a_damaged_lock_is_given_up_when_it_does_not_change(tmp_path, content):
    lock_file(tmp_path).write_bytes(content)
    with hold(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_holder_elsewhere_that_renews_its_lock_keeps_it(tmp_path, monkeypatch):
    """Whatever the clocks say: only that the file changes counts."""
    with hold(tmp_path):
        monkeypatch.setattr(folder_lock, "_machine", lambda: "another")
        began = time.monotonic()
        assert "is in use by" in refusal(tmp_path)
        assert time.monotonic() - began < folder_lock.BEATS * BEAT_S


@pytest.mark.parametrize(
    ("put", "kind"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.symlink_to("nowhere"), "a link to nothing"),
        (os.mkfifo, "a named pipe"),
        (lambda path: (os.mkfifo(path), os.open(path, os.O_RDWR)), "a named pipe"),
    ],
)
def test_what_is_no_file_in_the_place_of_the_lock_is_refused(tmp_path, put, kind):
    put(lock_file(tmp_path))
    assert refusal(tmp_path) == (
        f"{lock_file(tmp_path)} must be a file, in which the program that uses the folder writes "
        f"its name: it is {kind}; remove it"
    )


def test_who_was_taken_over_ends_before_it_writes_anything_else(tmp_path, monkeypatch):
    ends = []
    monkeypatch.setattr(folder_lock, "_end", ends.append)
    with hold(tmp_path):
        written_by(tmp_path, host="node7")
        time.sleep(5 * BEAT_S)
    assert "was taken over by" in ends[0] and "on host node7" in ends[0]
    assert json.loads(lock_file(tmp_path).read_text())["host"] == "node7", "it is not removed"


def test_nothing_is_made_where_a_folder_was_unmounted(tmp_path):
    """It would be hidden when the disk is back."""
    with hold(tmp_path / "data"):
        (tmp_path / "data").rename(tmp_path / "away")
        (tmp_path / "data").mkdir()
        time.sleep(5 * BEAT_S)
        assert not list((tmp_path / "data").iterdir())


def test_folders_that_were_made_for_a_lock_go_with_it_if_they_are_empty(tmp_path):
    with hold(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with hold(tmp_path / "a" / "b"):
        (tmp_path / "a" / "file").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_lock_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device: .*/a/.lock"), hold(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_forked_process_neither_keeps_nor_releases_the_lock(tmp_path):
    """A lock by flock would be kept by every fork that has inherited its descriptor."""
    context = multiprocessing.get_context("fork")
    with hold(tmp_path):
        child = context.Process(target=time.sleep, args=(30,))
        child.start()
        other = context.Process(target=int)
        other.start()
        other.join()
        assert lock_file(tmp_path).exists()
    with hold(tmp_path):
        pass
    child.kill()
    child.join()


MANY = 8


def take(folder: pathlib.Path, start: float, held, refused) -> None:
    """Hold the folder until all others were refused, or be refused."""
    time.sleep(max(0.0, start - time.time()))
    try:
        with hold(folder):
            held.append(1)
            end = time.monotonic() + 60
            while len(refused) < MANY - 1 and time.monotonic() < end:
                time.sleep(0.02)
    except errors.UserError as error:
        refused.append(str(error))


@pytest.mark.parametrize("is_stale", [False, True])
def test_of_many_that_start_at_once_one_has_the_folder(tmp_path, is_stale, monkeypatch):
    monkeypatch.undo()  # With the seconds that programs have.
    if is_stale:
        written_by(tmp_path, process_start="1")
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        held, refused = manager.list(), manager.list()
        arguments = (tmp_path, time.time() + 0.3, held, refused)
        many = [context.Process(target=take, args=arguments) for _ in range(MANY)]
        for one in many:
            one.start()
        for one in many:
            one.join()
        assert len(held) == 1
        assert len([said for said in refused if "is in use by" in said]) == MANY - 1
