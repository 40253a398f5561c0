"""Evaluation views: which parts of an image a network is given, as a configuration asks for.

Owns the middle, the mirror image, and the ten crops: the four corners and the middle, each mirrored
(Krizhevsky et al. 2012, section 4.1).
"""

import dataclasses

from runtime import errors
from trainer.config import run_config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """Which views of an image [S, S, 3] there are.

    Attributes:
      image_px: S, the side of the image.
      crop_px: N, the side of a view.
      tta: none, flip or ten_crop.
    """

    image_px: int
    crop_px: int
    tta: str

    @property
    def count(self) -> int:
        """Number of views of an image."""
        return len(self.places) * (2 if self.is_mirrored else 1)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Upper left corners, (row, column); the middle comes first."""
        room = self.image_px - self.crop_px
        middle = (room // 2, room // 2)
        corners = [(0, 0), (0, room), (room, 0), (room, room)]
        return [middle, *corners] if self.tta == "ten_crop" else [middle]

    @property
    def is_mirrored(self) -> bool:
        """Whether each view is there mirrored as well."""
        return self.tta != "none"

    @property
    def of_epochs(self) -> "Views":
        """Those that choose the epoch: of ten crops the middle and its mirror image.

        Their forward passes take a fifth of the time, after every epoch.
        """
        return dataclasses.replace(self, tta="flip") if self.tta == "ten_crop" else self

    @property
    def is_plain(self) -> bool:
        """Whether the only view is the image itself."""
        return self.count == 1 and self.crop_px == self.image_px


def of_run(settings: run_config.Config, *, image_size: int) -> Views:
    """Return the views that settings ask for, of images of a size.

    Raises:
      errors.UserError: if a crop is not smaller than the image, ten of them have no size, or a
        side of --progressive_px is not smaller than what the network is given in the end.
    """
    crop_px = settings.data.crop_px
    if crop_px is not None and crop_px >= image_size:
        raise errors.UserError(
            f"--crop_px must be less than the {image_size} px of the images: got {crop_px}; choose "
            "a smaller --crop_px or a larger --image_size"
        )
    if settings.selection.tta == "ten_crop" and crop_px is None:
        raise errors.UserError(
            "--tta=ten_crop needs --crop_px, the side of the crops; 44 of 48 px is usual"
        )
    for side in settings.training.progressive_px:
        if side >= (crop_px or image_size):
            raise errors.UserError(
                f"--progressive_px must be less than the {crop_px or image_size} px of the images "
                f"that the network is given in the end: got {side}; leave it out"
            )
    return Views(image_px=image_size, crop_px=crop_px or image_size, tta=settings.selection.tta)
