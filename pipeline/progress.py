"""Progress of a build, read from the files that workers write, so that it works on every runner.

Beam's metrics were rejected: the local runner blocks until it is done and has them only then.
Finished shards have a sidecar, and unfinished ones a progress file with their number of examples.
"""

import threading
import time
import types
from typing import NamedTuple

from affectnet_tfds import dataset_paths
from pipeline.files import object_store, storage
from runtime import json_log, terminal, untrusted
from runtime.terminal import Part

_PLAIN_EVERY_S = 60.0
"""Seconds between two lines, or two events of --log_json, where no line can be replaced."""


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
            value = untrusted.json_object(untrusted.parse_json(storage.content(path)))
            self._done[name] = (value["num_examples"], len(value["rejects"]))
        except (OSError, ValueError, LookupError, TypeError):
            return  # The worker writes it anew.


def _number(path: storage.AnyPath) -> int:
    try:
        return int(storage.content(path))
    except (OSError, ValueError):
        return 0


class Bar:
    """A context that shows one line: shards, crops, crops per second, time left, rejects."""

    def __init__(self, staging: storage.AnyPath, *, num_shards: int, num_examples: int) -> None:
        """Show progress towards these numbers of shards and examples."""
        self.watch, self.num_shards, self.num_examples = Watch(staging), num_shards, num_examples
        self.before = self.watch.state()  # of an earlier attempt
        self._stop = threading.Event()
        self._line = terminal.ProgressLine(every_s=_PLAIN_EVERY_S)

    def __enter__(self) -> "Bar":
        """Start to show."""
        self._started_s = self._logged_at_s = time.monotonic()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: types.TracebackType | None
    ) -> None:
        """Show the last state and stop."""
        self._stop.set()
        self._thread.join()
        self._show(final=True)

    def _poll(self) -> None:
        while not self._stop.wait(storage.poll_seconds(self.watch.staging)):
            self._show(final=False)

    def _show(self, *, final: bool) -> None:
        try:
            now = self.watch.state()
        except object_store.Unreachable:
            self._line.close()
            return  # If it lasts, the workers end with that error.
        elapsed_s = time.monotonic() - self._started_s
        per_s = max(0, now.examples - self.before.examples) / max(elapsed_s, 1e-3)
        self._line.show(self._parts(now, per_s=per_s), final=final)
        if final or time.monotonic() - self._logged_at_s >= _PLAIN_EVERY_S:
            self._logged_at_s = time.monotonic()
            json_log.write("progress", **now._asdict(), examples_per_s=per_s)

    def _parts(self, now: State, *, per_s: float) -> list[Part]:
        # Rejected rows give no example.
        planned = now.examples if now.shards == self.num_shards else self.num_examples
        done = min(now.examples, planned)
        left = terminal.clock((planned - done) / per_s) if per_s else "-:--"
        return [
            Part("shards "),
            Part(f" {terminal.bar(done / max(planned, 1))}", rank=4),
            Part(f" {now.shards}/{self.num_shards}"),
            Part(f"  {done:,} of {planned:,} crops", rank=1),
            Part(f"  {per_s:,.0f}/s", rank=3),
            Part(f"  {left} left"),
            Part(f"  rejected {now.rejected}", rank=2),
        ]
