"""Kills on an engine: builds a release on Flink while its processes are killed, and lists them.

python -m benchmarks.kills --input_dir=AFFECTNET --work_dir=FOLDER kills TaskManagers, Python
workers, the JobManager and the submitting program (kill -9) at moments that `--seed` decides. A
process of the cluster is started again, as a supervisor would; a build that ended is continued by
the same command. Each build is compared with one that nobody disturbed, and FOLDER/kills.csv and
kills.md say of every kill what happened.
"""

import contextlib
import csv
import dataclasses
import fnmatch
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psutil
from absl import flags

from benchmarks import command_line, engine, releases
from deploy import cluster_processes, java_cluster
from deploy.flink import cluster
from runtime import errors

INPUT_DIR = flags.DEFINE_list("input_dir", None, "releases in the 2017 layout", required=True)
WORK_DIR = flags.DEFINE_string("work_dir", None, "folder on the same disk", required=True)
NUM_IMAGES = flags.DEFINE_integer("num_images", 100_000, "number of images to repeat them to", 1)
KILLS = flags.DEFINE_integer("kills", 50, "number of kills, over as many builds as it takes", 1)
SEED = flags.DEFINE_integer("seed", 0, "decides targets and moments")
GAP_S = flags.DEFINE_list("gap_s", ["3", "30"], "least and most seconds from one kill to the next")
HANG_S = flags.DEFINE_integer(
    "hang_s", 300, "seconds without a new file after which a build hangs", 1
)

command_line.range_of_seconds(GAP_S)

TARGETS = ("taskmanager", "worker", "jobmanager", "submitter")

_SETTLE_S = 20
"""Seconds that processes have to end after a build: Flink keeps workers for 10."""

_MOST_ATTEMPTS = 40


@dataclasses.dataclass
class Kill:
    """One kill, and what came of it."""

    number: int
    seed: int
    build: int
    target: str
    second: float  # since the command was started
    shards: int  # that were finished then
    happened: str = ""
    same_bytes: str = ""
    stray_files: str = ""
    processes_left: int = 0


class Disturbed:
    """A build during which processes are killed."""

    def __init__(self, number: int, work: Path, flags_: Sequence[str], rest_port: int) -> None:
        """Start nothing yet."""
        self.number = number
        self.work = work
        self.data = work / "data"  # The same for all: a version names its folder.
        self.rest_port = rest_port
        self.kills: list[Kill] = []
        self._command = [*build_command(work, self.data), *flags_]
        self._failures = 0
        self._log = work / f"build-{number}.log"

    def __enter__(self) -> "Disturbed":
        """Return the build."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the command, which goes on where Ctrl-C or SIGTERM ended the block."""
        self.process.terminate()
        self.process.wait()

    @property
    def cluster(self) -> Path:
        """Folder of the cluster."""
        return self.work / "cluster"

    def start(self) -> None:
        """Start the command, or continue by it."""
        self._failures = self._failures_seen()
        self.began = time.monotonic()
        self._size = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self, target: str, *, number: int, draw: random.Random) -> bool:
        """Kill a process of a kind with SIGKILL; return whether there was one."""
        name, pid = self._of_kind(target, draw)
        if not pid:
            return False
        self.settle("went on to the next kill")
        seconds = round(time.monotonic() - self.began, 1)
        os.kill(pid, signal.SIGKILL)
        shards = sum(fnmatch.fnmatch(path.name, "*.tfrecord-*.json") for path in _paths(self.data))
        self.kills.append(Kill(number, SEED.value, self.number, name, seconds, shards))
        where = f"build {self.number}, second {seconds}, {shards} shards finished"
        print(f"kill {number}: {name}, {where}", flush=True)
        if name in cluster.PROCESSES:
            cluster_processes.start_again(self.cluster, name)
        return True

    def _of_kind(self, target: str, draw: random.Random) -> tuple[str, int]:
        if target == "submitter":
            return target, self.process.pid if self.process.poll() is None else 0
        pids = cluster_processes.running(self.cluster)
        if target == "worker":
            workers = _workers(pids.values())
            return target, draw.choice(workers) if workers else 0
        names = sorted(name for name in pids if name.startswith(target))
        name = draw.choice(names) if names else target
        return name, pids.get(name, 0)

    def settle(self, how: str) -> None:
        """Say of the last kill what happened, unless that is said."""
        if not self.kills or self.kills[-1].happened:
            return
        failures = self._failures_seen()
        if failures > self._failures:
            how += "; Flink ran the job again" if how.startswith("went on") else "; its job failed"
        self._failures = failures
        self.kills[-1].happened = how

    def _failures_seen(self) -> int:
        """Return how many failures Flink has in the histories of its jobs; 0: nobody answers."""
        with contextlib.suppress(OSError, ValueError):
            jobs = engine.ask(self.rest_port, "jobs")["jobs"]
            found = (engine.ask(self.rest_port, f"jobs/{job['id']}/exceptions") for job in jobs)
            return sum(len(each["exceptionHistory"]["entries"]) for each in found)
        return 0

    def end(self, exit_code: int) -> str:
        """Describe the end of the command."""
        if not exit_code:
            return "went on to the end"
        if exit_code == -signal.SIGKILL:
            return "the same command continued"
        return f"exit code {exit_code}: {self.last_line()}; the same command continued"

    def last_line(self) -> str:
        """Return the last line that the command printed since it was started."""
        with self._log.open("rb") as log:
            log.seek(self._size)
            lines = log.read().decode(errors="replace").replace("\r", "\n").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        refusals = [line for line in said if line.startswith("error:")]
        return (refusals or said or ["nothing"])[-1][:200]


