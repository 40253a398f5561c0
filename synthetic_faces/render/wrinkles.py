"""Shading of the folds of skin that muscles and age cause.

Owns furrows, crow's feet, nasolabial folds and dimples. Which unit causes which fold follows the
FACS manual's 'appearance changes' (Ekman, Friesen & Hager 2002).
"""

from collections.abc import Iterator
from typing import NamedTuple

from synthetic_faces.canvas import paint
from synthetic_faces.subject import subjects

_FLOOR = 0.12
_DARKEST = 62
_EYES = ((36, 41, 39, -1), (45, 46, 42, 1))
_CORNERS = ((31, 48, -1), (35, 54, 1))


class Fold(NamedTuple):
    """A line in the skin."""

    depth: float  # about 0 to 1
    points: list[tuple[int, float, float]]  # (landmark, dx, dy) in the face's plane


def folds(canvas: paint.Canvas, subject: subjects.Subject) -> paint.Canvas:
    """Return the shade of all folds of this face, slightly blurred."""
    shade = paint.shade_like(canvas)
    for find in (_brow_folds, _eye_folds, _nose_folds, _cheek_folds, _chin_folds):
        for fold in find(subject):
            _paint_fold(shade, subject, fold)
    return paint.soften(shade, sigma_px=0.016 * subject.unit_px)


def _paint_fold(shade: paint.Canvas, subject: subjects.Subject, fold: Fold) -> None:
    if fold.depth < _FLOOR:
        return
    depth = min(1.0, fold.depth)
    points = [subject.near(landmark, dx, dy) for landmark, dx, dy in fold.points]
    paint.stroke(
        shade,
        points,
        paint.NEUTRAL - _DARKEST * depth,
        width_px=0.03 * (1 + depth) * subject.unit_px,
    )


def _brow_folds(subject: subjects.Subject) -> Iterator[Fold]:
    frown = max(subject.intensity(4), 0.7 * subject.intensity(9))
    for inner, side in ((21, 1), (22, -1)):
        yield Fold(
            frown,
            [(inner, 0.09 * side, 0.10), (inner, 0.10 * side, 0.0), (inner, 0.05 * side, -0.12)],
        )
    raised = 0.45 * subject.intensity(1) + 0.45 * subject.intensity(2) + 0.18 * subject.look.age
    for row in (-0.20, -0.32, -0.44):
        middle = [(20, 0, row), (21, 0.1, row - 0.02), (22, -0.1, row - 0.02), (23, 0, row)]
        whole = [(18, 0, row), *middle, (25, 0, row)]
        yield Fold(raised, whole if subject.intensity(2) > 0.25 else middle)


def _eye_folds(subject: subjects.Subject) -> Iterator[Fold]:
    age = subject.look.age
    feet = 0.7 * subject.intensity(6) + 0.18 * age
    pouch = max(
        0.8 * subject.intensity(6),
        0.64 * subject.intensity(7),
        0.56 * subject.intensity(9),
        0.4 * age,
    )
    for corner, low, inner, side in _EYES:
        for rise in (-0.08, 0.01, 0.10):
            yield Fold(feet, [(corner, 0.05 * side, rise * 0.4), (corner, 0.18 * side, rise * 1.4)])
        yield Fold(pouch, [(inner, 0.03 * side, 0.08), (low, 0.03 * side, 0.10), (corner, 0, 0.11)])


def _nose_folds(subject: subjects.Subject) -> Iterator[Fold]:
    wrinkled = subject.intensity(9)
    for drop in (-0.02, 0.07, 0.16):
        yield Fold(
            wrinkled, [(27, -0.13, drop - 0.04), (27, 0, drop + 0.03), (27, 0.13, drop - 0.04)]
        )
    for wing, _, side in _CORNERS:
        side_of_nose = [
            (27, 0.12 * side, 0.22),
            (wing, -0.02 * side, -0.24),
            (wing, 0.05 * side, -0.08),
        ]
        yield Fold(0.45 * wrinkled, side_of_nose)


def _cheek_folds(subject: subjects.Subject) -> Iterator[Fold]:
    age = subject.look.age
    for wing, corner, side in _CORNERS:
        own = {
            unit: sides.left if side < 0 else sides.right
            for unit, sides in subject.activity.items()
        }
        lift = max(
            own.get(12, 0.0), own.get(10, 0.0), 0.9 * own.get(9, 0.0), 0.5 * own.get(20, 0.0)
        )
        from_nose = [(wing, 0.05 * side, -0.06), (wing, 0.19 * side, 0.12)]
        yield Fold(
            lift + 0.35 * age,
            [*from_nose, (corner, 0.13 * side, -0.06), (corner, 0.12 * side, 0.08)],
        )
        dimple = [
            (corner, 0.08 * side, -0.07),
            (corner, 0.10 * side, 0.0),
            (corner, 0.07 * side, 0.08),
        ]
        yield Fold(1.2 * own.get(14, 0.0), dimple)
        sag = [
            (corner, 0.02 * side, 0.05),
            (corner, 0.06 * side, 0.14),
            (corner, 0.05 * side, 0.24),
        ]
        yield Fold(max(0.9 * own.get(15, 0.0), 0.27 * age), sag)


def _chin_folds(subject: subjects.Subject) -> Iterator[Fold]:
    raised = subject.intensity(17)
    yield Fold(raised, [(57, -0.2, 0.17), (57, 0, 0.08), (57, 0.2, 0.17)])
    for dx in (-0.08, 0.02, 0.1):
        yield Fold(0.8 * raised, [(8, dx, -0.14), (8, dx + 0.04, -0.10)])
