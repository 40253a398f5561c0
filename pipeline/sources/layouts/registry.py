"""Registry of layouts by the names that --layout takes, and detection of a folder's layout.

A folder in which several layouts are detected is refused rather than read as the first of them.
"""

import collections
import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias

from affectnet_tfds import features
from pipeline.files import storage
from pipeline.rows import annotations, validation_split
from pipeline.sources import base, folder_walk
from pipeline.sources.layouts import (
    affectnet_2017,
    affectnet_2021_npy,
    affectnet_plus,
    ckplus,
    class_folders,
    csv_layout,
    fer2013,
    ferplus,
    named_images,
    rafdb,
    yolo,
)
from runtime import errors, installation, untrusted

Folders: TypeAlias = tuple[folder_walk.Folder, ...]


class Layout(Protocol):
    """A layout's module."""

    @property
    def LOOKED_FOR(self) -> str:  # A constant of the module.
        """What the layout is recognised by, for messages."""

    def detect(self, folders: Folders, request: base.Request) -> Any:
        """Return what is there of the layout, falsy for nothing."""

    def find_release(
        self, root: storage.AnyPath, folders: Folders, request: base.Request
    ) -> base.Release:
        """Return the release, where `detect` found the layout."""

    def read(self, root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
        """Yield the rows and rejects of a part."""


LAYOUTS: dict[str, Layout] = {
    "2017": affectnet_2017,
    "npy": affectnet_2021_npy,
    "affectnetplus": affectnet_plus,
    "yolo": yolo,
    "folders": class_folders,
    "csv": csv_layout,
    "fer2013": fer2013,
    "ferplus": ferplus,
    "rafdb": rafdb,
    "ckplus": ckplus,
    "kdef": named_images.KDEF,
    "jaffe": named_images.JAFFE,
    "afew": class_folders.AFEW,
    "caer": class_folders.CAER,
}

OTHERS = ("fer2013", "ferplus", "rafdb", "ckplus", "kdef", "jaffe", "afew", "caer")
"""Layouts of other data sets than AffectNet."""

AUTOMATIC = ("2017", "npy", "affectnetplus", "yolo", *OTHERS)
"""Layouts that --layout=auto tries first; class folders, the least specific, only where none of
these is detected."""

BESIDE_FOLDERS = ("fer2013", "kdef", "jaffe")
"""Layouts whose images people sort into class folders, which may have splits of their own: where
both are there, it has to be said which is meant."""

SUBJECTS: dict[str, Callable[[str], str]] = {
    "ckplus": ckplus.subject,
    "kdef": named_images.KDEF.subject,
    "jaffe": named_images.JAFFE.subject,
    "folders": class_folders.subject,
    "afew": class_folders.subject,
    "caer": class_folders.subject,
}
"""Layouts that may name the subject (or the video) of an image: name of the image, relative to its
table's images → subject, or ""."""

SUBJECTS_ALWAYS = ("ckplus", "kdef", "jaffe")
"""Layouts that name the subject of every image. In others a folder counts as a subject where there
are enough of them for a validation split."""

FLAGS = {
    "csv": ("csv",),
    "columns": ("csv",),
    "pictures": ("csv",),
    "labels": ("csv", "folders", "yolo"),
    "difficulty": ("affectnetplus",),
}
"""Flag → the layouts in which it has an effect."""

WITH_GROUPS = ("csv", "2017", "affectnetplus")
"""Layouts whose annotations may have attributes (--groups)."""

SAMPLE_MARKER = "drawn_sample.json"
"""Name of the file that marks a release of drawn faces (pipeline/sample)."""


def recognise(root: storage.AnyPath, request: base.Request) -> base.Release:
    """Return the release in a folder.

    Raises:
      errors.UserError: if it is no folder, or holds no release or several; the message lists what
        was looked for and what is there.
    """
    storage.forget_listings()
    check_folder(root)
    folders = folder_walk.walk(root, follow_links=request.follow_links)
    links_out = folder_walk.links_out(folders)
    try:
        release = _recognised(root, folders, request)
    except errors.UserError as error:
        if not links_out:
            raise  # As it is: a store that does not answer has an exit code of its own.
        raise type(error)(f"{error}; {links_out}") from error
    # Now, and not when images are read: until then a disk may have gone.
    return release._replace(
        tables=tuple(table._replace(follow_links=request.follow_links) for table in release.tables),
        notes=(*release.notes, links_out) if links_out else release.notes,
        folders=base.folders_with_files(release),
    )


def _recognised(root: storage.AnyPath, folders: Folders, request: base.Request) -> base.Release:
    named = _named(request)
    layout = named or _detected(root, folders, request)
    _check_flags(request, layout)
    _check_groups(request, layout)
    if LAYOUTS[layout].detect(folders, request):
        return LAYOUTS[layout].find_release(root, folders, request)
    tried = [named] if named else [*AUTOMATIC, "folders"]
    looked_for = ", ".join(LAYOUTS[name].LOOKED_FOR for name in tried)
    raise errors.UserError(
        f"{root} is no AffectNet release in a known layout, or has no "
        f"{' or '.join(request.subsets)} annotations (looked for: {looked_for}; "
        f"found: {census(root)}); {installation.doc('data.md')} shows each layout, and --csv "
        "takes any list of images"
    )


def check_folder(root: storage.AnyPath) -> None:
    """Check that the input is a folder.

    Raises:
      errors.UserError: if not.
    """
    if root.is_dir():
        return
    problem = "is a file" if root.exists() else "does not exist"
    raise errors.UserError(f"--input_dir must be a folder: {root} {problem}")


def _named(request: base.Request) -> str:
    """Return the layout that the flags name, or ""."""
    if request.csv and request.layout in ("auto", "csv"):
        return "csv"
    if request.layout == "auto":
        return ""
    return request.layout


def detected(folders: Folders, request: base.Request) -> dict[str, bool]:
    """Return whether each layout that can be recognised by itself is there."""
    return {name: bool(LAYOUTS[name].detect(folders, request)) for name in (*AUTOMATIC, "folders")}


def _detected(root: storage.AnyPath, folders: Folders, request: base.Request) -> str:
    """Return the one layout that is detected; class folders where there is no other.

    Raises:
      errors.UserError: if there are several.
    """
    found = [name for name in AUTOMATIC if LAYOUTS[name].detect(folders, request)]
    if found and found[0] in BESIDE_FOLDERS and class_folders.detect(folders, request):
        found.append("folders")
    if len(found) > 1:
        raise errors.UserError(
            f"{root} holds several layouts: {', '.join(found)}; choose one with --layout, "
            "or give --input_dir the folder of one"
        )
    return next(iter(found), "folders")


def _check_flags(request: base.Request, layout: str) -> None:
    """Refuse a flag that would have no effect.

    Raises:
      errors.UserError: naming it, and the layouts that it is for.
    """
    for flag, layouts in FLAGS.items():
        if getattr(request, flag) != base.Request._field_defaults[flag] and layout not in layouts:
            raise errors.UserError(
                f"--{flag} has no effect with the layout {layout}: "
                f"it needs --layout={' or '.join(layouts)}"
            )


def _check_groups(request: base.Request, layout: str) -> None:
    """Refuse attributes of the annotation where the layout has no columns of one's own.

    Raises:
      errors.UserError: naming them, and what there is instead.
    """
    if (columns := request.columns_of_groups()) and layout not in WITH_GROUPS:
        raise errors.UserError(
            f"--groups={','.join(columns)} names what the layout {layout} does not have: columns "
            f"are read with --layout={' or '.join(WITH_GROUPS)}; the job itself measures "
            f"{', '.join(features.MEASURED_GROUPS)}"
        )


def read(root: str, part: base.Part) -> Iterator[annotations.Row | annotations.Reject]:
    """Yield the rows and rejects of a part."""
    yield from LAYOUTS[part.table.layout].read(root, part)


def splits(release: base.Release) -> set[str]:
    """Return the splits of a release, of lists whose rows have one too."""
    found = {table.split for table in release.tables if table.split}
    for table in release.tables:
        if not table.split:
            found |= {split for _, split in getattr(table.reading, "splits", ())}
    return found


def holdout(
    release: base.Release, *, frac: float, fold: int, seed: int
) -> validation_split.Holdout:
    """Return what becomes the validation split of a release that has none."""
    subjects = _subjects(release) if frac else set()
    if not frac or (len(subjects) * frac < 1 and release.layout not in SUBJECTS_ALWAYS):
        return validation_split.Holdout(frac, fold, seed)
    held = validation_split.of_subjects(subjects, frac=frac, fold=fold, seed=seed)
    return validation_split.Holdout(frac, fold, seed, held)


def _subjects(release: base.Release) -> set[str]:
    """Return the subjects that a release names."""
    if not (subject := SUBJECTS.get(release.layout)):
        return set()
    named = {
        subject(name)
        for part in release.parts()
        if isinstance(part.range, base.Names)
        for name in part.range.names
    }
    return named - {""}


def in_split(
    item: annotations.Row | annotations.Reject, part: base.Part, held: validation_split.Holdout
) -> annotations.Row | annotations.Reject:
    """Return a row or reject in its split, when a part of train is held out."""
    name = ""
    if held.subjects is not None:
        name = SUBJECTS[part.table.layout](item.path.removeprefix(f"{part.table.images}/"))
    return validation_split.divided(item, subject=name, holdout=held)


def drawn_sample(root: storage.AnyPath) -> dict[str, object] | None:
    """Return the content of the drawn sample's marker, or None for any other folder."""
    marker = root / SAMPLE_MARKER
    if not marker.is_file():
        return None
    storage.check_input(marker, at_most=untrusted.SETTINGS_BYTES)
    try:
        content: dict[str, object] = {**json.loads(marker.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, RecursionError) as error:
        raise errors.UserError(f"{marker} is damaged ({error}): draw the sample again") from None
    return content


def census(root: storage.AnyPath, limit: int = 5000) -> str:
    """Count the files of a folder by extension, up to a limit, for a message."""
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
    plural = "s" if len(folders) > 1 else ""
    return f"{listed} in {len(folders):,} folder{plural}"
