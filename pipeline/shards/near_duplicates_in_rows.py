"""Near duplicates among all rows: groups of rows, found from the hashes that a scan has written.

Owns how rows become the groups that near_duplicates_in_shards finds, before anything is balanced.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.files import storage
from pipeline.near_duplicates import groups, hash_file, perceptual_hash, pixels
from pipeline.rows import annotations, deduplicate, row_index
from pipeline.shards import image_files, near_duplicates_in_shards, row_example

SCANNED = np.dtype([*deduplicate.HASHED.descr, *perceptual_hash.HASH.descr])
"""A row's entry, the content hash of its file and the perceptual hash of its face; 0: none."""


class Release(NamedTuple):
    """Where rows and their images are."""

    root: str
    staging: str
    settings: row_example.ExampleSettings
    folders: Sequence[str] = ()
    follow_links: bool = False


class Scanned(NamedTuple):
    """All rows that were scanned, in the order of the release, and their groups."""

    entries: np.ndarray  # SCANNED[N], mapped into memory
    groups: list[np.ndarray]  # int64[M] each
    found: near_duplicates_in_shards.Found


def stage(start: int) -> str:
    """Return the stage of the index that holds the batch of a bucket from an entry on."""
    return f"scanned-{start:09d}"


def read(staging: storage.AnyPath, bucket: int, start: int) -> np.ndarray:
    """Return SCANNED[N] of one batch."""
    return row_index.read(staging, stage(start), bucket, dtype=SCANNED)


def face(
    content: bytes, row: annotations.Row, settings: row_example.ExampleSettings
) -> np.ndarray | None:
    """Return a row's face crop, uint8[S, S, 3] of no more pixels than are compared, or None."""
    geometry = settings.geometry
    if geometry.like == "none":  # Peers have a size of their own.
        geometry = geometry._replace(image_size=min(geometry.image_size, pixels.SIDE))
    try:
        return row_example.crop(content, row, settings._replace(geometry=geometry)).face
    except Exception:  # It becomes a reject when its shard is written, with the reason.
        return None


def find(batches: Iterable[np.ndarray], *, release: Release) -> Scanned:
    """Return the groups of all rows that were scanned."""
    entries = _in_order(batches)

    def faces(asked: np.ndarray) -> Iterator[np.ndarray | None]:
        return _faces(entries[asked], release)

    found = groups.find(
        entries,
        _contents(entries),
        thumbnails=lambda asked: near_duplicates_in_shards.thumbnails(faces(asked)),
    )
    members = _members(found, entries, release)
    named = near_duplicates_in_shards.named(
        found, members, faces=faces, num_rows=near_duplicates_in_shards.hashed(entries)
    )
    return Scanned(entries, found, named)


def identical(scanned: Scanned) -> list[np.ndarray]:
    """Return the groups of rows whose files are identical."""
    return groups.identical(_contents(scanned.entries))


def _in_order(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Return all rows in the order of the release: workers decide that of the index."""
    as_read = hash_file.HashFile(SCANNED)
    for batch in batches:
        as_read.add(batch)
    rows = as_read.rows()
    order = np.lexsort((rows["start"], rows["part"]))
    in_order = hash_file.HashFile(SCANNED)
    for start in range(0, len(order), _ROWS_TOGETHER):
        in_order.add(rows[order[start : start + _ROWS_TOGETHER]])
    return in_order.rows()


_ROWS_TOGETHER = 1 << 14


def _contents(entries: np.ndarray) -> np.ndarray:
    """Return what is equal for identical files; a file that cannot be read is equal to none."""
    contents = np.empty(len(entries), [("high", "<u8"), ("low", "<u8")])
    contents["high"], contents["low"] = entries["high"], entries["low"]
    unread = np.flatnonzero(contents["high"] == 0)
    contents["low"][unread] = unread
    return contents


def _faces(entries: np.ndarray, release: Release) -> Iterator[np.ndarray | None]:
    rows = row_index.fetch(storage.path(release.staging), deduplicate.converted_entries(entries))
    contents = image_files.read_ahead(
        storage.path(release.root),
        (row.path for row in rows),
        folders=release.folders,
        follow_links=release.follow_links,
    )
    for row, content in zip(rows, contents, strict=True):
        if isinstance(content, annotations.InvalidExample):
            yield None
        else:
            yield face(content, row, release.settings)


def _members(
    found: Sequence[np.ndarray], entries: np.ndarray, release: Release
) -> dict[int, near_duplicates_in_shards.Member]:
    numbers = np.concatenate([np.empty(0, np.int64), *found])
    of_groups = entries[numbers]
    rows = row_index.fetch(storage.path(release.staging), deduplicate.converted_entries(of_groups))
    members = {}
    for number, entry, row in zip(numbers.tolist(), of_groups, rows, strict=True):
        content = f"{int(entry['high']):016x}{int(entry['low']):016x}"
        members[number] = near_duplicates_in_shards.Member(
            row.split, row.subset, row.filename, row.label, content
        )
    return members
