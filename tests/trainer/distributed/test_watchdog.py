"""The watchdog is tested in processes of their own, since it ends them."""

import subprocess
import sys

import pytest

from trainer.distributed import host_failure

PROGRAM = """
import time
from trainer.distributed import watchdog

def stand_still(times):
    for _ in range(times):
        time.sleep(0.1)
        dog.hear()
    time.sleep({pause})

with watchdog.Watchdog(limit_s={limit}, model_dir="runs/first") as dog:
    stand_still({times})
time.sleep({after})
"""


@pytest.mark.parametrize(
    ("limit", "times", "pause", "after", "code"),
    [
        (0.5, 0, 60, 0, host_failure.EXIT_CODE),
        (0.5, 12, 0, 0, 0),
        (0.5, 0, 0, 1, 0),
        (0, 0, 1, 0, 0),
    ],
    ids=[
        "a run that stands still",
        "one that goes on",
        "one that is over",
        "one that is not watched",
    ],
)
def test_only_a_run_that_stands_still_is_ended(limit, times, pause, after, code):
    program = PROGRAM.format(limit=limit, times=times, pause=pause, after=after)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("in stand_still" in done.stderr) == bool(code)
    assert ("a host hangs; all hosts stop, and the same command" in done.stderr) == bool(code)
