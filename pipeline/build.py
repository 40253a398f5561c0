"""Build of a data set: from a release on disk to a published version.

Owns the order of the stages and the refusals between them. The program (main.py) and the TFDS
builder both call `build`; neither Beam nor TFDS is visible to them.
"""

import dataclasses
import errno
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from affectnet_tfds import dataset_paths
from pipeline import config, ledger, publish, write_shards
from pipeline.beam import find_duplicates, pipelines
from pipeline.beam import runner as runner_lib
from pipeline.data_report import build_files
from pipeline.files import atomic, lock, output_disk, storage
from pipeline.rows import row_lists, survey
from pipeline.shards import near_duplicates_in_shards, plan, shard_writer, write_lease
from pipeline.sources import base
from pipeline.sources.layouts import registry
from runtime import errors, untrusted


class Listener(Protocol):
    """Receives the events of a build; console.Console prints them."""

    def found(
        self, release: base.Release, surveyed: survey.Survey, config: config.JobConfig
    ) -> None:
        """Report the contents of the annotations."""

    def planned(self, plans: Mapping[str, plan.SplitPlan], config: config.JobConfig) -> None:
        """Report what will be written."""

    def writing(self, staging: storage.AnyPath, plans: Mapping[str, plan.SplitPlan]) -> Any:
        """Return a context in which shards are written."""


class Build(NamedTuple):
    """A finished build."""

    version: storage.AnyPath | None  # None: a dry run
    config: config.JobConfig
    account: ledger.Ledger | None
    report: dict[str, Any]
    seconds: float
    was_there: bool = False  # nothing had to be made


def build(wanted: config.JobConfig, *, listener: Listener, beam_args: Sequence[str] = ()) -> Build:
    """Build what the configuration asks for, continuing an earlier attempt.

    Raises:
      errors.UserError: if the input, the flags or the state of the disk do not allow it.
    """
    start = time.monotonic()
    order = _take(wanted, beam_args)
    is_mended = not order.config.dry_run and publish.is_whole(order.config)
    if is_mended and (done := _published(order)):
        return done
    staging = _staging_folder(order)
    with lock.held(
        publish.version_folder(order.config),
        lock=staging.with_name(f"{staging.name}.lock"),
        way_out="give this build a name of its own (--config_name)",
    ):
        return _build(order, staging, listener, start=start)


def _build(order: "_Order", staging: storage.AnyPath, listener: Listener, *, start: float) -> Build:
    """Build, under the lock."""
    if not order.config.dry_run:
        publish.mend(order.config)
        if done := _published(order):
            return done
    _open_staging(order, staging)
    # Before the annotations are read, which this process does while the workers import Beam.
    with order.runner.workers_ahead(are_needed=not order.config.dry_run):
        return _made(order, staging, listener, start=start)


def _made(order: "_Order", staging: storage.AnyPath, listener: Listener, *, start: float) -> Build:
    """Plan, write and publish, in a staging folder that is open."""
    try:
        with output_disk.explained(staging, needed_bytes=order.release.num_bytes()):
            planned = _planned(order, staging, listener)
    finally:
        if order.config.dry_run:
            atomic.remove_tree(staging)
    if order.config.dry_run:
        return Build(None, order.config, None, {}, time.monotonic() - start)
    wanted = order.config
    size = plan.num_bytes(planned.plans, image_size=wanted.image_size, encoding=wanted.encoding)
    with output_disk.explained(staging, needed_bytes=size, is_counted=dataset_paths.is_shard_name):
        return _written(order, staging, listener, planned=planned, start=start)


