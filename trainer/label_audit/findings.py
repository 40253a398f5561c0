"""Findings of an audit: the judged images, their probable label errors, copies and neighbours.

Owns how the predictions of all folds become one judgement an image: an image is judged once, by the
mean over its repeats, and its neighbours are those that the same network has not seen either: to a
network, an image that it was trained on looks like its label.
"""

import dataclasses

import numpy as np

from trainer.data import examples
from trainer.label_audit import label_errors, out_of_fold

NEIGHBOURS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """The M images of train, each once, and what the audit finds of them.

    Attributes:
      class_names: C names.
      rows: int64[M], an example of each image, in the split's order.
      filenames: str[M].
      labels: int64[M].
      folds: int64[M].
      groups: int64[M], equal for copies of an image under several names.
      probabilities: float64[M, C], out of fold.
      features: float16[M, F], comparable within a fold.
      found: the label errors.
    """

    class_names: tuple[str, ...]
    rows: np.ndarray
    filenames: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    groups: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray
    found: label_errors.LabelErrors

    @property
    def accuracy(self) -> float:
        """Return the share of images whose label is the likeliest class, out of fold."""
        return float((self.probabilities.argmax(axis=1) == self.labels).mean())

    def copies(self, image: int) -> np.ndarray:
        """Return the other images of an image's group: int64[K]."""
        same = np.flatnonzero(self.groups == self.groups[image])
        return np.asarray(same[same != image])

    def neighbours(self, image: int) -> np.ndarray:
        """Return the images of its fold that are the most similar, the nearest first.

        By the cosine of what the network's last layer is given; copies are left out.
        """
        others = np.flatnonzero(
            (self.folds == self.folds[image]) & (self.groups != self.groups[image])
        )
        features = self.features.astype(np.float32)
        nearness = features[others] @ features[image]
        return np.asarray(others[np.argsort(-nearness, kind="stable")[:NEIGHBOURS]])

    def disagreeing(self) -> list[np.ndarray]:
        """Return the groups of copies whose labels are not all the same, the largest first."""
        order = np.argsort(self.groups, kind="stable")
        edges = np.flatnonzero(np.diff(self.groups[order])) + 1
        parts = [each for each in np.split(order, edges) if len(each) > 1]
        unequal = [each for each in parts if len(set(self.labels[each].tolist())) > 1]
        return sorted(unequal, key=lambda each: (-len(each), int(each[0])))


def of(
    split: examples.Split,
    *,
    folds: np.ndarray,
    groups: np.ndarray,
    outputs: list[out_of_fold.Outputs],
    class_names: tuple[str, ...],
    filter_by: str,
) -> Findings:
    """Return the findings on a split.

    Args:
      split: all of train, N examples.
      folds: int64[N].
      groups: int64[N].
      outputs: of each fold.
      class_names: of the data.
      filter_by: rule of label_errors.find.
    """
    probs = joined(folds, parts=[each.probabilities for each in outputs])
    _, first, image = np.unique(split.filenames, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probs.shape[1]))
    np.add.at(sums, image, probs)
    order = np.argsort(first)
    rows = first[order]
    mean = sums[order] / np.bincount(image)[order, None]
    labels = split.labels[rows]
    return Findings(
        class_names=class_names,
        rows=rows,
        filenames=split.filenames[rows],
        labels=labels,
        folds=folds[rows],
        groups=groups[rows],
        probabilities=mean,
        features=_features(folds, outputs=outputs)[rows],
        found=label_errors.find(labels, probabilities=mean, filter_by=filter_by),
    )


def joined(folds: np.ndarray, *, parts: list[np.ndarray]) -> np.ndarray:
    """Return the rows of all folds in the order of the split."""
    whole = np.zeros((len(folds), *parts[0].shape[1:]), parts[0].dtype)
    for fold, part in enumerate(parts):
        whole[folds == fold] = part
    return whole


def _features(folds: np.ndarray, *, outputs: list[out_of_fold.Outputs]) -> np.ndarray:
    return joined(folds, parts=[each.features for each in outputs])
