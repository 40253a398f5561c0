import os
import re
import subprocess
import sys

import pytest

from runtime import machine


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc only")
def test_glibc_takes_the_setting():
    assert machine.keep_freed()


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert not machine.keep_freed()
    machine.use_one_arena()
    machine.give_back()


ARENAS = """
import threading
from runtime import machine
{setting}
held = []
def use(): held.append([bytes(100_000) for _ in range(100)]); gate.wait()
gate = threading.Barrier(7)
threads = [threading.Thread(target=use) for _ in range(6)]
for one in threads: one.start()
gate.wait()
import ctypes
ctypes.CDLL(None).malloc_stats()
"""


def arenas_in_use(setting: str, environment: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", ARENAS.format(setting=setting)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return len(re.findall(r"^Arena", done.stderr, re.MULTILINE))


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_stats is glibc's")
def test_threads_share_one_arena_unless_the_user_sets_another_number(monkeypatch):
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    plain = dict(os.environ)
    assert arenas_in_use("", plain) > 1
    assert arenas_in_use("machine.use_one_arena()", plain) == 1
    assert arenas_in_use("machine.use_one_arena()", {**plain, "MALLOC_ARENA_MAX": "3"}) > 1


GIVEN_BACK = """
import psutil
from runtime import machine
blocks = [bytes(2_000) for _ in range(100_000)]
kept = blocks[99::100]  # so that the heap cannot simply shrink
del blocks
before = psutil.Process().memory_info().rss
machine.give_back()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_what_was_freed_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 100_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_machine_is_described_by_processor_cores_and_memory(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some  (R) Processor @ 2 GHz\n")
    monkeypatch.setattr(machine, "_CPUINFO", cpuinfo)
    monkeypatch.setattr(machine, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine, "total_bytes", lambda: 8_200_000_000)
    assert machine.describe() == "Some (R) Processor @ 2 GHz, 2 CPU cores, 8 GB"
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    assert machine.describe().endswith(", 2 CPU cores, 8 GB") and machine.describe()[0] != ","
