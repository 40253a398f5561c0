"""Image hashes of about the same size, which the job's hash was chosen among, and their distances.

Each is made of a gray image of SIDE, and compared with and without windows: a hash of the whole
crop alone, and also those of nine windows in it, as the job keeps them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np

from pipeline.near_duplicates import perceptual_hash

SIDE = 64
"""Side of the gray image that every hash is made of, in pixels."""

NUM_WINDOWS = perceptual_hash.NUM_WINDOWS

JOB = "the job's"


def d_hash(gray: np.ndarray) -> np.ndarray:
    """Return 120 bits: whether each of 12 x 10 blocks is brighter than its right neighbour."""
    blocks = cv2.resize(gray, (13, 10), interpolation=cv2.INTER_AREA)
    return (blocks[:, :-1] > blocks[:, 1:]).reshape(-1)


def block_mean(gray: np.ndarray) -> np.ndarray:
    """Return 121 bits: whether each of 11 x 11 blocks is brighter than their median."""
    blocks = cv2.resize(gray, (11, 11), interpolation=cv2.INTER_AREA)
    return (blocks > np.median(blocks)).reshape(-1)


def p_hash(gray: np.ndarray) -> np.ndarray:
    """Return 119 bits: signs of the low frequencies (Zauner 2010, section 3.2.1)."""
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA)
    return (cv2.dct(small.astype(np.float32))[:10, :12].reshape(-1)[1:] > 0).reshape(-1)


def descriptor(gray: np.ndarray) -> np.ndarray:
    """Return 16 numbers: 4 x 4 blocks, their mean and contrast taken out."""
    blocks = cv2.resize(gray, (4, 4), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    return (blocks - blocks.mean()) / max(float(blocks.std()), 1e-6)


HASHES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "dHash": d_hash,
    "block mean": block_mean,
    "pHash": p_hash,
    "descriptor": descriptor,
}

Hashes = Mapping[str, np.ndarray]
"""Hashes of N crops by name: float32[N, 2 * NUM_WINDOWS, K], the whole crop first, then its
windows, and the same mirrored; of the job's, bool[N, NUM_WINDOWS, 2, 60], by even and odd
frequencies."""


def of(faces: Sequence[np.ndarray]) -> Hashes:
    """Return all hashes of uint8[S, S, 3] each."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*HASHES, JOB)}
    for face in faces:
        grays = [*_views(face)]
        for name, make in HASHES.items():
            found[name].append(np.stack([make(gray) for gray in grays]).astype(np.float32))
        found[JOB].append(_bits(perceptual_hash.of(face)))
    return {name: np.stack(each) for name, each in found.items()}


def distances(name: str, one: np.ndarray, other: np.ndarray, *, windows: bool) -> np.ndarray:
    """Return the distances of N and M crops, float32[N, M]: of the nearest of their versions."""
    nearest = np.full((len(one), len(other)), np.inf, np.float32)
    compare = _of_job if name == JOB else _squared
    for window in range(NUM_WINDOWS if windows else 1):
        for found in compare(one, other, window=window):
            np.minimum(nearest, found, out=nearest)
    return nearest


def _views(face: np.ndarray) -> Iterator[np.ndarray]:
    """Yield uint8[SIDE, SIDE] of a crop, of nine windows in it, and of the same mirrored."""
    side = len(face)
    kept = round(perceptual_hash.WINDOW * side)
    offsets = (0, (side - kept) // 2, side - kept)
    cuts = [face, *(face[y : y + kept, x : x + kept] for y in offsets for x in offsets)]
    grays = [perceptual_hash.thumbnail(cut, side=SIDE) for cut in cuts]
    yield from grays
    yield from (np.ascontiguousarray(gray[:, ::-1]) for gray in grays)


def _squared(one: np.ndarray, other: np.ndarray, *, window: int) -> Iterator[np.ndarray]:
    """Yield squared distances with a window of either: for bits, how many differ."""
    for mirrored in (0, NUM_WINDOWS):
        for mine, theirs in {(window, 0), (0, window)}:
            first, second = one[:, mine], other[:, mirrored + theirs]
            sums = (first**2).sum(1)[:, None] + (second**2).sum(1)[None]
            yield np.maximum(sums - 2 * first @ second.T, 0)


def _of_job(one: np.ndarray, other: np.ndarray, *, window: int) -> Iterator[np.ndarray]:
    """Yield how many bits differ, as candidates counts them: mirroring inverts all odd ones."""
    for mine, theirs in {(window, 0), (0, window)}:
        even, odd = (
            (len(first.T) - (2.0 * first - 1) @ (2.0 * second - 1).T) / 2
            for first, second in (
                (one[:, mine, kind].astype(np.float32), other[:, theirs, kind].astype(np.float32))
                for kind in (0, 1)
            )
        )
        yield even + np.minimum(odd, perceptual_hash.NUM_ODD_BITS - odd)


def _bits(hashed: np.ndarray) -> np.ndarray:
    """Return the bits of a perceptual_hash.HASH: bool[NUM_WINDOWS, 2, 60]."""
    words = np.stack([hashed["even"], hashed["odd"]], axis=-1).astype(">u8")
    bits = np.unpackbits(words[..., None].view(np.uint8), axis=-1).astype(bool)
    return bits[..., : perceptual_hash.NUM_ODD_BITS]
