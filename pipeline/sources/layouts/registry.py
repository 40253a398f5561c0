"""The layouts by the names that --layout takes, and the one function that recognises them.

A folder in which several are spotted is refused rather than read as the first of them.
"""

import collections
import json
from collections.abc import Iterator
from types import ModuleType

from pipeline.files import storage
from pipeline.rows import annotations
from pipeline.sources import base, folder_walk
from pipeline.sources.layouts import (
    affectnet_2017,
    affectnet_2021_npy,
    affectnet_plus,
    class_folders,
    csv_layout,
    yolo,
)
from runtime import errors

LAYOUTS: dict[str, ModuleType] = {
    "2017": affectnet_2017,
    "npy": affectnet_2021_npy,
    "affectnetplus": affectnet_plus,
    "yolo": yolo,
    "folders": class_folders,
    "csv": csv_layout,
}

AUTOMATIC = ("2017", "npy", "affectnetplus", "yolo")
"""What --layout=auto looks for first; class folders, which say least of themselves, only where none
of these is."""

FLAGS = {
    "csv": ("csv",),
    "columns": ("csv",),
    "pictures": ("csv",),
    "labels": ("csv", "folders", "yolo"),
    "difficulty": ("affectnetplus",),
}
"""Flag → the layouts in which it has an effect."""

SAMPLE_MARKER = "drawn_sample.json"
"""The file by which a release of drawn faces (pipeline/sample) is known."""


def recognise(root: storage.AnyPath, request: base.Request) -> base.Release:
    """Return the release in a folder.

    Raises: errors.UserError: if the folder is none, holds none, or holds several; the message lists
      what was looked for and
        found.
    """
    storage.forget_listings()
    if not root.is_dir():
        raise errors.UserError(
            f"--input_dir must be a folder: {root} is {'a file' if root.exists() else 'not there'}"
        )
    folders = folder_walk.walk(root)
    named = _named(request)
    layout = named or _spotted(root, folders, request)
    _check_flags(request, layout)
    if LAYOUTS[layout].spot(folders, request):
        return LAYOUTS[layout].find(root, folders, request)
    looked_for = [
        LAYOUTS[name].LOOKED_FOR for name in ([named] if named else [*AUTOMATIC, "folders"])
    ]
    raise errors.UserError(
        f"{root} is no AffectNet release known here, or has no {' or '.join(request.subsets)} annotations. "
        f"Looked for: {', '.join(looked_for)}. Found: {_census(root)}. "
        "docs/data.md shows each layout; --csv takes any list of pictures."
    )


def _named(request: base.Request) -> str:
    """Return the layout that the flags name, or nothing."""
    if request.csv and request.layout in ("auto", "csv"):
        return "csv"
    return "" if request.layout == "auto" else request.layout


def _spotted(
    root: storage.AnyPath, folders: tuple[folder_walk.Folder, ...], request: base.Request
) -> str:
    """Return the one layout that is there; class folders, if any, where there is no other.

    Raises:
      errors.UserError: if there are several.
    """
    there = [name for name in AUTOMATIC if LAYOUTS[name].spot(folders, request)]
    if len(there) > 1:
        raise errors.UserError(
            f"{root} holds several layouts: {', '.join(there)}; say which with --layout, or --input_dir of one of them"
        )
    return there[0] if there else "folders"


def _check_flags(request: base.Request, layout: str) -> None:
    """Refuse a flag that would have no effect.

    Raises:
      errors.UserError: naming it, and the layouts that it is for.
    """
    for flag, layouts in FLAGS.items():
        if getattr(request, flag) != base.Request._field_defaults[flag] and layout not in layouts:
            raise errors.UserError(
                f"--{flag} is for the layout {' or '.join(layouts)}, and this is {layout}: leave it out"
            )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part."""
    yield from LAYOUTS[part.table.layout].read(root, part)


def drawn_sample(root: storage.AnyPath) -> dict[str, object] | None:
    """Return what the drawn sample says of itself, or None for anything else."""
    marker = root / SAMPLE_MARKER
    return json.loads(marker.read_text(encoding="utf-8")) if marker.is_file() else None


def _census(root: storage.AnyPath, limit: int = 5000) -> str:
    """Say what is in a folder, by extension, from the first files of a walk."""
    kinds: collections.Counter[str] = collections.Counter()
    folders = set()
    for path in storage.files_below(root):
        kinds[path.suffix.lower() or "no extension"] += 1
        folders.add(path.parent)
        if sum(kinds.values()) >= limit:
            break
    if not kinds:
        return "no file"
    listed = ", ".join(f"{count:,} {kind.lstrip('.')}" for kind, count in kinds.most_common(6))
    return f"{listed} in {len(folders):,} folder{'s' if len(folders) > 1 else ''}"
