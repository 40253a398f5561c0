"""Image groups: which examples of a split show the same image, under one name or several.

Owns the rule, for everyone who keeps the copies of an image on one side: repeats by balancing and
further faces of a file share its name, identical files have identical stored bytes, and the job
lists near duplicates in the version's duplicates.csv. Whoever shares any of these is in one group,
so that a chain of copies is one.
"""

import csv
import hashlib
import io
import pathlib
import re

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from affectnet_tfds import dataset_paths
from runtime import errors, untrusted
from trainer.data import examples

_FACE = re.compile(r"#\d+$")


def of(split: examples.Split, *, version_dir: pathlib.Path) -> np.ndarray:
    """Return the number of each example's group, int64[N], numbered in the order of examples.

    Args:
      split: of the version, or a part of one of its splits under that split's name.
      version_dir: the folder of the version; builds of earlier releases list no near duplicates.

    Raises:
      errors.UserError: if the list of near duplicates is damaged.
    """
    names = np.array([_FACE.sub("", str(name)) for name in split.filenames], np.str_)
    return joined([names, _contents(split), _listed(split, version_dir=version_dir)])


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


def _listed(split: examples.Split, *, version_dir: pathlib.Path) -> np.ndarray:
    """Return the group of each example in duplicates.csv, str[N]; "" for none."""
    path = version_dir / dataset_paths.DUPLICATES
    if not path.is_file():
        return np.full(split.num_examples, "", np.str_)
    rows = csv.DictReader(io.StringIO(untrusted.read_text(path, at_most=untrusted.LIST_BYTES)))
    try:
        groups = {
            untrusted.of_cell(row["filename"]): row["group"]
            for row in rows
            if row["split"] == split.name
        }
    except (KeyError, TypeError, AttributeError, csv.Error) as error:
        raise errors.UserError(
            f"{path} is damaged ({type(error).__name__}: {error}); 'python -m pipeline.verify' "
            "says what else is; copy the version again, or build it anew"
        ) from None
    names = map(untrusted.printable, split.filenames)
    return np.array([groups.get(name, "") for name in names], np.str_)


def _contents(split: examples.Split) -> np.ndarray:
    """Return a hash of each example's stored bytes, str[N]."""
    if split.image_bytes is None:
        raise errors.UserError(f"the images of {split.name} cannot be read one by one")
    digests = [
        hashlib.blake2b(split.image_bytes(int(position)), digest_size=16).hexdigest()
        for position in split.positions
    ]
    return np.array(digests, np.str_)
