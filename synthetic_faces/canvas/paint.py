"""Painting in image pixels: filled shapes, tapered strokes, clipping and soft shade.

Owns the few operations from which all of a face is painted, on OpenCV. All edges are anti-aliased
at a sixteenth of a pixel, so that nothing has to be drawn larger and shrunk.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from synthetic_faces.canvas import curves

Canvas: TypeAlias = npt.NDArray[np.uint8]
"""uint8[height, width, 3] in OpenCV's order (blue, green, red), or uint8[height, width] for shade.
"""
Points: TypeAlias = curves.Points
Colour: TypeAlias = tuple[float, float, float]
"""Blue, green, red, 0..255."""

NEUTRAL = 128
"""Value of a shade canvas that does not change an image; half of it halves the light."""

_SHIFT = 4
_COARSE_SIGMA_PX = 2.5
_QUARTER_TURN = np.array([-1.0, 1.0])


def fill(canvas: Canvas, points: npt.ArrayLike, colour: Colour | float) -> None:
    """Fill a polygon."""
    fixed = np.rint(np.asarray(points) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], _scalar(colour), cv2.LINE_AA, _SHIFT)


def stroke(
    canvas: Canvas,
    points: npt.ArrayLike,
    colour: Colour | float,
    *,
    width_px: float,
    taper: float = 0.8,
) -> None:
    """Draw a stroke that thins towards its ends; `taper` 0 keeps its width, 1 ends in points."""
    spine = curves.through(points)
    profile = 1 - taper + taper * _bulge(len(spine))
    ribbon(canvas, spine, colour, half_width_px=width_px / 2 * profile)


def hairs(
    canvas: Canvas, lines: Sequence[npt.ArrayLike], colour: Colour | float, *, width_px: float
) -> None:
    """Draw many thin smooth lines of one colour, at least a pixel wide."""
    fixed = [np.rint(curves.through(line) * (1 << _SHIFT)).astype(np.int32) for line in lines]
    cv2.polylines(
        canvas, fixed, False, _scalar(colour), max(1, round(width_px)), cv2.LINE_AA, _SHIFT
    )


def ribbon(
    canvas: Canvas, spine: Points, colour: Colour | float, *, half_width_px: npt.ArrayLike
) -> None:
    """Fill a band of varying width along a line."""
    step = np.empty_like(spine)
    step[1:-1] = spine[2:] - spine[:-2]
    step[0] = spine[1] - spine[0]
    step[-1] = spine[-1] - spine[-2]
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-6)
    side = (step[:, ::-1] * _QUARTER_TURN) * (np.asarray(half_width_px) / length)[:, np.newaxis]
    fill(canvas, np.concatenate([spine + side, (spine - side)[::-1]]), colour)


def inside(canvas: Canvas, outline: npt.ArrayLike, draw: Callable[[Canvas], None]) -> None:
    """Call `draw`, and keep only the part of its drawing that is inside the outline."""
    layer = canvas.copy()
    draw(layer)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    fill(mask, outline, 255)
    blend(canvas, layer, mask)


def blend(canvas: Canvas, layer: Canvas, mask: Canvas) -> None:
    """Blend `layer` over the canvas with the mask as opacity, 0..255."""
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return
    here = np.s_[y : y + height, x : x + width]
    weight = cv2.merge([mask[here]] * 3)
    over = cv2.multiply(layer[here], weight, scale=1 / 255)
    canvas[here] = cv2.add(over, cv2.multiply(canvas[here], 255 - weight, scale=1 / 255))


def flood(canvas: Canvas, colour: Colour) -> None:
    """Paint the whole canvas in one colour."""
    height, width = canvas.shape[:2]
    cv2.rectangle(canvas, (0, 0), (width, height), colour, cv2.FILLED)


def changed(before: Canvas, after: Canvas) -> Canvas:
    """Return the mask, 255 or 0, of the pixels in which two images differ."""
    same = cv2.inRange(cv2.absdiff(before, after), (0, 0, 0), (0, 0, 0))
    return _uint8(cv2.bitwise_not(same))


def shade_like(canvas: Canvas) -> Canvas:
    """Return a neutral shade canvas of the same size."""
    return np.full(canvas.shape[:2], NEUTRAL, np.uint8)


def soften(shade: Canvas, *, sigma_px: float) -> Canvas:
    """Blur a shade canvas; wide blurs are computed on a smaller copy, which looks the same."""
    if sigma_px <= 0.3:
        return shade
    if sigma_px < _COARSE_SIGMA_PX:
        return _uint8(cv2.GaussianBlur(shade, (0, 0), sigma_px))
    shrink = 4
    if sigma_px < 2 * _COARSE_SIGMA_PX:
        shrink = 2
    small = cv2.resize(shade, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma_px / shrink)
    return _uint8(
        cv2.resize(blurred, (shade.shape[1], shade.shape[0]), interpolation=cv2.INTER_LINEAR)
    )


def multiply(canvas: Canvas, *shades: Canvas) -> None:
    """Multiply an image by shade canvases, in place."""
    shade = functools.reduce(
        lambda first, second: _uint8(cv2.multiply(first, second, scale=1 / NEUTRAL)), shades
    )
    cv2.multiply(canvas, cv2.merge([shade, shade, shade]), canvas, scale=1 / NEUTRAL)


def scaled(colour: Sequence[float], factor: float) -> Colour:
    """Return a colour made darker (below 1) or lighter."""
    blue, green, red = (min(255.0, part * factor) for part in colour)
    return blue, green, red


def mixed(first: Sequence[float], second: Sequence[float], share: float) -> Colour:
    """Return a colour between two; `share` 0 is the first, 1 the second."""
    blue, green, red = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return blue, green, red


def _scalar(colour: Colour | float) -> tuple[float, ...]:
    if isinstance(colour, int | float):
        return (float(colour),)
    return tuple(float(part) for part in colour)


def _uint8(image: Any) -> Canvas:
    return np.asarray(image, dtype=np.uint8)


@functools.lru_cache(maxsize=64)
def _bulge(count: int) -> Points:
    bulge: Points = np.sin(np.linspace(0, np.pi, count))
    return bulge
