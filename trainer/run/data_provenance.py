"""What a run was trained on, kept in its folder, so that the model can be used and shipped where
the data are not.

Owns data.json: class names, the data's name and fingerprint, how the job cut faces and how they are
stored. The job's own job_config.json was not copied as it is: it names folders of the machine it
ran on.
"""

import dataclasses
import json
import pathlib
from typing import Any

from affectnet_tfds import face_crop
from runtime import atomic_file, errors
from trainer.data import dataset_version

FILE = "data.json"
_JOB_CONFIG = "job_config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """A published version, as the model folder remembers it."""

    name: str
    fingerprint: str
    is_drawn: bool
    class_names: tuple[str, ...]
    stored_size: int
    encoding: str
    """How the faces are stored, and so what the network saw of them: jpeg, png or raw."""
    counts: dict[str, int]
    crop: dict[str, Any] | None
    """The job's settings that decide where a face is cut (`crops.Geometry`); None if the data do
    not say."""

    def geometry(self) -> face_crop.Geometry:
        """Return how the job cut faces.

        Raises:
          errors.UserError: if it is not known.
        """
        if self.crop is None:
            raise errors.UserError(
                f"{self.name} has no {_JOB_CONFIG} that says how its faces were cut, so that new photographs cannot be "
                "cut in the same way. Data built by 'python -m pipeline.main' have it"
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
        crop=_crop(version.path / _JOB_CONFIG),
    )


def save(version: dataset_version.Version, *, model_dir: pathlib.Path) -> None:
    """Write what there is to know of the training data into a model folder."""
    text = json.dumps(dataclasses.asdict(of(version)), indent=2)
    atomic_file.replace(model_dir / FILE, content=f"{text}\n".encode())


def load(model_dir: pathlib.Path) -> Provenance:
    """Read what `save` wrote, now or before it wrote the encoding: such runs count as JPEG unless
    marked raw.

    Raises:
      errors.UserError: if it is not there, or is damaged.
    """
    path = model_dir / FILE
    if not path.is_file():
        raise errors.UserError(
            f"{model_dir} does not say what it was trained on ({FILE}): the same trainer.main command again adds it"
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise errors.UserError(
            f"cannot read {path} as JSON ({error}); the "
            "same trainer.main command again writes it anew"
        ) from error
    was_raw = fields.pop("is_raw", False)
    fields.setdefault("encoding", "raw" if was_raw else "jpeg")
    return Provenance(**{**fields, "class_names": tuple(fields["class_names"])})


def _crop(path: pathlib.Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    settings = json.loads(path.read_text(encoding="utf-8"))
    return {name: settings[name] for name in face_crop.Geometry._fields}
