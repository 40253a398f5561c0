"""Benchmark of near duplicates: copies planted among face crops, found by each kind of hash.

python -m benchmarks.near_duplicates --input_dir=AFFECTNET crops the faces as the job does, makes
copies of some (resized, recompressed, mirrored, cropped to 95 %, brightness changed, gray), and
prints, for hashes of the same size, how many copies are nearer than all but a millionth of the
pairs of different crops; then what the job's own search finds and confirms of each kind, and which
pairs of the crops themselves it takes for one picture.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from pipeline import build, config
from pipeline.near_duplicates import candidates, groups, perceptual_hash, pixels
from pipeline.rows import annotations
from pipeline.shards import image_files, row_example
from pipeline.sources.layouts import registry

INPUT_DIR = flags.DEFINE_string("input_dir", None, "a release that the job reads", required=True)
PLANTED = flags.DEFINE_integer("planted", 1500, "crops that get a copy of each kind")
MOST = flags.DEFINE_integer("most", 5000, "crops to read")
IMAGE_SIZE = flags.DEFINE_integer("image_size", 224, "side of the crops, in pixels")
MARGIN_FRAC = flags.DEFINE_float("margin_frac", 0.15, "margin around the face box")

FALSE_RATE = 1e-6
"""Pairs of different crops that a hash may take for near, as a fraction of all pairs."""

RANDOM = np.random.Generator(np.random.PCG64(0))


def resized(face: np.ndarray) -> np.ndarray:
    side = len(face)
    small = max(12, int(side * RANDOM.uniform(0.35, 0.7)))
    image = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)


def recompressed(face: np.ndarray, low: int = 25, high: int = 50) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(RANDOM.integers(low, high))]
    image = cv2.imdecode(cv2.imencode(".jpg", face, quality)[1], cv2.IMREAD_COLOR)
    assert image is not None
    return image


def mirrored(face: np.ndarray) -> np.ndarray:
    return recompressed(np.ascontiguousarray(face[:, ::-1]), 89, 91)


def cropped(face: np.ndarray) -> np.ndarray:
    side = len(face)
    kept = round(0.95 * side)
    x, y = RANDOM.integers(0, side - kept + 1, 2)
    part = np.ascontiguousarray(face[y : y + kept, x : x + kept])
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC)


def brightness(face: np.ndarray) -> np.ndarray:
    gain = RANDOM.choice([RANDOM.uniform(0.6, 0.85), RANDOM.uniform(1.15, 1.4)])
    return np.clip(face * gain, 0, 255).astype(np.uint8)


def gray(face: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "resized": resized,
    "recompressed": recompressed,
    "mirrored": mirrored,
    "cropped": cropped,
    "brightness": brightness,
    "gray": gray,
}


def crops() -> list[np.ndarray]:
    """Return the face crops of a release, as the job makes them."""
    wanted = config.JobConfig(
        input_dir=INPUT_DIR.value,
        subsets="all",
        image_size=IMAGE_SIZE.value,
        margin_frac=MARGIN_FRAC.value,
    )
    release = registry.recognise(Path(INPUT_DIR.value), build.request(wanted))
    rows = (row for part in release.parts() for row in registry.read(release.root, part))
    found: list[np.ndarray] = []
    for row in rows:
        if len(found) == MOST.value:
            break
        if isinstance(row, annotations.Reject) or row.label >= wanted.classes:
            continue
        content = image_files.read(Path(release.root), row.path)
        if isinstance(content, bytes):
            try:
                found.append(row_example.crop(content, row, wanted.example_settings()).face)
            except annotations.InvalidExample:
                continue
    return found


def d_hash(face: np.ndarray) -> np.ndarray:
    """Return 120 bits: whether each of 12 x 10 blocks is brighter than its right neighbour."""
    blocks = cv2.resize(perceptual_hash.thumbnail(face, side=64), (13, 10), interpolation=3)
    return (blocks[:, :-1] > blocks[:, 1:]).reshape(-1).astype(np.float32)


def block_mean(face: np.ndarray) -> np.ndarray:
    """Return 121 bits: whether each of 11 x 11 blocks is brighter than their median."""
    blocks = cv2.resize(perceptual_hash.thumbnail(face, side=64), (11, 11), interpolation=3)
    return (blocks > np.median(blocks)).reshape(-1).astype(np.float32)


def p_hash(face: np.ndarray) -> np.ndarray:
    """Return 119 bits: signs of the low frequencies of the whole crop."""
    waves = cv2.dct(perceptual_hash.thumbnail(face, side=32).astype(np.float32))
    return (waves[:10, :12].reshape(-1)[1:] > 0).astype(np.float32)


def descriptor(face: np.ndarray) -> np.ndarray:
    """Return 16 numbers: 4 x 4 blocks, their mean and contrast taken out."""
    blocks = perceptual_hash.thumbnail(face, side=4).astype(np.float32).reshape(-1)
    return (blocks - blocks.mean()) / max(float(blocks.std()), 1e-6)


HASHES = {
    "dHash": d_hash,
    "block mean": block_mean,
    "pHash": p_hash,
    "descriptor": descriptor,
}


def squared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the squared distances of float[N, K] and float[M, K]: for bits, how many differ."""
    sums = (one**2).sum(1)[:, None] + (other**2).sum(1)[None]
    return np.maximum(sums - 2 * one @ other.T, 0)


