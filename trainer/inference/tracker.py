"""Tracker: the same person in the frames of a video, and probabilities that are smoothed over time.

Owns who is who, and the smoothing. Faces of two frames are assigned to each other by the overlap of
their boxes, each enlarged to twice its sides (buffered IoU, Yang et al. 2023, arXiv:2211.14317),
so that all overlaps together are largest (Hungarian method). Plain IoU was rejected: between frames
that are a second apart a head moves by more than its size. Nobody is recognised: who leaves the
picture for longer than `LOST_S` comes back as another person.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize

from affectnet_tfds import crop_geometry
from trainer.inference import face_classifier, images

LOST_S = 2.0
"""Seconds without a face after which a person is gone; at least two frames."""

_ENLARGED = 2.0
_LEAST_OVERLAP = 0.2


@dataclasses.dataclass(kw_only=True)
class _Person:
    """Somebody seen in the video so far, with what was last seen of them."""

    number: int
    box: crop_geometry.Box
    time_s: float
    probabilities: np.ndarray
    affect: tuple[float, float] | None


class Tracker:
    """Follows the faces of one video after another; images that are no frames are left alone."""

    def __init__(self, *, smooth_s: float, every_s: float) -> None:
        """Set up.

        Args:
          smooth_s: time constant of the smoothing in seconds, 0 for none: what was seen that long
            ago counts 1/e of what it did.
          every_s: seconds between frames.
        """
        self._smooth_s = smooth_s
        self._lost_s = max(LOST_S, 2.5 * every_s)
        self._video: str | None = None
        self._people: list[_Person] = []
        self._count = 0

    def follow(
        self, image: images.InputImage, faces: Sequence[face_classifier.ClassifiedFace]
    ) -> list[face_classifier.ClassifiedFace]:
        """Return the faces of a frame with their persons, and with smoothed outputs.

        Frames come in the order of their times.
        """
        if image.time_s is None:
            return list(faces)
        if image.name != self._video:
            self._video, self._people, self._count = image.name, [], 0
        time_s = image.time_s
        self._people = [each for each in self._people if time_s - each.time_s <= self._lost_s]
        whole = (0.0, 0.0, float(image.size[0]), float(image.size[1]))
        boxes = [face.detected.box or whole for face in faces]
        known = assigned([each.box for each in self._people], boxes)
        people = dict(enumerate(self._people))
        followed = []
        for index, (face, box) in enumerate(zip(faces, boxes, strict=True)):
            person = people[known[index]] if index in known else self._new(face, box, time_s)
            self._update(person, face=face, box=box, time_s=time_s)
            followed.append(
                dataclasses.replace(
                    face,
                    person=person.number,
                    probabilities=person.probabilities,
                    affect=person.affect,
                )
            )
        return followed

    def _new(
        self, face: face_classifier.ClassifiedFace, box: crop_geometry.Box, time_s: float
    ) -> _Person:
        self._count += 1
        person = _Person(
            number=self._count,
            box=box,
            time_s=time_s,
            probabilities=face.probabilities,
            affect=face.affect,
        )
        self._people.append(person)
        return person

    def _update(
        self,
        person: _Person,
        *,
        face: face_classifier.ClassifiedFace,
        box: crop_geometry.Box,
        time_s: float,
    ) -> None:
        """Move a person's outputs towards those of a face: by 1 - exp(-elapsed / smooth_s)."""
        elapsed_s = time_s - person.time_s
        share = 1 - math.exp(-elapsed_s / self._smooth_s) if self._smooth_s else 1.0
        person.probabilities = person.probabilities + np.float32(share) * (
            face.probabilities - person.probabilities
        )
        if face.affect and person.affect:
            old_valence, old_arousal = person.affect
            valence, arousal = face.affect
            person.affect = (
                old_valence + share * (valence - old_valence),
                old_arousal + share * (arousal - old_arousal),
            )
        person.box, person.time_s = box, time_s


def assigned(
    before: Sequence[crop_geometry.Box], now: Sequence[crop_geometry.Box]
) -> dict[int, int]:
    """Return for boxes of `now`, by index, the index of the same one in `before`; new ones lack."""
    if not before or not now:
        return {}
    overlaps = np.array([[overlap(old, new) for new in now] for old in before])
    rows, columns = optimize.linear_sum_assignment(overlaps, maximize=True)
    return {
        int(column): int(row)
        for row, column in zip(rows, columns, strict=True)
        if overlaps[row, column] >= _LEAST_OVERLAP
    }


def overlap(one: crop_geometry.Box, other: crop_geometry.Box) -> float:
    """Return the intersection over union of two boxes that are enlarged around their centres."""
    first, second = _enlarged(one), _enlarged(other)
    sides = [
        min(first[axis] + first[axis + 2], second[axis] + second[axis + 2])
        - max(first[axis], second[axis])
        for axis in (0, 1)
    ]
    common = max(sides[0], 0.0) * max(sides[1], 0.0)
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def _enlarged(box: crop_geometry.Box) -> crop_geometry.Box:
    x, y, width, height = box
    more = (_ENLARGED - 1) / 2
    return x - more * width, y - more * height, _ENLARGED * width, _ENLARGED * height
