"""Rows of a sample: split, subset and expression of every image.

Owns the numbers of rows per split and class, and who votes for what in a sample of ambiguous faces:
there the label is one vote, as AffectNet's is, of a person who sees each expression as often as it
has a share in the face. The training split is as unbalanced as AffectNet's,
except that no class falls below a fiftieth of the sample and images without a usable expression are
reduced. AffectNet's exact proportions were rejected: a small sample would hold 25 contempt faces
and 700 images nobody trains on.
"""

import dataclasses
import hashlib

import numpy as np

from affectnet_tfds import labels
from synthetic_faces.subject import expressions

MIN_IMAGES = 44
"""Fewer leave a class empty."""

# Rows of AffectNet's training.csv by code 0..7 (Mollahosseini et al. 2019; counted in public
# notebooks), then reduced counts for None, Uncertain and No-Face; AffectNet's are 33,088 and,
# together, 94,060.
_TRAIN_ROWS = (74_874, 134_416, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750, 18_000, 14_000, 14_000)
_VALIDATION_FRAC = 0.147
_AUTOMATIC_FRAC = 0.05
_CLASS_FRAC_MIN = 0.02
_SUFFIXES = (".jpg", ".JPG", ".png", ".bmp")
_SUFFIX_SHARES = (0.94, 0.03, 0.02, 0.01)
_ROWS_STREAM = 0
_IMAGE_STREAM = 1
_VOTES_STREAM = 2
_NUM_VOTES = 10  # For each face of FER+.


@dataclasses.dataclass(frozen=True)
class Row:
    """One image to draw."""

    index: int
    split: str
    subset: str
    position: int  # in its split's list, from 0
    code: int
    name: str  # 56 hexadecimal digits
    suffix: str
    blend: expressions.Blend | None = None
    """Between which expressions the face is; None: it is that of the code."""
    votes: tuple[int, ...] = ()
    """For codes 0..7; () in a sample without ambiguous faces."""


def rows(*, num_images: int, seed: int, ambiguous_frac: float = 0.0) -> list[Row]:
    """Return every row of a sample, by index: training, then validation, then the automatic set.

    Args:
      num_images: of all splits.
      seed: of all draws.
      ambiguous_frac: of the faces of codes 0..7, those that are between two expressions. If there
        are any, each face has ten votes, and its code is one more.
    """
    result = _clear_rows(num_images=num_images, seed=seed)
    if not ambiguous_frac:
        return result
    rng = _generator(seed, _VOTES_STREAM)
    return [_voted(row, ambiguous_frac=ambiguous_frac, rng=rng) for row in result]


def _voted(row: Row, *, ambiguous_frac: float, rng: np.random.Generator) -> Row:
    """Return a row with a blend, perhaps, with votes, and with the label that a vote gives."""
    if row.code > expressions.CONTEMPT:
        return row
    num_classes = expressions.CONTEMPT + 1
    shares = np.eye(num_classes)[row.code]
    blend = None
    if rng.random() < ambiguous_frac:
        second = (row.code + int(rng.integers(1, num_classes))) % num_classes
        blend = expressions.Blend(row.code, second, float(rng.uniform(0.5, 1)))
        shares[[blend.first, blend.second]] = blend.share, 1 - blend.share
    votes = tuple(rng.multinomial(_NUM_VOTES, shares).tolist())
    code = int(rng.choice(num_classes, p=shares))
    return dataclasses.replace(row, code=code, blend=blend, votes=votes)


def _clear_rows(*, num_images: int, seed: int) -> list[Row]:
    rng = _generator(seed, _ROWS_STREAM)
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
    result: list[Row] = []
    for split, subset, codes in lists:
        for position, code in enumerate(codes):
            index = len(result)
            result.append(
                Row(index, split, subset, position, code, _name(seed, index), suffixes[index])
            )
    return result


def image_rng(*, seed: int, index: int) -> np.random.Generator:
    """Return the random number generator of one image, the same in any process."""
    return _generator(seed, _IMAGE_STREAM, index)


def validation_count(num_images: int) -> int:
    """Return the number of validation images of each of the 11 codes."""
    return max(1, round(num_images * _VALIDATION_FRAC / len(labels.EXPRESSIONS)))


def train_counts(num_images: int) -> list[int]:
    """Return the number of manual training images of each of the 11 codes."""
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
    """Divide a total in proportion to integer weights, by differences of rounded running sums."""
    edges = np.concatenate([[0], np.cumsum(weights)]) * total // weights.sum()
    return [int(count) for count in np.diff(edges)]


def _shuffled(counts: list[int], *, rng: np.random.Generator) -> list[int]:
    return [int(code) for code in rng.permutation(np.repeat(np.arange(len(counts)), counts))]


def _name(seed: int, index: int) -> str:
    return hashlib.sha224(f"drawn face {seed}/{index}".encode()).hexdigest()


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
