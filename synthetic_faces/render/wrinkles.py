"""Shades the folds that muscles and age draw into skin.

Owns: furrows, crow's feet, nasolabial folds, dimples. Which unit makes which fold follows the FACS
manual's 'appearance changes' (Ekman, Friesen & Hager 2002).
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
    """A line in the skin: places given as (landmark, dx, dy) in the face's plane, and a depth of
    about 0 to 1."""

    depth: float
    places: list[tuple[int, float, float]]


def folds(canvas: paint.Canvas, sitter: subjects.Sitter) -> paint.Canvas:
    """Return the shade of every fold this face shows, softened a little."""
    shade = paint.shade_like(canvas)
    for find in (_brow_folds, _eye_folds, _nose_folds, _cheek_folds, _chin_folds):
        for fold in find(sitter):
            _paint_fold(shade, sitter, fold)
    return paint.soften(shade, sigma_px=0.016 * sitter.unit_px)


def _paint_fold(shade: paint.Canvas, sitter: subjects.Sitter, fold: Fold) -> None:
    if fold.depth < _FLOOR:
        return
    depth = min(1.0, fold.depth)
    points = [sitter.near(landmark, dx, dy) for landmark, dx, dy in fold.places]
    paint.stroke(
        shade, points, paint.LIT - _DARKEST * depth, width_px=0.03 * (1 + depth) * sitter.unit_px
    )


def _brow_folds(sitter: subjects.Sitter) -> Iterator[Fold]:
    frown = max(sitter.level(4), 0.7 * sitter.level(9))
    for inner, side in ((21, 1), (22, -1)):
        yield Fold(
            frown,
            [(inner, 0.09 * side, 0.10), (inner, 0.10 * side, 0.0), (inner, 0.05 * side, -0.12)],
        )
    raised = 0.45 * sitter.level(1) + 0.45 * sitter.level(2) + 0.18 * sitter.look.age
    for row in (-0.20, -0.32, -0.44):
        middle = [(20, 0, row), (21, 0.1, row - 0.02), (22, -0.1, row - 0.02), (23, 0, row)]
        whole = [(18, 0, row), *middle, (25, 0, row)]
        yield Fold(raised, whole if sitter.level(2) > 0.25 else middle)


def _eye_folds(sitter: subjects.Sitter) -> Iterator[Fold]:
    age = sitter.look.age
    feet = 0.7 * sitter.level(6) + 0.18 * age
    pouch = max(0.8 * sitter.level(6), 0.64 * sitter.level(7), 0.56 * sitter.level(9), 0.4 * age)
    for corner, low, inner, side in _EYES:
        for rise in (-0.08, 0.01, 0.10):
            yield Fold(feet, [(corner, 0.05 * side, rise * 0.4), (corner, 0.18 * side, rise * 1.4)])
        yield Fold(pouch, [(inner, 0.03 * side, 0.08), (low, 0.03 * side, 0.10), (corner, 0, 0.11)])


def _nose_folds(sitter: subjects.Sitter) -> Iterator[Fold]:
    wrinkled = sitter.level(9)
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


def _cheek_folds(sitter: subjects.Sitter) -> Iterator[Fold]:
    age = sitter.look.age
    for wing, corner, side in _CORNERS:
        own = {
            unit: sides.left if side < 0 else sides.right for unit, sides in sitter.activity.items()
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


def _chin_folds(sitter: subjects.Sitter) -> Iterator[Fold]:
    raised = sitter.level(17)
    yield Fold(raised, [(57, -0.2, 0.17), (57, 0, 0.08), (57, 0.2, 0.17)])
    for dx in (-0.08, 0.02, 0.1):
        yield Fold(0.8 * raised, [(8, dx, -0.14), (8, dx + 0.04, -0.10)])