def _written(
    order: "_Order",
    staging: storage.AnyPath,
    listener: Listener,
    *,
    planned: "_Planned",
    start: float,
) -> Build:
    """Write the shards that are not finished, and publish."""
    surveyed, plans, scanned = planned
    with (
        write_shards.without_leftovers(staging),
        listener.writing(staging, plans),
        write_lease.opened(staging) as attempt,
    ):
        spec = shard_writer.Spec(
            root=order.release.root,
            staging=str(staging),
            settings=order.config.example_settings(),
            seed=order.config.seed,
            content=order.config.content(),
            attempt=attempt,
            folders=order.release.folders,
            follow_links=order.config.follow_links,
        )
        written = write_shards.write(
            order.release,
            plans=plans,
            spec=spec,
            drop_duplicates=bool(order.config.drop_duplicates),
            options=order.runner,
        )
    duplicates = scanned or written.near
    account = ledger.make(surveyed, plans, written.sidecars)
    check_rejects(account.rejects, num_rows=account.num_rows, limit=order.config.max_reject_frac)
    report = {
        **_report(order, surveyed, written, account),
        "duplicates": _duplicates(duplicates, account, is_all=scanned is not None),
    }
    version = publish.publish(
        order.config,
        account=account,
        sidecars=written.sidecars,
        report=report,
        duplicates=duplicates,
    )
    return Build(version, order.config, account, report, time.monotonic() - start)


class _Planned(NamedTuple):
    """What is known before shards are written."""

    surveyed: survey.Survey
    plans: dict[str, plan.SplitPlan]
    scanned: near_duplicates_in_shards.Found | None  # None: only what is written is looked at


def _planned(order: "_Order", staging: storage.AnyPath, listener: Listener) -> _Planned:
    """Survey the release, and plan what will be written of it.

    Raises:
      errors.UserError: if too many rows are rejected, or none of train is left.
    """
    surveyed, scanned = _survey(order, staging)
    listener.found(order.release, surveyed, order.config)
    check_rejects(surveyed.rejects, num_rows=surveyed.num_rows, limit=order.config.max_reject_frac)
    wanted = order.config
    plans = plan.make(
        _planned_counts(surveyed, wanted.classes),
        balance=wanted.balance,
        max_copies=wanted.max_copies,
        image_size=wanted.image_size,
        encoding=wanted.encoding,
        num_shards=wanted.num_shards,
    )
    if "train" not in plans:
        raise errors.UserError(
            f"{order.release.root} has no usable training row: {_worst(surveyed.rejects)}"
        )
    if wanted.validation_frac and "validation" not in plans:
        raise errors.UserError(
            f"--validation_frac={wanted.validation_frac:g} leaves validation without an image: "
            f"{order.release.root} has too few; choose a larger one"
        )
    listener.planned(plans, order.config)
    return _Planned(surveyed, plans, scanned)


class _Order(NamedTuple):
    """What is to be built, from what, where it runs."""

    config: config.JobConfig
    release: base.Release
    drawn: bool
    made_from: dict[str, Any]
    runner: runner_lib.Runner
    lists: row_lists.RowLists


def _take(wanted: config.JobConfig, beam_args: Sequence[str]) -> _Order:
    """Find the release, and derive from it the name and the settings that depend on it."""
    root = storage.absolute(storage.path(wanted.input_dir))
    drawn = registry.drawn_sample(root) is not None
    release = registry.recognise(root, request(wanted))
    if wanted.validation_frac:
        check_has_no_validation(release)
    lists = row_lists.read(exclude=wanted.exclude, relabel=wanted.relabel)
    named = config.named(
        dataclasses.replace(
            wanted,
            soft_labels=release.has_soft_labels,
            exclude_sha256=lists.exclude.sha256 if lists.exclude else "",
            relabel_sha256=lists.relabel.sha256 if lists.relabel else "",
        ),
        drawn=drawn,
        data=release.layout if release.layout in registry.OTHERS else "",
    )
    settled = dataclasses.replace(named, data_dir=str(storage.path(wanted.data_dir)))
    runner = runner_lib.Runner(num_workers=settled.num_workers, beam_args=beam_args)
    return _Order(settled, release, drawn, identity(settled, release), runner, lists)


def check_has_no_validation(release: base.Release) -> None:
    """Refuse --validation_frac where there is a validation split already.

    Raises:
      errors.UserError: if so.
    """
    if "validation" in registry.splits(release):
        raise errors.UserError(
            "--validation_frac makes validation of train, for data that have none: "
            f"{release.root} has a validation split; leave the flag out"
        )


