"""Data provenance: data.json, the record of the training data in a model folder.

Owns the file: class names, the data's name and fingerprint, how the job cropped faces and how they
are stored, so that a model can be used and shipped without its data. Copying the job's own
job_config.json was rejected: it names folders of the machine that the job ran on.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from affectnet_tfds import dataset_paths, face_crop
from affectnet_tfds.peers import crops as peer_crops
from runtime import atomic_file, errors, untrusted
from trainer.data import dataset_version

FILE = "data.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """Description of the published version that a model was trained on."""

    name: str
    fingerprint: str
    is_drawn: bool
    class_names: tuple[str, ...]
    stored_size: int
    encoding: str
    """How the images are stored: jpeg, png or raw. The network was trained on what that leaves."""
    counts: dict[str, int]
    crop: dict[str, Any] | None
    """The job's crop settings (`face_crop.Geometry`), or None if the data do not record them."""
    license: str = ""
    """The licence of the data, in words; "" where data or run do not record it."""
    homepage: str = ""
    """The page of the data set that they were made of; "" where it is not recorded."""

    def geometry(self) -> face_crop.Geometry:
        """Return how the job cropped faces.

        Raises:
          errors.UserError: if the data do not record it.
        """
        if self.crop is None:
            raise errors.UserError(
                f"{self.name} has no {dataset_paths.JOB_CONFIG} that says how its faces were cut, "
                "so that new photographs cannot be cut in the same way; data built by 'python -m "
                "pipeline.main' have it: train on such a build"
            )
        return face_crop.Geometry(**self.crop)


def of(version: dataset_version.Version) -> Provenance:
    """Describe a published version."""
    return Provenance(
        name=version.name,
        fingerprint=version.fingerprint,
        is_drawn=version.is_drawn,
        class_names=version.class_names,
        stored_size=version.stored_size,
        encoding=version.encoding,
        counts=version.counts,
        crop=_crop(version.path / dataset_paths.JOB_CONFIG),
        license=version.license,
        homepage=version.homepage,
    )


def crop_warning(trained_on: Provenance, *, version: dataset_version.Version) -> str:
    """Return a warning if a version's faces are cropped otherwise than those of a training, or "".

    The stored size is left out: images are resized.
    """
    here = of(version).crop
    if trained_on.crop is None or here is None:
        return ""
    differing = [
        f"{name}={here[name]}, in training {trained_on.crop[name]}"
        for name in sorted(here.keys() & trained_on.crop.keys() - {"image_size"})
        if here[name] != trained_on.crop[name]
    ]
    if not differing:
        return ""
    return (
        f"the faces of {version.name} are cropped otherwise than those of {trained_on.name}, which "
        f"costs accuracy: {'; '.join(differing)}"
    )


def save(version: dataset_version.Version, *, model_dir: pathlib.Path) -> None:
    """Write the description of the training data into a model folder, atomically."""
    text = json.dumps(dataclasses.asdict(of(version)), indent=2) + "\n"
    atomic_file.replace(model_dir / FILE, content=text.encode())


def load(model_dir: pathlib.Path) -> Provenance:
    """Read what `save` wrote.

    Raises:
      errors.UserError: if there is no such file, or it is damaged.
    """
    path = model_dir / FILE
    if not path.is_file():
        raise errors.UserError(
            f"{model_dir} does not say what it was trained on ({FILE}): the same trainer.main "
            "command again adds it"
        )
    try:
        return _parse(untrusted.read_json_object(path))
    except ValueError as error:
        raise errors.UserError(
            f"cannot read {path} as JSON ({error}); the same trainer.main command again writes it "
            "anew"
        ) from None


_KINDS: dict[str, Any] = {
    "name": str,
    "fingerprint": str,
    "is_drawn": bool,
    "class_names": list,
    "stored_size": int,
    "encoding": str,
    "counts": dict,
    "crop": (dict, type(None)),
    "license": str,
    "homepage": str,
}
"""Fields of `Provenance` to what JSON has for them."""


_CROP_DEFAULTS = face_crop.Geometry._field_defaults
"""Crop settings that are recorded only where they are not the default."""


def _parse(fields: dict[str, Any]) -> Provenance:
    # Runs from before the encoding was recorded: JPEG unless marked raw.
    was_raw = fields.pop("is_raw", False)
    fields = {"encoding": "raw" if was_raw else "jpeg", "license": "", "homepage": ""} | fields
    for name, kind in _KINDS.items():
        if not isinstance(fields.get(name, ...), kind):
            raise ValueError(f"a part is missing or of another kind: {name}")
    names, crop = fields["class_names"], fields["crop"]
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("a part is missing or of another kind: class_names")
    if crop is not None:
        check_crop(crop)
    # What a later release may have added is passed over.
    return Provenance(**{name: fields[name] for name in _KINDS} | {"class_names": tuple(names)})


def check_crop(crop: Mapping[str, Any]) -> None:
    """Check recorded crop settings, of a run or of an export.

    Raises:
      ValueError: with what is wrong.
    """
    names = face_crop.Geometry._fields
    if {**_CROP_DEFAULTS, **crop}.keys() != set(names):
        raise ValueError(f"crop must have {', '.join(n for n in names if n not in _CROP_DEFAULTS)}")
    if crop.get("like", "none") not in ("none", *peer_crops.SETTINGS):
        raise ValueError(f"crop: like must be one of {', '.join(peer_crops.SETTINGS)}")


def _crop(path: pathlib.Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        settings = untrusted.read_json_object(path)
        return {
            name: settings[name]
            for name in face_crop.Geometry._fields
            if settings.get(name, _CROP_DEFAULTS.get(name)) != _CROP_DEFAULTS.get(name, ...)
        }
    except (ValueError, KeyError) as error:
        raise errors.UserError(
            f"cannot read {path} ({error}); copy the version again, or build it anew"
        ) from None
