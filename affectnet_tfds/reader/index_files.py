"""Index files: reads the index beside a shard (shard_index.py), where it can be used.

Owns when that is: it is intact, and describes a shard of this size. An index that is not used costs
time and nothing else, so that it is a warning and no error.
"""

import pathlib
import sys

import numpy as np

from affectnet_tfds import dataset_paths
from affectnet_tfds.reader import shard_index
from runtime import errors


def path(shard: pathlib.Path) -> pathlib.Path:
    """Return where the index of a shard is, if it has one."""
    return shard.with_name(dataset_paths.index_name(shard.name))


def read(shard: pathlib.Path, *, size: int) -> np.ndarray | None:
    """Return the rows of the index of a shard (`shard_index.array`), or None: it has none.

    Args:
      shard: the file.
      size: of the shard, in bytes.

    Raises:
      OSError: with the index's path, if the disk does not let it be read.
    """
    file = path(shard)
    if not file.is_file():
        return None
    with errors.naming(file):
        content = file.read_bytes()
    try:
        rows = shard_index.decode(content)
        described = shard_index.shard_bytes(rows)
        if described != size:
            raise ValueError(f"it describes {described:,} bytes, and its shard has {size:,}")
    except ValueError as error:
        print(
            f"warning       cannot use {file} ({error}): its shard is read from end to end "
            "instead; 'python -m pipeline.verify' says what else is damaged",
            file=sys.stderr,
        )
        return None
    return rows
