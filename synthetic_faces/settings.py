"""Settings of a drawn sample, and the marker file that identifies one.

Owns the settings and `drawn_sample.json`, by which the job recognises a drawn sample and never
takes it for AffectNet.
"""

import dataclasses
import json
import pathlib
from typing import Any

from synthetic_faces.examples import dataset_rows
from synthetic_faces.layouts import registry

GENERATOR_VERSION = 1
"""Version of the bytes: raised whenever the same settings would give others."""

MARKER = "drawn_sample.json"


class SettingsError(ValueError):
    """Invalid request; its text is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """A sample: output folder, number of images in all splits together, seed and layout.

    `ambiguous_frac` is the share of faces between two expressions (examples.dataset_rows).
    """

    output_dir: pathlib.Path
    num_images: int
    seed: int
    layout: str
    ambiguous_frac: float = 0.0

    def __post_init__(self) -> None:
        if self.num_images < dataset_rows.MIN_IMAGES:
            raise SettingsError(
                f"--num_images must be at least {dataset_rows.MIN_IMAGES}, or a class would be "
                f"empty: got {self.num_images}."
            )
        if self.seed < 0:
            raise SettingsError(f"--seed must not be negative: got {self.seed}.")
        if self.layout not in registry.LAYOUTS:
            known = ", ".join(registry.LAYOUTS)
            raise SettingsError(f"--layout must be one of {known}: got {self.layout!r}.")

    def marker(self) -> dict[str, Any]:
        """Return the content of this sample's marker."""
        found = {
            "generator_version": GENERATOR_VERSION,
            "layout": self.layout,
            "num_images": self.num_images,
            "seed": self.seed,
        }
        if self.ambiguous_frac:  # Markers of samples without such faces stay as they were.
            found["ambiguous_frac"] = self.ambiguous_frac
        return found


def read_marker(folder: pathlib.Path) -> dict[str, Any] | None:
    """Return the content of a folder's marker, or None where there is none."""
    path = folder / MARKER
    if not path.is_file():
        return None
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    if not isinstance(marker, dict):
        return {}
    return marker


def write_marker(folder: pathlib.Path, settings: Settings) -> None:
    """Mark a folder as a drawn sample."""
    text = json.dumps(settings.marker(), indent=2, sort_keys=True)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")
