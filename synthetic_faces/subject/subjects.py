"""Subject of an image: one person's face in one expression at one pose, ready to be rendered.

Owns the step from face model to image pixels. The landmarks that are painted are the landmarks that
are written to the annotations; a second model for the annotations was rejected, since it could
drift from the first.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from synthetic_faces.subject import action_units, anatomy, appearance, poses


@dataclasses.dataclass(frozen=True)
class Subject:
    """A face to paint: landmarks as float[68, 3] in the face's frame (`model`) and in pixels."""

    look: appearance.Look
    activity: action_units.Activity
    pose: poses.Pose
    model: anatomy.Points
    landmarks: anatomy.Points  # float[68, 2], image pixels

    @property
    def unit_px(self) -> float:
        """Half the width of the face, in pixels."""
        return self.pose.scale_px

    def intensity(self, unit: int) -> float:
        """Return the mean intensity of an action unit."""
        return action_units.intensity(self.activity, unit)

    def project(self, points: npt.ArrayLike) -> anatomy.Points:
        """Map points of the face's frame, float[..., 3], to image pixels."""
        return self.pose.project(points)

    def near(self, landmark: int, dx: float, dy: float) -> anatomy.Points:
        """Return the point, float[2] in pixels, a step in the face's plane from a landmark."""
        point: anatomy.Points = self.landmarks[landmark] + self.pose.across(dx, dy)
        return point

    def moved(self, step_px: npt.ArrayLike) -> "Subject":
        """Return the same face shifted in the image."""
        step = np.asarray(step_px, dtype=np.float64)
        x, y = (self.pose.centre_xy + step).tolist()
        return dataclasses.replace(
            self,
            pose=dataclasses.replace(self.pose, centre_xy=(x, y)),
            landmarks=self.landmarks + step,
        )


def make_subject(
    shape: anatomy.Shape,
    *,
    look: appearance.Look,
    activity: action_units.Activity,
    pose: poses.Pose,
) -> Subject:
    """Apply the action units to a face's shape and project it into the image."""
    model = action_units.displace(anatomy.landmarks(shape), activity)
    return Subject(
        look=look, activity=activity, pose=pose, model=model, landmarks=pose.project(model)
    )
