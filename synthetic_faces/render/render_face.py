"""Paints a whole person: the parts in their order, from the back to the front."""

import cv2
import numpy as np

from synthetic_faces.canvas import paint
from synthetic_faces.render import (
    accessories,
    eyes,
    hair,
    head_shape,
    lighting,
    mouths,
    noses,
    wrinkles,
)
from synthetic_faces.subject import subjects


def paint_person(
    canvas: paint.Canvas,
    sitter: subjects.Sitter,
    *,
    light: lighting.Light,
    rng: np.random.Generator,
) -> None:
    """Paint a sitter into a picture; the light falls on the person and leaves the background as it
    was."""
    before = canvas.copy()
    head_shape.paint_body(canvas, sitter)
    hair.paint_behind(canvas, sitter)
    head_shape.paint_ears(canvas, sitter)
    head_shape.paint_skin(canvas, sitter)
    window, origin = _head_window(canvas, sitter)
    if window.size:
        _paint_features(window, sitter.moved(-origin), light=light, rng=rng)
    hair.paint_front(canvas, sitter, rng=rng)
    accessories.paint_glasses(canvas, sitter)
    lit = canvas.copy()
    lighting.paint_light(lit, sitter, light)
    cv2.copyTo(lit, paint.changed(before, canvas), canvas)


def _head_window(
    canvas: paint.Canvas, sitter: subjects.Sitter
) -> tuple[paint.Canvas, paint.Points]:
    """Return the part of the picture that the head lies in, as a view, and its upper left corner:
    (x, y) in pixels."""
    outline = head_shape.outline(sitter)
    left, top = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    right, bottom = np.maximum(np.ceil(outline.max(axis=0)) + 1, 0).astype(int)
    return canvas[top:bottom, left:right], np.array([left, top], dtype=np.float64)


def _paint_features(
    canvas: paint.Canvas,
    sitter: subjects.Sitter,
    *,
    light: lighting.Light,
    rng: np.random.Generator,
) -> None:
    def paint_soft_parts(layer: paint.Canvas) -> None:
        noses.paint_nose(layer, sitter)
        accessories.paint_freckles(layer, sitter, rng=rng)
        accessories.paint_beard(layer, sitter)
        shades = (
            lighting.hollows(layer, sitter),
            noses.bridge(layer, sitter, light),
            wrinkles.folds(layer, sitter),
        )
        paint.multiply(layer, *shades)

    # Their blurred edges would darken the background beside the jaw.
    paint.inside(canvas, head_shape.outline(sitter), paint_soft_parts)
    mouths.paint_mouth(canvas, sitter)
    gaze = (float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1)))
    eyes.paint_eyes(canvas, sitter, gaze=gaze)
    eyes.paint_brows(canvas, sitter, rng=rng)
