"""Head pose: rotation, scale and position that map the face's frame to image pixels.

Projection is parallel: at the distances of portraits the perspective of a face is a few per cent,
less than the spread of face shapes.
"""

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from synthetic_faces.subject import anatomy

YAW_MAX_DEG = 20.0
PITCH_MAX_DEG = 11.0
ROLL_MAX_DEG = 16.0


@dataclasses.dataclass(frozen=True)
class Pose:
    """A head's pose: positive yaw looks to the image's right, pitch down, roll clockwise."""

    rotation: npt.NDArray[np.float64]
    scale_px: float
    centre_xy: tuple[float, float]
    roll_rad: float
    yaw_rad: float

    def project(self, points: npt.ArrayLike) -> anatomy.Points:
        """Map points of the face's frame, float[..., 3], to image pixels, float[..., 2]."""
        turned = np.asarray(points, dtype=np.float64) @ self.rotation.T
        projected: anatomy.Points = turned[..., :2] * self.scale_px + np.array(self.centre_xy)
        return projected

    def across(self, dx: float, dy: float) -> anatomy.Points:
        """Map a step in the plane of the face to a step in image pixels, float[2]."""
        step: anatomy.Points = self._plane @ np.array([dx, dy])
        return step

    @functools.cached_property
    def _plane(self) -> anatomy.Points:
        plane: anatomy.Points = self.rotation[:2, :2] * self.scale_px
        return plane


def draw_pose(rng: np.random.Generator, *, scale_px: float, centre_xy: tuple[float, float]) -> Pose:
    """Draw the angles of a head with its middle at `centre_xy` and half a face of `scale_px`."""
    yaw = np.radians(YAW_MAX_DEG) * _bell(rng)
    pitch = np.radians(PITCH_MAX_DEG) * _bell(rng)
    roll = np.radians(ROLL_MAX_DEG) * _bell(rng)
    matrix = rotation(yaw_rad=yaw, pitch_rad=pitch, roll_rad=roll)
    origin = np.array(centre_xy) - (matrix @ np.array([0.0, 0.5, 0.1]))[:2] * scale_px
    return Pose(matrix, scale_px, (float(origin[0]), float(origin[1])), float(roll), float(yaw))


def rotation(*, yaw_rad: float, pitch_rad: float, roll_rad: float) -> npt.NDArray[np.float64]:
    """Return the rotation, float[3, 3], that turns a head, then nods it, then tilts it."""
    return _turn(2, roll_rad) @ _turn(0, -pitch_rad) @ _turn(1, yaw_rad)


def _bell(rng: np.random.Generator) -> float:
    """Draw from -1..1, mostly near 0: from a uniform or a triangular distribution, half each."""
    if rng.random() < 0.5:
        return float(rng.uniform(-1, 1))
    return float(rng.triangular(-1, 0, 1))


def _turn(axis: int, angle_rad: float) -> npt.NDArray[np.float64]:
    """Return the rotation about one axis, which takes the next axis towards the one after it."""
    first = (axis + 1) % 3
    second = (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = np.cos(angle_rad)
    matrix[second, second] = np.cos(angle_rad)
    matrix[second, first] = np.sin(angle_rad)
    matrix[first, second] = -np.sin(angle_rad)
    return matrix