def build_command(work: Path, data: Path) -> list[str]:
    """Return the command of a build."""
    given = [f"--input_dir={work / 'release'}", f"--data_dir={data}"]
    given += ["--balance=none", "--config_name=benchmark"]
    return [sys.executable, "-m", "pipeline.main", *given]


def disturb(build: Disturbed, targets: Iterator[str], draw: random.Random, *, first: int) -> None:
    """Run a build to its end, killing processes meanwhile."""
    at_most = KILLS.value - first
    least, most = map(float, GAP_S.value)
    target, moment = next(targets), time.monotonic() + draw.uniform(least, most)
    build.start()
    attempts = 1
    seen, seen_at = (0, 0.0), time.monotonic()
    while True:
        time.sleep(0.1)
        if (exit_code := build.process.poll()) is not None:
            build.settle(build.end(exit_code))
            if not exit_code or attempts == _MOST_ATTEMPTS:
                return
            attempts += 1
            _wait_for_cluster(build)
            build.start()
            moment = time.monotonic() + draw.uniform(least, most)
        is_due = len(build.kills) < at_most and time.monotonic() >= moment
        if is_due and build.kill(target, number=first + len(build.kills) + 1, draw=draw):
            target, moment = next(targets), time.monotonic() + draw.uniform(least, most)
        if (now := _newest(build.data)) != seen:
            seen, seen_at = now, time.monotonic()
        elif time.monotonic() - seen_at > HANG_S.value:
            build.settle(f"HANGS: {build.last_line()}")
            build.process.kill()
            seen_at = time.monotonic()


def _paths(folder: Path) -> list[Path]:
    """Return all files and folders below a folder, of which some may be gone meanwhile.

    Path.rglob ends with an error where a folder is published (renamed) while it is listed.
    """
    return [
        Path(parent, name)
        for parent, folders, files in os.walk(folder)
        for name in (*folders, *files)
    ]


def _newest(data: Path) -> tuple[int, float]:
    """Return what changes while a build goes on: its number of files, and the latest change."""
    times = []
    for path in _paths(data):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.lstat().st_mtime)
    return len(times), max(times, default=0.0)


def _wait_for_cluster(build: Disturbed) -> None:
    """Wait until a JobManager has TaskManagers again, as who starts a cluster does."""
    for name in set(cluster.PROCESSES) - cluster_processes.running(build.cluster).keys():
        cluster_processes.start_again(build.cluster, name)
    deadline = time.monotonic() + java_cluster.START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if cluster.overview(build.rest_port)["taskmanagers"] == 2:
                return
        time.sleep(0.5)


