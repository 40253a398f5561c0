"""Paints the nose.

Owns: bridge, tip, wings and nostrils; landmarks 27..30 run down the bridge, 31..35 along the base.
"""

from synthetic_faces.canvas import curves, paint
from synthetic_faces.render import lighting
from synthetic_faces.subject import subjects


def paint_nose(canvas: paint.Canvas, sitter: subjects.Sitter) -> None:
    """Paint wings, nostrils and base."""
    skin, unit = sitter.look.skin, sitter.unit_px
    for wing, nostril, side in ((31, 32, -1), (35, 34, 1)):
        outer = [
            sitter.near(wing, 0.0, -0.13),
            sitter.near(wing, 0.045 * side, -0.05),
            sitter.near(wing, 0.0, 0.02),
        ]
        paint.stroke(canvas, outer, paint.scaled(skin, 0.62), width_px=0.035 * unit)
        hole = curves.ellipse(
            sitter.near(nostril, 0.015 * side, -0.02),
            sitter.pose.across(0.062, 0.012 * side),
            sitter.pose.across(0, 0.028),
        )
        paint.fill(canvas, hole, paint.scaled(skin, 0.3))
    base = [sitter.landmarks[32], sitter.landmarks[33], sitter.landmarks[34]]
    paint.stroke(canvas, base, paint.scaled(skin, 0.6), width_px=0.03 * unit)


def bridge(canvas: paint.Canvas, sitter: subjects.Sitter, light: lighting.Light) -> paint.Canvas:
    """Return the shade of the bridge, dark on the side away from the lamp, and of the tip."""
    shade = paint.shade_like(canvas)
    away = -1 if light.direction_xyz[0] > 0 else 1
    wing = 31 if away < 0 else 35
    side = [
        sitter.near(27, 0.10 * away, -0.08),
        sitter.near(28, 0.10 * away, 0.0),
        sitter.near(29, 0.13 * away, 0.0),
    ]
    ridge = [
        sitter.near(30, 0.05 * away, 0.0),
        sitter.near(28, 0.02 * away, 0.0),
        sitter.near(27, 0.03 * away, 0.0),
    ]
    paint.fill(shade, [*side, sitter.landmarks[wing], *ridge], paint.LIT - 34)
    tip = curves.ellipse(
        sitter.near(30, -0.03 * away, -0.03),
        sitter.pose.across(0.06, 0),
        sitter.pose.across(0, 0.06),
    )
    paint.fill(shade, tip, paint.LIT + 30)
    return paint.soften(shade, sigma_px=0.03 * sitter.unit_px)
