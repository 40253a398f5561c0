"""Images of a comparison: finds the data that runs were evaluated on, and reads some examples.

Owns which folders are tried: the one that is named, else those that the runs were trained from. A
version counts only with the fingerprint that the evaluation wrote down. A comparison without the
data is complete but for the images.
"""

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import simplejpeg

from affectnet_tfds import dataset_paths
from affectnet_tfds.reader import face_dataset
from runtime import errors
from trainer.data import dataset_version
from trainer.evaluation import paired_comparison, predictions
from trainer.reports import thumbnails

_DATA = re.compile(rf"({dataset_paths.DATASET_NAME}/[^/\s]+/[\d.]+)\b.*, fingerprint ([0-9a-f]+)")
"""What `publication.protocol_of_data` says of the data: name and fingerprint."""

_JPEG_QUALITY = 80


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """JPEG files by the example's row, and the reason where there are none."""

    by_row: Mapping[int, bytes]
    missing: str = ""


def read(
    run: paired_comparison.Run,
    *,
    rows: Sequence[int],
    data_dirs: Iterable[str | None],
    is_named: bool,
) -> Images:
    """Read the images of some of a run's examples.

    Args:
      run: whose examples, in the order of its predictions.
      rows: of the examples.
      data_dirs: folders to look in; None is the default one.
      is_named: whether the folder was named by the user: then it must have the data.

    Raises:
      errors.UserError: if a folder that was named lacks the data, or holds damaged ones.
    """
    try:
        path = _locate(run, data_dirs)
        split = run.metrics["protocol"]["split"]
        faces = face_dataset.FaceDataset(path, split=split, image_size=thumbnails.SIDE)
        positions = _positions(run.preds, rows=rows, faces=faces)
        return Images(by_row={row: _jpeg(faces, at) for row, at in positions.items()})
    except (errors.UserError, OSError) as error:
        if is_named:
            raise
        return Images(by_row={}, missing=f"No images are shown: {error}.")


def _locate(run: paired_comparison.Run, data_dirs: Iterable[str | None]) -> pathlib.Path:
    """Return the folder of the version that a run was evaluated on."""
    described = run.metrics.get("protocol", {}).get("data", "")
    parts = _DATA.match(described)
    if not parts:
        raise errors.UserError("the evaluation does not say on which version of the data it was")
    name, fingerprint = parts.groups()
    places = list(dict.fromkeys(map(dataset_paths.data_dir, data_dirs)))
    for place in places:
        path = pathlib.Path(place).expanduser() / name
        is_version = (path / dataset_paths.FEATURES).is_file()
        if is_version and dataset_version.fingerprint(path).startswith(fingerprint):
            return path
    raise errors.UserError(
        f"{name} with fingerprint {fingerprint[:12]}, on which the runs were evaluated, is not in "
        f"{' or '.join(places)}; name the folder that has it with --data_dir"
    )


def _positions(
    preds: predictions.Predictions, *, rows: Sequence[int], faces: face_dataset.FaceDataset
) -> dict[int, int]:
    """Return where in the split each row's example is.

    An evaluation of a whole split is in its order; only that of a subset makes every record be
    read.
    """
    wanted = {row: (str(preds.filenames[row]), int(preds.copies[row])) for row in rows}
    if len(faces) == len(preds.labels) and all(
        _key(faces, row) == key for row, key in wanted.items()
    ):
        return {row: row for row in rows}
    by_key = {_key(faces, position): position for position in range(len(faces))}
    return {row: by_key[key] for row, key in wanted.items() if key in by_key}


def _key(faces: face_dataset.FaceDataset, position: int) -> tuple[str, int]:
    example = faces.stored(position)
    return example.filename, example.copy


def _jpeg(faces: face_dataset.FaceDataset, position: int) -> bytes:
    pixels = np.ascontiguousarray(faces[position]["image"])
    content: bytes = simplejpeg.encode_jpeg(pixels, quality=_JPEG_QUALITY, colorspace="RGB")
    return content
