"""Memory settings of the job's processes: when they are made, when memory is given back."""

import subprocess
import sys

import apache_beam as beam
import pytest

from pipeline.beam import runner, write_shards
from runtime import machine

MAIN_WITHOUT_LIBRARIES = """
import os, sys
sys.modules["absl"] = None  # Importing it, as importing any library after it, fails.
try:
    import pipeline.main
except ImportError:
    print(os.environ.get("MALLOC_ARENA_MAX"))
"""


def test_the_program_uses_one_arena_before_anything_else_is_imported(monkeypatch):
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    done = subprocess.run(
        [sys.executable, "-c", MAIN_WITHOUT_LIBRARIES], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.fixture
def times_given_back(monkeypatch) -> list[None]:
    calls: list[None] = []
    monkeypatch.setattr(machine, "give_back", lambda: calls.append(None))
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