def _workers(servers: Iterable[int]) -> list[int]:
    """Return the Python workers that Flink has started."""
    found = []
    for pid in servers:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(pid).children(recursive=True):
                if "pipeline.worker" in child.cmdline():
                    found.append(child.pid)
    return sorted(found)


def left(work: Path, cluster_pids: Sequence[int]) -> list[int]:
    """Return the processes of these builds that nothing keeps: not this one's, nor Flink's."""
    kept = {os.getpid(), *cluster_pids}
    for pid in cluster_pids:
        with contextlib.suppress(psutil.Error):
            kept |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_ours = process.environ().get("TMPDIR") == str(work / "tmp")
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if is_ours and is_alive and process.pid not in kept:
                found.append(process.pid)
    return found


def wait_for_none_left(work: Path, cluster_pids: Sequence[int]) -> int:
    """Return how many processes are left when they had time to end."""
    deadline = time.monotonic() + _SETTLE_S
    while (found := left(work, cluster_pids)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return len(found)


def digests(folder: Path) -> dict[str, str]:
    """Return the checksum of every file below a folder, by its path there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes())
            found[str(path.relative_to(folder))] = digest.hexdigest()
    return found


def judge(build: Disturbed, reference: dict[str, str]) -> None:
    """Say of every kill of a build how the build differs from the undisturbed one."""
    found = digests(build.data)
    wrong = [name for name, digest in reference.items() if found.get(name) != digest]
    stray = sorted(found.keys() - reference.keys())
    temporary = sorted(path.name for path in (build.work / "tmp").iterdir())
    processes = wait_for_none_left(
        build.work, list(cluster_processes.running(build.cluster).values())
    )
    for kill in build.kills:
        kill.same_bytes = f"{len(wrong)} differ: {wrong[0]}" if wrong else "yes"
        kill.stray_files = " ".join(stray) or "none"
        if temporary:
            kill.stray_files += f"; {len(temporary)} of temporary files"
        kill.processes_left = processes
    if wrong or stray:
        build.data.rename(build.work / f"build-{build.number}")
    else:
        shutil.rmtree(build.data)


def write_list(kills: Sequence[Kill], work: Path) -> None:
    """Write the list of kills as CSV and as a Markdown table."""
    names = [field.name for field in dataclasses.fields(Kill)]
    rows = [[str(value) for value in dataclasses.astuple(kill)] for kill in kills]
    with (work / "kills.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    lines = [
        names,
        ["---"] * len(names),
        *([cell.replace("|", "/") for cell in row] for row in rows),
    ]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    (work / "kills.md").write_text(table, encoding="utf-8")


def _targets(draw: random.Random) -> Iterator[str]:
    """Yield targets at random, each as often as the others."""
    while True:
        yield from draw.sample(TARGETS, len(TARGETS))


def main(argv: Sequence[str]) -> None:
    """Build, kill, compare, and write the list."""
    work = Path(WORK_DIR.value).absolute()
    if work.exists() and any(work.iterdir()):
        raise errors.UserError(f"--work_dir must be new or empty: {work} has files; name another")
    (work / "tmp").mkdir(parents=True)
    os.environ["TMPDIR"] = str(work / "tmp")  # By it, processes are known as ours.
    releases.repeated([Path(root) for root in INPUT_DIR.value], NUM_IMAGES.value, work / "release")
    start = time.monotonic()
    subprocess.run(build_command(work, work / "data"), check=True, stdout=subprocess.DEVNULL)
    print(f"reference, local: {time.monotonic() - start:.0f} s", flush=True)
    reference = digests(work / "data")
    shutil.rmtree(work / "data")
    draw = random.Random(SEED.value)
    kills: list[Kill] = []
    targets = _targets(draw)
    with engine.running("flink", work / "cluster") as where:
        number = 0
        while len(kills) < KILLS.value:
            number += 1
            build = Disturbed(number, work, where.flags, where.rest_port)
            start = time.monotonic()
            with build:
                disturb(build, targets, draw, first=len(kills))
            judge(build, reference)
            kills += build.kills
            write_list(kills, work)
            print(f"build {number}: {time.monotonic() - start:.0f} s", flush=True)
    print(f"{len(kills)} kills in {number} builds; {wait_for_none_left(work, [])} processes left")
    print((work / "kills.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    command_line.run(main)
