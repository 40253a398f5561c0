"""Layout of YOLO folders: train/images/x.jpg, train/labels/x.txt, data.yaml.

A line is a class and a box in fractions of the image. The image is not opened for its size: the box
stays in fractions until the image is decoded. A class is identified by its name in data.yaml, since
its index follows the alphabet.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk, image_folders, label_names, passed_over, split_names
from runtime import errors, untrusted
from runtime import fields as fields_lib

LOOKED_FOR = "data.yaml with train/images and train/labels (YOLO)"

EXPECTED = {"train": base.EXPECTED_TRAIN, "validation": base.EXPECTED_VALIDATION}


class Reading(NamedTuple):
    """Settings for reading a part."""

    codes: tuple[int, ...]  # class index → AffectNet's code


class _Folders(NamedTuple):
    """Files and folders of the layout."""

    names: str  # the data.yaml, relative to the root
    pairs: dict[str, image_folders.Pair]


_YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def detect(folders: tuple[folder_walk.Folder, ...], request: base.Request) -> _Folders | None:
    """Return the data.yaml and the folders of images and labels, in either order of nesting."""
    if "manual" not in request.subsets:
        return None
    yamls = list(folder_walk.lists_called(folders, lambda name: name.lower() in _YAMLS))
    pairs: dict[str, image_folders.Pair] = {}
    outer = image_folders.pairs_of(folders, images="images", annotations="labels")
    for parent, pair in outer.items():
        pairs |= _nested(folders, pair) or {parent: pair}
    if not yamls or not pairs:
        return None
    return _Folders(yamls[0], pairs)


def _nested(
    folders: tuple[folder_walk.Folder, ...], pair: image_folders.Pair
) -> dict[str, image_folders.Pair]:
    """Return the pairs of images/train and labels/train."""
    known = {folder.relative for folder in folders}
    return {
        folder.relative: image_folders.Pair(folder.relative, f"{pair.annotations}/{folder.name}")
        for folder in folders
        if folder.relative
        and folder.parent == pair.images
        and label_names.split_of(folder.name)
        and f"{pair.annotations}/{folder.name}" in known
    }


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    there = detect(folders, request)
    assert there
    reading = Reading(class_codes(root / there.names, label_names.parse_labels(request.labels)))
    pairs, notes = split_names.by_split(there.pairs, root=str(root))
    tally = passed_over.Tally(root, follow_links=request.follow_links)
    tables = tuple(_as_table(root, split, pair, reading, tally) for split, pair in pairs.items())
    apart = image_folders.folders_of(pairs.values())
    tally.add_rest(read=(there.names,), apart=apart)
    return base.Release(
        layout="yolo", root=str(root), tables=tables, notes=notes, passed_over=tally.counts()
    )


def _as_table(
    root: storage.AnyPath,
    split: str,
    pair: image_folders.Pair,
    reading: Reading,
    tally: passed_over.Tally,
) -> base.Table:
    listed = image_folders.paired(
        str(root),
        pair,
        stem_of=lambda name: image_folders.without_extension(name, ".txt"),
        tally=tally,
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
      path: the data.yaml.
      given: the parsed --labels.

    Raises:
      errors.UserError: if it has no names, another number of them than its nc, or one that is no
        expression.
    """
    names = _class_names(path)
    codes = label_names.codes(names, given=given, where=f"names in {path}")
    if unknown := [name for name in names if name not in codes]:
        raise errors.UserError(
            f"every class must be an expression: {path} has {', '.join(unknown)}; "
            f"name its expression with --labels={unknown[0]}=…"
        )
    return tuple(codes[name] for name in names)


