"""Memory settings of the job's processes: when they are made, when memory is given back."""

import subprocess
import sys

import apache_beam as beam
import pytest

from pipeline.beam import runner, write_shards
from runtime import malloc


def test_the_program_uses_one_arena_before_anything_else_is_imported(monkeypatch):
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
