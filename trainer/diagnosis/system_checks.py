"""System checks: free disk space, shared memory, limit of open files."""

import pathlib
import resource
import shutil
from collections.abc import Iterator

from trainer.diagnosis.check import Check, Level, good

SHM = pathlib.Path("/dev/shm")
_GB = 1e9
_DISK_GB = {Level.BAD: 1, Level.DOUBTFUL: 20}
"""A run is some hundred MB; AffectNet's shards of 224 px are 4 GB, a disk cache is up to 43 GB."""
_SHM_GB = 1
"""What NCCL takes is less; containers get 64 MB, in which it fails."""
_OPEN_FILES = 1024


def checks(*, data_dir: pathlib.Path, num_gpus: int) -> Iterator[Check]:
    """Yield the checks of the disks of the data and of this folder, shared memory and limits."""
    yield disk("disk (data)", folder=data_dir, advice="another disk: --data_dir")
    yield disk("disk (here)", folder=pathlib.Path.cwd(), advice="another disk: --model_dir")
    if SHM.exists():
        yield shared_memory(shutil.disk_usage(SHM).total, num_gpus=num_gpus)
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def disk(name: str, *, folder: pathlib.Path, advice: str) -> Check:
    """Check the free space of the disk that holds a folder, or will hold it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / _GB
    finding = f"{free:,.0f} GB free in {folder}"
    for level, least in _DISK_GB.items():
        if free < least:
            return Check(name, level, finding, f"free some, or use {advice}")
    return good(name, finding)


def shared_memory(total_bytes: int, *, num_gpus: int) -> Check:
    """Check /dev/shm, through which NCCL passes gradients between the GPUs of a machine."""
    finding = f"{total_bytes / _GB:,.1f} GB"
    if num_gpus > 1 and total_bytes < _SHM_GB * _GB:
        advice = "start the container with --shm-size=8g: NCCL passes gradients through it"
        return Check("/dev/shm", Level.DOUBTFUL, finding, advice)
    return good("/dev/shm", finding)


def open_files(limit: int) -> Check:
    """Check how many files a process may have open: shards are."""
    if limit == resource.RLIM_INFINITY:
        return good("open files", "no limit")
    if limit < _OPEN_FILES:
        return Check(
            "open files", Level.DOUBTFUL, f"{limit:,} at most", f"ulimit -n {4 * _OPEN_FILES}"
        )
    return good("open files", f"{limit:,} at most")
