"""Fuzzing of the image parser: bombs and mutants through the ways of the job and of predict.

  python -m tests.faults.image_fuzz --mutants=100000

Each image is read by a process that is watched: whatever is neither an image nor a reject, takes
longer than 10 s or more than 400 MB, is a fault. A mutant is known by its number alone, so that
--first=N --mutants=1 shows one again.
"""

import argparse
import collections
import ctypes
import dataclasses
import multiprocessing
import multiprocessing.connection
import pathlib
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from affectnet_tfds import crop_geometry, face_crop, image_codec, invalid_example
from tests.faults import hostile_images
from trainer.inference import images

MOST_S = 10.0
"""Seconds of a core that an image may take."""

_GIVEN_UP_S = 60.0
GEOMETRY = face_crop.Geometry(96, 0.15, False)
BOXES: tuple[crop_geometry.Box | None, ...] = (
    *[None] * 5,
    (10, 10, 40, 40),
    (-30, -30, 60, 60),
    (93, 0, 9, 9),
    (0, 0, 1e5, 1e5),
    (1, 1, 1e9, 1e9),
    (-1e300, 0, 1e308, 10),
)
"""Boxes of rows: absurd ones too."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What became of an image on one way."""

    name: str
    way: str
    outcome: str  # image, reject; else what escaped
    reason: str  # of a reject
    seconds: float
    peak_bytes: int

    @property
    def fault(self) -> str:
        """Say what is wrong with it, if anything is."""
        if self.outcome not in ("image", "reject"):
            return self.outcome
        if self.seconds > MOST_S:
            return f"{self.seconds:.1f} s"
        if self.peak_bytes > image_codec.MAX_MEMORY_BYTES:
            return f"{self.peak_bytes / 1e6:.0f} MB"
        return ""


def job(content: bytes, number: int) -> None:
    """Crop a face as the job does."""
    header = image_codec.read_header(content)
    box = BOXES[number % len(BOXES)]
    face_crop.cut(content, header=header, box=box, points=None, geometry=GEOMETRY)


def predict(content: bytes, number: int) -> None:
    """Decode for the detector and cut the whole image, as predict and the page do."""
    image = images.from_bytes(content, name=str(number))
    assert image.pixels.shape[:2] == image.size[::-1]
    place = face_crop.locate(None, points=None, picture_size=image.size, geometry=GEOMETRY)
    image.cut(place, points=None, image_size=GEOMETRY.image_size)


WAYS: dict[str, Callable[[bytes, int], None]] = {"job": job, "predict": predict}


def looked_at(content: bytes, *, name: str, way: str, number: int = 0) -> Seen:
    """Send an image one way."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # The peak begins here.
    start = time.process_time()
    reason = ""
    try:
        WAYS[way](content, number)
        outcome = "image"
    except invalid_example.InvalidExample as fault:
        outcome, reason = "reject", fault.reason
        if " at 0x" in str(fault) or "\n" in str(fault):
            outcome = f"detail {str(fault)!r}"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"[:200]
    seconds = time.process_time() - start
    return Seen(name, way, outcome, reason, seconds, max(0, _peak() + len(content) - _BASE))


def _peak() -> int:
    """Return the peak of this process's memory."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


_BASE = _peak()
"""Memory of this module's imports."""


def mutants(first: int, count: int) -> Iterator[tuple[str, bytes, int]]:
    """Yield name, content and number of mutants; a third of them is mutated more than once."""
    made = hostile_images.seeds()
    names = sorted(made)
    for number in range(first, first + count):
        generator = random.Random(number)
        name = names[number % len(names)]
        content = made[name]
        for _ in range(generator.choice((1, 1, 2))):
            content = hostile_images.mutant(content, generator) or b"\0"
        yield f"{name} {number}", content, number


def bombs(first: int, count: int) -> Iterator[tuple[str, bytes, int]]:
    """Yield name, content and number of the bombs."""
    named = [*hostile_images.bombs().items()]
    for name, make in named[first : first + count]:
        content = make()
        ctypes.CDLL(None).malloc_trim(0)  # What making it took is not the parser's.
        yield name, content, 0


Source = Callable[[int, int], Iterator[tuple[str, bytes, int]]]


def watched(source: Source, first: int, count: int) -> Iterator[Seen]:
    """Yield what becomes of images in a process of their own, which is started anew if it dies.

    Spawned: a fork has the memory of a test process in its peak.
    """
    done = 0
    while done < count:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=_send_all, args=(source, first + done, count - done, sender), daemon=True
        )
        process.start()
        sender.close()
        for seen in _received(receiver):
            yield seen
            done += seen.way == "predict"
        process.kill()
        process.join()
        if done < count:
            outcome = f"died or hung ({process.exitcode})"
            yield Seen(f"number {first + done}", "both", outcome, "", 0, 0)
            done += 1


def _send_all(
    source: Source, first: int, count: int, sender: multiprocessing.connection.Connection
) -> None:
    for name, content, number in source(first, count):
        sender.send(None)  # Making one may take a while.
        for way in WAYS:
            sender.send(looked_at(content, name=name, way=way, number=number))


def _received(receiver: multiprocessing.connection.Connection) -> Iterator[Seen]:
    try:
        while receiver.poll(_GIVEN_UP_S):
            seen = receiver.recv()
            if seen is not None:
                yield seen
    except EOFError:
        return


def report(seen: Sequence[Seen], *, what: str) -> list[Seen]:
    """Print a summary, and return the faults."""
    counts = collections.Counter((each.way, each.outcome) for each in seen if not each.fault)
    reasons = collections.Counter(each.reason for each in seen if each.reason)
    slowest = max(seen, key=lambda each: each.seconds)
    largest = max(seen, key=lambda each: each.peak_bytes)
    faults = [each for each in seen if each.fault]
    print(f"{what:<13} {len({each.name for each in seen}):,} images")
    for way in WAYS:
        print(f"{way:<13} {counts[way, 'image']:,} read, {counts[way, 'reject']:,} rejected")
    print(f"reasons       {', '.join(f'{name} {n:,}' for name, n in reasons.most_common())}")
    print(f"longest time  {slowest.seconds:.2f} s ({slowest.way}: {slowest.name})")
    print(f"peak memory   {largest.peak_bytes / 1e6:.0f} MB ({largest.way}: {largest.name})")
    print(f"faults        {len(faults):,}")
    for each in faults[:50]:
        print(f"              {each.way}: {each.name}: {each.fault}")
    return faults


def main() -> None:
    """Fuzz, and exit with 1 if there were faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=100_000, help="number of mutants")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--limit_s", type=float, default=float("inf"), help="seconds at most")
    asked = parser.parse_args()
    faults = report([*watched(bombs, 0, len(hostile_images.bombs()))], what="bombs")
    end = time.monotonic() + asked.limit_s
    seen: list[Seen] = []
    for each in watched(mutants, asked.first, asked.mutants):
        seen.append(each)
        if time.monotonic() > end:
            break
    faults += report(seen, what="mutants") if seen else []
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
