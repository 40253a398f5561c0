"""Worker processes: started ahead of the work, told what to do, ended where nobody needs them."""

import json
import os
import shlex
import signal
import sys
import time

import psutil
import pytest

from pipeline.beam import runner, worker_processes

PRINTS_VARIABLES = shlex.join(
    [sys.executable, "-c", "import sys; sys.stderr.write(sys.stdin.read()); sys.exit(3)"]
)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_a_process_gets_its_variables_and_what_it_wrote_is_kept():
    process = worker_processes.Process(PRINTS_VARIABLES)
    process.tell({"WORKER_ID": "worker_1"})
    assert process.popen.wait(60) == 3
    assert json.loads(process.stderr_tail()) == {"WORKER_ID": "worker_1"}
    process.close()


def test_one_that_is_dead_is_told_in_vain_and_without_an_error():
    process = worker_processes.Process(shlex.join([sys.executable, "-c", ""]))
    process.popen.wait(60)
    process.tell({"LONG": "x" * 1_000_000})
    process.close()


def test_processes_started_ahead_are_taken_first_and_the_others_ended():
    ahead = worker_processes.Ahead()
    before = children()
    with ahead.started(2):
        begun = children() - before
        taken = ahead.take()
        assert len(begun) == 2 and taken.popen.pid in begun
    assert children() & begun == {taken.popen.pid}
    taken.discard()
    assert not children() & begun


def test_one_that_was_killed_before_it_had_work_is_replaced():
    ahead = worker_processes.Ahead()
    before = children()
    with ahead.started(1):
        (killed,) = children() - before
        os.kill(killed, signal.SIGKILL)
        while psutil.Process(killed).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        taken = ahead.take()
    assert taken.popen.pid != killed and taken.popen.poll() is None
    taken.discard()


def test_a_worker_that_is_told_nothing_ends_without_a_word():
    process = worker_processes.Ahead().take()
    process.popen.stdin.close()
    assert (process.popen.wait(120), process.stderr_tail()) == (0, "")
    process.close()


@pytest.mark.parametrize(
    ("num_workers", "beam_args", "are_needed", "count"),
    [
        (3, [], True, 3),
        (3, [], False, 0),  # A dry run.
        (1, [], True, 0),  # The worker is the submitting process.
        (3, ["--runner=FlinkRunner"], True, 0),
    ],
)
def test_only_workers_of_this_machine_that_have_work_are_started_ahead(
    num_workers, beam_args, are_needed, count, monkeypatch
):
    started = []
    monkeypatch.setattr(worker_processes.Process, "__init__", lambda self: started.append(self))
    monkeypatch.setattr(worker_processes.Process, "discard", lambda self: None)
    made = runner.Runner(num_workers=num_workers, beam_args=beam_args)
    with made.workers_ahead(are_needed=are_needed):
        assert len(started) == count
