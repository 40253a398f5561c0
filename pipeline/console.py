"""Printed output of the job: contents of the release, plan, progress, account, next command."""

import collections
import contextlib
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

from affectnet_tfds import dataset_paths, invalid_example, labels
from pipeline import build, config, progress
from pipeline.files import object_store, storage
from pipeline.rows import survey
from pipeline.shards import plan
from pipeline.sources import base
from pipeline.sources.layouts import registry
from runtime import errors, installation, json_log, terminal, untrusted

_ACCOUNT = (
    ("read", "rows"),
    ("written", "written"),
    ("left_out", "left out"),
    ("other_class", "other class"),
    ("dropped", "dropped"),
    ("rejected", "rejected"),
    ("examples", "examples"),
)
"""Columns of the account: the field of a ledger's line, and its heading."""


def layouts() -> list[str]:
    """Return the names of the layouts."""
    return list(registry.LAYOUTS)


class Console:
    """A build.Listener that prints."""

    def __init__(self) -> None:
        """Print to standard output."""
        self.bar: progress.Bar | None = None

    def found(self, release: base.Release, surveyed: survey.Survey, job: config.JobConfig) -> None:
        """Print the contents of the annotations."""
        if drawn := registry.drawn_sample(storage.path(release.root)):
            seed = drawn.get("seed")
            self._say("data", f"DRAWN FACES, not AffectNet (seed {seed}): smoke test only")
        for table in release.tables:
            self._say(
                "release",
                f"{release.layout} layout, {table.path or 'all folders'}: "
                f"{_against_expected(table, surveyed, of=release.data)}",
            )
        for note in release.notes:
            self._say("", note)
        for number, kind in enumerate(release.passed_over):
            text = f"{kind.files:,} × {kind.kind} (such as {kind.example})"
            self._say("" if number else "passed over", text)
        for reason, count in build.ledger.Ledger((), tuple(surveyed.rejects)).reasons():
            self._say("rejected", f"{count:,} × {reason}")
        for reason, count in _by_reason(surveyed).items():
            self._say("dropped", f"{count:,} × {reason}")
        for fate, count in sorted(surveyed.listed.items()):
            if fate != survey.EXCLUDED:  # These are among the dropped ones.
                self._say("lists", f"{count:,} × {fate}")
        if again := surveyed.second_opinions:
            self._say(
                "several rows",
                f"{again:,} are about a face (image and box) that an earlier row is about, and say "
                "something else: --drop_duplicates takes the first",
            )
        if fallen := surveyed.boxes["landmarks"]:
            self._say("boxes", f"{fallen:,} rows without a box: crop from their landmarks")

    def planned(self, plans: Mapping[str, plan.SplitPlan], job: config.JobConfig) -> None:
        """Print what will be written."""
        crops = f"margin {job.margin_frac:g}" if job.like == "none" else f"crops like {job.like}"
        self._say(
            "plan",
            f"{job.config_name}: {job.classes} classes, {job.image_size} px, {crops}, "
            f"balance {job.balance}",
        )
        print(_plan_table(plans))
        size = plan.num_bytes(plans, image_size=job.image_size, encoding=job.encoding)
        json_log.write(
            "plan",
            config_name=job.config_name,
            splits={
                p.split: {"shards": p.num_shards, "examples": p.num_examples}
                for p in plans.values()
            },
        )
        files = " + ".join(f"{p.num_shards} {p.split}" for p in plans.values())
        self._say("", f"{files} shards, about {errors.size_text(size)} in all")

    def writing(
        self, staging: storage.AnyPath, plans: Mapping[str, plan.SplitPlan]
    ) -> contextlib.AbstractContextManager[object]:
        """Return the progress bar."""
        self.bar = progress.Bar(
            staging,
            num_shards=sum(p.num_shards for p in plans.values()),
            num_examples=sum(p.num_examples for p in plans.values()),
        )
        if self.bar.before.shards:
            self._say(
                "continuing",
                f"{self.bar.before.shards} of {self.bar.num_shards} shards are finished",
            )
        return self.bar

    def interrupted(self, *, exit_code: int) -> int:
        """Print that finished shards are kept; return the exit code."""
        json_log.write("stopped", level="warning", exit_code=exit_code)
        if self.bar:
            done = self.bar.watch.state().shards
            print(
                f"stopped: {done} of {self.bar.num_shards} shards are finished and kept. "
                "The same command continues."
            )
        else:
            print("stopped: nothing was written. The same command starts again.")
        return exit_code

    def finished(self, built: build.Build) -> None:
        """Print the account and the line that loads the result."""
        if built.version is None:
            self._say("dry run", "nothing was written")
            return
        if built.account:
            print(_account_table(built.account))
            self._print_account(built)
        else:
            self._say(
                "published",
                f"{built.version}: already there, made from the same input with the same flags",
            )
            if built.report["ledger"]["rejected"]:
                self._say(
                    "",
                    "images repaired since? --retry_rejects rebuilds the shards with rejects",
                )
        self._say("report", f"{built.version / 'report.html'}")
        if copy := _copy_command(built):
            page = installation.doc("scaling.md")
            self._say("copy it", f"{copy}   (TensorFlow cannot read such URLs: {page})")
        name = f"{dataset_paths.DATASET_NAME}/{built.config.config_name}"
        split = "split='train', as_supervised=True"
        self._say(
            "load it",
            f"tfds.load('{name}', {split}{_where(built)})",
        )

    def _print_account(self, built: build.Build) -> None:
        assert built.account and built.version
        size = sum(entry.stat().st_size for entry in storage.entries(built.version))
        json_log.write(
            "published",
            version=built.version,
            shards=len(built.report["shards"]),
            examples=built.account.num_examples,
            rejected=dict(built.account.reasons()),
            bytes=size,
            seconds=built.seconds,
        )
        self._say(
            "published",
            f"{built.version}   {len(built.report['shards'])} shards, "
            f"{built.account.num_examples:,} examples, {errors.size_text(size)}, "
            f"{built.seconds:.0f} s",
        )
        if rejects := built.account.reasons():
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejects)
            total = sum(count for _, count in rejects)
            self._say(
                "rejected",
                f"{total:,} of {built.account.num_rows:,} rows ({reasons}): rejects.csv names them",
            )
        ours = [r for r in built.account.rejects if r.reason == invalid_example.DEFECT]
        if ours:
            self._say(
                "defects",
                f"{len(ours):,} of these rows were rejected by an error of this program, not of "
                f"the data, such as {ours[0].source}: {ours[0].detail}",
            )
        if across := built.report["identical_files"]["across_splits"]:
            self._say(
                "leaks",
                f"{_images(across)} in train and in validation: build_report.json names them",
            )
        if not_aligned := built.report["rows_not_aligned"]:
            self._say(
                "not aligned",
                f"{not_aligned:,} rows without usable landmarks: cropped by their box",
            )
        if across := built.report["identical_files"]["across_subsets"]:
            self._say(
                "duplicates",
                f"{_images(across)} in both subsets: build_report.json names them",
            )
        if within := built.report["identical_files"]["within_split"]:
            self._say(
                "duplicates",
                f"{_images(within)} in a split more than once: build_report.json names them",
            )

        is_dropped = bool(built.report.get("dropped_as_near_duplicate_of"))
        self._print_near_duplicates(built.report["duplicates"], is_dropped=is_dropped)

    def _print_near_duplicates(self, found: Mapping[str, Any], *, is_dropped: bool) -> None:
        """Print how many groups of near duplicates there are, and what was not looked at."""
        near = found["near_duplicates"]
        if total := len({tuple(group) for groups in near.values() for group in groups}):
            across = len(near["across_splits"])
            stays = ", of each of which one was kept" if is_dropped else ""
            self._say(
                "near copies",
                f"{_number(total, 'picture is', 'pictures are')} there in several versions "
                f"(resized, cropped, mirrored), {across:,} of them in train and in validation"
                f"{stays}: duplicates.csv names them",
            )
        if disagreeing := len(found["labels_disagree"]):
            self._say(
                "labels",
                f"{_number(disagreeing, 'group of copies has', 'groups of copies have')} several "
                "labels: duplicates.csv names them",
            )
        if left_out := found["not_looked_at"]:
            self._say(
                "not looked at",
                f"{_number(left_out, 'row', 'rows')} that balancing left out: --scan=all compares "
                "them too",
            )

    def _say(self, what: str, text: str) -> None:
        print(f"{what:<13} {untrusted.printable(text)}", flush=True)


