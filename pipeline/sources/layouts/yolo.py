"""YOLO folders: train/images/x.jpg, train/labels/x.txt, data.yaml.

A line is a class and a box in fractions of the picture, which is not opened to learn its size: the
box stays in fractions until the picture is decoded. A class is known by its name in data.yaml; its
index follows the alphabet.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, label_names, split_names
from runtime import errors

LOOKED_FOR = "data.yaml with train/images and train/labels (YOLO)"

EXPECTED = {"train": base.EIGHT_TRAIN, "validation": base.EIGHT_VALIDATION}


class Reading(NamedTuple):
    """What a reader needs to know."""

    codes: tuple[int, ...]  # class index → AffectNet's code


class _Found(NamedTuple):
    """What is there of the layout."""

    names: str  # the data.yaml, relative to the root
    pairs: dict[str, image_folders.Pair]


def spot(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> _Found | None:
    """Return the data.yaml and the folders of pictures and labels, in either order of nesting."""
    yamls = [
        f"{f.relative}/{name}".lstrip("/") for f in folders for name in f.lists if name in _YAMLS
    ]
    if not yamls or "manual" not in request.subsets:
        return None
    pairs: dict[str, image_folders.Pair] = {}
    for parent, pair in image_folders.pairs_of(
        folders, images="images", annotations="labels"
    ).items():
        inner = _nested(folders, pair)
        pairs |= inner or {parent: pair}
    return _Found(yamls[0], pairs) if pairs else None


_YAMLS = ("data.yaml", "data.yml", "dataset.yaml")


def _nested(
    folders: tuple[folder_walk.Folder, ...], pair: image_folders.Pair
) -> dict[str, image_folders.Pair]:
    """Return the pairs of images/train and labels/train."""
    inside = [
        f
        for f in folders
        if f.relative and f.parent == pair.images and label_names.split_of(f.name)
    ]
    known = {folder.relative for folder in folders}
    both = [f for f in inside if f"{pair.annotations}/{f.name}" in known]
    return {
        f.relative: image_folders.Pair(f.relative, f"{pair.annotations}/{f.name}") for f in both
    }


def find(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a folder in which `spot` found something."""
    found = spot(folders, request)
    assert found
    reading = Reading(class_codes(root / found.names, label_names.parse_labels(request.labels)))
    pairs, notes = split_names.by_split(found.pairs, root=str(root))
    tables = tuple(_as_table(root, split, pair, reading) for split, pair in pairs.items())
    return base.Release(layout="yolo", root=str(root), tables=tables, notes=notes)


def _as_table(
    root: storage.AnyPath, split: str, pair: image_folders.Pair, reading: Reading
) -> base.Table:
    listed = image_folders.paired(
        str(root), pair, stem_of=lambda name: name[:-4] if name.endswith(".txt") else None
    )
    return base.Table(
        layout="yolo",
        split=split,
        subset="manual",
        path=pair.annotations,
        images=pair.images,
        parts=base.in_parts(listed.names),
        expected=EXPECTED.get(split, ()),
        digest=listed.digest,
        reading=reading,
    )


def class_codes(path: storage.AnyPath, given: dict[str, str]) -> tuple[int, ...]:
    """Return AffectNet's code of every class of a data.yaml, in the order of its indices.

    Args:
      given: what --labels says.

    Raises: errors.UserError: if it has no names, another number of them than it says, or one that
      is no expression.
    """
    names = _class_names(path)
    codes = label_names.codes(names, given=given, where=f"names in {path}")
    if unknown := [name for name in names if name not in codes]:
        raise errors.UserError(
            f"every class must be an expression: {path} has {', '.join(unknown)}; "
            f"say which it is with --labels={unknown[0]}=…"
        )
    return tuple(codes[name] for name in names)


def _class_names(path: storage.AnyPath) -> list[str]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise errors.UserError(f"{path} must be YAML: {' '.join(str(error).split())}") from error
    names: Any = value.get("names") if isinstance(value, dict) else None
    if isinstance(names, dict):
        names = (
            [names[index] for index in sorted(names, key=int)] if _counts_from_0(names) else None
        )
    if not isinstance(names, list) or not names:
        raise errors.UserError(f"{path} must have names, a list or 0: …, 1: …: got {names!r}")
    if value.get("nc", len(names)) != len(names):
        raise errors.UserError(
            f"{path} must name as many classes as it says: nc is {value['nc']}, names are {len(names)}"
        )
    return [str(name) for name in names]


def _counts_from_0(names: dict[Any, Any]) -> bool:
    return sorted(map(str, names), key=lambda text: (len(text), text)) == [
        str(i) for i in range(len(names))
    ]


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a folder: a row for every face of a picture."""
    assert isinstance(part.range, base.Names) and isinstance(part.table.reading, Reading)
    table, names = part.table, part.range.names
    files = [f"{image_folders.stem(name)}.txt" for name in names]
    contents = storage.contents(storage.path(root) / table.path, files)
    for name, file, content in zip(names, files, contents, strict=True):
        place = image_folders.place_of(table, name, prefix=f"{table.split}/images")
        try:
            if isinstance(content, OSError):
                raise content
            lines = [line.split() for line in content.decode("utf-8-sig").splitlines()]
        except (OSError, ValueError) as error:
            reason = (
                "no annotation" if isinstance(error, FileNotFoundError) else "unreadable annotation"
            )
            yield image_folders.reject(
                place, name, reason, f"a picture must have a list of faces: {file}: {error}"
            )
            continue
        yield from _faces(name, lines, place, part.table.reading.codes)


def _faces(
    name: str, lines: Sequence[Sequence[str]], place: annotations.Place, codes: Sequence[int]
) -> Iterator[annotations.Row | annotations.Reject]:
    if not any(lines):
        yield image_folders.reject(
            place, name, "no face", f"a list of faces must have one: that of {name} is empty"
        )
    for number, words in enumerate(lines, start=1):
        if words:
            here = place._replace(source=f"{place.source} face {number}")
            try:
                row = annotations.parse({"path": name, **_fields(words, codes)}, here)
            except annotations.InvalidExample as defect:
                yield image_folders.reject(here, name, defect.reason, str(defect))
                continue
            yield row._replace(box_from="fractions") if isinstance(row, annotations.Row) else row


def _fields(words: Sequence[str], codes: Sequence[int]) -> dict[str, str]:
    """Return the text fields of a line: class, centre, width and height; a sixth number,
    confidence, is not read."""
    try:
        index, (x, y, width, height) = int(words[0]), map(float, words[1:5])
    except ValueError as error:
        raise annotations.InvalidExample(
            "bad line", f"a line must be class, x, y, width, height: got {' '.join(words)}"
        ) from error
    if len(words) > 6:
        raise annotations.InvalidExample(
            "bad line", f"a line must be a box, not an outline: got {len(words) - 1} numbers"
        )
    if not 0 <= index < len(codes):
        raise annotations.InvalidExample(
            "bad label", f"a class must be 0..{len(codes) - 1}: got {index}"
        )
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1 and 0 < height <= 1):
        detail = f"a box must be in fractions of the picture, 0..1: got {' '.join(words[1:5])}"
        raise annotations.InvalidExample("bad box", detail)
    box = {"x": x - width / 2, "y": y - height / 2, "width": width, "height": height}
    return {"label": str(codes[index]), **{name: repr(value) for name, value in box.items()}}
