"""The cast: which pictures a sample holds, and which expression each is asked to show.

Owns: the rows and their numbers per split and class. The training split is as uneven as
AffectNet's, except that no class falls below a fiftieth of the sample and pictures without a usable
expression are thinned out: a small sample in AffectNet's exact proportions would hold 25 contempt
faces and 700 pictures nobody trains on.
"""

import dataclasses
import hashlib

import numpy as np

from affectnet_tfds import labels

MIN_IMAGES = 44
"""Fewer leave a class empty."""

# Rows of AffectNet's training.csv by code 0..7 (Mollahosseini et al. 2019; counted in public
# notebooks), then what stands for None, Uncertain and No-Face; theirs are 33,088 and, together,
# 94,060.
_TRAIN_ROWS = (74_874, 134_416, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750, 18_000, 14_000, 14_000)
_VALIDATION_FRAC = 0.147
_AUTOMATIC_FRAC = 0.05
_CLASS_FRAC_MIN = 0.02
_SUFFIXES = (".jpg", ".JPG", ".png", ".bmp")
_SUFFIX_SHARES = (0.94, 0.03, 0.02, 0.01)
_CAST_STREAM, _PICTURE_STREAM = 0, 1


@dataclasses.dataclass(frozen=True)
class Row:
    """One picture to draw. `place` is its row in its split's list; `name` is 56 hexadecimal digits."""

    index: int
    split: str
    subset: str
    place: int
    code: int
    name: str
    suffix: str


def rows(*, num_images: int, seed: int) -> list[Row]:
    """Return every row of a sample, by index: training, then validation, then the automatic set."""
    rng = _generator(seed, _CAST_STREAM)
    lists = (
        ("train", "manual", _shuffled(train_counts(num_images), rng=rng)),
        (
            "validation",
            "manual",
            _shuffled([validation_count(num_images)] * len(labels.EXPRESSIONS), rng=rng),
        ),
        (
            "train",
            "automatic",
            _shuffled(_share(_automatic_total(num_images), np.array(_TRAIN_ROWS[:8])), rng=rng),
        ),
    )
    suffixes = rng.choice(_SUFFIXES, p=_SUFFIX_SHARES, size=num_images).tolist()
    found: list[Row] = []
    for split, subset, codes in lists:
        for place, code in enumerate(codes):
            index = len(found)
            found.append(
                Row(index, split, subset, place, code, _name(seed, index), suffixes[index])
            )
    return found


def picture_generator(*, seed: int, index: int) -> np.random.Generator:
    """Return the random stream of one picture, whichever process draws it."""
    return _generator(seed, _PICTURE_STREAM, index)


def validation_count(num_images: int) -> int:
    """Return how many validation pictures each of the 11 codes has."""
    return max(1, round(num_images * _VALIDATION_FRAC / len(labels.EXPRESSIONS)))


def train_counts(num_images: int) -> list[int]:
    """Return how many manual training pictures each of the 11 codes has."""
    total = (
        num_images
        - validation_count(num_images) * len(labels.EXPRESSIONS)
        - _automatic_total(num_images)
    )
    floor = max(1, int(num_images * _CLASS_FRAC_MIN))
    counts = np.maximum(_share(total, np.array(_TRAIN_ROWS)), floor)
    counts[int(np.argmax(counts))] += total - counts.sum()
    return [int(count) for count in counts]


def _automatic_total(num_images: int) -> int:
    return round(num_images * _AUTOMATIC_FRAC)


def _share(total: int, weights: np.ndarray) -> list[int]:
    """Divide a total in proportion to whole weights: each share is a difference of rounded-down
    running sums."""
    edges = np.concatenate([[0], np.cumsum(weights)]) * total // weights.sum()
    return [int(count) for count in np.diff(edges)]


def _shuffled(counts: list[int], *, rng: np.random.Generator) -> list[int]:
    return [int(code) for code in rng.permutation(np.repeat(np.arange(len(counts)), counts))]


def _name(seed: int, index: int) -> str:
    return hashlib.sha224(f"drawn face {seed}/{index}".encode()).hexdigest()


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