def _images(groups: Sized) -> str:
    return _number(len(groups), "image is", "images are")


def _number(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def _where(built: build.Build) -> str:
    assert built.version
    folder = built.version.parent.parent.parent
    if _copy_command(built):
        return ", data_dir='data'"
    return (
        ""
        if folder == Path(dataset_paths.DEFAULT_DATA_DIR).expanduser()
        else f", data_dir='{folder}'"
    )


def _copy_command(built: build.Build) -> str:
    """Return the command that copies a build to a disk; "" where TensorFlow can read it."""
    if not isinstance(built.version, object_store.RemotePath) or built.version.store.startswith(
        "gs://"
    ):
        return ""
    name = dataset_paths.DATASET_NAME
    source = built.version.parent.parent
    return f"python -c \"from pyarrow import fs; fs.copy_files('{source}', 'data/{name}')\""


def _against_expected(table: base.Table, surveyed: survey.Survey, *, of: str) -> str:
    counted: list[tuple[str, str, int]] = [
        (split, subset, n) for (split, subset, _), n in surveyed.counts.items()
    ]
    counted += [(split, subset, n) for (split, subset, _, _), n in surveyed.dropped.items()]
    counted += [(reject.split, reject.subset, 1) for reject in surveyed.rejects]
    count = sum(
        n for split, subset, n in counted if subset == table.subset and table.split in ("", split)
    )
    if not table.expected:
        return f"{count:,} rows"
    if count in table.expected:
        return f"{count:,} rows, as expected"
    return f"{count:,} rows ({of} has {table.expected[0]:,}: this is a part of it)"


def _by_reason(surveyed: survey.Survey) -> collections.Counter[str]:
    counts: collections.Counter[str] = collections.Counter()
    for (_, _, _, reason), count in surveyed.dropped.items():
        counts[reason] += count
    return counts


def _plan_table(plans: Mapping[str, plan.SplitPlan]) -> str:
    rows = [["class", "rows", "kept", "copies", *(f"in {split}" for split in plans)]]
    train = plans["train"]
    for label in sorted({label for p in plans.values() for label in p.counts}):
        kept, target = train.kept(label), train.targets.get(label, 0)
        low, high = (target // kept, -(-target // kept)) if kept else (0, 0)
        copies = str(low) if low == high else f"{low}-{high}"
        made = [f"{p.targets.get(label, 0):,}" for p in plans.values()]
        counts = [f"{train.counts.get(label, 0):,}", f"{kept:,}"]
        rows.append([labels.EXPRESSIONS[label], *counts, copies, *made])
    return terminal.table(rows, left={"class"})


def _account_table(account: build.ledger.Ledger) -> str:
    header = ["split", "class", *(name for _, name in _ACCOUNT)]
    rows = [
        [line.split, line.name, *(f"{getattr(line, field):,}" for field, _ in _ACCOUNT)]
        for line in account.lines
    ]
    totals = [sum(getattr(line, field) for line in account.lines) for field, _ in _ACCOUNT]
    rows.append(["all", "", *(f"{total:,}" for total in totals)])
    return terminal.table([header, *rows], left={"split", "class"})
