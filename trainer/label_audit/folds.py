"""Folds: divides the training images so that the copies of an image are in one of them.

Owns the rule: groups of copies, class by class in the order of a salted hash, are dealt to the
folds in turn. So folds are of one size and of the same classes, within one group a class, in every
run on the same data; scikit-learn's StratifiedGroupKFold was rejected, which goes through the
groups in a loop of Python and takes long for AffectNet.
"""

import hashlib

import numpy as np

_SALT = b"affectnet_faces folds\0"


def assign(
    filenames: np.ndarray, *, labels: np.ndarray, groups: np.ndarray, folds: int
) -> np.ndarray:
    """Return the fold of each example, 0 to folds - 1: int64[N].

    Args:
      filenames: str[N].
      labels: int64[N]; the class of a group is that of its first example.
      groups: int64[N], of image_groups.of.
      folds: how many.
    """
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    places = np.array([_place(str(name)) for name in filenames[first]], np.uint64)
    order = np.lexsort((places, labels[first]))
    of_group = np.empty(len(first), np.int64)
    of_group[order] = np.arange(len(first)) % folds
    return of_group[numbers]


def _place(name: str) -> int:
    digest = hashlib.blake2b(_SALT + name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
