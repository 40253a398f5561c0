"""Painting of the nose: bridge, tip, wings and nostrils.

Landmarks 27..30 run down the bridge, 31..35 along the base.
"""

from synthetic_faces.canvas import curves, paint
from synthetic_faces.render import lighting
from synthetic_faces.subject import subjects


def paint_nose(canvas: paint.Canvas, subject: subjects.Subject) -> None:
    """Paint wings, nostrils and base."""
    skin = subject.look.skin
    unit = subject.unit_px
    for wing, nostril, side in ((31, 32, -1), (35, 34, 1)):
        outer = [
            subject.near(wing, 0.0, -0.13),
            subject.near(wing, 0.045 * side, -0.05),
            subject.near(wing, 0.0, 0.02),
        ]
        paint.stroke(canvas, outer, paint.scaled(skin, 0.62), width_px=0.035 * unit)
        hole = curves.ellipse(
            subject.near(nostril, 0.015 * side, -0.02),
            subject.pose.across(0.062, 0.012 * side),
            subject.pose.across(0, 0.028),
        )
        paint.fill(canvas, hole, paint.scaled(skin, 0.3))
    base = [subject.landmarks[32], subject.landmarks[33], subject.landmarks[34]]
    paint.stroke(canvas, base, paint.scaled(skin, 0.6), width_px=0.03 * unit)


def bridge(canvas: paint.Canvas, subject: subjects.Subject, light: lighting.Light) -> paint.Canvas:
    """Return the shade of the bridge, dark on the side away from the lamp, and of the tip."""
    shade = paint.shade_like(canvas)
    away, wing = 1, 35  # Right side of the image.
    if light.direction_xyz[0] > 0:
        away, wing = -1, 31
    side = [
        subject.near(27, 0.10 * away, -0.08),
        subject.near(28, 0.10 * away, 0.0),
        subject.near(29, 0.13 * away, 0.0),
    ]
    ridge = [
        subject.near(30, 0.05 * away, 0.0),
        subject.near(28, 0.02 * away, 0.0),
        subject.near(27, 0.03 * away, 0.0),
    ]
    paint.fill(shade, [*side, subject.landmarks[wing], *ridge], paint.NEUTRAL - 34)
    tip = curves.ellipse(
        subject.near(30, -0.03 * away, -0.03),
        subject.pose.across(0.06, 0),
        subject.pose.across(0, 0.06),
    )
    paint.fill(shade, tip, paint.NEUTRAL + 30)
    return paint.soften(shade, sigma_px=0.03 * subject.unit_px)
