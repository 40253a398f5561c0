"""Layouts of class folders: train/happy/*.jpg, val/3/*.jpg, as copies of AffectNet are often kept.

A folder's name is the expression, in any spelling, or AffectNet's code. The order of the folders is
not used: tools that number sorted names give other codes. Images are face crops, so the whole image
is used. All images below a class folder are taken, in whatever folders they are.

AFEW's frames have a folder for each video, train_afew/Angry/000046280/001.jpg, as public code
extracts them; CAER-S has train/Anger/0001.png and test. They are class folders too, but without a
name of their own their builds would be called affectnet8.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import (
    base,
    folder_walk,
    image_folders,
    label_names,
    passed_over,
    split_names,
)
from runtime import errors

LOOKED_FOR = "class folders (happy or 1, below train and val)"

EXPECTED = {"train": base.EXPECTED_TRAIN, "validation": base.EXPECTED_VALIDATION}


_OF_SUBJECT = re.compile(r"(S\d{3})_\d+")


class Reading(NamedTuple):
    """Settings for reading a part."""

    codes: tuple[tuple[str, int], ...]  # folder → AffectNet's code


def detect(
    folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> dict[str, folder_walk.Folder]:
    """Return the folders that hold class folders with images, by their relative paths."""
    # Parsed first, so that a wrong flag is refused whatever the subset.
    given = label_names.parse_labels(request.labels)
    if "manual" not in request.subsets:
        return {}
    tally = passed_over.Tally(folders[0].path, follow_links=request.follow_links)
    possible = {
        folder.relative: [f"{folder.relative}/{name}".lstrip("/") for name in names]
        for folder in folders
        if (names := _possible_classes(folder, given))
    }
    holders = {
        folder.relative: folder
        for folder in folders
        if any(_has_image(tally, path, nested=True) for path in possible.get(folder.relative, ()))
        and not _is_in_class(folder, possible)
    }
    return {
        path: folder
        for path, folder in holders.items()
        if not any(
            f"{other}/".startswith(f"{path}/".lstrip("/")) for other in holders.keys() - {path}
        )
        or any(_has_image(tally, inside, nested=False) for inside in possible[path])
    }


def _is_in_class(folder: folder_walk.Folder, possible: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a folder of numbers is in a class folder with a name: happy/1 is a subject."""
    if not all(map(_is_numbered, possible[folder.relative])):
        return False
    return any(
        f"{folder.relative}/".startswith(f"{path}/")
        for paths in possible.values()
        for path in paths
        if not _is_numbered(path)
    )


def _is_numbered(path: str) -> bool:
    """Tell whether a class folder is called by its code."""
    return path.rpartition("/")[2].isdecimal()


def _possible_classes(folder: folder_walk.Folder, given: Mapping[str, str]) -> list[str]:
    names = _class_names(folder, given)
    if len(names) == 1 and not label_names.split_of(folder.name):
        return []  # One folder called happy is no data set, unless train or val holds it.
    return names


def _class_names(folder: folder_walk.Folder, given: Mapping[str, str]) -> list[str]:
    """Return the folders that are classes.

    There are none where numbers go beyond 10: those are the image folders of the 2017 release.
    """
    numbers = [name for name in folder.folders if name.isdecimal()]
    if any(int(name) > 10 and label_names.as_written(name) not in given for name in numbers):
        return []
    others = [name for name in folder.folders if name not in numbers]
    return numbers + [
        name
        for name in others
        if label_names.as_written(name) in given or label_names.code_of(name) is not None
    ]


def _has_image(tally: passed_over.Tally, folder: str, *, nested: bool) -> bool:
    """Tell whether a folder has an image, or, if nested, a folder in it."""
    return any(
        tally.is_image(path)
        for path in tally.files_below(folder)
        if nested or path.rpartition("/")[0] == folder
    )


