"""Image groups: which examples of a split show the same image, under one name or several.

Owns the rule, for everyone who keeps the copies of an image on one side: repeats by balancing and
further faces of a file share its name, identical files have identical stored bytes, and a build
whose records carry a group says itself what belongs together. Whoever shares any of these is in one
group, so that a chain of copies is one.
"""

import hashlib
import re

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from runtime import errors
from trainer.data import examples

_FACE = re.compile(r"#\d+$")


def of(split: examples.Split) -> np.ndarray:
    """Return the number of each example's group, int64[N], numbered in the order of examples."""
    names = np.array([_FACE.sub("", str(name)) for name in split.filenames], np.str_)
    keys = [names, _contents(split)]
    if split.duplicate_groups is not None:
        keys.append(split.duplicate_groups)
    return joined(keys)


def joined(keys: list[np.ndarray]) -> np.ndarray:
    """Return groups of the examples that share a key of any kind, int64[N], numbered in order.

    Args:
      keys: [N] each; equal values of one array belong together, and "" belongs to nothing.
    """
    count = len(keys[0])
    rows, columns, offset = [], [], count
    for each in keys:
        chosen = np.flatnonzero(each != "") if each.dtype.kind == "U" else np.arange(count)
        distinct, numbers = np.unique(each[chosen], return_inverse=True)
        rows.append(chosen)
        columns.append(offset + numbers)
        offset += len(distinct)
    row, column = np.concatenate(rows), np.concatenate(columns)
    links = sparse.coo_matrix((np.ones(len(row), np.int8), (row, column)), (offset, offset))
    found = csgraph.connected_components(links, directed=False)[1][:count]
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    in_order = np.empty(len(first), np.int64)
    in_order[np.argsort(first)] = np.arange(len(first))
    return np.asarray(in_order[numbers])


def _contents(split: examples.Split) -> np.ndarray:
    """Return a hash of each example's stored bytes, str[N]."""
    if split.image_bytes is None:
        raise errors.UserError(f"the images of {split.name} cannot be read one by one")
    digests = [
        hashlib.blake2b(split.image_bytes(int(position)), digest_size=16).hexdigest()
        for position in split.positions
    ]
    return np.array(digests, np.str_)
