"""Folder walk: lists each folder below the input once; every layout detects itself in the result.

Numbered folders are not entered where there are many: the 2017 release keeps its images in 1,500
of them. No file is opened.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from pipeline.files import storage
from pipeline.rows import annotations
from runtime import errors

DEPTH = 5
MAX_FOLDERS = 2_000
MAX_NUMBERED = 20
LISTS = (".csv", ".txt", ".lst", ".tsv", ".yaml", ".yml")


class Folder(NamedTuple):
    """Listing of one folder."""

    path: storage.AnyPath
    relative: str  # to the root of the walk, with forward slashes; empty for the root itself
    folders: tuple[str, ...]  # sorted
    kinds: frozenset[str]  # extensions of its files, lower case
    lists: tuple[str, ...]  # names of files with an extension of LISTS, sorted; the first 1,000
    links_out: tuple[str, ...] = ()  # names of links out of the root, which are not followed

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def parent(self) -> str:
        """The folder above it, relative; empty where that is the root."""
        return self.relative.rpartition("/")[0]


def walk(root: storage.AnyPath, *, follow_links: bool = False) -> tuple[Folder, ...]:
    """List the folders below a root, shallow ones first.

    Args:
      root: the input folder.
      follow_links: whether links may lead out of it.
    """
    within = "" if follow_links or not isinstance(root, Path) else str(root)
    folders: list[Folder] = []
    level = [""]
    for _ in range(DEPTH + 1):
        listed = [_list_folder(root, relative, within=within) for relative in level]
        folders += listed
        below = [
            f"{folder.relative}/{name}".lstrip("/")
            for folder in listed
            for name in _entered(folder)
        ]
        level = below[: max(0, MAX_FOLDERS - len(folders))]
    return tuple(folders)


def _entered(folder: Folder) -> list[str]:
    """Return the names of the folders in a folder that are listed too."""
    skips_numbers = sum(name.isdecimal() for name in folder.folders) > MAX_NUMBERED
    return [
        name
        for name in folder.folders
        if not (skips_numbers and name.isdecimal()) and not name.startswith((".", "__MACOSX"))
    ]


def _list_folder(root: storage.AnyPath, relative: str, *, within: str) -> Folder:
    folders: list[str] = []
    lists: list[str] = []
    links_out: list[str] = []
    kinds: set[str] = set()
    try:
        for entry in storage.input_entries(root / relative):
            if within and storage.leads_out(entry, within):
                links_out.append(entry.name)
                continue
            if storage.leads_up(entry):
                continue
            if storage.is_folder(entry):
                folders.append(entry.name)
                continue
            kind = f".{entry.name.rpartition('.')[2].lower()}"
            kinds.add(kind)
            if kind in LISTS:
                lists.append(entry.name)
    except PermissionError:
        pass  # A folder that may not be listed counts as empty.
    return Folder(
        root / relative,
        relative,
        tuple(sorted(folders)),
        frozenset(kinds),
        tuple(sorted(lists)[:1000]),
        tuple(sorted(links_out)),
    )


def links_out(folders: Iterable[Folder]) -> str:
    """Return the sentence about links that are not followed, or ""."""
    paths = [
        f"{folder.relative}/{name}".lstrip("/") for folder in folders for name in folder.links_out
    ]
    if not paths:
        return ""
    more = f" and {len(paths) - 1:,} more" if paths[1:] else ""
    return f"{paths[0]}{more}: links out of the input folder, which --follow_links follows"


def normalised(name: str) -> str:
    """Return a name in the form in which names are compared: lower case, letters and digits."""
    return "".join(c for c in name.lower() if c.isalnum())


def lists_called(folders: Iterable[Folder], is_called: Callable[[str], bool]) -> Iterator[str]:
    """Yield the paths below the root of the lists whose names are accepted, in walking order."""
    for folder in folders:
        for name in folder.lists:
            if is_called(name):
                yield f"{folder.relative}/{name}".lstrip("/")


def first_list(folders: Iterable[Folder], *stems: str) -> str:
    """Return the first list that is called so, spelling and ending aside; "" if there is none."""
    return next(
        lists_called(folders, lambda name: normalised(name.rpartition(".")[0]) in stems), ""
    )


def child(folders: Iterable[Folder], parent: str, *names: str) -> Folder | None:
    """Return the first folder directly below `parent` whose normalised name is one of `names`."""
    return next(
        (f for f in folders if f.relative and f.parent == parent and normalised(f.name) in names),
        None,
    )


def image_folder(
    paths: Sequence[str],
    *,
    likely: Iterable[Folder],
    table: storage.AnyPath,
    or_else: str = "give --input_dir a folder that holds both",
) -> str:
    """Return the folder, relative to the root, that has most of the first images of a list.

    Args:
      paths: the first images of the list.
      likely: folders to try, the likeliest first; of equally good ones the first is taken.
      table: the list, for the message.
      or_else: what else helps, for the message.

    Raises:
      errors.UserError: if no folder has any of them.
    """
    candidates = list(likely)
    best, count = best_folder(paths, likely=candidates)
    if not count and paths:
        raise errors.UserError(
            f"{table} names images such as {paths[0]!r:.100}, and no folder of "
            f"{len(set(candidates)):,} has one of its first {len(paths)}; unpack the images beside "
            f"the lists, or {or_else}"
        )
    return best.relative


def best_folder(paths: Sequence[str], *, likely: Sequence[Folder]) -> tuple[Folder, int]:
    """Return the folder with most of the images, the first of equally good ones, and how many."""
    best = likely[0]
    best_count = -1
    for folder in likely:
        count = _count(folder, paths)
        if count > best_count:
            best_count = count
            best = folder
        if best_count == len(paths):
            break  # No other can have more.
    return best, best_count


def _count(folder: Folder, paths: Sequence[str]) -> int:
    """Count the images that are in a folder, testing only those that its listing allows."""
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
    """Tell whether a folder's listing allows an image to be in it; case is ignored."""
    first, slash, _ = path.partition("/")
    if slash:
        return first.lower() in inside
    return f".{path.rpartition('.')[2].lower()}" in folder.kinds


def _is_file(path: storage.AnyPath) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        storage.check_is_of_file(error, path)
        return False