def find_release(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> base.Release:
    """Return the release below a root in which `detect` found the layout."""
    by_split, notes = split_names.by_split(detect(folders, request), root=str(root))
    given = label_names.parse_labels(request.labels)
    tables: list[base.Table] = []
    ignored: list[str] = []
    tally = passed_over.Tally(root, follow_links=request.follow_links)
    apart: list[str] = []
    for split, folder in by_split.items():
        names = _class_names(folder, given)
        codes = label_names.codes(names, given=given, where=str(folder.path))
        tables.append(_as_table(root, split, folder, codes, tally))
        apart += [f"{folder.relative}/{name}".lstrip("/") for name in codes]
        ignored += [
            f"{folder.relative}/{name}".lstrip("/") for name in folder.folders if name not in codes
        ]
    if ignored:
        notes += (f"ignored, as no expression: {', '.join(ignored)}",)
    tally.add_rest(read=(), apart=apart)
    return base.Release(
        layout="folders",
        root=str(root),
        tables=tuple(tables),
        notes=notes,
        passed_over=tally.counts(),
    )


def _as_table(
    root: storage.AnyPath,
    split: str,
    folder: folder_walk.Folder,
    codes: Mapping[str, int],
    tally: passed_over.Tally,
) -> base.Table:
    inside = {name: f"{folder.relative}/{name}".lstrip("/") for name in sorted(codes)}
    names = [
        f"{name}/{file}"
        for name, path in inside.items()
        for file in tally.images_below(path, nested=True)
    ]
    _check_no_splits(root, folder, names)
    return base.Table(
        layout="folders",
        split=split,
        subset="manual",
        path=folder.relative,
        images=folder.relative,
        parts=base.in_parts(names),
        expected=EXPECTED.get(split, ()),
        digest=image_folders.digest(names),
        reading=Reading(tuple(sorted(codes.items()))),
    )


def _check_no_splits(
    root: storage.AnyPath, folder: folder_walk.Folder, names: Sequence[str]
) -> None:
    """Refuse happy/train/x.jpg, whose images would all be one split.

    Raises:
      errors.UserError: naming the first.
    """
    if label_names.split_of(folder.relative.rpartition("/")[2]):
        return
    for name in names:
        within = name.split("/")[1:-1]
        if any(map(label_names.split_of, within)):
            path = f"{folder.relative}/{name}".lstrip("/")
            raise errors.UserError(
                f"splits must be above class folders, as in {within[0]}/{name.partition('/')[0]}: "
                f"{root} has {path}; move them, or list the images for --csv"
            )


def subject(name: str) -> str:
    """Return S010 of happy/S010/3.jpg, and of happy/S010_004_00000017.png as in CK+48; else ""."""
    if name.count("/") > 1:
        return name.split("/")[1]
    named = _OF_SUBJECT.match(name.rpartition("/")[2])
    return named[1] if named else ""


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows of a part of the folders."""
    assert isinstance(part.range, base.Names) and isinstance(part.table.reading, Reading)
    codes = dict(part.table.reading.codes)
    for name in part.range.names:
        place = image_folders.place_of(part.table, name, prefix=part.table.split)
        fields = {"path": name, "label": str(codes[name.partition("/")[0]])}
        yield annotations.settled(annotations.parse, place, name, fields, place)


@dataclasses.dataclass(frozen=True)
class NamedClassFolders:
    """A layout (registry.Layout) of class folders that another data set has.

    Attributes:
      layout: name that --layout takes.
      data: name of the data set.
      LOOKED_FOR: as in every layout.
      pattern: of a folder's normalised name, by which the layout is recognised.
    """

    layout: str
    data: str
    LOOKED_FOR: str
    pattern: re.Pattern[str]

    read = staticmethod(read)

    def detect(
        self, folders: tuple[folder_walk.Folder, ...], request: base.Request
    ) -> dict[str, folder_walk.Folder]:
        """Return the folders that hold class folders, where the data set is named."""
        if request.layout != self.layout and not any(map(self._names_it, _names(folders))):
            return {}
        return detect(folders, request)

    def _names_it(self, name: str) -> bool:
        return bool(self.pattern.fullmatch(folder_walk.normalised(name)))

    def find_release(
        self,
        root: storage.AnyPath,
        folders: tuple[folder_walk.Folder, ...],
        request: base.Request,
    ) -> base.Release:
        """Return the release below a root in which `detect` found the layout."""
        release = find_release(root, folders, request)
        tables = [table._replace(layout=self.layout, expected=()) for table in release.tables]
        return release._replace(layout=self.layout, data=self.data, tables=tuple(tables))


def _names(folders: tuple[folder_walk.Folder, ...]) -> list[str]:
    """Return the names of the input folder and of all below it."""
    return [folder.path.name for folder in folders]


AFEW = NamedClassFolders(
    layout="afew",
    data="AFEW",
    LOOKED_FOR="train_afew/Angry/000046280/001.jpg (AFEW)",
    pattern=re.compile(r"(train|val|test)?afew\d*"),
)

CAER = NamedClassFolders(
    layout="caer",
    data="CAER-S",
    LOOKED_FOR="CAER-S/train/Anger/0001.png (CAER-S)",
    pattern=re.compile(r"caers?"),
)
