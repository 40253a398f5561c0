"""Painting of a whole person: the parts in their order, from the back to the front."""

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
    subject: subjects.Subject,
    *,
    light: lighting.Light,
    rng: np.random.Generator,
) -> None:
    """Paint a subject into an image; only the person is lit, the background stays unchanged."""
    before = canvas.copy()
    head_shape.paint_body(canvas, subject)
    hair.paint_behind(canvas, subject)
    head_shape.paint_ears(canvas, subject)
    head_shape.paint_skin(canvas, subject)
    window, origin = _head_window(canvas, subject)
    if window.size:
        _paint_features(window, subject.moved(-origin), light=light, rng=rng)
    hair.paint_front(canvas, subject, rng=rng)
    accessories.paint_glasses(canvas, subject)
    lit = canvas.copy()
    lighting.paint_light(lit, subject, light)
    cv2.copyTo(lit, paint.changed(before, canvas), canvas)


def _head_window(
    canvas: paint.Canvas, subject: subjects.Subject
) -> tuple[paint.Canvas, paint.Points]:
    """Return the part of the image with the head, as a view, and its upper left corner (x, y)."""
    outline = head_shape.outline(subject)
    left, top = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    right, bottom = np.maximum(np.ceil(outline.max(axis=0)) + 1, 0).astype(int)
    return canvas[top:bottom, left:right], np.array([left, top], dtype=np.float64)


def _paint_features(
    canvas: paint.Canvas,
    subject: subjects.Subject,
    *,
    light: lighting.Light,
    rng: np.random.Generator,
) -> None:
    def paint_soft_parts(layer: paint.Canvas) -> None:
        noses.paint_nose(layer, subject)
        accessories.paint_freckles(layer, subject, rng=rng)
        accessories.paint_beard(layer, subject)
        shades = (
            lighting.hollows(layer, subject),
            noses.bridge(layer, subject, light),
            wrinkles.folds(layer, subject),
        )
        paint.multiply(layer, *shades)

    # Their blurred edges would darken the background beside the jaw.
    paint.inside(canvas, head_shape.outline(subject), paint_soft_parts)
    mouths.paint_mouth(canvas, subject)
    gaze = (float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1)))
    eyes.paint_eyes(canvas, subject, gaze=gaze)
    eyes.paint_brows(canvas, subject, rng=rng)