def request(wanted: config.JobConfig) -> base.Request:
    """Return the flags that describe the input."""
    same = {name: getattr(wanted, name) for name in base.Request._fields if name != "subsets"}
    return base.Request(**same, subsets=config.SUBSET_CHOICES[wanted.subsets])


def _survey(
    order: _Order, staging: storage.AnyPath
) -> tuple[survey.Survey, near_duplicates_in_shards.Found | None]:
    """Count the rows, and find the identical files that are to be dropped."""
    found = pipelines.run_survey(
        order.release,
        clean=order.config.clean,
        seed=order.config.seed,
        holdout=registry.holdout(
            order.release,
            frac=order.config.validation_frac,
            fold=order.config.validation_fold,
            seed=order.config.seed,
        ),
        drop_duplicates=bool(order.config.drop_duplicates),
        lists=order.lists,
        staging=staging,
        options=order.runner,
    )
    row_lists.check_found(order.lists, surveyed=found)
    row_lists.count_lines_without_row(order.lists, surveyed=found)
    if order.config.dry_run:
        return found, None
    if order.config.scans_all:
        return _scan(order, staging, surveyed=found)
    if not order.config.drop_duplicates:
        return found, None
    unique = pipelines.run_duplicates(
        _images(order, staging),
        surveyed=found,
        buckets=order.release.num_buckets(),
        options=order.runner,
    )
    return unique, None


def _images(order: _Order, staging: storage.AnyPath) -> find_duplicates.Scan:
    """Return which images are read for what is decided or reported before balancing."""
    return find_duplicates.Scan(
        root=order.release.root,
        staging=str(staging),
        classes=order.config.classes,
        settings=order.config.example_settings(),
        folders=order.release.folders,
        follow_links=order.config.follow_links,
    )


def _scan(
    order: _Order, staging: storage.AnyPath, *, surveyed: survey.Survey
) -> tuple[survey.Survey, near_duplicates_in_shards.Found]:
    """Compare the images of all rows, and drop of them what is asked for."""
    buckets = order.release.num_buckets()
    scanned = pipelines.run_scan(_images(order, staging), buckets=buckets, options=order.runner)
    if not order.config.drop_duplicates:
        return surveyed, scanned.found
    unique = pipelines.drop_scanned(
        scanned,
        surveyed=surveyed,
        near=order.config.drop_duplicates == config.NEAR,
        staging=staging,
        buckets=buckets,
    )
    return unique, scanned.found


def _report(
    order: _Order, surveyed: survey.Survey, written: write_shards.Written, account: ledger.Ledger
) -> dict[str, Any]:
    """Return the content of build_report.json."""
    return {
        "data": "drawn faces, not AffectNet" if order.drawn else order.release.data,
        "made_from": order.made_from,
        "layout": order.release.layout,
        "ledger": account.to_json(),
        "boxes": dict(surveyed.boxes),
        "rows_without_landmarks": surveyed.without_landmarks,
        "rows_not_aligned": sum(done["not_aligned"] for done in written.sidecars)
        if order.config.align
        else None,
        "dropped": [
            {"split": split, "subset": subset, "label": label, "reason": reason, "rows": rows}
            for (split, subset, label, reason), rows in sorted(surveyed.dropped.items())
        ],
        "dropped_as_identical_to": {
            untrusted.readable(source): untrusted.readable(kept)
            for source, kept in sorted(surveyed.duplicates.items())
        },
        **_dropped_as_near(surveyed),
        **_passed_over(order.release),
        **({"listed": dict(sorted(surveyed.listed.items()))} if order.lists else {}),
        "identical_files": written.leaks.to_json(),
        "shards": publish.shard_report(written.sidecars),
    }


def _dropped_as_near(surveyed: survey.Survey) -> dict[str, Any]:
    """Return the entry about near duplicates that were dropped; none where none were."""
    if not surveyed.near_duplicates:
        return {}
    return {
        "dropped_as_near_duplicate_of": {
            untrusted.readable(source): untrusted.readable(kept)
            for source, kept in sorted(surveyed.near_duplicates.items())
        }
    }


