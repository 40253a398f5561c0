"""Row format: one annotation row as bytes, for the working files of a build.

Owns the encoding: a JSON list of the row's text and numbers, a newline, then the landmarks as they
are. Reading it can run no code, and it gives back every row exactly: Python writes a float with the
digits that identify it, NaN included, and a name that is no valid UTF-8 as escapes. Pickle was
rejected because whoever can write into the staging folder could run code on every worker; Arrow
because a shard fetches single rows from anywhere in a file, and a record batch is read whole.
"""

import json

from pipeline.rows import annotations

VERSION = 2
"""Part of the working files' names (row_index.rows_of_part): rows of another version are never
read. Version 1 was pickle, in files without a version in their names."""

_BOX = annotations.Row._fields.index("box")
_LANDMARKS = annotations.Row._fields.index("landmarks")
_SOFT_LABEL = annotations.Row._fields.index("soft_label")
_GROUPS = annotations.Row._fields.index("groups")

_to_json = json.JSONEncoder(separators=(",", ":")).encode  # ASCII only, and no newline in it.


def encode(row: annotations.Row) -> bytes:
    """Return a row as bytes."""
    fields: list[object] = [*row]
    fields[_LANDMARKS] = None
    if not row.groups:  # Readers of an update continue with rows that were written before it.
        del fields[_GROUPS]
    return _to_json(fields).encode("ascii") + b"\n" + row.landmarks


def decode(content: bytes) -> annotations.Row:
    """Return the row that `encode` wrote."""
    text, _, landmarks = content.partition(b"\n")
    fields = json.loads(text)
    # JSON knows lists only, and a row is compared and digested by its repr.
    fields[_BOX] = fields[_BOX] and tuple(fields[_BOX])
    fields[_SOFT_LABEL] = tuple(fields[_SOFT_LABEL])
    fields[_LANDMARKS] = landmarks
    fields[_GROUPS:] = [tuple(map(tuple, each)) for each in fields[_GROUPS:]]
    return annotations.Row(*fields)
