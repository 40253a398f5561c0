"""Program: builds on a disk that is full at a random size, then on the same disk with room.

Run in a mount namespace of its own, as root: `unshare --mount python -m tests.faults.full_disk 30`.
It prints, of each build that did not fit, the sentence that ended it.
"""

import pathlib
import random
import subprocess
import sys
import tempfile

from pipeline import config
from runtime import errors, program
from tests.faults import test_input_that_vanishes as vanishing
from tests.pipeline import conftest, test_main

LARGEST_KB = 330
"""A disk of this size has room for the whole build."""


def main(count: int) -> None:
    """Fill so many disks; fail where one loses anything, or ends a build without a sentence."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        conftest.write_small_release(folder / "in")
        whole = vanishing.everything(test_main.run(asked(folder, folder / "whole")))
        disk = folder / "disk"
        disk.mkdir()
        full = 0
        while full < count:
            size_kb = chance.randrange(4, LARGEST_KB)
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(disk)]
            subprocess.run(mount, check=True)
            if sentence := fill(asked(folder, disk)):
                full += 1
                print(f"{size_kb} kB: {sentence}", flush=True)
            subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
            assert vanishing.everything(test_main.run(asked(folder, disk))) == whole
            subprocess.run(["umount", str(disk)], check=True)


def asked(folder: pathlib.Path, data_dir: pathlib.Path) -> config.JobConfig:
    """Return the build that is asked for."""
    return config.JobConfig(
        input_dir=str(folder / "in"),
        data_dir=str(data_dir),
        config_name="tiny",
        image_size=32,
        balance=vanishing.BALANCE,
        num_shards=6,
        num_workers=1,
    )


def fill(wanted: config.JobConfig) -> str:
    """Build, and return the sentence where the disk was full; "" where it was not."""
    try:
        test_main.run(wanted)
    except Exception as error:
        sentence = str(program.refusal_for(error))
        assert isinstance(error, errors.FullDiskError), repr(error)
        assert f"{wanted.data_dir}/affectnet_faces/" in sentence
        assert "no space left on the device (" in sentence
        left = [path.name for path in pathlib.Path(wanted.data_dir).rglob("*")]
        assert not [name for name in left if name.startswith("incomplete") or ".lock" in name], left
        return sentence
    return ""


if __name__ == "__main__":
    main(int(sys.argv[1]))