def _class_names(path: storage.AnyPath) -> list[str]:
    storage.check_input(path, at_most=untrusted.SETTINGS_BYTES)
    with storage.naming(path):
        content = path.read_bytes()
    value = untrusted.parse_yaml(untrusted.decoded(content, where=path), where=path)
    if not isinstance(value, dict):
        value = {}
    given = value.get("names")
    names = _in_order(given)
    if not isinstance(names, list) or not names or not all(map(_is_name, names)):
        raise errors.UserError(
            f"{path} must have names, a list or 0: …, 1: …: got {str(given)[:200]}"
        )
    if value.get("nc", len(names)) != len(names):
        raise errors.UserError(
            f"{path} must have as many names as classes: nc is {value['nc']!r:.40}, "
            f"names are {len(names)}"
        )
    return [str(name) for name in names]


def _is_name(value: Any) -> bool:
    """Return whether a value of YAML can be a name: text, or what YAML took for a number."""
    return isinstance(value, str | int | float)


def _in_order(names: Any) -> Any:
    """Return a mapping 0: …, 1: … as a list, None for any other mapping, and the rest as it is."""
    if not isinstance(names, dict):
        return names
    by_index = {str(index): name for index, name in names.items()}
    indices = [str(index) for index in range(len(names))]
    if by_index.keys() != set(indices):
        return None
    return [by_index[index] for index in indices]


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part of a folder: a row for every face of an image."""
    assert isinstance(part.range, base.Names) and isinstance(part.table.reading, Reading)
    table = part.table
    names = part.range.names
    files = [f"{image_folders.stem(name)}.txt" for name in names]
    contents = storage.contents(storage.path(root) / table.path, files, within=part.within(root))
    for name, file, content in zip(names, files, contents, strict=True):
        place = image_folders.place_of(table, name, prefix=f"{table.split}/images")
        try:
            lines = _lines(content, file)
        except annotations.InvalidExample as defect:
            yield image_folders.reject(place, name, defect.reason, str(defect))
            continue
        yield from _faces(name, lines, place, part.table.reading.codes)


def _lines(content: bytes | OSError, file: str) -> list[list[str]]:
    """Return the words of every line of a file.

    Raises:
      annotations.InvalidExample: if the file cannot be read.
    """
    try:
        if isinstance(content, OSError):
            raise content
        return [line.split() for line in content.decode("utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        reason = "unreadable annotation"
        if isinstance(error, FileNotFoundError):
            reason = "no annotation"
        raise annotations.InvalidExample(
            reason, f"a picture must have a list of faces: {file}: {error}"
        ) from error


def _faces(
    name: str, lines: Sequence[Sequence[str]], place: annotations.Place, codes: Sequence[int]
) -> Iterator[annotations.Row | annotations.Reject]:
    if not any(lines):
        yield image_folders.reject(
            place, name, "no face", f"a list of faces must have one: that of {name} is empty"
        )
    for number, words in enumerate(lines, start=1):
        if words:
            face = place._replace(source=f"{place.source} face {number}")
            yield annotations.settled(
                _face, face, f"{place.images}/{name}", name, words, face, codes
            )


def _face(
    name: str, words: Sequence[str], place: annotations.Place, codes: Sequence[int]
) -> annotations.Row | annotations.Reject:
    row = annotations.parse({"path": name, **_fields(words, codes)}, place)
    if isinstance(row, annotations.Row):
        return row._replace(box_from="fractions")
    return row


def _fields(words: Sequence[str], codes: Sequence[int]) -> dict[str, str]:
    """Return the text fields of a line of class, centre, width, height and, unread, confidence."""
    try:
        if not all(map(fields_lib.is_plain, words)):
            raise ValueError
        index = int(words[0])
        x, y, width, height = map(float, words[1:5])
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
            "bad label", f"a class must be 0..{len(codes) - 1}: got {words[0]}"
        )
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1 and 0 < height <= 1):
        detail = f"a box must be in fractions of the picture, 0..1: got {' '.join(words[1:5])}"
        raise annotations.InvalidExample("bad box", detail)
    box = {"x": x - width / 2, "y": y - height / 2, "width": width, "height": height}
    return {"label": str(codes[index]), **{name: repr(value) for name, value in box.items()}}
