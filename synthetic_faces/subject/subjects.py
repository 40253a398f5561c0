"""The sitter: one person's face in one expression at one pose, all that the painters of its parts
need to know.

Owns: the step from face model to picture pixels. The landmarks that are painted are the landmarks
that are written
down: there is no second model that could drift from the first.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from synthetic_faces.subject import action_units, anatomy, appearance, poses


@dataclasses.dataclass(frozen=True)
class Sitter:
    """A face to paint. `model` is float[68, 3] in the face's frame, `landmarks` float[68, 2] in
    picture pixels."""

    look: appearance.Look
    activity: action_units.Activity
    pose: poses.Pose
    model: anatomy.Points
    landmarks: anatomy.Points

    @property
    def unit_px(self) -> float:
        """Half the width of the face, in pixels."""
        return self.pose.scale_px

    def level(self, unit: int) -> float:
        """Return the mean intensity of an action unit."""
        return action_units.level(self.activity, unit)

    def at(self, points: npt.ArrayLike) -> anatomy.Points:
        """Map points of the face's frame, float[..., 3], to picture pixels."""
        return self.pose.project(points)

    def near(self, landmark: int, dx: float, dy: float) -> anatomy.Points:
        """Return the place, float[2] in pixels, a step in the face's plane away from a landmark."""
        place: anatomy.Points = self.landmarks[landmark] + self.pose.across(dx, dy)
        return place

    def moved(self, step_px: npt.ArrayLike) -> "Sitter":
        """Return the same face elsewhere in the picture."""
        step = np.asarray(step_px, dtype=np.float64)
        x, y = (self.pose.centre_xy + step).tolist()
        return dataclasses.replace(
            self,
            pose=dataclasses.replace(self.pose, centre_xy=(x, y)),
            landmarks=self.landmarks + step,
        )


def seat(
    shape: anatomy.Shape,
    *,
    look: appearance.Look,
    activity: action_units.Activity,
    pose: poses.Pose,
) -> Sitter:
    """Move a face's muscles and put it in the picture."""
    model = action_units.displace(anatomy.landmarks(shape), activity)
    return Sitter(
        look=look, activity=activity, pose=pose, model=model, landmarks=pose.project(model)
    )
