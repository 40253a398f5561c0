"""Benchmark of near duplicates: copies planted among face crops, found by each kind of hash.

python -m benchmarks.near_duplicates --input_dir=AFFECTNET crops the faces as the job does, makes
copies of some (resized, recompressed, mirrored, cropped to 95 %, brightness changed, gray), and
prints what the job's own search finds, misses and joins by mistake, by kind; then, for hashes of
about the same size, how many copies are nearer than all but a millionth of the pairs of different
crops; last, how long the search takes among `--search_rows` hashes. `--sheet=FILE.png` shows which
of the crops themselves the job takes for one picture: they count as one crop in what follows, so
that somebody has to look at them.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from absl import flags

from benchmarks import command_line, image_hashes
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
SHEET = flags.DEFINE_string(
    "sheet", None, "image to write: crops of the release that the job takes for one picture"
)

SEARCH_ROWS = flags.DEFINE_list(
    "search_rows", ["100000", "1000000"], "hashes among which the time of the search is taken"
)
command_line.whole_numbers(SEARCH_ROWS, least=1)

CHANGED_FRAC = 0.15
"""Bits that differ between a hash made up for the search and that of a real crop: 18 of 119 on
average, more than those of one picture."""

MOST_ON_SHEET = 96
"""Pairs that are shown, of those that agree least."""

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


def recalls(faces: image_hashes.Hashes, copies: Sequence[image_hashes.Hashes]) -> Iterator[str]:
    """Yield a line of the table for each hash: the share of each kind of copies that is nearer to
    its original than all but FALSE_RATE of the pairs of different crops are to each other.

    Args:
      faces: hashes of different crops.
      copies: of each kind, those of copies of the first crops.
    """
    for name, windows in itertools.product(faces, (False, True)):
        if name == image_hashes.JOB and not windows:
            continue
        apart = image_hashes.distances(name, faces[name], faces[name], windows=windows)
        strangers = apart[np.triu_indices(len(apart), 1)]
        allowed = int(FALSE_RATE * len(strangers))
        limit = np.partition(strangers, allowed)[allowed]
        cells = []
        for group in copies:
            count = len(group[name])
            found = image_hashes.distances(name, faces[name][:count], group[name], windows=windows)
            cells.append(f"{(found.diagonal() < limit).mean():.3f}")
        whole = "" if name == image_hashes.JOB else (", windows" if windows else ", whole crop")
        yield f"| {name}{whole} | {' | '.join(cells)} |"


def groups_of(faces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the groups of crops that the job takes for one picture."""
    hashes = np.array([perceptual_hash.of(face) for face in faces])
    files = np.arange(len(faces))  # No two are identical, so that all are found as near.
    return groups.find(hashes, files, thumbnails=lambda rows: thumbnails(faces, rows))


def thumbnails(faces: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    """Return the images that the job compares."""
    return [perceptual_hash.thumbnail(faces[row], side=pixels.SIDE) for row in rows.tolist()]


def made_up(hashes: np.ndarray, num_rows: int) -> np.ndarray:
    """Return perceptual_hash.HASH[num_rows]: real ones, with bits changed alike in all windows."""
    rows = hashes[RANDOM.integers(0, len(hashes), num_rows)]
    for field in rows.dtype.names or ():
        used = np.bitwise_or.reduce(hashes[field], axis=None)
        changed = np.zeros(num_rows, np.uint64)
        for bit in range(64):
            is_changed = RANDOM.random(num_rows) < CHANGED_FRAC
            changed |= is_changed.astype(np.uint64) << np.uint64(bit)
        rows[field] ^= (changed & used)[:, None]
    return rows


def search_seconds(hashes: np.ndarray) -> tuple[float, float]:
    """Return the seconds, and seconds of a core, that the search for near hashes takes."""
    start, start_cores = time.perf_counter(), time.process_time()
    candidates.pairs(hashes)
    return time.perf_counter() - start, time.process_time() - start_cores


class Found(NamedTuple):
    """What the job does with copies of one kind."""

    found: int  # copies that are in the group of their original
    missed: int
    false: int  # pictures that are joined with another one


def search(faces: Sequence[np.ndarray], copies: Sequence[np.ndarray]) -> Found:
    """Let the job search different crops, and copies of the first of them."""
    joined = groups_of([*faces, *copies])
    group_of = {row: number for number, group in enumerate(joined) for row in group.tolist()}
    nowhere = -1
    found = sum(
        group_of.get(row, nowhere) == group_of.get(len(faces) + row, -2)
        for row in range(len(copies))
    )
    pictures = [{row % len(faces) for row in group.tolist()} for group in joined]
    false = sum(len(each) - 1 for each in pictures)
    return Found(found, len(copies) - found, false)


def sheet(faces: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> np.ndarray:
    """Return the groups as one image, uint8[H, W, 3]: those whose images agree least come first."""
    side = 96
    kept = sorted(found, key=lambda group: agreement(faces, group))[:MOST_ON_SHEET]
    width = 2 * side
    rows = []
    for group in kept:
        first, second = (cv2.resize(faces[row], (side, side)) for row in group[:2].tolist())
        rows.append(np.concatenate([first, second], axis=1))
    across = 8
    rows += [np.zeros((side, width, 3), np.uint8)] * (-len(rows) % across)
    lines = [np.concatenate(rows[at : at + across], axis=1) for at in range(0, len(rows), across)]
    return np.concatenate(lines)


def agreement(faces: Sequence[np.ndarray], group: np.ndarray) -> float:
    """Return the correlation of the detail of a group's first two images, mirrored or not."""
    one, other = (pixels.detail(gray) for gray in thumbnails(faces, group[:2]))
    return max(max(pixels.correlations(one, other, mirrored=each)) for each in (False, True))


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables."""
    del argv
    faces = crops()
    faces = [faces[place] for place in RANDOM.permutation(len(faces))]
    own = groups_of(faces)
    repeated = {row for group in own for row in group[1:].tolist()}
    print(f"{len(faces):,} crops, of which the job takes {len(repeated)} for copies of others")
    if SHEET.value and own:
        cv2.imwrite(SHEET.value, cv2.cvtColor(sheet(faces, own), cv2.COLOR_RGB2BGR))
    faces = [face for row, face in enumerate(faces) if row not in repeated]
    planted = faces[: PLANTED.value]
    copies = {kind: [copy(face) for face in planted] for kind, copy in KINDS.items()}
    print(f"{len(faces):,} different crops, {len(planted):,} copies of each kind\n")
    print("| the job | found | missed | recall | other pictures joined |\n|---|---|---|---|---|")
    for kind, group in copies.items():
        each = search(faces, group)
        recall = each.found / len(group)
        print(
            f"| {kind} | {each.found} | {each.missed} | {recall:.4f} | {each.false} |", flush=True
        )
    pairs = len(faces) * (len(faces) - 1) // 2
    print(f"\n| at {int(FALSE_RATE * pairs)} of {pairs:,} pairs | {' | '.join(KINDS)} |")
    print("|---" * (1 + len(KINDS)) + "|")
    hashes = image_hashes.of(faces)
    for line in recalls(hashes, [image_hashes.of(group) for group in copies.values()]):
        print(line, flush=True)
    real = np.array([perceptual_hash.of(face) for face in faces])
    print("\n| hashes | seconds | core·s |\n|---|---|---|")
    for num_rows in map(int, SEARCH_ROWS.value):
        seconds, of_cores = search_seconds(made_up(real, num_rows))
        print(f"| {num_rows:,} | {seconds:.1f} | {of_cores:.1f} |", flush=True)


if __name__ == "__main__":
    command_line.run(main)
