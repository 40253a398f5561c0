"""Checkpoints under many faults: flipped bits, cuts, and SIGKILL at every file operation."""

import random
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.trainer.run import test_checkpoint_damage as damage
from trainer.run import checkpoint

pytestmark = pytest.mark.faults

FLIPS = 6000
SEED = 7

SAVING = """
import os, pathlib, signal, sys
import numpy as np
from trainer.run import checkpoint

folder, kill_at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
operations = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate")
count = 0

def kill(event, arguments):
    global count
    if event in operations and arguments and str(folder) in str(arguments[0]):
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
for step in (3, 4):
    arrays = {"weight": np.full(50, step, np.float32)}
    checkpoint.save_step(folder, step=step, arrays=arrays, facts={"step": step})
    checkpoint.keep_best(folder, step=step)
"""


def test_no_flip_and_no_cut_is_read_as_something_else(tmp_path):
    path = tmp_path / "step-000000009.npz"
    whole = damage.written(path)
    bits = random.Random(SEED).sample(range(8 * len(whole)), k=FLIPS)
    noticed = 0
    for bit in bits:
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        noticed += not damage.reads_as_written(bytes(content), path=path)
    cuts = range(0, len(whole), 7)
    assert not any(damage.reads_as_written(whole[:end], path=path) for end in cuts)
    print(f"{FLIPS} flips, {noticed} noticed, the others without effect; {len(cuts)} cuts")


def test_killed_at_any_file_operation_a_whole_checkpoint_is_left(tmp_path):
    for kill_at in range(1, 60):
        folder = tmp_path / str(kill_at)
        for step in (1, 2):
            arrays = {"weight": np.full(50, step, np.float32)}
            folder.mkdir(exist_ok=True)
            checkpoint.save_step(folder, step=step, arrays=arrays, facts={"step": step})
        checkpoint.keep_best(folder, step=1)
        done = subprocess.run(
            [sys.executable, "-c", SAVING, str(folder), str(kill_at)], check=False
        )
        arrays, facts = checkpoint.load_newest(folder)
        assert facts["step"] >= 2 and (arrays["weight"] == facts["step"]).all()
        assert not list(folder.glob("*.damaged*"))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    print(f"{kill_at - 1} kills")
    assert kill_at > 10
