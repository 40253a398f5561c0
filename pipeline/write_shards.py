"""Writing of all shards: runs the pipeline until its shards agree with the input and each other.

Owns what an input that changes while it is read means for a build: shards that lack an image which
is there now, or that disagree on a row, are written again. Taking the rejects as they are was
rejected: a disk that is away for a moment would decide which images the data set has, and a row of
which one copy was read and another was not would be counted twice.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from affectnet_tfds import dataset_paths
from pipeline import ledger
from pipeline.beam import pipelines
from pipeline.beam import runner as runner_lib
from pipeline.files import storage
from pipeline.shards import duplicate_files, near_duplicates_in_shards, plan, shard_writer
from pipeline.sources import base
from runtime import atomic_file, errors

ROUNDS = 3
"""How often shards are written before an input that changes each time is refused."""


class Written(NamedTuple):
    """Contents of the shards' sidecars."""

    # Without the hashes of every image, which would take most of the memory.
    sidecars: list[dict[str, Any]]
    leaks: duplicate_files.Leaks
    near: near_duplicates_in_shards.Found


def write(
    release: base.Release,
    *,
    plans: Mapping[str, plan.SplitPlan],
    spec: shard_writer.Spec,
    drop_duplicates: bool,
    options: runner_lib.Runner,
) -> Written:
    """Write all shards that are not finished, and return what the shards contain.

    Raises:
      errors.UserError: if the input does not come to rest.
    """
    changed: list[str] = []
    for _ in range(ROUNDS):
        pipelines.run_shards(
            release, plans=plans, spec=spec, drop_duplicates=drop_duplicates, options=options
        )
        sidecars = _sidecars_of(spec, plans)
        changed = _to_write_again(spec, plans, sidecars)
        if not changed:
            return _compared(spec, plans, sidecars)
        for name in changed:
            (storage.path(spec.staging) / f"{name}.json").unlink(missing_ok=True)
    raise errors.UserError(
        f"{spec.root} changed while its images were read, so that {len(changed)} shards such as "
        f"{changed[0]} do not fit it; when it is at rest, the same command continues"
    )


def _to_write_again(
    spec: shard_writer.Spec,
    plans: Mapping[str, plan.SplitPlan],
    sidecars: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Return the shards that lack an image which is there now, or that disagree on a row."""
    lacking = [
        done["name"] for done in sidecars if not shard_writer.are_rejects_lasting(spec, done)
    ]
    if lacking:
        return lacking
    splits = {split for split, _ in ledger.classes_counted_twice(plans, sidecars)}
    names = [done["name"] for done in sidecars]
    return [name for name in names if dataset_paths.parse_shard_name(name).split in splits]


def _sidecars_of(
    spec: shard_writer.Spec, plans: Mapping[str, plan.SplitPlan]
) -> list[dict[str, Any]]:
    """Read the sidecars of all planned shards, without what they say of every image."""
    return [
        {key: value for key, value in done.items() if key not in _OF_EVERY_IMAGE}
        for done in _sidecars(spec, _names(plans))
    ]


_OF_EVERY_IMAGE = ("contents", "hashes")


def _names(plans: Mapping[str, plan.SplitPlan]) -> list[str]:
    return [
        dataset_paths.shard_name(p.split, i, p.num_shards)
        for p in plans.values()
        for i in range(p.num_shards)
    ]


def _compared(
    spec: shard_writer.Spec, plans: Mapping[str, plan.SplitPlan], sidecars: list[dict[str, Any]]
) -> Written:
    """Find the images that are there more than once.

    Raises:
      errors.UserError: if the folder of the shards is gone.
      AssertionError: if one is missing, which is a defect of the job.
    """
    names = _names(plans)
    hashes = duplicate_files.Hashes()
    for done in _sidecars(spec, names):
        hashes.add(done)
    near = near_duplicates_in_shards.find(
        lambda: _sidecars(spec, names),
        folder=storage.path(spec.staging),
        encoding=spec.settings.encoding,
        image_size=spec.settings.geometry.image_size,
    )
    leaks = duplicate_files.find(hashes.repeated(), _sidecars(spec, names))
    return Written(sidecars, leaks, near)


def _sidecars(spec: shard_writer.Spec, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    staging = storage.path(spec.staging)
    for name, done in zip(
        names,
        storage.ahead(
            lambda n: shard_writer.sidecar(spec, n), names, threads=storage.read_threads(staging)
        ),
        strict=True,
    ):
        if done is None:
            storage.check_is_there(staging)
            raise AssertionError(f"a shard was not written: {name}")
        yield done


@contextlib.contextmanager
def without_leftovers(staging: storage.AnyPath) -> Iterator[None]:
    """Remove what workers that died have left in the staging folder, before and after a build."""
    _remove_leftovers(staging)
    try:
        yield
    except BaseException:
        # The disk may be why the build ended, and its own error is the one to tell.
        with contextlib.suppress(OSError, errors.UserError):
            _remove_leftovers(staging)
        raise


def _remove_leftovers(staging: storage.AnyPath) -> None:
    for entry in list(storage.entries(staging)):
        if entry.name.startswith(atomic_file.TEMPORARY_PREFIX) or entry.name.endswith(".progress"):
            (staging / entry.name).unlink(missing_ok=True)
