"""Layout of AffectNet+ (arXiv 2410.22506): one JSON an image, with soft label and difficulty.

Keys are compared without case and hyphens, because copies spell them in two forms. The automatic
part (no_human_annotated) may have no human label; its label is then the likeliest of the soft ones.
Soft labels are taken to be in the order of AffectNet's codes 0..7.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from affectnet_tfds import labels
from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, passed_over

LOOKED_FOR = "human_annotated/train_set/annotations/*.json (AffectNet+)"

NUM_SOFT = 8


class Reading(NamedTuple):
    """Settings for reading a folder."""

    prefix: str  # of file names in the record
    difficulty: str  # all, or the one that the user wants


class _Kind(NamedTuple):
    """A folder of the release."""

    folder: str  # in the release's own spelling
    split: str
    subset: str
    expected: tuple[int, ...]


_KINDS = (
    _Kind("human_annotated/train_set", "train", "manual", (414_799, 414_800)),
    _Kind("human_annotated/validation_set", "validation", "manual", (5_500,)),
    _Kind("no_human_annotated", "train", "automatic", (539_607,)),
)


def detect(
    folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> dict[str, image_folders.Pair]:
    """Return the folders of the release that are there, by its own names for them."""
    pairs = image_folders.pairs_of(folders, images="images", annotations="annotations")
    there: dict[str, image_folders.Pair] = {}
    for kind in _KINDS:
        wanted = _normalised_parts(kind.folder)
        for folder, pair in pairs.items():
            ends_alike = _normalised_parts(folder)[-len(wanted) :] == wanted
            if kind.subset in request.subsets and ends_alike:
                there.setdefault(kind.folder, pair)
    return there


def _normalised_parts(folder: str) -> list[str]:
    return [folder_walk.normalised(part) for part in folder.split("/")]


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    pairs = detect(folders, request)
    groups = tuple(request.columns_of_groups().items())
    tally = passed_over.Tally(root, follow_links=request.follow_links)
    tables = [
        _as_table(root, kind, pairs[kind.folder], request, tally)
        for kind in _KINDS
        if kind.folder in pairs
    ]
    # A subset that is not asked for is not looked into.
    everything = detect(folders, request._replace(subsets=("manual", "automatic")))
    tally.add_rest(read=(), apart=image_folders.folders_of(everything.values()))
    return base.Release(
        layout="affectnetplus",
        root=str(root),
        tables=tuple(table._replace(groups=groups) for table in tables),
        has_soft_labels=True,
        passed_over=tally.counts(),
    )


def _as_table(
    root: storage.AnyPath,
    kind: _Kind,
    pair: image_folders.Pair,
    request: base.Request,
    tally: passed_over.Tally,
) -> base.Table:
    listed = image_folders.paired(
        str(root),
        pair,
        stem_of=lambda name: image_folders.without_extension(name, ".json"),
        tally=tally,
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
    contents = storage.contents(
        storage.path(root) / part.table.path, files, within=part.within(root)
    )
    for name, file, content in zip(names, files, contents, strict=True):
        place = image_folders.place_of(part.table, name, prefix=part.table.reading.prefix)
        yield annotations.settled(
            _row, place, f"{place.images}/{name}", name, _Json(file, content), part.table, place
        )


class _Json(NamedTuple):
    """A JSON file, or why it cannot be read."""

    name: str
    content: bytes | OSError


def _row(
    name: str, file: _Json, table: base.Table, place: annotations.Place
) -> annotations.Row | annotations.Reject:
    record = _load(file.content, file.name)
    soft = soft_label(record.get("softlabel"))
    row = annotations.parse(
        {"path": name, **_fields(record, soft, table.subset)}, place, points=_points(record)
    )
    if isinstance(row, annotations.Row):
        row = row._replace(soft_label=soft)
        if table.reading.difficulty not in ("all", _difficulty(record)):
            row = row._replace(left_out="other difficulty")
    texts = {name: group_text(record, key) for name, key in table.groups}
    return annotations.with_groups(row, texts)


def _load(content: bytes | OSError, file: str) -> dict[str, Any]:
    """Parse a JSON file into normalised keys → values, those of meta-data among them.

    Raises:
      annotations.InvalidExample: if the file cannot be read, or is no JSON object.
    """
    try:
        if isinstance(content, OSError):
            raise content
        record = _normalised_keys(json.loads(content.decode("utf-8-sig")))
        return record | _normalised_keys(record.pop("metadata", None) or {})
    except FileNotFoundError as error:
        detail = f"a picture must have a JSON file: {file} is not there"
        raise annotations.InvalidExample("no annotation", detail) from error
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        detail = f"an annotation must be a JSON object: {file}: {error}"
        raise annotations.InvalidExample("unreadable annotation", detail) from error


def _normalised_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    return {folder_walk.normalised(key): entry for key, entry in value.items()}


def soft_label(value: Any) -> tuple[float, ...]:
    """Return 8 probabilities, or an empty tuple where there are none.

    Raises:
      annotations.InvalidExample: for anything else.
    """
    if value is None or value == []:
        return ()
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError, OverflowError):  # The last: an integer of 400 digits.
        numbers = ()
    is_text = isinstance(value, str)  # Whose letters may be numbers.
    if is_text or len(numbers) != NUM_SOFT or not all(0 <= number <= 1 for number in numbers):
        raise annotations.InvalidExample(
            "bad soft label", f"a soft label must be {NUM_SOFT} numbers in 0..1: got {value!r:.80}"
        )
    return numbers


def _fields(record: Mapping[str, Any], soft: tuple[float, ...], subset: str) -> dict[str, str]:
    """Return the text fields of an image."""
    label = record.get("humanlabel")
    if subset == "automatic" and label in (None, -1, "") and soft:
        if not any(soft):
            raise annotations.InvalidExample(
                "bad soft label", "the likeliest class is the label, and all of 8 numbers are 0"
            )
        label = soft.index(max(soft))
    values = {
        "label": label,
        "valence": record.get("valence"),
        "arousal": record.get("arousal"),
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _points(record: Mapping[str, Any]) -> np.ndarray:
    """Return the landmarks, flat or as pairs; empty where there are none."""
    try:
        return np.asarray(record.get("landmark68") or [], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def group_text(record: Mapping[str, Any], key: str) -> str:
    """Return an attribute of an image as text, or "" where the file has none.

    Args:
      record: as _load returns it.
      key: of the attribute, such as age; a point leads into it, as in pose.yaw. Of a dictionary of
        numbers, as gender and race are, the key of the largest is taken; of angles, as pose has
        them, how far the head is turned to either side.
    """
    value: Any = record
    for part in key.split("."):
        entries = _normalised_keys(value) if isinstance(value, Mapping) else {}
        value = entries.get(folder_walk.normalised(part))
    if isinstance(value, Mapping):
        numbers = {
            str(name): float(number)
            for name, number in value.items()
            if isinstance(number, (int, float)) and number == number
        }
        angles = {folder_walk.normalised(name): number for name, number in numbers.items()}
        if "yaw" in angles:
            return f"{abs(angles['yaw']):g}"
        return max(numbers, key=lambda name: numbers[name], default="")
    return "" if value is None or isinstance(value, list) else str(value)


def _difficulty(record: Mapping[str, Any]) -> str:
    """Return easy, challenging or difficult; "" where the file does not say."""
    code = record.get("subset")
    if isinstance(code, int):
        return dict(enumerate(labels.DIFFICULTIES)).get(code, "")
    return str(code or "").lower()
