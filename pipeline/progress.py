"""Progress of a build, read from the files that workers write, so that it works on every runner.

Beam's metrics were rejected: the local runner blocks until it is done and has them only then.
Finished shards have a sidecar, and unfinished ones a progress file with their number of examples.
"""

import json
import threading
import types
from typing import NamedTuple

import rich.progress

from affectnet_tfds import dataset_paths
from pipeline.files import object_store, storage


class State(NamedTuple):
    """Progress of a build."""

    shards: int
    examples: int
    rejected: int


class Watch:
    """Reads the staging folder; sidecars of finished shards are read once."""

    def __init__(self, staging: storage.AnyPath) -> None:
        """Watch a staging folder."""
        self.staging = staging
        self._done: dict[str, tuple[int, int]] = {}  # shard → examples, rejects

    def state(self) -> State:
        """Return the progress of the build now."""
        beating = 0
        for path in self.staging.glob(f"{dataset_paths.DATASET_NAME}-*"):
            name = path.name.rsplit(".", 1)[0]
            if path.suffix == ".json" and name not in self._done:
                self._read_sidecar(path, name)
            elif path.suffix == ".progress" and name not in self._done:
                beating += _number(path)
        examples = sum(count for count, _ in self._done.values())
        return State(
            len(self._done), examples + beating, sum(count for _, count in self._done.values())
        )

    def _read_sidecar(self, path: storage.AnyPath, name: str) -> None:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            self._done[name] = (value["num_examples"], len(value["rejects"]))
        except (OSError, ValueError):
            return


def _number(path: storage.AnyPath) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


class Bar:
    """A context that shows one line: shards, crops, crops per second, time left, rejects."""

    def __init__(self, staging: storage.AnyPath, *, num_shards: int, num_examples: int) -> None:
        """Show progress towards these numbers of shards and examples."""
        self.watch, self.num_shards, self.num_examples = Watch(staging), num_shards, num_examples
        self.before = self.watch.state()  # of an earlier attempt
        self._stop = threading.Event()
        self._bar = rich.progress.Progress(
            "shards ",
            rich.progress.BarColumn(bar_width=24),
            "{task.fields[shards]}/{task.fields[num_shards]}  "
            "{task.completed:,.0f} of {task.total:,.0f} crops ",
            "{task.fields[rate]:,.0f}/s ",
            rich.progress.TimeRemainingColumn(),
            "left  rejected {task.fields[rejected]}",
        )

    def __enter__(self) -> "Bar":
        """Start to show."""
        self._bar.start()
        self._task = self._bar.add_task(
            "",
            total=self.num_examples,
            completed=self.before.examples,
            num_shards=self.num_shards,
            shards=self.before.shards,
            rate=0.0,
            rejected=0,
        )
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: types.TracebackType | None
    ) -> None:
        """Show the last state and stop."""
        self._stop.set()
        self._thread.join()
        self._show()
        self._bar.stop()

    def _poll(self) -> None:
        while not self._stop.wait(storage.poll_seconds(self.watch.staging)):
            self._show()

    def _show(self) -> None:
        try:
            now = self.watch.state()
        except object_store.Unreachable:
            return  # If it lasts, the workers end with that error.
        elapsed = self._bar.tasks[0].elapsed or 1.0
        planned = self.num_examples
        if now.shards == self.num_shards:
            planned = now.examples  # Rejected rows give no example.
        self._bar.update(
            self._task,
            total=planned,
            completed=min(now.examples, planned),
            shards=now.shards,
            rate=max(0, now.examples - self.before.examples) / elapsed,
            rejected=now.rejected,
        )
