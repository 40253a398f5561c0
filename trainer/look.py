"""One look at one picture, timed: what the demo page answers with.

Owns the clock. Everything that is measured is `seeing`'s.
"""

import dataclasses
import time

import numpy as np

from trainer import seeing, shots


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """A picture, its faces (the largest first), and how long finding and judging them took, in milliseconds."""

    shot: shots.Shot
    seen: list[seeing.Seen]
    detector_ms: float
    network_ms: float


def look(content: bytes, *, reader: seeing.Reader, detect: seeing.Detector) -> Look:
    """Look at the bytes of a picture file.

    The network's time is that of all faces together, from crops to probabilities.

    Raises:
      invalid_example.InvalidExample: if they are no picture, or a broken one.
    """
    shot = shots.picture(content, name="picture")
    start = time.perf_counter()
    found = detect(shot.pixels)
    detected = time.perf_counter()
    cuts = reader.cut(shot, found=found)
    cut = time.perf_counter()
    seen = reader.judge(cuts)
    judged = time.perf_counter()
    return Look(shot=shot, seen=seen, detector_ms=1000 * (detected - start), network_ms=1000 * (judged - cut))


def warm_up(*, reader: seeing.Reader, detect: seeing.Detector) -> None:
    """Run detector and network once, since TensorFlow's first run takes many times as long as the others."""
    shot = shots.Shot(name="nothing", pixels=np.zeros((240, 320, 3), np.uint8))
    detect(shot.pixels)
    reader.judge(reader.cut(shot, found=[seeing.Found(box=None)]))