def _duplicates(
    found: near_duplicates_in_shards.Found, account: ledger.Ledger, *, is_all: bool
) -> dict[str, Any]:
    """Return the entry about images that show one picture, and about rows not looked at."""
    left_out = 0 if is_all else sum(line.left_out for line in account.lines)
    scan = "all" if is_all else "written"
    return {"scan": scan, "not_looked_at": left_out, **found.to_json()}


def _passed_over(release: base.Release) -> dict[str, Any]:
    """Return the entry about files that no row is about; none where there are no such files."""
    if not release.passed_over:
        return {}
    return {"passed_over": [kind._asdict() for kind in release.passed_over]}


def identity(job_config: config.JobConfig, release: base.Release) -> dict[str, Any]:
    """Return the identity of a build: settings that decide the bytes, fingerprint of the rows."""
    return {"settings": job_config.content(), "annotations_sha256": base.fingerprint(release)}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Describe the differences between two identities, old value first."""
    before, after = old["settings"], new["settings"]
    changed = [
        f"{name}={before.get(name)} (now {after.get(name)})"
        for name in {**after, **before}
        if before.get(name) != after.get(name)
    ]
    if old["annotations_sha256"] != new["annotations_sha256"]:
        changed.append("other annotation files")
    return changed


def _is_identity(value: Any) -> bool:
    """Return whether a value, read from a file, has what `differences` compares."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("settings"), dict)
        and isinstance(value.get("annotations_sha256"), str)
    )


def check_rejects(rejects: Sequence[Any], *, num_rows: int, limit: float) -> None:
    """Refuse a build that would lose more rows than --max_reject_frac allows.

    Raises:
      errors.UserError: if so, naming the worst reasons.
    """
    if num_rows and len(rejects) / num_rows > limit:
        raise errors.UserError(
            f"{len(rejects):,} of {num_rows:,} rows are rejected, more than "
            f"--max_reject_frac={limit:g} allows: {_worst(rejects)}; repair them, or raise "
            "--max_reject_frac"
        )


def _worst(rejects: Sequence[Any]) -> str:
    """Name the three most frequent reasons, each with an example."""
    account = ledger.Ledger((), tuple(rejects))
    examples = {reject.reason: reject for reject in reversed(ledger.in_order(rejects))}
    named = [
        f"{reason} {count:,} (such as {examples[reason].source}: {examples[reason].detail})"
        for reason, count in account.reasons()[:3]
    ]
    return "; ".join(named) or "there is none"


def _planned_counts(surveyed: survey.Survey, classes: int) -> dict[tuple[str, int], int]:
    counts: dict[tuple[str, int], int] = {}
    for (split, _, label), count in surveyed.counts.items():
        if label < classes and count:
            counts[split, label] = counts.get((split, label), 0) + count
    return counts


def _published(order: _Order) -> Build | None:
    """Return the build that is published already, if it is the same and is not to be repaired.

    Raises:
      errors.UserError: if it is another one and --overwrite was not given, or if there is none to
        repair.
    """
    version = publish.version_folder(order.config)
    is_there = publish.is_there(order.config)
    if not is_there and order.config.retry_rejects:
        raise errors.UserError(
            f"--retry_rejects repairs a published build, and there is no {version}; leave it out"
        )
    if not is_there or order.config.overwrite:
        return None
    report_path = version / dataset_paths.BUILD_REPORT
    report = build_files.read_json(report_path, kinds={}) if report_path.exists() else {}
    made_before = report.get("made_from")
    if "made_from" in report and not _is_identity(made_before):
        raise build_files.damaged(report_path, f"its made_from is {made_before!r:.40}")
    if made_before and not (changed := differences(made_before, order.made_from)):
        _check_scan(order, version, report)
        mend = order.config.retry_rejects
        return None if mend else Build(version, order.config, None, report, 0.0, was_there=True)
    what = f"was built with {', '.join(changed)}" if made_before else "was not built by this job"
    raise errors.UserError(
        f"{version} {what}; give this build a name of its own (--config_name) or replace that one "
        "(--overwrite)"
    )


