"""Face at rest: a 3-D model of the 68 landmarks, and the variation of its shape.

Owns the landmarks' positions and the differences between faces. x points to the image's right, y
down, z to the viewer; half the width of the face is 1; the origin lies between the eyes. The
proportions follow the usual drawing canon (eyes halfway down the head, nose and mouth at thirds). A
scanned mean face was rejected for its licence.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

NUM_LANDMARKS = 68
_LENGTH = 1.05

# (x, y, z) of the image's left half and of the midline, by dlib's landmark number.
_LEFT: dict[int, tuple[float, float, float]] = {
    0: (-1.00, 0.02, -0.36), 1: (-0.99, 0.28, -0.35), 2: (-0.96, 0.53, -0.33),
    3: (-0.90, 0.78, -0.29),
    4: (-0.79, 1.00, -0.21), 5: (-0.63, 1.20, -0.09), 6: (-0.43, 1.36, 0.04),
    7: (-0.22, 1.46, 0.14),
    8: (0.00, 1.50, 0.18),
    17: (-0.80, -0.31, 0.12), 18: (-0.68, -0.40, 0.22), 19: (-0.52, -0.43, 0.30),
    20: (-0.36, -0.41, 0.35),
    21: (-0.20, -0.36, 0.38),
    27: (0.00, -0.03, 0.38), 28: (0.00, 0.16, 0.47), 29: (0.00, 0.36, 0.57), 30: (0.00, 0.55, 0.66),
    31: (-0.21, 0.66, 0.40), 32: (-0.11, 0.70, 0.48), 33: (0.00, 0.73, 0.52),
    36: (-0.65, 0.02, 0.14), 37: (-0.54, -0.08, 0.21), 38: (-0.38, -0.085, 0.24),
    39: (-0.26, 0.045, 0.22),
    40: (-0.38, 0.095, 0.23), 41: (-0.54, 0.095, 0.20),
    48: (-0.37, 1.01, 0.28), 49: (-0.24, 0.945, 0.38), 50: (-0.10, 0.905, 0.44),
    51: (0.00, 0.92, 0.45),
    57: (0.00, 1.15, 0.44), 58: (-0.13, 1.14, 0.42), 59: (-0.26, 1.09, 0.37),
    60: (-0.33, 1.01, 0.29), 61: (-0.15, 1.00, 0.40), 62: (0.00, 1.005, 0.42),
    66: (0.00, 1.015, 0.42),
    67: (-0.15, 1.01, 0.40),
}  # fmt: skip

_PAIRS = (
    [(i, 16 - i) for i in range(8)]
    + [(17 + i, 26 - i) for i in range(5)]
    + [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    + [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
)

MIRROR: npt.NDArray[np.int64] = np.arange(NUM_LANDMARKS)
"""Landmark → the landmark on the other side of the face."""
for _left, _right in _PAIRS:
    MIRROR[_left] = _right
    MIRROR[_right] = _left

MIDLINE: tuple[int, ...] = tuple(int(i) for i in np.flatnonzero(np.arange(NUM_LANDMARKS) == MIRROR))
"""Landmarks that are their own mirror image."""

BROWS = tuple(range(17, 27))
NOSE = tuple(range(27, 36))
EYES = (tuple(range(36, 42)), tuple(range(42, 48)))
MOUTH = tuple(range(48, 68))


@dataclasses.dataclass(frozen=True)
class Shape:
    """Deviations of a face from the mean: factors around 1; shifts, in half face widths."""

    length: float
    jaw_width: float
    chin_length: float
    eye_size: float
    eye_spacing: float
    eye_tilt: float
    brow_height: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    mouth_curve: float
    lip_fullness: float
    asymmetry: float


def draw_shape(rng: np.random.Generator) -> Shape:
    """Draw a face's shape, varied enough that no pixel position alone tells the expression."""
    spread = {
        "length": 0.07, "jaw_width": 0.07, "chin_length": 0.07, "eye_size": 0.11,
        "eye_spacing": 0.05, "nose_length": 0.09, "nose_width": 0.14, "mouth_width": 0.10,
        "lip_fullness": 0.24,
    }  # fmt: skip
    shift = {
        "eye_tilt": 0.018, "brow_height": 0.035, "brow_tilt": 0.02, "mouth_height": 0.03,
        "mouth_curve": 0.012, "asymmetry": 0.008,
    }  # fmt: skip
    factors = {
        name: float(np.exp(width * rng.uniform(-1.6, 1.6))) for name, width in spread.items()
    }
    shifts = {name: float(width * rng.uniform(-1.7, 1.7)) for name, width in shift.items()}
    return Shape(**factors, **shifts)


def mean_landmarks() -> Points:
    """Return the mean face at rest, float[68, 3]."""
    points = np.zeros((NUM_LANDMARKS, 3))
    for number, point in _LEFT.items():
        points[MIRROR[number]] = np.array(point) * [-1, 1, 1]
        points[number] = point
    return points


def landmarks(shape: Shape) -> Points:
    """Return the face of this shape at rest, float[68, 3]."""
    points = mean_landmarks()
    _shape_jaw(points, shape)
    _shape_brows_and_eyes(points, shape)
    _shape_nose_and_mouth(points, shape)
    points[:, 1] *= shape.length * _LENGTH
    points[:, 1] += shape.asymmetry * points[:, 0]
    return points


def _shape_jaw(points: Points, shape: Shape) -> None:
    low = np.clip((points[:17, 1] - 0.3) / 1.2, 0, 1)
    points[:17, 0] *= 1 + (shape.jaw_width - 1) * np.sin(low * np.pi * 0.75)
    points[:17, 1] += 0.6 * (shape.chin_length - 1) * low**2


def _shape_brows_and_eyes(points: Points, shape: Shape) -> None:
    for eye in EYES:
        rows = list(eye)
        centre = points[rows].mean(axis=0)
        points[rows] = centre + (points[rows] - centre) * [shape.eye_size, shape.eye_size, 1]
        points[rows, 1] -= shape.eye_tilt * (np.abs(points[rows, 0]) - abs(centre[0])) / 0.18
    rows = [*BROWS, *EYES[0], *EYES[1]]
    points[rows, 0] *= shape.eye_spacing
    outward = (np.abs(points[list(BROWS), 0]) - 0.5) / 0.3
    points[list(BROWS), 1] -= shape.brow_height + shape.brow_tilt * outward


def _shape_nose_and_mouth(points: Points, shape: Shape) -> None:
    nose = list(NOSE)
    mouth = list(MOUTH)
    points[nose, 1] *= shape.nose_length
    points[nose, 0] *= shape.nose_width
    points[mouth, 0] *= shape.mouth_width
    lips = points[mouth, 1] - 1.01
    points[mouth, 1] = 1.01 + lips * shape.lip_fullness + shape.mouth_height
    points[mouth, 1] -= shape.mouth_curve * (np.abs(points[mouth, 0]) / 0.37) ** 2
