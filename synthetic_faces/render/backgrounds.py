"""Painting of backgrounds, and of distractors for images without a face.

Owns backgrounds and distractors. Distractors are what face detectors mistake for faces: round,
dotted, symmetrical.
"""

import cv2
import numpy as np

from synthetic_faces.canvas import curves, paint

KINDS: tuple[str, ...] = ("plain", "gradient", "lamps", "clutter", "texture", "bricks", "landscape")
DISTRACTORS: tuple[str, ...] = ("ball", "clock", "house", "flower", "socket", "writing")


def paint_background(*, width: int, height: int, rng: np.random.Generator) -> paint.Canvas:
    """Return a new image, uint8[height, width, 3], of one of KINDS."""
    kind = str(rng.choice(KINDS))
    canvas = _gradient(width, height, rng=rng, flat=kind == "plain")
    if kind == "lamps":
        _paint_lamps(canvas, rng=rng)
    elif kind == "clutter":
        _paint_clutter(canvas, rng=rng)
    elif kind == "texture":
        _paint_texture(canvas, rng=rng)
    elif kind == "bricks":
        _paint_bricks(canvas, rng=rng)
    elif kind == "landscape":
        _paint_landscape(canvas, rng=rng)
    return canvas


def paint_distractor(canvas: paint.Canvas, *, rng: np.random.Generator) -> None:
    """Paint one of DISTRACTORS at a random position."""
    kind = str(rng.choice(DISTRACTORS))
    size = min(canvas.shape[:2]) * float(rng.uniform(0.18, 0.38))
    centre = _random_point(canvas, rng=rng)
    colour = _colour(rng)
    if kind == "writing":
        word = str(rng.choice(("OPEN", "TAXI", "CAFE", "EXIT")))
        origin = (4, canvas.shape[0] // 2)
        cv2.putText(canvas, word, origin, cv2.FONT_HERSHEY_PLAIN, size / 18, colour, 2, cv2.LINE_AA)
    elif kind == "house":
        _paint_house(canvas, centre, size, colour)
    elif kind == "flower":
        _paint_petals(canvas, centre, size, colour, petals=int(rng.integers(5, 9)))
    else:
        _paint_disc(canvas, centre, size, colour, kind=kind, rng=rng)


def _colour(rng: np.random.Generator) -> paint.Colour:
    """Draw a muted colour: one grey level, off by a little in each part."""
    blue, green, red = np.clip(rng.uniform(30, 220) + rng.uniform(-55, 55, size=3), 5, 250).tolist()
    return blue, green, red


def _random_point(canvas: paint.Canvas, *, rng: np.random.Generator) -> paint.Points:
    height, width = canvas.shape[:2]
    point: paint.Points = np.array([width, height]) * rng.uniform(0.2, 0.8, size=2)
    return point


def _gradient(width: int, height: int, *, rng: np.random.Generator, flat: bool) -> paint.Canvas:
    corners = np.broadcast_to(_colour(rng), (2, 2, 3))
    variation = rng.uniform(-60, 60, size=(2, 2, 3))
    if not flat:
        corners = corners + variation
    small = np.clip(corners, 0, 255).astype(np.uint8)
    return np.asarray(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
    )


def _paint_lamps(canvas: paint.Canvas, *, rng: np.random.Generator) -> None:
    layer = canvas.copy()
    for _ in range(14):
        radius = min(canvas.shape[:2]) * float(rng.uniform(0.03, 0.16))
        spot = curves.ellipse(
            _random_point(canvas, rng=rng) * 1.6 - 0.3 * min(canvas.shape[:2]),
            [radius, 0],
            [0, radius],
        )
        paint.fill(layer, spot, _colour(rng))
    cv2.addWeighted(layer, 0.6, canvas, 0.4, 0, canvas)
    canvas[:] = cv2.blur(canvas, (7, 7))


def _paint_clutter(canvas: paint.Canvas, *, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    for _ in range(12):
        middle = rng.uniform(0, 1, size=2) * [width, height]
        half = rng.uniform(0.04, 0.3, size=2) * [width, height]
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half + rng.uniform(
            -8, 8, size=(4, 2)
        )
        paint.fill(canvas, middle + corners, _colour(rng))
    canvas[:] = cv2.blur(canvas, (5, 5))


def _paint_texture(canvas: paint.Canvas, *, rng: np.random.Generator) -> None:
    cells = int(rng.integers(8, 48))
    noise = np.repeat(rng.integers(0, 256, size=(cells, cells, 1), dtype=np.uint8), 3, axis=2)
    large = cv2.resize(noise, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_CUBIC)
    cv2.addWeighted(canvas, 1.0, large, 0.5, -64, canvas)


def _paint_bricks(canvas: paint.Canvas, *, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    pitch = int(rng.integers(14, 40))
    mortar = _colour(rng)
    for row, y in enumerate(range(0, height, pitch)):
        cv2.line(canvas, (0, y), (width, y), mortar, 2)
        for x in range(pitch * (row % 2), width, 2 * pitch):
            cv2.line(canvas, (x, y), (x, y + pitch), mortar, 2)


def _paint_landscape(canvas: paint.Canvas, *, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    for level in (0.4, 0.55, 0.75):
        xs = np.linspace(-0.1, 1.1, 7) * width
        ys = (level + rng.uniform(-0.1, 0.1, size=7)) * height
        ridge = curves.through(np.stack([xs, ys], axis=1))
        paint.fill(
            canvas,
            np.concatenate([ridge, [[width * 1.2, height * 2], [-width, height * 2]]]),
            _colour(rng),
        )


def _paint_house(
    canvas: paint.Canvas, centre: paint.Points, size: float, colour: paint.Colour
) -> None:
    square = np.array([(-1, -0.6), (1, -0.6), (1, 1), (-1, 1)]) * size
    paint.fill(canvas, centre + square, colour)
    paint.fill(
        canvas,
        centre + np.array([(-1.2, -0.6), (0, -1.4), (1.2, -0.6)]) * size,
        paint.scaled(colour, 0.5),
    )
    for window in ((-0.5, -0.1), (0.5, -0.1), (0.0, 0.65)):
        paint.fill(
            canvas, centre + np.array(window) * size + square * 0.22, paint.scaled(colour, 0.3)
        )


def _paint_petals(
    canvas: paint.Canvas, centre: paint.Points, size: float, colour: paint.Colour, *, petals: int
) -> None:
    for angle in np.linspace(0, 2 * np.pi, petals, endpoint=False):
        out = np.array([np.cos(angle), np.sin(angle)])
        side = np.array([-np.sin(angle), np.cos(angle)])
        paint.fill(
            canvas,
            curves.ellipse(centre + out * size * 0.6, out * size * 0.45, side * size * 0.28),
            colour,
        )
    paint.fill(
        canvas, curves.ellipse(centre, [size * 0.3, 0], [0, size * 0.3]), paint.scaled(colour, 0.4)
    )


def _paint_disc(
    canvas: paint.Canvas,
    centre: paint.Points,
    size: float,
    colour: paint.Colour,
    *,
    kind: str,
    rng: np.random.Generator,
) -> None:
    paint.fill(canvas, curves.ellipse(centre, [size, 0], [0, size], steps=48), colour)
    dark = paint.scaled(colour, 0.35)
    if kind == "clock":
        for angle in rng.uniform(0, 2 * np.pi, size=2):
            hand = centre + np.array([np.cos(angle), np.sin(angle)]) * size * 0.75
            paint.stroke(canvas, np.stack([centre, hand]), dark, width_px=size * 0.08)
    num_dots = 12
    radius = 0.85
    if kind == "socket":
        num_dots = 2
        radius = 0.4
    for angle in np.arange(num_dots) * 2 * np.pi / num_dots:
        dot = centre + np.array([np.cos(angle), np.sin(angle)]) * size * radius
        paint.fill(canvas, curves.ellipse(dot, [size * 0.09, 0], [0, size * 0.09]), dark)