def _check_scan(order: _Order, version: storage.AnyPath, report: Mapping[str, Any]) -> None:
    """Refuse --scan=all where the published build did not scan: nothing would be looked at.

    Raises:
      errors.UserError: if so.
    """
    made = report.get("duplicates", {}).get("scan", "written")
    if order.config.scan == "all" and made != "all" and not order.config.retry_rejects:
        raise errors.UserError(
            f"{version} was built without --scan=all; build it again with --overwrite, give this "
            "build a name of its own (--config_name), or leave --scan out"
        )


def _staging_folder(order: _Order) -> storage.AnyPath:
    """Return the folder in which the build, or the dry run, is made.

    Raises:
      errors.UserError: if it is a link, or its version is one that leads nowhere.
    """
    staging = storage.absolute(publish.staging_folder(order.config))
    if order.config.dry_run:
        staging = staging.with_name(f"{staging.name}-dry-run")
    _check_is_no_link(staging)
    version = publish.version_folder(order.config)
    if not version.exists():
        _check_is_no_link(version)
    return staging


def _check_is_no_link(folder: storage.AnyPath) -> None:
    """Refuse a link where a folder is made, which would be renamed in its folder's place."""
    if isinstance(folder, Path) and folder.is_symlink():
        raise errors.UserError(
            f"{folder} must be a folder of its own, or not be there: it is a link to "
            f"{folder.readlink()}; remove the link"
        )


def _open_staging(order: _Order, staging: storage.AnyPath) -> None:
    """Make the staging folder, or open that of an unfinished build of the same identity.

    --overwrite discards an unfinished build that was begun without it.

    Raises:
      errors.UserError: if the unfinished build is another one or damaged, and --overwrite was not
        given.
    """
    if order.config.dry_run:
        atomic.remove_tree(staging)
    note = staging / "building.json"
    overwrite = order.config.overwrite
    if overwrite:
        if not _began_with_overwrite(order, staging, note):
            atomic.remove_tree(staging)
    elif changed := differences(_unfinished(staging, note) or order.made_from, order.made_from):
        raise errors.UserError(
            f"an unfinished build in {staging} has {', '.join(changed)}; finish it with its "
            "own flags, or discard it with --overwrite"
        )
    staging.mkdir(parents=True, exist_ok=True)
    atomic.write_text(note, json.dumps({**order.made_from, "overwrite": overwrite}))
    if order.config.retry_rejects:
        publish.reopen(order.config)


def _began_with_overwrite(order: _Order, staging: storage.AnyPath, note: storage.AnyPath) -> bool:
    """Return whether the same command with --overwrite began the unfinished build: it goes on."""
    try:
        before = _unfinished(staging, note)
    except errors.UserError:  # Damaged.
        return False
    return bool(before and before.get("overwrite") and not differences(before, order.made_from))


def _unfinished(staging: storage.AnyPath, note: storage.AnyPath) -> dict[str, Any] | None:
    """Return the identity of the unfinished build in a staging folder, or None: there is none.

    Raises:
      errors.UserError: if the folder has what no build makes (named pipes, devices, links to them),
        or its note is damaged.
    """
    try:
        for entry in storage.entries(staging):
            storage.check_input(staging / entry.name, at_most=sys.maxsize)
        found = untrusted.parse_json(storage.content(note))
        if not _is_identity(found):
            raise ValueError("it does not say what is built")
        return dict(found)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise errors.UserError(
            f"{note} is damaged ({error}), so that nobody knows what the unfinished build beside "
            "it is; remove that file to continue it with the flags given, or discard it all with "
            "--overwrite"
        ) from None
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        raise errors.UserError(
            f"{error.filename} is in the folder of an unfinished build, and {error.strerror}; "
            "remove it, or discard the unfinished build with --overwrite"
        ) from None
