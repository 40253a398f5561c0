"""AffectNet+ (arXiv 2410.22506): one JSON a picture, with a soft label and how difficult the
picture is.

Keys are compared without case and hyphens, as two spellings are about. The automatic part
(no_human_annotated) may have no human label; its label is then the likeliest of the soft ones. Soft
labels are taken to be in the order of AffectNet's codes 0..7.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from affectnet_tfds import labels
from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders

LOOKED_FOR = "human_annotated/train_set/annotations/*.json (AffectNet+)"

NUM_SOFT = 8


class Reading(NamedTuple):
    """What a reader of a folder needs to know."""

    prefix: str  # of file names in the record
    difficulty: str  # all, or the one that is asked for


class _Kind(NamedTuple):
    """A folder of the release."""

    folder: str  # as the release calls it
    split: str
    subset: str
    expected: tuple[int, ...]


_KINDS = (
    _Kind("human_annotated/train_set", "train", "manual", (414_799, 414_800)),
    _Kind("human_annotated/validation_set", "validation", "manual", (5_500,)),
    _Kind("no_human_annotated", "train", "automatic", (539_607,)),
)


def spot(
    folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> dict[str, image_folders.Pair]:
    """Return the folders of the release, as it calls them, that lie below."""
    pairs = image_folders.pairs_of(folders, images="images", annotations="annotations")
    found: dict[str, image_folders.Pair] = {}
    for kind in _KINDS:
        wanted = [folder_walk.normalised(part) for part in kind.folder.split("/")]
        for folder, pair in pairs.items():
            if kind.subset in request.subsets and _names(folder)[-len(wanted) :] == wanted:
                found.setdefault(kind.folder, pair)
    return found


def _names(folder: str) -> list[str]:
    return [folder_walk.normalised(part) for part in folder.split("/")]


def find(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a folder in which `spot` found something."""
    found = spot(folders, request)
    tables = [
        _as_table(root, kind, found[kind.folder], request)
        for kind in _KINDS
        if kind.folder in found
    ]
    return base.Release(
        layout="affectnetplus", root=str(root), tables=tuple(tables), has_soft_labels=True
    )


def _as_table(
    root: storage.AnyPath, kind: _Kind, pair: image_folders.Pair, request: base.Request
) -> base.Table:
    listed = image_folders.paired(
        str(root), pair, stem_of=lambda name: name[:-5] if name.endswith(".json") else None
    )
    return base.Table(
        layout="affectnetplus",
        split=kind.split,
        subset=kind.subset,
        path=pair.annotations,
        images=pair.images,
        parts=base.in_parts(listed.names),
        expected=kind.expected,
        digest=listed.digest,
        reading=Reading(f"{kind.folder}/images", request.difficulty),
    )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a folder."""
    assert isinstance(part.range, base.Names) and isinstance(part.table.reading, Reading)
    names = part.range.names
    files = [f"{image_folders.stem(name)}.json" for name in names]
    contents = storage.contents(storage.path(root) / part.table.path, files)
    for name, file, content in zip(names, files, contents, strict=True):
        place = image_folders.place_of(part.table, name, prefix=part.table.reading.prefix)
        try:
            found = _load(content, file)
            soft = soft_label(found.get("softlabel"))
        except annotations.InvalidExample as defect:
            yield image_folders.reject(place, name, defect.reason, str(defect))
            continue
        row = annotations.parse(
            {"path": name, **_fields(found, soft, part.table.subset)}, place, points=_points(found)
        )
        if isinstance(row, annotations.Row):
            wanted = part.table.reading.difficulty in ("all", _difficulty(found))
            row = row._replace(soft_label=soft, left_out="" if wanted else "other difficulty")
        yield row


def _load(content: bytes | OSError, file: str) -> dict[str, Any]:
    """Return what a JSON file says, its keys (and those of meta-data, which join them) normalised."""
    try:
        if isinstance(content, OSError):
            raise content
        value = json.loads(content.decode("utf-8-sig"))
        named = {folder_walk.normalised(key): one for key, one in value.items()}
        about = named.pop("metadata", None) or {}
        return {**named, **{folder_walk.normalised(key): one for key, one in about.items()}}
    except FileNotFoundError as error:
        detail = f"a picture must have a JSON file: {file} is not there"
        raise annotations.InvalidExample("no annotation", detail) from error
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        detail = f"an annotation must be a JSON object: {file}: {error}"
        raise annotations.InvalidExample("unreadable annotation", detail) from error


def soft_label(value: Any) -> tuple[float, ...]:
    """Return 8 probabilities; nothing where there are none.

    Raises:
      annotations.InvalidExample: for anything else.
    """
    if value is None or value == []:
        return ()
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != NUM_SOFT or not all(0 <= number <= 1 for number in numbers):
        raise annotations.InvalidExample(
            "bad soft label", f"a soft label must be {NUM_SOFT} numbers in 0..1: got {value!r:.80}"
        )
    return numbers


def _fields(found: Mapping[str, Any], soft: tuple[float, ...], subset: str) -> dict[str, str]:
    """Return the text fields of a picture."""
    label = found.get("humanlabel")
    if subset == "automatic" and label in (None, -1, "") and soft:
        label = soft.index(max(soft))
    fields = {
        name: "" if found.get(name) is None else str(found[name]) for name in ("valence", "arousal")
    }
    return {"label": "" if label is None else str(label), **fields}


def _points(found: Mapping[str, Any]) -> np.ndarray:
    """Return landmarks, flat or as pairs; nothing where there are none."""
    try:
        return np.asarray(found.get("landmark68") or [], dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)


def _difficulty(found: Mapping[str, Any]) -> str:
    """Return easy, challenging or difficult; nothing where the file does not say."""
    code = found.get("subset")
    names = dict(enumerate(labels.DIFFICULTIES))
    return names.get(code, "") if isinstance(code, int) else str(code or "").lower()
