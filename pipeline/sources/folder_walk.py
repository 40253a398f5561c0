"""A look around below a folder: one listing of each folder, from which every layout tells whether
it is there.

Numbered folders are not entered where there are many: the 2017 release keeps its pictures in 1,500
of them. Nothing is opened.
"""

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from runtime import errors

DEPTH = 5
MAX_FOLDERS = 2_000
MAX_NUMBERED = 20
LISTS = (".csv", ".txt", ".lst", ".tsv", ".yaml", ".yml")
PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif")
"""What a picture's name ends with, in any case; Thumbs.db and its like are passed over."""


class Folder(NamedTuple):
    """What one folder holds."""

    path: storage.AnyPath
    relative: str  # to where the search began, with forward slashes; empty for that itself
    folders: tuple[str, ...]  # sorted
    kinds: frozenset[str]  # extensions of its files, lower case
    lists: tuple[str, ...]  # names of files with an extension of LISTS, sorted; the first 1,000

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def parent(self) -> str:
        """The folder above it, relative; empty where that is the start."""
        return self.relative.rpartition("/")[0]


def walk(root: storage.AnyPath) -> tuple[Folder, ...]:
    """Look at the folders below a root, shallow ones first."""
    found: list[Folder] = []
    level = [""]
    for _ in range(DEPTH + 1):
        looked = [_look(root, relative) for relative in level]
        found += looked
        level = [
            f"{folder.relative}/{name}".lstrip("/")
            for folder in looked
            for name in _entered(folder)
        ][: max(0, MAX_FOLDERS - len(found))]
    return tuple(found)


def _entered(folder: Folder) -> list[str]:
    """Return which of its folders are looked at too."""
    numbered = sum(name.isdecimal() for name in folder.folders)
    skipped = (
        {name for name in folder.folders if name.isdecimal()} if numbered > MAX_NUMBERED else set()
    )
    return [
        name
        for name in folder.folders
        if name not in skipped and not name.startswith((".", "__MACOSX"))
    ]


def _look(root: storage.AnyPath, relative: str) -> Folder:
    folders, lists, kinds = [], [], set()
    try:
        for entry in storage.input_entries(root / relative):
            if entry.is_dir():
                folders.append(entry.name)
                continue
            kind = f".{entry.name.rpartition('.')[2].lower()}"
            kinds.add(kind)
            if kind in LISTS:
                lists.append(entry.name)
    except PermissionError:
        pass  # What may not be seen is not there.
    return Folder(
        root / relative,
        relative,
        tuple(sorted(folders)),
        frozenset(kinds),
        tuple(sorted(lists)[:1000]),
    )


def normalised(name: str) -> str:
    """Return a name as compared: lower case, letters and digits only."""
    return "".join(c for c in name.lower() if c.isalnum())


def is_picture(name: str) -> bool:
    """Tell by a file's name whether it is taken for a picture."""
    return name.lower().endswith(PICTURES) and not name.startswith("._")


def child(folders: Iterable[Folder], parent: str, *names: str) -> Folder | None:
    """Return the first folder directly below `parent` whose normalised name is one of `names`."""
    return next(
        (f for f in folders if f.relative and f.parent == parent and normalised(f.name) in names),
        None,
    )


def folder_with(paths: Sequence[str], *, likely: Iterable[Folder], table: storage.AnyPath) -> str:
    """Return which folder, relative to the search, has most of the pictures that a list names
    first.

    Args:
      likely: folders to try, the likeliest first; of equally good ones the first is taken.
      table: the list, for the message.

    Raises:
      errors.UserError: if no folder has any of them.
    """
    tried = list(likely)
    found, best = tried[0], -1
    for folder in tried:
        there = _count(folder, paths)
        if there > best:
            best, found = there, folder
        if best == len(paths):
            break  # No other can have more.
    if not best and paths:
        raise errors.UserError(
            f"{table} names pictures such as {paths[0]!r}, and no folder of {len(set(tried)):,} has one of its first "
            f"{len(paths)}; unpack the pictures beside the lists, or say --input_dir of a folder that holds both"
        )
    return found.relative


def _count(folder: Folder, paths: Sequence[str]) -> int:
    """Return how many of the pictures are in a folder, asking for those only that its listing does
    not rule out."""
    inside = {name.lower() for name in folder.folders}
    possible = [path for path in map(_relative, paths) if path and _may_hold(folder, inside, path)]
    if not possible:
        return 0
    places = [folder.path / path for path in possible]
    return sum(storage.ahead(_is_file, places, threads=storage.read_threads(folder.path)))


def _relative(path: str) -> str:
    try:
        return annotations.relative_path(path)
    except annotations.InvalidExample:
        return ""


def _may_hold(folder: Folder, inside: Set[str], path: str) -> bool:
    """Tell by what a folder's listing said whether a picture can be in it; names may differ in
    case."""
    first, slash, _ = path.partition("/")
    if slash:
        return first.lower() in inside
    return f".{path.rpartition('.')[2].lower()}" in folder.kinds


def _is_file(path: storage.AnyPath) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
