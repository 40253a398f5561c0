"""Memory of the job: one heap for all threads, and freed memory returned to the system."""

import os
import re
import subprocess
import sys

import apache_beam as beam
import pytest

from pipeline.beam import malloc, runner, write_shards

HEAPS = """
import threading
from pipeline.beam import malloc
{keep}
held = []
def use(): held.append([bytes(100_000) for _ in range(100)]); gate.wait()
gate = threading.Barrier(7)
threads = [threading.Thread(target=use) for _ in range(6)]
for one in threads: one.start()
gate.wait()
import ctypes
ctypes.CDLL(None).malloc_stats()
"""


def heaps_in_use(keep: str, environment: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HEAPS.format(keep=keep)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return len(re.findall(r"^Arena", done.stderr, re.MULTILINE))


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_stats is glibc's")
def test_threads_share_the_one_heap_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    plain = dict(os.environ)
    assert heaps_in_use("", plain) > 1
    assert heaps_in_use("malloc.keep_one()", plain) == 1
    assert heaps_in_use("malloc.keep_one()", {**plain, "MALLOC_ARENA_MAX": "3"}) > 1


GIVEN_BACK = """
import psutil
from pipeline.beam import malloc
blocks = [bytes(2_000) for _ in range(100_000)]
kept = blocks[99::100]  # so that the heap cannot simply shrink
del blocks
before = psutil.Process().memory_info().rss
malloc.give_back()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_what_was_freed_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 100_000_000


def test_the_program_keeps_one_heap_before_anything_else_is_imported(monkeypatch):
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    code = "import os, pipeline.main; print(os.environ['MALLOC_ARENA_MAX'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.fixture
def times_given_back(monkeypatch) -> list[None]:
    calls: list[None] = []
    monkeypatch.setattr(malloc, "give_back", lambda: calls.append(None))
    return calls


def test_a_finished_pipeline_gives_its_memory_back(times_given_back):
    with runner.Runner(num_workers=1).pipeline(reads_bytes=0) as pipeline:
        pipeline | beam.Create([1])
    assert len(times_given_back) == 1


def test_memory_that_dealing_took_is_given_back_before_a_shard_is_written(
    times_given_back, monkeypatch
):
    monkeypatch.setattr(write_shards, "write_shard", lambda *_: f"after {len(times_given_back)}")
    written = list(write_shards._WriteShard(None).process(("name", [])))
    assert written == ["after 1"]