def recall_of(
    of: Callable[[np.ndarray], np.ndarray], faces: Sequence[np.ndarray], copies: dict[str, list]
) -> list[float]:
    """Return the share of each kind of copies that a hash, or its mirrored image's, is near to."""
    flipped = [np.ascontiguousarray(face[:, ::-1]) for face in faces]
    hashes, others = (np.stack([of(face) for face in group]) for group in (faces, flipped))
    distances = np.minimum(squared(hashes, hashes), squared(hashes, others))
    strangers = distances[np.triu_indices(len(faces), 1)]
    # Crops that are copies already, of which a release has some, are no strangers.
    limit = np.quantile(strangers, FALSE_RATE + _known(faces) / len(strangers))
    recalls = []
    for group in copies.values():
        found = np.stack([of(face) for face in group])
        count = len(found)
        near = np.minimum(
            ((hashes[:count] - found) ** 2).sum(1), ((others[:count] - found) ** 2).sum(1)
        )
        recalls.append(float((near <= limit).mean()))
    return recalls


def joined(faces: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Return the pairs that the job takes for one picture."""
    near = candidates.pairs(np.array([perceptual_hash.of(face) for face in faces]))
    return [*groups.confirmed(near, thumbnails=lambda rows: _thumbnails(faces, rows))]


def _thumbnails(faces: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    return [perceptual_hash.thumbnail(faces[row], side=pixels.SIDE) for row in rows.tolist()]


def _known(faces: Sequence[np.ndarray]) -> int:
    return len(joined(faces))


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables."""
    del argv
    faces = crops()
    order = RANDOM.permutation(len(faces))
    faces = [faces[place] for place in order]
    planted = faces[: PLANTED.value]
    copies = {kind: [copy(face) for face in planted] for kind, copy in KINDS.items()}
    print(f"{len(faces):,} crops, {len(planted):,} copies of each kind")
    print(f"{'hash':<12}" + "".join(f"{kind:>14}" for kind in KINDS))
    for name, of in HASHES.items():
        recalls = recall_of(of, faces, copies)
        print(f"{name:<12}" + "".join(f"{recall:>14.3f}" for recall in recalls))
    found = []
    for group in copies.values():
        pairs = joined([*planted, *group])
        found.append(sum(other - one == len(planted) for one, other in pairs) / len(planted))
    print(f"{'the job':<12}" + "".join(f"{recall:>14.3f}" for recall in found))
    merged = joined(faces)
    print(f"of the crops themselves, {len(merged)} pairs are taken for one picture:")
    for one, other in merged:
        print(f"  {order[one]} {order[other]}")


if __name__ == "__main__":
    app.run(main)
