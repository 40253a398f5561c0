"""Local workers: one that dies or fails ends the pipeline, at once, with what a person can use."""

import errno
import os
import pathlib
import re
import signal
import time
import types

import apache_beam as beam
import pytest

from pipeline.beam import local_workers, runner
from runtime import errors, program

WORKS_S = 120
"""Seconds that the other worker would take for its element."""


def no_space() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/data/shard")


def refuse() -> None:
    raise errors.UserError("the list is empty; give another")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS = {fault.__name__: fault for fault in (no_space, die)}


def fail_first(element: int, *, fault: str, first: str) -> int:
    """Fail as the first of all workers that gets here; be busy as any other."""
    try:
        pathlib.Path(first).touch(exist_ok=False)
    except FileExistsError:
        time.sleep(WORKS_S)
    else:
        FAULTS[fault]()
    return element


def run(fault: str, folder: pathlib.Path) -> tuple[BaseException, float]:
    """Run a pipeline on two workers, one of which fails; return the error, and its seconds."""
    first = folder / "first"
    with pytest.raises(Exception) as raised:  # noqa: SIM117  # The pipeline runs at its end.
        with runner.Runner(num_workers=2).pipeline() as pipeline:
            (
                pipeline
                | beam.Create(range(8))
                | beam.Reshuffle()
                | beam.Map(fail_first, fault=fault, first=str(first))
            )
    return raised.value, time.time() - first.stat().st_mtime


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            "no_space",
            r"cannot use /data/shard: no space left on the device \([\d.]+ .B are free\); free "
            "some, and give the same command again",
        ),
        (
            "die",
            r"worker \d of 2 \(process \d+\) was killed by SIGKILL, most likely because memory ran "
            r"out \(a smaller --num_workers takes less\); finished shards are kept, and the same "
            "command continues",
        ),
    ],
)
def test_what_a_person_can_mend_is_a_sentence_alone(fault, sentence, tmp_path, capfd):
    error, seconds = run(fault, tmp_path)
    assert re.fullmatch(sentence, str(program.refusal_for(error)))
    assert capfd.readouterr() == ("", "")
    assert seconds < 10, "it waited for the other worker"


class Worker:
    """Stands for a worker whose process is gone."""

    process = types.SimpleNamespace(
        popen=types.SimpleNamespace(pid=17), stderr_tail=lambda: "stack of a library"
    )
    connection = types.SimpleNamespace(answer_all=lambda reason: None)

    def kill(self) -> None:
        pass


@pytest.mark.parametrize(("exit_code", "how"), [(-signal.SIGSEGV, "SIGSEGV"), (1, "exit code 1")])
def test_the_end_of_a_worker_by_a_defect_is_shown_with_what_it_wrote(exit_code, how):
    pool = local_workers.WorkerPool()
    pool.workers = [Worker(), Worker()]
    pool.lost(pool.workers[1], exit_code=exit_code)
    assert program.refusal_for(pool.death) is None
    assert str(pool.death) == f"worker 2 of 2 (process 17) ended with {how}:\nstack of a library"


def test_a_sentence_of_a_worker_is_passed_on_without_the_name_of_the_step():
    with (
        pytest.raises(errors.UserError) as refused,
        runner.Runner(num_workers=1).pipeline(reads_bytes=1) as pipeline,
    ):
        pipeline | beam.Create([5]) | beam.Map(lambda _: refuse())
    assert str(refused.value) == "the list is empty; give another"


TRACEBACK = """Traceback (most recent call last):
  File "pipeline/files/storage.py", line 5, in read
OSError: [Errno 5] Input/output error: '/in/a.jpg'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1610, in _reraise_augmented
{last} [while running 'WriteShards/WriteShard-ptransform-38']
"""


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        (
            "RuntimeError: OSError: [Errno 5] Input/output error: '/in/a.jpg'",
            "cannot use /in/a.jpg: input/output error; when the disk or share is back, the same "
            "command continues",
        ),
        (
            'RuntimeError: OSError: [Errno 5] Input/output error: "/in/Ann\'s/a.jpg"',
            "cannot use /in/Ann's/a.jpg: input/output error; when the disk or share is back, the "
            "same command continues",
        ),
        ("runtime.errors.UserError: /in is gone; mount it", "/in is gone; mount it"),
        ("pipeline.files.object_store.Unreachable: no answer", "no answer"),
    ],
)
def test_a_refusal_is_read_from_the_end_of_a_workers_traceback(last, sentence):
    found = runner.refusal_in(TRACEBACK.format(last=last))
    assert str(program.refusal_for(found)) == sentence


def test_a_defect_is_not_taken_for_the_error_that_it_followed():
    assert runner.refusal_in(TRACEBACK.format(last="KeyError: 'a.jpg'")) is None
